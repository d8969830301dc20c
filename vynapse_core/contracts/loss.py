# SPDX-License-Identifier: MIT OR Apache-2.0
"""Loss and activation: components that build graph nodes, so that every device and every gradient knows them."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from vynapse_core.builder import Value, one_hot
from vynapse_core.component import Component

Gradient = Callable[[Sequence[Value], Value, Value, Mapping[str, Any]], Sequence[Value | None]]
"""A vector-Jacobian product: (operands, output, cotangent, attributes) -> cotangents of the operands, or None."""


class Loss(Component):
    """What is minimised."""

    kind: ClassVar[str] = "loss"

    threshold: ClassVar[float] = 0.5
    """Where a single output parts class 0 from class 1."""

    @abstractmethod
    def build(self, prediction: Value, target: Value) -> Value:
        """Return the loss, a scalar: the mean over samples.

        `prediction` is [B, k]; `target` is [B, k], or the class ids int64 [B].
        """

    def correct(self, prediction: Value, target: Value) -> Value:
        """Return float [B]: 1 for each sample whose class `prediction` [B, k] names, else 0."""
        if prediction.shape[-1] == 1:
            named = prediction.reshape(("B",)).greater(self.threshold)
            wanted = target.reshape(("B",)).cast(prediction.dtype).greater(0.5)
        else:
            named = prediction.argmax(axis=-1)
            wanted = target if len(target.shape) == 1 else target.argmax(axis=-1)
        return named.equal(wanted).cast(prediction.dtype)


class Activation(Component):
    """A function of a layer's sums."""

    kind: ClassVar[str] = "activation"

    @abstractmethod
    def build(self, x: Value) -> Value:
        """Return the activation of `x`, of the same shape."""


def target_like(prediction: Value, target: Value) -> Value:
    """Return `target` as numbers of the shape of `prediction` [B, k]: class ids become one-hot rows."""
    if len(target.shape) == len(prediction.shape):
        return target
    if prediction.shape[-1] == 1:
        return target.reshape(("B", 1)).cast(prediction.dtype)
    return one_hot(target, int(prediction.shape[-1])).cast(prediction.dtype)
