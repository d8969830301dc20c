# SPDX-License-Identifier: MIT OR Apache-2.0
"""Task: what is to be solved. It is supervised (data), direct (a function of genes) or episodic (an environment)."""

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from vynapse_core.builder import Value
from vynapse_core.component import Component
from vynapse_core.contracts.loss import Loss
from vynapse_core.population import Array, Genes
from vynapse_core.settings import mistake
from vynapse_core.streams import Stream, Streams

if TYPE_CHECKING:
    from vynapse_core.experiment import Experiment


PLAIN_GENOMES: Mapping[str, str] = {"real": "vynapse-evolution:vector", "binary": "vynapse-evolution:bits"}
"""The genome of a recipe that names none, by what a direct task takes."""
METRICS = r"confusion|f1|r2|top[1-9][0-9]{0,3}"
"""Pattern of what a supervised task may name in `metrics`; `measures.py` builds it."""
OF_CLASSES = ("confusion", "f1", "top")
"""How the names of those begin that need classes."""


def _metric(name: str) -> str:
    if not re.fullmatch(METRICS, name):
        raise mistake(f"expected 'confusion', 'f1', 'r2', or 'top' and a number such as 'top3'; found {name!r:.60}")
    return name


@dataclass(frozen=True)
class Dataset:
    """n samples: inputs `x` float32 [n, ...] and targets `y`, class ids int64 [n] or numbers float32 [n, k].

    Of a sequential task each sample is a sequence: `x` [n, T, ...], and `y` [n, S] or [n, S, k] of its last S time
    steps.
    """

    x: Array
    y: Array

    def __len__(self) -> int:
        return len(self.x)

    def take(self, indices: Array) -> "Dataset":
        """Return the samples at `indices` [m]."""
        return Dataset(self.x[indices], self.y[indices])


class Task(Component):
    """What is to be solved."""

    kind: ClassVar[str] = "task"

    @property
    def stochastic(self) -> bool:
        """Whether the same genes get another fitness at another step."""
        return False

    @property
    def target(self) -> float | None:
        """The fitness from which on the task counts as solved, where it has one."""
        return None

    def default_genome(self) -> Mapping[str, Any]:
        """Return the genome, as a recipe's table, for a recipe that names none."""
        raise LookupError("this task has no default genome")

    def provenance(self) -> Mapping[str, Any]:
        """Return what `run.json` keeps of the data, such as files with their SHA-256; empty where there is none."""
        return {}


class SupervisedTask(Task):
    """Data to be learnt: networks map inputs to outputs, a loss or the accuracy says how well."""

    loss: Loss
    """What is minimised."""
    fitness: Literal["loss", "accuracy"] = "loss"
    """What evolution maximises: the loss with its sign changed, or the share of samples classified correctly."""
    batch: int | None = Field(None, gt=0)
    """Samples drawn anew for each step; without it, all of them."""
    metrics: tuple[Annotated[str, AfterValidator(_metric)], ...] = ()
    """What is measured besides loss and accuracy: "confusion" (counts by class and class named), "f1" (mean over
    classes), "top3" (the class is among the 3 highest outputs; any number), "r2" (share of variance explained)."""

    @property
    def stochastic(self) -> bool:
        """Whether batches are drawn, which takes more samples than one batch, or samples are changed by chance."""
        return self.augments or (self.batch is not None and self.batch < len(self.data(self.splits[0])))

    @property
    @abstractmethod
    def inputs(self) -> tuple[int, ...]:
        """Shape of one sample's input."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Size of a network's output: one number per class or per target."""

    @property
    def classification(self) -> bool:
        """Whether targets are classes, so that an accuracy means something."""
        return False

    @property
    def sequential(self) -> bool:
        """Whether a sample is a sequence: networks see one time step of it after the other, and may have a memory.

        `inputs` and `outputs` are then those of one time step, and each is a sample to the loss.
        """
        return False

    def build_fitness(self, prediction: Value, target: Value) -> Value:
        """Return the fitness, a scalar, of predictions [B, k] and targets; by default as the field `fitness` says."""
        if self.fitness == "accuracy":
            return self.loss.correct(prediction, target).mean()
        return -self.loss.build(prediction, target)

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that `data` knows; the first is the one to learn from."""
        return ("train",)

    @abstractmethod
    def data(self, split: str) -> Dataset:
        """Return a split, the same at each call. Raises DataError where the data is missing or malformed."""

    @property
    def augments(self) -> bool:
        """Whether `batches` changes samples by chance, so that it gives others than `data`."""
        return False

    def batches(self, rows: Array, first: int, streams: Streams) -> Iterator[Dataset]:
        """Yield the samples to learn from at `rows` int64 [count, size], a batch for each update from `first` on.

        What is random is keyed by an update's number alone, so that a resumed run goes on to the same bits.
        """
        data = self.data(self.splits[0])
        return (data.take(row) for row in rows)

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where accuracy is asked for and there are no classes."""
        if self.fitness == "accuracy" and not self.classification:
            yield "fitness", "accuracy counts samples of the right class, and the targets are numbers; take 'loss'"
        for index, name in enumerate(self.metrics):
            if name.startswith(OF_CLASSES) and not self.classification:
                yield f"metrics.{index}", f"{name} needs classes, and the targets are numbers; take 'r2'"
            elif name.startswith("top") and self.outputs == 1:
                yield f"metrics.{index}", f"{name} compares outputs with each other, and this task has a single one"

    def default_genome(self) -> Mapping[str, Any]:
        """Return a network with one hidden layer."""
        return _network(self.inputs, self.outputs)


class DirectTask(Task):
    """A function of genes to be maximised."""

    encoding: ClassVar[str]
    """What it takes: `real`, `binary` or `permutation`."""

    @property
    @abstractmethod
    def length(self) -> int:
        """Number of genes."""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The least and the greatest value of a gene."""
        return None

    @abstractmethod
    def evaluate(self, genes: Genes) -> Array:
        """Return the fitness float64 [P], or [P, M] for M objectives, of `genes` [P]."""

    def default_genome(self) -> Mapping[str, Any]:
        """Return the plain genome of the encoding."""
        return {"type": PLAIN_GENOMES.get(self.encoding, self.encoding)}


class EpisodicTask(Task):
    """An environment: a network's fitness is the mean return of its episodes.

    The state is a mapping of arrays, each [n, ...], of n environments at once; `reset` and `step` are functions of
    arrays.
    """

    episodes: int = Field(1, gt=0)
    """Episodes a network plays at each step."""
    limit: int = Field(500, gt=0)
    """Time steps after which an episode is cut off."""

    @property
    def stochastic(self) -> bool:
        """Start states are drawn anew for each step."""
        return True

    def examinations(self) -> tuple[tuple["EpisodicTask", float], ...]:
        """Return what the best network must pass for the task to count as solved, where its fitness does not tell.

        Each is a task, of the same inputs and outputs, and the fitness wanted there; the quickest to fail stands first.
        """
        return ()

    @property
    @abstractmethod
    def inputs(self) -> tuple[int, ...]:
        """Shape of one observation."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Size of a network's output."""

    def default_genome(self) -> Mapping[str, Any]:
        """Return a network with one hidden layer."""
        return _network(self.inputs, self.outputs)

    @abstractmethod
    def reset(self, n: int, rng: Stream) -> tuple[Mapping[str, Array], Array]:
        """Return the state and the observations float32 [n, ...] of n environments at their start."""

    @abstractmethod
    def step(self, state: Mapping[str, Array], outputs: Array) -> tuple[Mapping[str, Array], Array, Array, Array]:
        """Return state, observations [n, ...], rewards float32 [n] and ends bool [n] after `outputs` [n, k]."""


def _network(inputs: tuple[int, ...], outputs: int) -> Mapping[str, Any]:
    return {"type": "vynapse-evolution:mlp", "layers": (prod(inputs), 16, outputs)}
