# SPDX-License-Identifier: MIT OR Apache-2.0
"""Normalisation: values shifted and scaled to mean 0 and variance 1, over a batch or within a sample."""

from typing import Literal

from pydantic import Field

from vynapse_autodiff.layers.layer import Layer, Scope, sample
from vynapse_core import GraphError, Value


class BatchNorm(Layer):
    """Each channel normalised over batch and positions, then scaled and shifted by learnt numbers.

    Training takes the batch's mean and variance, and the running ones follow them; all else, and a frozen layer, takes
    the running ones.  Reference: Ioffe & Szegedy 2015, alg. 1 and 2.
    """

    type: Literal["batch_norm"] = "batch_norm"
    """Which layer this is."""
    momentum: float = Field(0.1, gt=0, le=1)
    """Share of a batch in the running mean and variance, within (0, 1]."""
    epsilon: float = Field(1e-5, gt=0)
    """Added to the variance, above 0."""

    def build(self, x: Value, scope: Scope) -> Value:
        """Return `x` [B, C, ...] normalised; parameters `scale`, `shift`, `mean` and `variance`, [C] each."""
        channels = int(x.shape[1])
        scale, shift = scope.parameter("scale", (channels,), 1.0), scope.parameter("shift", (channels,), 0.0)
        mean = scope.parameter("mean", (channels,), 0.0, learnt=False)
        variance = scope.parameter("variance", (channels,), 1.0, learnt=False)
        lined = (channels, *(1,) * (len(x.shape) - 2))
        if scope.learning:
            axes = (0, *range(2, len(x.shape)))
            seen = x.mean(axes)
            centred = x - seen.reshape(lined)
            spread = (centred * centred).mean(axes)
            apply = x.builder.apply
            count = apply("size", x, axes=axes)
            # the variance of all there is, told from a sample of it
            unbiased = spread * (count / apply("maximum", count - 1.0, 1.0))
            scope.follow("mean", mean + (seen - mean) * self.momentum)
            scope.follow("variance", variance + (unbiased - variance) * self.momentum)
        else:
            centred, spread = x - mean.reshape(lined), variance
        factor = scale / x.builder.apply("sqrt", spread + self.epsilon)
        return centred * factor.reshape(lined) + shift.reshape(lined)


class LayerNorm(Layer):
    """Each sample normalised by itself, then scaled and shifted by learnt numbers.  Reference: Ba, Kiros & Hinton 2016.

    It does the same in training and afterwards.
    """

    type: Literal["layer_norm"] = "layer_norm"
    """Which layer this is."""
    axes: int | None = Field(None, gt=0)
    """How many of the last axes are normalised together; by default all of a sample."""
    epsilon: float = Field(1e-5, gt=0)
    """Added to the variance, above 0."""

    def build(self, x: Value, scope: Scope) -> Value:
        """Return `x` [B, ...] normalised; parameters `scale` and `shift` of the shape of the axes."""
        shape = sample(x)
        count = len(shape) if self.axes is None else self.axes
        if count > len(shape):
            raise GraphError(f"expected at least {count} axes, as 'axes' says")
        last = tuple(shape[len(shape) - count :])
        axes = tuple(range(len(x.shape) - count, len(x.shape)))
        scale, shift = scope.parameter("scale", last, 1.0), scope.parameter("shift", last, 0.0)
        centred = x - x.mean(axes, keepdims=True)
        spread = (centred * centred).mean(axes, keepdims=True)
        return centred / x.builder.apply("sqrt", spread + self.epsilon) * scale + shift
