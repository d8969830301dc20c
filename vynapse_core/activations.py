# SPDX-License-Identifier: MIT OR Apache-2.0
"""Activations: functions of a layer's sums, built out of graph nodes so that every device and gradient knows them.

The forms are those that neither overflow nor cancel in float32, at whatever input.
"""

from math import sqrt

from pydantic import Field

from vynapse_core.builder import Value, softmax, where
from vynapse_core.contracts.loss import Activation


class Identity(Activation):
    """x itself: what an output layer that regresses, or gives logits, wants."""

    def build(self, x: Value) -> Value:
        """Return x."""
        return x


class Tanh(Activation):
    """tanh x, in (−1, 1)."""

    def build(self, x: Value) -> Value:
        """Return tanh x."""
        return x.builder.apply("tanh", x)


class Sigmoid(Activation):
    """1 / (1 + e^(−x)), in (0, 1)."""

    def build(self, x: Value) -> Value:
        """Return the logistic function of x."""
        return x.builder.apply("sigmoid", x)


class Relu(Activation):
    """max(x, 0).  Reference: Nair & Hinton 2010."""

    def build(self, x: Value) -> Value:
        """Return the positive part of x."""
        return x.builder.apply("maximum", x, 0.0)


class LeakyRelu(Activation):
    """x where positive, else slope · x.  Reference: Maas, Hannun & Ng 2013."""

    slope: float = 0.01
    """Slope below 0."""

    def build(self, x: Value) -> Value:
        """Return x, flatter below 0."""
        return where(x.greater(0.0), x, x * self.slope)


class Elu(Activation):
    """x where positive, else alpha · (e^x − 1).  Reference: Clevert, Unterthiner & Hochreiter 2016."""

    alpha: float = Field(1.0, gt=0)
    """What the function approaches far below 0, with its sign changed."""

    def build(self, x: Value) -> Value:
        """Return x, saturating below 0."""
        below = x.builder.apply("minimum", x, 0.0)
        # e^x − 1 = tanh(x / 2) · (e^x + 1), which keeps its digits near 0
        bent = x.builder.apply("tanh", below * 0.5) * (x.builder.apply("exp", below) + 1.0)
        return where(x.greater(0.0), x, bent * self.alpha)


class Gelu(Activation):
    """x · Φ(x), with Φ the normal distribution's cumulative function, exact.  Reference: Hendrycks & Gimpel 2016."""

    def build(self, x: Value) -> Value:
        """Return x weighted by Φ(x)."""
        return x * 0.5 * (x.builder.apply("erf", x * sqrt(0.5)) + 1.0)


class Silu(Activation):
    """x · sigmoid(x), also known as swish.  Reference: Elfwing, Uchibe & Doya 2018."""

    def build(self, x: Value) -> Value:
        """Return x weighted by its sigmoid."""
        return x * x.builder.apply("sigmoid", x)


class Softplus(Activation):
    """log(1 + e^x), a smooth ReLU.  Reference: Dugas et al. 2001."""

    def build(self, x: Value) -> Value:
        """Return max(x, 0) + log(1 + e^(−|x|)), which is the same and overflows nowhere."""
        tail = x.builder.apply("log1p", x.builder.apply("exp", -x.builder.apply("abs", x)))
        return x.builder.apply("maximum", x, 0.0) + tail


class Softmax(Activation):
    """e^x over its sum along a layer: shares that sum to 1. A cross-entropy on logits does this itself."""

    def build(self, x: Value) -> Value:
        """Return the softmax along the last axis."""
        return softmax(x)


class Sin(Activation):
    """sin x, for what repeats.  Reference: Sitzmann et al. 2020."""

    def build(self, x: Value) -> Value:
        """Return the sine of x in radians."""
        return x.builder.apply("sin", x)


class Gauss(Activation):
    """e^(−x²): high around 0 only, in (0, 1]."""

    def build(self, x: Value) -> Value:
        """Return the bell curve of x."""
        return x.builder.apply("exp", -(x * x))
