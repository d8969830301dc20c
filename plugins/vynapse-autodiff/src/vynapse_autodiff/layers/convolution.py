# SPDX-License-Identifier: MIT OR Apache-2.0
"""The layer `conv2d`: the same filters at every position of an image.

In the graph a convolution is a window, a reshape and a product with the weights from the left, which devices recognise.
"""

from math import prod
from typing import Literal, Self

from pydantic import Field, model_validator

from vynapse_autodiff.layers.layer import HE, IDENTITY, Layer, Scope, images
from vynapse_autodiff.layers.sizes import Padding, Pair, fits, padded, sides
from vynapse_core import Activation, GraphError, Initialiser, Value, mistake


class Conv2d(Layer):
    """Filters over images, [B, C, H, W] to [B, filters, H', W'], and an activation.  Reference: LeCun et al. 1989.

    As everywhere in this field, it is the cross-correlation: filters are not turned around.
    """

    type: Literal["conv2d"] = "conv2d"
    """Which layer this is."""
    filters: int = Field(gt=0)
    """Number of output channels."""
    size: Pair
    """Height and width of a filter, in pixels."""
    stride: Pair = (1, 1)
    """Pixels from one position to the next."""
    padding: Padding = "valid"
    """Zeros around the image: "valid" for none, "same" for as many positions as pixels at stride 1, or how many on each
    side."""
    dilation: Pair = (1, 1)
    """Pixels from one weight of a filter to the next."""
    groups: int = Field(1, gt=0)
    """Parts into which the channels are cut; each part of the filters sees one of them."""
    activation: Activation = IDENTITY
    """Function of the sums."""
    bias: bool = True
    """Whether each filter adds a bias; it starts at 0."""
    initialiser: Initialiser = HE
    """Distribution of the first weights, with the filters as fan_out and the numbers that one sees as fan_in."""

    @model_validator(mode="after")
    def _check_groups(self) -> Self:
        if self.filters % self.groups:
            raise mistake(f"'filters' ({self.filters}) must be a multiple of 'groups' ({self.groups})")
        return self

    def build(self, x: Value, scope: Scope) -> Value:
        """Return the activation of the sums, parameters `weight` [filters, C / groups, h, w] and `bias` [filters]."""
        channels = images(x)[0]
        if channels % self.groups:
            raise GraphError(f"{channels} channels cannot be cut into {self.groups} groups of one size")
        shape = (self.filters, channels // self.groups, *self.size)
        weight = scope.parameter("weight", shape, self.initialiser, self.filters)
        bias = scope.parameter("bias", (self.filters,), 0.0) if self.bias else None
        x = padded(x, sides(x, self.padding, self.size, self.stride, self.dilation))
        return self.activation.build(convolution(x, weight, bias, self.stride, self.dilation, self.groups))


def convolution(
    x: Value,
    weight: Value,
    bias: Value | None = None,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Value:
    """Return the filters' sums [B, F, H', W'] for images `x` [B, C, H, W].

    `weight` is [F, C / groups, h, w], `bias` [F]. Raises GraphError for filters larger than the image.
    """
    filters, *patch = (int(size) for size in weight.shape)
    fits(x, (patch[1], patch[2]), dilation)
    cut = x.builder.apply("window", x, size=tuple(patch[1:]), stride=stride, dilation=dilation)
    high, wide = cut.shape[-2:]
    positions, seen = int(high) * int(wide), prod(patch)
    if groups == 1:
        value = weight.reshape((filters, seen)) @ cut.reshape(("B", seen, positions))
    else:
        value = weight.reshape((groups, filters // groups, seen)) @ cut.reshape(("B", groups, seen, positions))
    value = value.reshape(("B", filters, high, wide))
    return value if bias is None else value + bias.reshape((filters, 1, 1))
