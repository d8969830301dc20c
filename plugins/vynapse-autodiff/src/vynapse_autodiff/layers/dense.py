# SPDX-License-Identifier: MIT OR Apache-2.0
"""The layer `dense`: each unit sees all inputs."""

from typing import Literal

from pydantic import Field

from vynapse_autodiff.layers.layer import HE, IDENTITY, Layer, Scope, sample
from vynapse_core import Activation, GraphError, Initialiser, Value


class Dense(Layer):
    """Weighted sums of all inputs, [B, n] to [B, units], and an activation."""

    type: Literal["dense"] = "dense"
    """Which layer this is."""
    units: int = Field(gt=0)
    """Number of outputs."""
    activation: Activation = IDENTITY
    """Function of the sums."""
    bias: bool = True
    """Whether a bias is added to each sum; it starts at 0."""
    initialiser: Initialiser = HE
    """Distribution of the first weights."""

    def build(self, x: Value, scope: Scope) -> Value:
        """Return the activation of `x` · weightᵀ + bias, parameters `weight` [units, n] and `bias` [units]."""
        if len(x.shape) != 2:
            raise GraphError("expected one number after the other, [n]; put a 'flatten' or 'global_pool' before it")
        (inputs,) = sample(x)
        value = x @ scope.parameter("weight", (self.units, inputs), self.initialiser, self.units).T
        if self.bias:
            value = value + scope.parameter("bias", (self.units,), 0.0)
        return self.activation.build(value)
