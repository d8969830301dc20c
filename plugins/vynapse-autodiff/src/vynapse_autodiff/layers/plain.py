# SPDX-License-Identifier: MIT OR Apache-2.0
"""Layers without parameters of their own: `flatten` and `activation`."""

from typing import Literal

from vynapse_autodiff.layers.layer import Layer, Scope, flattened
from vynapse_core import Activation, Value


class Flatten(Layer):
    """All of a sample as one row, [B, ...] to [B, n]."""

    type: Literal["flatten"] = "flatten"
    """Which layer this is."""

    def build(self, x: Value, scope: Scope) -> Value:
        """Return the rows."""
        return flattened(x)


class Activate(Layer):
    """An activation by itself, for where it stands apart from the sums, such as after a normalisation."""

    type: Literal["activation"] = "activation"
    """Which layer this is."""
    function: Activation
    """The activation."""

    def build(self, x: Value, scope: Scope) -> Value:
        """Return the activation of `x`."""
        return self.function.build(x)
