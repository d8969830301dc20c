# SPDX-License-Identifier: MIT OR Apache-2.0
"""The genome `bits`: zeros and ones."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import Field

from vynapse_core import DirectTask, Genes, Genome, RunError, Stream, Task

if TYPE_CHECKING:
    from vynapse_core import Experiment


class Bits(Genome):
    """Zeros and ones."""

    encoding: ClassVar[str] = "binary"
    example: ClassVar[Mapping[str, Any]] = {"length": 5}

    length: int | None = Field(None, gt=0)
    """Number of genes; by default the task's."""
    density: float = Field(0.5, ge=0, le=1)
    """Share of ones at the start."""

    def fitted(self, task: Task) -> Self:
        """Return this genome with the task's length where it names none."""
        if self.length is not None or not isinstance(task, DirectTask):
            return self
        return self.model_copy(update={"length": task.length})

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where the length is not the task's."""
        task = experiment.task
        if isinstance(task, DirectTask) and self.length != task.length:
            yield "length", f"expected {task.length}, the task's number of genes, found {self.length}"

    def initial(self, n: int, rng: Stream) -> Genes:
        """Return genes uint8 [n, length]. Raises RunError without a length."""
        if self.length is None:
            raise RunError("these bits have no length, and no task to take it from; set genome.length")
        return Genes(rng.bernoulli(self.density, (n, self.length)).view(np.uint8))
