# SPDX-License-Identifier: MIT OR Apache-2.0
"""Schedules: numbers that change as a run goes on, and `Scheduled`, the type of a field that takes a number or one."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import copysign, cos, inf, isfinite, pi
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
        share = clock.step / max(1, span - 1)
        return self.end if share >= 1 or clock.step >= span else _within(self.between(share), self.extremes())

    def extremes(self) -> tuple[float, float]:
        """Return start and end in order."""
        return min(self.start, self.end), max(self.start, self.end)

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where nothing says over how many steps the schedule goes."""
        if self.steps is None and experiment.recipe.stop.steps is None:
            yield "steps", "this schedule needs to know its length: set 'steps' here, or stop.steps"

    @abstractmethod
    def between(self, share: float) -> float:
        """Return the value when `share`, in [0, 1), of the steps is done."""


class Constant(Schedule):
    """The same value at every step."""

    example: ClassVar[Mapping[str, Any]] = {"value": 0.5}

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

    example: ClassVar[Mapping[str, Any]] = {"start": 1.0, "end": 0.1, "steps": 10}

    def between(self, share: float) -> float:
        """Return the point on the line."""
        return _mean(self.start, self.end, share)


class Exponential(OverSteps):
    """A geometric decay or growth from start to end: the same factor at every step."""

    example: ClassVar[Mapping[str, Any]] = {"start": 1.0, "end": 0.1, "steps": 10}

    start: float = Field(gt=0)
    """Value at the first step."""
    end: float = Field(gt=0)
    """Value at the last step, and after it."""

    def between(self, share: float) -> float:
        """Return start · (end / start)^share, in a form that does not overflow."""
        return float(self.start ** (1 - share) * self.end**share)


class Cosine(OverSteps):
    """Half a cosine wave from start to end: slow, fast, slow.  Reference: Loshchilov & Hutter 2017, eq. 5."""

    example: ClassVar[Mapping[str, Any]] = {"start": 1.0, "end": 0.1, "steps": 10}

    def between(self, share: float) -> float:
        """Return the point on the half wave."""
        return _wave(self.start, self.end, share)


class Step(Schedule):
    """A value multiplied by a factor every so many steps."""

    example: ClassVar[Mapping[str, Any]] = {"start": 1.0, "every": 3}

    start: float
    """Value at the first step."""
    factor: float = Field(0.5, gt=0)
    """What the value is multiplied by."""
    every: int = Field(gt=0)
    """Steps between two multiplications."""
    end: float | None = None
    """Where the value stops falling or rising; without it, it never does."""

    @model_validator(mode="after")
    def _check_end(self) -> Self:
        low, high = sorted((self.start, self._limit()))
        if self.end is not None and not low <= self.end <= high:
            raise mistake(f"'end' is {self.end:g}, and 'start' and 'factor' lead from {low:g} to {high:g}")
        return self

    def at(self, clock: Clock) -> float:
        """Return start · factor^⌊step / every⌋, held at end."""
        try:
            value = self.start * self.factor ** (clock.step // self.every)
        except OverflowError:
            value = self._limit()
        return _within(value, self.extremes())

    def extremes(self) -> tuple[float, float]:
        """Return start and end, or the limit of the sequence where it has no end."""
        limit = self._limit() if self.end is None else self.end
        return min(self.start, limit), max(self.start, limit)

    def _limit(self) -> float:
        if self.start == 0 or self.factor == 1:
            return self.start
        return 0.0 if self.factor < 1 else copysign(inf, self.start)


class Piecewise(Schedule):
    """Straight lines between given points."""

    example: ClassVar[Mapping[str, Any]] = {"steps": (0, 10), "values": (1.0, 0.1)}

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
                return _within(_mean(low, high, (clock.step - left) / (right - left)), self.extremes())
        return points[-1][1]

    def extremes(self) -> tuple[float, float]:
        """Return the least and the greatest point."""
        return min(self.values), max(self.values)


class WarmUp(Schedule):
    """A straight rise over some steps, and then what follows, which counts its steps from there.

    Reference: Goyal et al. 2017, section 2.2.
    """

    example: ClassVar[Mapping[str, Any]] = {"steps": 3, "start": 0.1, "then": 1.0}

    steps: int = Field(gt=0)
    """Steps of the rise."""
    start: float
    """Value at the first step."""
    then: "Scheduled"
    """What follows, and how high the rise goes: a number, or a schedule whose length leaves out the rise."""

    def at(self, clock: Clock) -> float:
        """Return the value on the rise, or what follows it."""
        left = None if clock.steps is None else max(1, clock.steps - self.steps)
        if clock.step >= self.steps:
            return value_at(self.then, Clock(clock.step - self.steps, left))
        first = value_at(self.then, Clock(0, left))
        return _within(_mean(self.start, first, clock.step / self.steps), self.extremes())

    def extremes(self) -> tuple[float, float]:
        """Return the least and the greatest of start and what follows."""
        low, high = self.then.extremes() if isinstance(self.then, Schedule) else (self.then, self.then)
        return min(self.start, low), max(self.start, high)


class OneCycle(OverSteps):
    """Half a cosine wave up to a peak and another one down to the end.  Reference: Smith & Topin 2018, section 3.

    Its form is that of PyTorch's `OneCycleLR`: `div_factor` there is peak / start, and `final_div_factor` start / end.
    """

    example: ClassVar[Mapping[str, Any]] = {"start": 0.04, "peak": 1.0, "end": 0.001, "steps": 10}

    peak: float
    """The greatest value."""
    rise: float = Field(0.3, gt=0, lt=1)
    """Share of the way from the first step to the last that the rise takes, within (0, 1)."""

    @model_validator(mode="after")
    def _check_peak(self) -> Self:
        if self.peak < max(self.start, self.end):
            raise mistake(f"'peak' is {self.peak:g}, and neither 'start' nor 'end' may lie above it")
        return self

    def between(self, share: float) -> float:
        """Return the point on the wave up, or on the one down."""
        if share < self.rise:
            return _wave(self.start, self.peak, share / self.rise)
        return _wave(self.peak, self.end, (share - self.rise) / (1 - self.rise))

    def extremes(self) -> tuple[float, float]:
        """Return the lower one of start and end, and the peak."""
        return min(self.start, self.end), self.peak


def _wave(start: float, end: float, share: float) -> float:
    """Return the point on half a cosine wave from start to end."""
    return _mean(start, end, (1 - cos(pi * share)) / 2)


def _mean(start: float, end: float, share: float) -> float:
    """Return the point between start and end, in a form that does not overflow."""
    return start * (1 - share) + end * share


def _within(value: float, extremes: tuple[float, float]) -> float:
    """Return `value`, which rounding may have put beside the extremes, within them."""
    return min(max(value, extremes[0]), extremes[1])


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
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "number"}, {"component": "schedule"}]}


Scheduled = Annotated[float | Schedule, _NumberOrSchedule]
"""A number, or a schedule of numbers. Read it with `value_at`."""


def value_at(scheduled: float | Schedule, clock: Clock) -> float:
    """Return what a `Scheduled` field is worth at the clock's step."""
    if isinstance(scheduled, float | int):
        return scheduled
    return scheduled.at(clock) if isinstance(scheduled, Schedule) else scheduled
