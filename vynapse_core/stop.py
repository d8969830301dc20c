# SPDX-License-Identifier: MIT OR Apache-2.0
"""When a run stops: the first criterion that holds, and how far the run has come."""

from dataclasses import dataclass, replace
from typing import Any, Self

from pydantic import Field, model_validator

from vynapse_core.contracts.trainer import Report
from vynapse_core.settings import Settings

DEFAULT_STEPS = 1000


class Stop(Settings):
    """Criteria, of which the first that holds ends the run; the result says which. Without any, 1000 steps."""

    steps: int | None = Field(None, gt=0)
    """Steps taken."""
    evaluations: int | None = Field(None, gt=0)
    """Individuals evaluated."""
    seconds: float | None = Field(None, gt=0)
    """Time spent in the loop, in seconds."""
    fitness: float | None = None
    """Best fitness reached."""
    loss: float | None = None
    """Loss reached, where the trainer reports a column `loss`; else the negative of the best fitness."""
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

    def reached(self, progress: "Progress", target: float | None) -> str | None:
        """Return the name of the criterion that holds, or None. `target` is the task's fitness when solved."""
        loss = progress.loss
        criteria = {
            "solved": self.solved and target is not None and progress.best >= target,
            "fitness": self.fitness is not None and progress.best >= self.fitness,
            "loss": self.loss is not None and loss is not None and loss <= self.loss,
            "patience": self.patience is not None and progress.step - progress.improved >= self.patience,
            "steps": self.steps is not None and progress.step >= self.steps,
            "evaluations": self.evaluations is not None and progress.evaluations >= self.evaluations,
            "seconds": self.seconds is not None and progress.seconds >= self.seconds,
        }
        return next((name for name, holds in criteria.items() if holds), None)


@dataclass(frozen=True)
class Progress:
    """How far a run has come; a checkpoint holds it beside the trainer's state."""

    step: int = 0
    """Steps finished."""
    evaluations: int = 0
    """Individuals evaluated."""
    seconds: float = 0.0
    """Time spent in the loop, over all resumptions."""
    best: float = float("-inf")
    """Best fitness of any step."""
    improved: int = 0
    """The step that found it."""
    loss: float | None = None
    """Loss of the last step."""
    evaluations_per_second: float = 0.0
    """Of the last step."""

    def after(self, report: Report, seconds: float) -> Self:
        """Return the progress after a step that took `seconds`."""
        better = report.best > self.best
        return replace(
            self,
            step=report.step,
            evaluations=report.evaluations,
            seconds=self.seconds + seconds,
            best=report.best if better else self.best,
            improved=report.step if better else self.improved,
            evaluations_per_second=(report.evaluations - self.evaluations) / max(seconds, 1e-9),
            loss=float(report.columns.get("loss", -report.best)),
        )
