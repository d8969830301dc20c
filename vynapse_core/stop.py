# SPDX-License-Identifier: MIT OR Apache-2.0
"""When a run stops: the first criterion that holds, and how far the run has come."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, isfinite, isnan
from typing import Any, Self

from pydantic import Field, model_validator

from vynapse_core.contracts.trainer import Report
from vynapse_core.settings import Settings

DEFAULT_STEPS = 1000
GOALS = ("solved", "fitness", "loss")
"""Criteria on how good the best is: on a task whose fitness changes from step to step, one may hold by luck."""
CONFIRM_AFTER = 10
"""Steps between two looks at all the data whether a goal is truly reached, as each costs an evaluation."""


class Stop(Settings):
    """Criteria, of which the first that holds ends the run; the result says which. Without any, 1000 steps.

    Where batches or episodes are drawn, `solved`, `fitness` and `loss` must hold on all the data too, and `patience`
    counts from the luckiest draw.
    """

    steps: int | None = Field(None, gt=0)
    """Steps taken."""
    evaluations: int | None = Field(None, gt=0)
    """Individuals evaluated."""
    seconds: float | None = Field(None, gt=0)
    """Time spent in the loop, in seconds."""
    fitness: float | None = None
    """Best fitness reached."""
    loss: float | None = None
    """Least loss reached, where the task's fitness is its loss with the sign changed."""
    patience: int | None = Field(None, gt=0)
    """Steps without a better fitness."""
    solved: bool = False
    """Whether to stop once the task counts as solved."""

    @model_validator(mode="before")
    @classmethod
    def _default(cls, data: Any) -> Any:
        if isinstance(data, dict) and all(value is None or value is False for value in data.values()):
            return {**data, "steps": DEFAULT_STEPS}
        return data

    def criteria(self, target: float | None) -> "Criteria":
        """Return the criteria that are set. `target` is the task's fitness when solved."""
        limits = {
            "solved": target if self.solved else None,
            "fitness": self.fitness,
            "loss": self.loss,
            "patience": self.patience,
            "steps": self.steps,
            "evaluations": self.evaluations,
            "seconds": self.seconds,
        }
        return Criteria(tuple((name, HOLDS[name], limit) for name, limit in limits.items() if limit is not None))


@dataclass(frozen=True)
class Progress:
    """How far a run has come; a checkpoint holds it beside the trainer's state."""

    step: int = 0
    """Steps finished."""
    evaluations: int = 0
    """Individuals evaluated."""
    seconds: float = 0.0
    """Time spent in the loop and at its start, over all resumptions."""
    best: float = -inf
    """Best fitness of the start or any step."""
    improved: int = 0
    """The step that found it; 0 for the start."""
    loss: float | None = None
    """Least loss of any step: the trainer's column `loss`, else its fitness with the sign changed."""
    evaluations_per_second: float = 0.0
    """Of the last step."""
    refuted: int | None = None
    """The step after which a goal last turned out not to be reached on all the data."""

    @classmethod
    def started(cls, seconds: float, fitness: float | None) -> Self:
        """Return the progress before the first step: `fitness` is the best there is, if the trainer knows one."""
        known = fitness is not None and isfinite(fitness)
        return cls(seconds=seconds, best=float(fitness) if known and fitness is not None else -inf)

    def after(self, report: Report, seconds: float) -> Self:
        """Return the progress after a step that took `seconds`."""
        better = report.best > self.best
        loss = float(report.columns.get("loss", -report.best))
        # what the first report counts was evaluated since the start
        spent = seconds if self.step else self.seconds + seconds
        return type(self)(
            step=report.step,
            evaluations=report.evaluations,
            seconds=self.seconds + seconds,
            best=float(report.best) if better else self.best,
            improved=report.step if better else self.improved,
            loss=self.loss if isnan(loss) or (self.loss is not None and self.loss <= loss) else loss,
            evaluations_per_second=(report.evaluations - self.evaluations) / max(spent, 1e-9),
            refuted=self.refuted,
        )

    def judged_by(self, fitness: float | None) -> Self:
        """Return this progress with `fitness`, measured on all the data, in place of what steps have seen."""
        return self if fitness is None else replace(self, best=fitness, loss=-fitness)

    @property
    def may_confirm(self) -> bool:
        """Whether it is time to look at all the data, if a goal seems to be reached."""
        return self.refuted is None or self.step - self.refuted >= CONFIRM_AFTER

    @property
    def flaw(self) -> str:
        """What no run could have counted, in words; empty for a progress that may be."""
        if min(self.step, self.evaluations, self.improved) < 0:
            return "it counts below 0"
        if max(self.improved, self.refuted or 0) > self.step:
            return f"it names a step after its last one, {self.step}"
        if not 0 <= self.seconds < inf:
            return f"it took {self.seconds} seconds"
        if not self.best < inf:
            return f"its best fitness is {self.best}"
        return ""


HOLDS: dict[str, Callable[[Progress, float], bool]] = {
    "solved": lambda progress, limit: progress.best >= limit,
    "fitness": lambda progress, limit: progress.best >= limit,
    "loss": lambda progress, limit: progress.loss is not None and progress.loss <= limit,
    "patience": lambda progress, limit: progress.step - progress.improved >= limit,
    "steps": lambda progress, limit: progress.step >= limit,
    "evaluations": lambda progress, limit: progress.evaluations >= limit,
    "seconds": lambda progress, limit: progress.seconds >= limit,
}
"""When each criterion holds."""


@dataclass(frozen=True)
class Criteria:
    """The criteria of a run that are set, goals first."""

    tests: tuple[tuple[str, Callable[[Progress, float], bool], float], ...]
    """Of each its name, its test, and the limit that the test takes."""

    def holding(self, progress: Progress) -> list[str]:
        """Return the names of all criteria that hold, goals first."""
        return [name for name, holds, limit in self.tests if holds(progress, limit)]
