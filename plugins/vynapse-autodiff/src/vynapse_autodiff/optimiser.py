# SPDX-License-Identifier: MIT OR Apache-2.0
"""Optimiser: a rule by which gradients move parameters, written as graph nodes.

As an update is a part of the graph, a training step is one program, on every device, and a population of networks is
trained at once. The learning rate is a value of the graph: a schedule changes it without compiling anew.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from vynapse_core import Scheduled, Settings, Value

TINY = 1e-6
"""Added to a norm before it divides, as PyTorch does."""

Values = Mapping[str, Value]
"""Values of a graph by name."""


class Optimiser(Settings):
    """A rule by which gradients move parameters.

    The gradient is clipped first, by value and then by norm; L1 and L2 are added to what is left. All three count
    weights and biases alike.
    """

    kept: ClassVar[tuple[str, ...]] = ()
    """What it remembers of each parameter, in the parameter's shape, by name."""
    counted: ClassVar[tuple[str, ...]] = ()
    """What it remembers once for all parameters, a number each, by name."""

    rate: Scheduled = Field(0.01, gt=0)
    """Learning rate: a number above 0, or a schedule over the trainer's steps."""
    l1: float = Field(0.0, ge=0)
    """Weight of the sum of magnitudes in what is minimised."""
    l2: float = Field(0.0, ge=0)
    """Weight of half the sum of squares in what is minimised: PyTorch's `weight_decay`."""
    clip_value: float | None = Field(None, gt=0)
    """Each number of the gradient is held within this on both sides of 0."""
    clip_norm: float | None = Field(None, gt=0)
    """The whole gradient, all parameters together, is scaled down to this Euclidean norm where it is longer."""

    def first(self, name: str) -> float:
        """Return the value that what is remembered under `name` has before the first update."""
        return 0.0

    def count(self, counts: Values) -> dict[str, Value]:
        """Return the numbers of `counted` after one more update."""
        return {}

    @abstractmethod
    def step(
        self, parameter: Value, gradient: Value, kept: Values, counts: Values, rate: Value
    ) -> tuple[Value, Values]:
        """Return what is to be subtracted from a parameter, and what is remembered of it from then on.

        `gradient` is clipped and has L1 and L2 in it; `counts` are those after this update; `rate` is a scalar.
        """

    def update(
        self, parameters: Values, gradients: Values, memory: Values, rate: Value
    ) -> tuple[dict[str, Value], dict[str, Value]]:
        """Return the parameters after an update and what is remembered, by the names that `memory_of` gives.

        `gradients` are those of a loss by the names of the parameters; `rate` is a scalar.
        """
        clipped = self.clipped(gradients)
        remembered = self.count({name: memory[name] for name in self.counted})
        counts = dict(remembered)
        moved: dict[str, Value] = {}
        for name, parameter in parameters.items():
            mine = {key: memory[f"{key}.{name}"] for key in self.kept}
            gradient = self.penalised(parameter, clipped[name])
            step, after = self.step(parameter, gradient, mine, counts, rate)
            moved[name] = parameter - step
            remembered |= {f"{key}.{name}": value for key, value in after.items()}
        return moved, remembered

    def memory_of(
        self, parameters: Mapping[str, tuple[int | str, ...]]
    ) -> dict[str, tuple[tuple[int | str, ...], float]]:
        """Return (shape, first value) of all that it remembers of parameters of these shapes, by name."""
        counted = {name: ((), self.first(name)) for name in self.counted}
        return counted | {
            f"{key}.{name}": (shape, self.first(key)) for name, shape in parameters.items() for key in self.kept
        }

    def clipped(self, gradients: Values) -> dict[str, Value]:
        """Return the gradients within `clip_value`, and together no longer than `clip_norm`."""
        held = {name: within(value, self.clip_value) for name, value in gradients.items()}
        if self.clip_norm is None or not held:
            return held
        total, *others = ((gradient * gradient).sum() for gradient in held.values())
        for square in others:
            total = total + square
        apply = total.builder.apply
        scale = apply("minimum", self.clip_norm / (apply("sqrt", total) + TINY), 1.0)
        return {name: gradient * scale for name, gradient in held.items()}

    def penalised(self, parameter: Value, gradient: Value) -> Value:
        """Return the gradient with those of the L1 and L2 penalties."""
        if self.l1:
            gradient = gradient + parameter.builder.apply("sign", parameter) * self.l1
        return gradient + parameter * self.l2 if self.l2 else gradient


def within(gradient: Value, limit: float | None) -> Value:
    """Return the gradient held between -limit and limit; None is no limit."""
    if limit is None:
        return gradient
    apply = gradient.builder.apply
    return apply("maximum", apply("minimum", gradient, limit), -limit)
