# SPDX-License-Identifier: MIT OR Apache-2.0
"""L-BFGS: a quasi-Newton method that remembers some steps and what they changed the gradient by.

In the graph it only computes the gradient, which goes into memory; the step of a trainer asks for as many gradients as
its line searches need. So it runs wherever any other optimiser does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import inf, isfinite
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from vynapse_autodiff.optimiser import Optimiser, Run, Values
from vynapse_autodiff.wolfe import Trial, wolfe
from vynapse_core import Array, Scheduled, Value, mistake

Floats = NDArray[np.float64]

SLOPE = "slope"
"""Under this name the gradient goes into memory."""
STEPS, CHANGES, PAIRS = "pair_steps", "pair_changes", "pairs"
LEAST_CURVATURE = 1e-10
"""Where the product of a step and its change is not above this, the pair tells nothing and is not remembered."""


class Lbfgs(Optimiser):
    """Along the gradient times an estimate of the inverse Hessian, by a line search with strong Wolfe conditions.

    It takes all samples at once. An update is one line search, of some two gradients.
    Reference: Liu & Nocedal 1989; Nocedal & Wright 2006, algorithms 7.4, 3.5 and 3.6.
    """

    of_each: ClassVar[tuple[str, ...]] = (SLOPE,)
    steady: ClassVar[bool] = True

    rule: Literal["lbfgs"] = "lbfgs"
    """Which optimiser this is."""
    rate: Scheduled = Field(1.0, gt=0)
    """Share of the estimated step that a line search tries first: a number above 0, or a schedule over the trainer's
    steps."""
    history: int = Field(10, ge=1)
    """Steps remembered; each takes 16 bytes a parameter."""
    evaluations: int = Field(25, ge=2)
    """Gradients that a line search may ask for."""

    @model_validator(mode="after")
    def _check_plain(self) -> Self:
        for name in ("clip_value", "clip_norm", "accumulate", "average"):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise mistake(f"lbfgs needs the gradient of its loss as it is, and {name!r} changes it; leave it out")
        return self

    def step(
        self, parameter: Value, gradient: Value, kept: Values, counts: Values, rate: Value
    ) -> tuple[Value, Values]:
        """Return no step, and the gradient to remember: parameters move between the gradients."""
        return gradient * 0.0, {SLOPE: gradient}

    def beside(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return room for steps and changes [P, history, n] of n parameters, and how many there are [P]."""
        networks = len(next(iter(arrays.values())))
        width = sum(array[0].size for array in arrays.values())
        pairs: dict[str, Array] = {name: np.zeros((networks, self.history, width)) for name in (STEPS, CHANGES)}
        return pairs | {PAIRS: np.zeros(networks)}

    def follow(
        self, run: Run, arrays: Mapping[str, Array], count: int, rate: float
    ) -> tuple[dict[str, Array], dict[str, Array], int]:
        """Return (arrays, seen, gradients) after `count` line searches of each network, one network after another."""
        networks = len(arrays[PAIRS])
        parts = [
            self._descended(run, {name: array[p : p + 1] for name, array in arrays.items()}, count, rate)
            for p in range(networks)
        ]
        after = {name: np.concatenate([part[0][name] for part in parts]) for name in arrays}
        seen = {name: np.concatenate([part[1][name] for part in parts], axis=1) for name in parts[0][1]}
        return after, seen, sum(part[2] for part in parts)

    def _descended(
        self, run: Run, arrays: Mapping[str, Array], count: int, rate: float
    ) -> tuple[dict[str, Array], dict[str, Array], int]:
        """Return the same of one network, whose arrays are [1, ...]."""
        objective = Objective(self, run, {name: arrays[name] for name in arrays if name not in (STEPS, CHANGES, PAIRS)})
        place, used, seen = objective.place, int(arrays[PAIRS][0]), []
        steps, changes = (list(arrays[name][0, :used]) for name in (STEPS, CHANGES))
        here = objective.at(place, 0)
        for update in range(count):
            way = -newton(here.slope, steps, changes)
            start = replace(here, length=0.0, rise=float(here.slope @ way))
            # before anything is known of the curvature, a step is at most 1 long in all
            first = rate if steps else rate * min(1.0, 1 / max(float(np.abs(here.slope).sum()), LEAST_CURVATURE))
            taken = start
            if start.rise < 0 and isfinite(start.loss):
                look = partial(objective.along, place, way, update)
                taken = wolfe(start, look, first, self.evaluations, float(np.abs(way).max()))
            move, change = taken.length * way, taken.slope - here.slope
            if not taken.length:
                # what is remembered has led astray, or there is nothing to gain any more
                steps, changes = [], []
            elif move @ change > LEAST_CURVATURE:
                steps, changes = [*steps, move][-self.history :], [*changes, change][-self.history :]
            place, here = place + move, taken
            seen.append(taken.seen)
        known: dict[str, Array] = {PAIRS: np.array([float(len(steps))])}
        for name, vectors in ((STEPS, steps), (CHANGES, changes)):
            known[name] = np.zeros_like(arrays[name])
            for index, vector in enumerate(vectors):
                known[name][0, index] = vector
        after = objective.arrays | objective.unpacked(place) | objective.unpacked(here.slope, f"{SLOPE}.") | known
        return after, {name: np.concatenate([each[name] for each in seen]) for name in seen[0]}, objective.asked


class Objective:
    """The loss of one network as a function of all its parameters, a vector [n] of float64."""

    def __init__(self, optimiser: Lbfgs, run: Run, arrays: Mapping[str, Array]) -> None:
        self.optimiser = optimiser
        self.run = run
        self.arrays = dict(arrays)
        """Parameters and memory [1, ...] after the last look."""
        self.names = [name for name in arrays if f"{SLOPE}.{name}" in arrays]
        self.asked = 0
        """How often the loss was looked at."""

    @property
    def place(self) -> Floats:
        """The parameters as they are, [n]."""
        return self._packed("")

    def at(self, point: Floats, update: int) -> Trial:
        """Return the loss with its penalties and the gradient at a point [n], as a trial of length 0."""
        self.asked += 1
        self.arrays, seen = self.run(self.arrays | self.unpacked(point), update, 1)
        penalty = self.optimiser.l1 * np.abs(point).sum() + self.optimiser.l2 / 2 * (point @ point)
        loss = float(seen["loss"][0, 0]) + float(penalty)
        return Trial(0.0, loss if isfinite(loss) else inf, 0.0, self._packed(f"{SLOPE}."), seen)

    def along(self, place: Floats, way: Floats, update: int, length: float) -> Trial:
        """Return the trial of a length along `way` [n] from `place` [n]."""
        trial = self.at(place + length * way, update)
        return replace(trial, length=length, rise=float(trial.slope @ way))

    def unpacked(self, vector: Floats, before: str = "") -> dict[str, Array]:
        """Return the arrays [1, ...] of a vector [n], `before` standing before the parameters' names."""
        wanted = [self.arrays[before + name] for name in self.names]
        parts = np.split(vector, np.cumsum([array.size for array in wanted])[:-1])
        return {
            before + name: part.astype(array.dtype).reshape(array.shape)
            for name, part, array in zip(self.names, parts, wanted, strict=True)
        }

    def _packed(self, before: str) -> Floats:
        return np.concatenate([self.arrays[before + name].astype(np.float64).ravel() for name in self.names])


def newton(slope: Floats, steps: Sequence[Floats], changes: Sequence[Floats]) -> Floats:
    """Return the inverse Hessian [n, n] that steps and changes [n] tell of, oldest first, times a gradient [n].

    Reference: Nocedal & Wright 2006, algorithm 7.4 with eq. 7.20.
    """
    direction, shares = slope.copy(), []
    pairs = list(zip(steps, changes, strict=True))
    for step, change in reversed(pairs):
        shares.append(float(step @ direction) / float(step @ change))
        direction -= shares[-1] * change
    if pairs:
        step, change = pairs[-1]
        direction *= float(step @ change) / float(change @ change)
    for (step, change), share in zip(pairs, reversed(shares), strict=True):
        direction += (share - float(change @ direction) / float(step @ change)) * step
    return direction
