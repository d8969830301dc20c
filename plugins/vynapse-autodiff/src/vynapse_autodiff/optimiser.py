# SPDX-License-Identifier: MIT OR Apache-2.0
"""Optimiser: a rule by which gradients move parameters, written as graph nodes.

As an update is a part of the graph, a training step is one program, on every device, and a population of networks is
trained at once. The learning rate is a value of the graph: a schedule changes it without compiling anew.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

from pydantic import Field

from vynapse_core import Array, Scheduled, Settings, Value, where

TINY = 1e-6
"""Added to a norm before it divides, as PyTorch does."""

Values = Mapping[str, Value]
"""Values of a graph by name."""
Run = Callable[[Mapping[str, Array], int, int], tuple[dict[str, Array], dict[str, Array]]]
"""(arrays, first, count) -> (arrays after, {what each update measured: [count, P]}), from `first` of a step on."""


class Optimiser(Settings):
    """A rule by which gradients move parameters.

    The gradient is clipped first, by value and then by norm; L1 and L2 are added to what is left. All three count
    weights and biases alike.
    """

    steady: ClassVar[bool] = False
    """Whether it looks at one loss several times, so that it needs all samples, unchanged by chance, in every batch."""
    of_each: ClassVar[tuple[str, ...]] = ()
    """What its rule remembers of each parameter, in the parameter's shape, by name."""
    of_all: ClassVar[tuple[str, ...]] = ()
    """What its rule remembers once for all parameters, a number each, by name."""

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
    accumulate: int = Field(1, ge=1)
    """Batches whose gradients are averaged before parameters move, so that they count as one larger batch."""
    average: float | None = Field(None, ge=0, lt=1)
    """Decay of a moving mean of the parameters, within [0, 1): networks are judged and kept with the mean of what they
    have been, the batches of late counting most. Without it, with their parameters as they are."""

    @property
    def kept(self) -> tuple[str, ...]:
        """What it remembers of each parameter, in the parameter's shape, by name."""
        return (*self.of_each, *("sum",) * (self.accumulate > 1), *("average",) * (self.average is not None))

    @property
    def counted(self) -> tuple[str, ...]:
        """What it remembers once for all parameters, a number each, by name."""
        return (*self.of_all, *("summed",) * (self.accumulate > 1), *("average_weight",) * (self.average is not None))

    def first(self, name: str) -> float:
        """Return the value that what is remembered under `name` has before the first update."""
        return 0.0

    def count(self, counts: Values) -> dict[str, Value]:
        """Return the numbers of `of_all` after one more update."""
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
        """Return the parameters after a batch and what is remembered, by the names that `memory_of` gives.

        `gradients` are those of a loss by the names of the parameters; `rate` is a scalar.
        """
        if self.accumulate == 1:
            return self._moved(parameters, gradients, memory, rate)
        summed = memory["summed"] + 1.0
        full = summed.greater(self.accumulate - 0.5)
        sums = {name: memory[f"sum.{name}"] + gradient for name, gradient in gradients.items()}
        mean = {name: total * (1 / self.accumulate) for name, total in sums.items()}
        moved, remembered = self._moved(parameters, mean, memory, rate)
        begun = {"summed": summed} | {f"sum.{name}": total for name, total in sums.items()}
        return (
            {name: where(full, value, parameters[name]) for name, value in moved.items()},
            {name: where(full, value, memory[name]) for name, value in remembered.items()}
            | {name: where(full, 0.0, value) for name, value in begun.items()},
        )

    def _moved(
        self, parameters: Values, gradients: Values, memory: Values, rate: Value
    ) -> tuple[dict[str, Value], dict[str, Value]]:
        """Return the parameters after an update, and all that is remembered but sums."""
        clipped = self.clipped(gradients)
        remembered = self.count({name: memory[name] for name in self.of_all})
        counts = dict(remembered)
        moved: dict[str, Value] = {}
        for name, parameter in parameters.items():
            mine = {key: memory[f"{key}.{name}"] for key in self.of_each}
            gradient = self.penalised(parameter, clipped[name])
            step, after = self.step(parameter, gradient, mine, counts, rate)
            moved[name] = parameter - step
            remembered |= {f"{key}.{name}": value for key, value in after.items()}
            if self.average is not None:
                remembered[f"average.{name}"] = towards(memory[f"average.{name}"], moved[name], 1 - self.average)
        if self.average is not None:
            remembered["average_weight"] = towards(memory["average_weight"], 1.0, 1 - self.average)
        return moved, remembered

    def follow(
        self, run: Run, arrays: Mapping[str, Array], count: int, rate: float
    ) -> tuple[dict[str, Array], dict[str, Array], int]:
        """Return (arrays, seen, gradients) after a trainer's step of `count` updates at the learning rate `rate`.

        `arrays` are parameters and memory; `seen` is what each update measured, [count, P]; `gradients` how many were
        computed, of all networks together.
        """
        return *run(arrays, 0, count), count * len(next(iter(arrays.values())))

    def beside(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return what `follow` remembers, [P, ...] each, besides what `memory_of` names.

        `arrays` {parameter: [P, ...]} are those that are trained.
        """
        return {}

    def judged(self, arrays: Mapping[str, Array], memory: Mapping[str, Array]) -> dict[str, Array]:
        """Return the parameters [P, ...] that networks are judged and kept with.

        They are their moving means where `average` asks for them, else as they are.
        """
        judged = dict(arrays)
        if self.average is None or not memory["average_weight"].any():
            return judged
        for name, array in arrays.items():
            if (mean := memory.get(f"average.{name}")) is not None:
                weight = memory["average_weight"].reshape(-1, *[1] * (array.ndim - 1))
                judged[name] = (mean / weight).astype(array.dtype)
        return judged

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


def towards(mean: Value, seen: Value | float, share: float) -> Value:
    """Return a moving mean after one more value, which counts by `share`.

    In this form every operation waits for what is seen, so that a device computes an update in one pass.
    """
    return mean + (seen - mean) * share
