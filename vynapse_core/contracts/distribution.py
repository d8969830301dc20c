# SPDX-License-Identifier: MIT OR Apache-2.0
"""Distribution: where evaluations happen. Every rank holds the same state; only results cross the wire."""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from vynapse_core.component import Component
from vynapse_core.population import Array, Genes

if TYPE_CHECKING:
    from vynapse_core.experiment import Experiment


class Distribution(Component):
    """A way to share work among ranks; the trainer does not know which."""

    kind: ClassVar[str] = "distribution"

    def start(self, experiment: "Experiment") -> None:
        """Make ready, once, before a run's first step."""

    def stop(self) -> None:
        """Let go of what `start` took."""

    @property
    def rank(self) -> int:
        """Which of the ranks this process is, known before `start`; rank 0 writes the files."""
        return 0

    @property
    def size(self) -> int:
        """Number of ranks."""
        return 1

    @abstractmethod
    def evaluate(self, evaluate: Callable[[Genes, int | None], Array], genes: Genes, step: int | None) -> Array:
        """Return `evaluate(genes, step)`, float64 [P] or [P, M]: the same on every rank, whoever computed what."""

    @abstractmethod
    def exchange(self, genes: Genes) -> tuple[Genes, ...]:
        """Give `genes` [n] to all ranks and return every rank's, in the order of ranks."""

    @abstractmethod
    def sum(self, array: Array) -> Array:
        """Return the sum of `array` over all ranks, added in the order of ranks."""
