# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pooling: the largest or the mean of each window of an image, channel by channel."""

from math import inf
from typing import Literal

import numpy as np
from pydantic import Field

from vynapse_autodiff.layers.layer import Layer, Scope, images
from vynapse_autodiff.layers.sizes import Padding, Pair, Sides, fits, padded, sides
from vynapse_core import GraphError, Value


class Pool(Layer):
    """What max_pool and average_pool share."""

    size: Pair = (2, 2)
    """Height and width of a window, in pixels."""
    stride: Pair | None = Field(None)
    """Pixels from one window to the next; by default the windows' size."""
    padding: Padding = "valid"
    """What is added around the image: "valid" for nothing, "same" for as many windows as the stride fits into it, or
    how many pixels on each side, at most half a window. It never counts as a value."""

    def around(self, x: Value) -> list[Sides]:
        """Return what is added to images `x`. Raises GraphError where a window would hold nothing else."""
        images(x)
        found = sides(x, self.padding, self.size, self.stride or self.size)
        for (before, after), size in zip(found, self.size, strict=True):
            if max(before, after) > size // 2:
                raise GraphError(f"a padding of {max(before, after)} is more than half of a window of {size}")
        return found

    def windows(self, x: Value) -> Value:
        """Return the windows [B, C, h, w, H', W'] of padded images."""
        fits(x, self.size)
        return x.builder.apply("window", x, size=self.size, stride=self.stride or self.size)


class MaxPool(Pool):
    """The largest value of each window, [B, C, H, W] to [B, C, H', W']; equal ones share the gradient."""

    type: Literal["max_pool"] = "max_pool"
    """Which layer this is."""

    def build(self, x: Value, scope: Scope) -> Value:
        """Return the maxima."""
        return self.windows(padded(x, self.around(x), -inf)).max((2, 3))


class AveragePool(Pool):
    """The mean of each window, [B, C, H, W] to [B, C, H', W']."""

    type: Literal["average_pool"] = "average_pool"
    """Which layer this is."""

    def build(self, x: Value, scope: Scope) -> Value:
        """Return the means of the pixels that are no padding."""
        around = self.around(x)
        sums = self.windows(padded(x, around)).sum((2, 3))
        stride = self.stride or self.size
        counts = [
            _counts(int(n), side, size, step, int(places))
            for n, side, size, step, places in zip(x.shape[2:], around, self.size, stride, sums.shape[2:], strict=True)
        ]
        if all((count == size).all() for count, size in zip(counts, self.size, strict=True)):
            return sums * (1.0 / (self.size[0] * self.size[1]))
        return sums * (1.0 / np.outer(*counts))


class GlobalPool(Layer):
    """The mean or the largest value of each channel, [B, C, ...] to [B, C].  Reference: Lin, Chen & Yan 2014."""

    type: Literal["global_pool"] = "global_pool"
    """Which layer this is."""
    of: Literal["average", "max"] = "average"
    """What is taken of a channel."""

    def build(self, x: Value, scope: Scope) -> Value:
        """Return a number for each channel."""
        axes = tuple(range(2, len(x.shape)))
        if not axes:
            raise GraphError("expected channels with positions, [channels, ...]")
        return x.max(axes) if self.of == "max" else x.mean(axes)


def _counts(n: int, side: Sides, size: int, step: int, places: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return how many of the n pixels of an axis each of its windows sees."""
    start = np.arange(places) * step - side.before
    seen = np.minimum(start + size, n) - np.maximum(start, 0)
    return seen.astype(np.float64)
