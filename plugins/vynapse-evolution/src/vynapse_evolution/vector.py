# SPDX-License-Identifier: MIT OR Apache-2.0
"""The genome `vector`: real numbers, for tasks that are functions of them."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, model_validator

from vynapse_core import DirectTask, Genes, Genome, RunError, Stream, Task, mistake

if TYPE_CHECKING:
    from vynapse_core import Experiment


class Vector(Genome):
    """Real numbers. They start uniform within their bounds, or normal around 0 where there are none."""

    encoding: ClassVar[str] = "real"
    example: ClassVar[Mapping[str, Any]] = {"length": 5}

    length: int | None = Field(None, gt=0)
    """Number of genes; by default the task's."""
    low: float | None = None
    """The least value of a gene; by default the task's bound, if it has one."""
    high: float | None = None
    """The greatest value of a gene; by default the task's bound, if it has one."""
    sigma: float = Field(1.0, gt=0)
    """Standard deviation of the first genes where there are no bounds."""

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise mistake(f"'low' ({self.low}) must lie below 'high' ({self.high})")
        return self

    def fitted(self, task: Task) -> Self:
        """Return this genome with the task's length and bounds where it names none."""
        if not isinstance(task, DirectTask):
            return self
        low, high = map(float, task.bounds) if task.bounds else (None, None)
        return self.model_copy(
            update={
                "length": task.length if self.length is None else self.length,
                "low": low if self.low is None else self.low,
                "high": high if self.high is None else self.high,
            }
        )

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where length or bounds do not fit the task or each other."""
        task = experiment.task
        if isinstance(task, DirectTask) and self.length != task.length:
            yield "length", f"expected {task.length}, the task's number of genes, found {self.length}"
        if (self.low is None) != (self.high is None):
            given, lacking = ("low", "high") if self.high is None else ("high", "low")
            yield given, f"{given!r} without {lacking!r}, and the task has no bounds; give both or neither"
        elif self.low is not None and self.high is not None and self.low >= self.high:
            yield "", f"the least gene, {self.low}, must lie below the greatest, {self.high}; one of them is the task's"

    def initial(self, n: int, rng: Stream) -> Genes:
        """Return genes float32 [n, length]. Raises RunError without a length."""
        if self.length is None:
            raise RunError("this vector has no length, and no task to take it from; set genome.length")
        if self.low is None or self.high is None:
            return Genes(rng.normal((n, self.length), sigma=self.sigma))
        return Genes(rng.uniform((n, self.length), self.low, self.high), bounds=(self.low, self.high))
