# SPDX-License-Identifier: MIT OR Apache-2.0
"""Schedules: numbers that change as a run goes on, and `Scheduled`, the type of a field that takes a number or one."""

from abc import abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from math import cos, isfinite, pi
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

from vynapse_core.clock import Clock
from vynapse_core.component import Component
from vynapse_core.settings import described, mistake

if TYPE_CHECKING:
    from vynapse_core.experiment import Experiment


class Schedule(Component):
    """A number as a function of the step.

    It compares with a bound as its whole range does: `schedule > 0` holds if it is above 0 at every step. So a field's
    `gt`, `ge`, `lt` and `le` serve numbers and schedules alike.
    """

    kind: ClassVar[str] = "schedule"

    def __gt__(self, bound: float) -> bool:
        return self.extremes()[0] > bound

    def __ge__(self, bound: float) -> bool:
        return self.extremes()[0] >= bound

    def __lt__(self, bound: float) -> bool:
        return self.extremes()[1] < bound

    def __le__(self, bound: float) -> bool:
        return self.extremes()[1] <= bound

    @abstractmethod
    def at(self, clock: Clock) -> float:
        """Return the value at the clock's step."""

    @abstractmethod
    def extremes(self) -> tuple[float, float]:
        """Return the least and the greatest value that it ever takes; a field's bounds are checked against them."""


class OverSteps(Schedule):
    """A schedule from `start` to `end` over a number of steps, after which it stays at `end`."""

    start: float
    """Value at the first step."""
    end: float
    """Value at the last step, and after it."""
    steps: int | None = Field(None, gt=0)
    """Steps from start to end; without it, the run's `stop.steps`."""

    def at(self, clock: Clock) -> float:
        """Return the value at the clock's step."""
        span = self.steps or clock.steps
        if span is None:
            raise ValueError(f"a schedule without 'steps' needs a run with 'stop.steps': {self!r}")
        return self.between(min(1.0, clock.step / max(1, span - 1)))

    def extremes(self) -> tuple[float, float]:
        """Return start and end in order."""
        return min(self.start, self.end), max(self.start, self.end)

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where nothing says over how many steps the schedule goes."""
        if self.steps is None and experiment.recipe.stop.steps is None:
            yield "steps", "this schedule needs to know its length: set 'steps' here, or stop.steps"

    @abstractmethod
    def between(self, share: float) -> float:
        """Return the value when `share`, in [0, 1], of the steps is done."""


class Constant(Schedule):
    """The same value at every step."""

    value: float
    """The value."""

    def at(self, clock: Clock) -> float:
        """Return the value."""
        return self.value

    def extremes(self) -> tuple[float, float]:
        """Return the value twice."""
        return self.value, self.value


class Linear(OverSteps):
    """A straight line from start to end."""

    def between(self, share: float) -> float:
        """Return the point on the line."""
        return self.start + (self.end - self.start) * share


class Exponential(OverSteps):
    """A geometric decay or growth from start to end: the same factor at every step."""

    start: float = Field(gt=0)
    """Value at the first step."""
    end: float = Field(gt=0)
    """Value at the last step, and after it."""

    def between(self, share: float) -> float:
        """Return start · (end / start)^share."""
        return float(self.start * (self.end / self.start) ** share)


class Cosine(OverSteps):
    """Half a cosine wave from start to end: slow, fast, slow.  Reference: Loshchilov & Hutter 2017, eq. 5."""

    def between(self, share: float) -> float:
        """Return the point on the half wave."""
        return self.end + (self.start - self.end) * (1 + cos(pi * share)) / 2


class Step(Schedule):
    """A value multiplied by a factor every so many steps."""

    start: float
    """Value at the first step."""
    factor: float = Field(0.5, gt=0)
    """What the value is multiplied by."""
    every: int = Field(gt=0)
    """Steps between two multiplications."""
    end: float | None = None
    """Where the value stops falling or rising; without it, it never does."""

    def at(self, clock: Clock) -> float:
        """Return start · factor^⌊step / every⌋, held at end."""
        value = self.start * self.factor ** (clock.step // self.every)
        if self.end is None:
            return value
        return max(value, self.end) if abs(self.factor) < 1 else min(value, self.end)

    def extremes(self) -> tuple[float, float]:
        """Return start and the limit of the sequence."""
        limit = self.end if self.end is not None else 0.0 if self.factor < 1 else float("inf")
        limit = self.start if self.factor == 1 else limit
        return min(self.start, limit), max(self.start, limit)


class Piecewise(Schedule):
    """Straight lines between given points."""

    steps: tuple[int, ...] = Field(min_length=1)
    """Steps at which the values are taken, rising."""
    values: tuple[float, ...] = Field(min_length=1)
    """Values at those steps; before the first and after the last, the nearest one."""

    @model_validator(mode="after")
    def _check_points(self) -> Self:
        if len(self.steps) != len(self.values):
            raise mistake("'steps' and 'values' must have the same length")
        if any(later <= earlier for earlier, later in zip(self.steps, self.steps[1:], strict=False)):
            raise mistake("'steps' must rise")
        return self

    def at(self, clock: Clock) -> float:
        """Return the value on the line between the neighbouring points."""
        points = list(zip(self.steps, self.values, strict=True))
        if clock.step <= points[0][0]:
            return points[0][1]
        for (left, low), (right, high) in pairwise(points):
            if clock.step <= right:
                return low + (high - low) * (clock.step - left) / (right - left)
        return points[-1][1]

    def extremes(self) -> tuple[float, float]:
        """Return the least and the greatest point."""
        return min(self.values), max(self.values)


class _NumberOrSchedule:
    """Validates a `Scheduled` field: a number within the field's bounds, or a schedule that never leaves them."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def build(value: Any, info: core_schema.ValidationInfo) -> Any:
            if isinstance(value, dict | Schedule):
                return Schedule.from_tree(value, info)
            if isinstance(value, int | float) and not isinstance(value, bool):
                if not isfinite(value):
                    raise mistake(f"expected a finite number, found {described(value)}")
                return value
            raise mistake(
                f"expected a number or a schedule, found {described(value)}",
                "a schedule is a table with 'type'",
            )

        return core_schema.with_info_before_validator_function(build, handler(source))

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"type": "number"}, {"component": "schedule"}]}


Scheduled = Annotated[float | Schedule, _NumberOrSchedule]
"""A number, or a schedule of numbers. Read it with `value_at`."""


def value_at(scheduled: float | Schedule, clock: Clock) -> float:
    """Return what a `Scheduled` field is worth at the clock's step."""
    return scheduled.at(clock) if isinstance(scheduled, Schedule) else scheduled
