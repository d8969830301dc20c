# SPDX-License-Identifier: MIT OR Apache-2.0
"""Trainer: a method of learning, as a state and a step."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

from vynapse_core.component import Component
from vynapse_core.contracts.genome import Genome
from vynapse_core.networks import Networks
from vynapse_core.population import Array, Genes

if TYPE_CHECKING:
    from vynapse_core.experiment import Experiment


@dataclass(frozen=True)
class Report:
    """What a step tells: one row of `metrics.csv`. Nobody writes to what it holds: observers may look at it later."""

    step: int
    """Steps finished, this one included."""
    evaluations: int
    """Individuals evaluated since the run began."""
    best: float
    """Best fitness of this step's population."""
    mean: float
    """Mean of the finite fitnesses."""
    worst: float
    """Worst finite fitness."""
    columns: Mapping[str, float] = field(default_factory=dict)
    """What this trainer adds. The same names at every step."""
    note: str = ""
    """What changed in this step and why, in words, for the log; empty where nothing is worth a line."""
    tables: Mapping[str, Mapping[str, Sequence[float] | Array]] = field(default_factory=dict)
    """What has several rows a step: numbers by table and column, `{"species": {"id": [1, 4], "size": [60, 90]}}`.

    The same columns at every step, of one length, 1 at least. The observer `csv` writes `species.csv`, the step first.
    """


@dataclass(frozen=True)
class Solution:
    """The best that a trainer has: genes [1], networks [1], or both."""

    genes: Genes | None = None
    networks: Networks | None = None
    fitness: float | None = None


class Trainer(Component):
    """A method of learning.

    The state is a dataclass of arrays, plain values, tuples, mappings and further dataclasses: all that a checkpoint
    must hold. A step is a function of the state and of the experiment's streams, so that a resumed run goes on to the
    same bits.
    """

    kind: ClassVar[str] = "trainer"

    uses_genome: ClassVar[bool] = False
    """Whether it evolves genes, so that a recipe without `[genome]` gets the task's default one."""

    def fitted(self, genome: Genome) -> Self:
        """Return this trainer with what it left open (operators that suit the genome, say) filled in."""
        return self

    @abstractmethod
    def state_type(self) -> type[Any]:
        """Return the dataclass of the state, from which a checkpoint is read back."""

    def fits(self, experiment: "Experiment", state: Any) -> Iterator[tuple[str, str]]:
        """Yield (key path from the recipe's root, message) for what keeps a `state` that was read back from going on.

        A run may be resumed with a changed recipe: what does not fit the state it has is refused before anything is
        written.
        """
        yield from ()

    @abstractmethod
    def start(self, experiment: "Experiment") -> Any:
        """Return the state before the first step."""

    @abstractmethod
    def step(self, experiment: "Experiment", state: Any) -> tuple[Any, Report]:
        """Return the next state and what to report of the step; `state` is not written."""

    @abstractmethod
    def best(self, experiment: "Experiment", state: Any) -> Solution:
        """Return the best solution so far; where steps see only batches, the best on all the data."""

    def champion(self, experiment: "Experiment", state: Any) -> Solution:
        """Return the best solution that `state` knows, its fitness being that of the step which measured it.

        It is asked for where there is no time to evaluate: at the start, beside checkpoints, and when the run is
        interrupted or fails. By default it is `best`, which a trainer replaces whose `best` evaluates.
        """
        return self.best(experiment, state)

    def candidate(self, experiment: "Experiment", state: Any, improved: bool) -> Solution | None:
        """Return who sits the task's examinations after a step, or None for nobody.

        `improved` says whether the best so far is new. By default it is the champion that sits them, where it is new.
        """
        return self.champion(experiment, state) if improved else None
