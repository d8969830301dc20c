# SPDX-License-Identifier: MIT OR Apache-2.0
"""The trainer `sgd`: networks follow the gradient of the task's loss, batch by batch.

A step is one call of the device, by default over all batches of an epoch. The whole state is in `State`, and every
order of samples comes from a stream named by its epoch, so that a resumed run goes on to the same bits.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from operator import is_
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from vynapse_autodiff.batches import per_epoch, rows
from vynapse_autodiff.optimisers import Adam, AnyOptimiser
from vynapse_autodiff.training_step import RATE, TARGET, TrainingStep, training_step
from vynapse_core import (
    Array,
    Dataset,
    Device,
    Genes,
    Genome,
    Graph,
    Networks,
    Program,
    Report,
    RunError,
    Solution,
    SupervisedTask,
    Trainer,
    Value,
    value_at,
)

if TYPE_CHECKING:
    from vynapse_core import Experiment

Floats = NDArray[np.float32 | np.float64]

MEMORY = "memory"
"""The input by which a network's graph has a memory."""
VALIDATION = "validation"
"""The split on which the best weights are chosen, where the task has it."""


@dataclass(frozen=True)
class State:
    """All that a run of gradient descent must remember."""

    step: int
    """Steps finished."""
    updates: int
    """Batches seen so far."""
    arrays: Mapping[str, NDArray[np.generic]]
    """The networks' parameters, [P, ...] each."""
    memory: Mapping[str, Floats]
    """What the optimiser remembers, [P, ...] each."""
    champion: Mapping[str, NDArray[np.generic]]
    """Parameters [1, ...] of the best network so far, as it was after the step that found it."""
    place: int
    """Which of the P networks that was."""
    best: float
    """Its fitness, on the validation split where there is one."""
    evaluations: int
    """Networks evaluated so far, each batch counting as one."""


@dataclass(frozen=True, eq=False)
class Forms:
    """What a step needs, made at the first one."""

    parts: tuple[Device, Genome, SupervisedTask]
    """What they were made for, and the seed."""
    seed: int
    graph: Graph
    step: TrainingStep
    program: Program
    train: Dataset
    judged: Dataset
    """What fitness is measured on: the validation split, else all that is learnt from, or 10,000 samples of it."""
    measures: tuple[str, ...]
    """What is measured there."""


class Sgd(Trainer):
    """Train networks by gradients: shuffled batches, any optimiser, the weights of the best step.

    Fitness is measured after each step: on the split `validation` where the task has one, else on what is learnt from.
    """

    uses_genome: ClassVar[bool] = True

    optimiser: AnyOptimiser = Adam()
    """How gradients move parameters: a table with `rule` as "sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop",
    "adagrad" or "lion"."""
    batch: int | None = Field(None, gt=0)
    """Samples of a batch; by default the task's `batch`, and all samples where it has none."""
    batches: int | None = Field(None, gt=0)
    """Batches of a step, an update of the parameters each; by default one epoch."""
    networks: int = Field(1, ge=1)
    """Networks trained side by side from different first weights, on the same batches; the best one counts."""

    _forms: Forms | None = PrivateAttr(None)

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where there is no loss to follow, or where samples are sequences."""
        task = experiment.task
        if not isinstance(task, SupervisedTask):
            yield "", "sgd follows the gradient of a loss, and this task has no samples to lose on; take evolution"
        elif task.sequential:
            yield "", "sgd does not go back through time, and this task's samples are sequences; take evolution"
        elif self.batch is not None and self.batch > (count := len(task.data(task.splits[0]))):
            yield "batch", f"expected {count} at most, the number of samples to learn from, found {self.batch}"

    def state_type(self) -> type[State]:
        """Return the dataclass of the state."""
        return State

    def fits(self, experiment: "Experiment", state: State) -> Iterator[tuple[str, str]]:
        """Yield a problem where parameters or memory are of another form."""
        arrays = self._first(experiment).arrays
        if (wanted := _form(arrays)) != (found := _form(state.arrays)):
            yield "genome", f"the run goes on with {found}, and this genome gives {wanted}"
        elif (wanted := _form(self._made(experiment).step.memory(arrays))) != (found := _form(state.memory)):
            yield "trainer.optimiser", f"the run goes on with {found}, and this optimiser remembers {wanted}"

    def start(self, experiment: "Experiment") -> State:
        """Return the first networks, measured."""
        forms, networks = self._made(experiment), self._first(experiment)
        fitness = _fitness(_measured(experiment, forms, networks))
        best = int(np.argmax(fitness))
        memory = forms.step.memory(networks.arrays)
        champion = _one(networks.arrays, best)
        return State(0, 0, networks.arrays, memory, champion, best, float(fitness[best]), len(networks))

    def step(self, experiment: "Experiment", state: State) -> tuple[State, Report]:
        """Return the state after a step's batches, and its report. Raises RunError where no loss is finite."""
        forms = self._made(experiment)
        rate = value_at(self.optimiser.rate, experiment.clock(state.step))
        updates, after, seen = self._learnt(experiment, forms, state, rate)
        arrays = {name: after[name] for name in state.arrays}
        measured = _measured(experiment, forms, Networks(forms.graph, arrays))
        fitness = _fitness(measured)
        best = int(np.argmax(fitness))
        highest = float(fitness[best])
        if highest == -inf:
            raise RunError(f"no network's loss is finite; lower the optimiser's rate, {rate:g}, or set its clip_norm")
        better = highest > state.best
        following = State(
            state.step + 1,
            state.updates + updates,
            arrays,
            {name: after[name] for name in state.memory},
            _one(arrays, best) if better else state.champion,
            best if better else state.place,
            highest if better else state.best,
            state.evaluations + self.networks * (updates + 1),
        )
        columns = {name: float(values[:, best].mean(dtype=np.float64)) for name, values in sorted(seen.items())}
        columns |= {f"{VALIDATION}_{name}": float(measured[name][best]) for name in forms.measures[1:]}
        finite = fitness[np.isfinite(fitness)]
        worst = float(finite.min())
        mean = min(max(float(finite.mean()), worst), highest)
        columns["rate"] = float(rate)
        return following, Report(following.step, following.evaluations, highest, mean, worst, columns)

    def best(self, experiment: "Experiment", state: State) -> Solution:
        """Return the best network so far, as it was after the step that found it; as genes too, if they can learn."""
        genome = experiment.genome
        genes = self._genes(experiment)
        networks = Networks(genome.networks(genes).graph, state.champion)
        one = genes.take(slice(state.place, state.place + 1))
        learns = type(genome).absorb is not Genome.absorb
        return Solution(genome.absorb(one, state.champion) if learns else None, networks, state.best)

    def _learnt(
        self, experiment: "Experiment", forms: Forms, state: State, rate: float
    ) -> tuple[int, dict[str, Array], dict[str, Array]]:
        """Return how many updates a step made, parameters and memory after them, and what each batch measured."""
        samples, graph = len(forms.train), forms.step.graph
        size = self._size(forms)
        updates = self.batches or per_epoch(samples, size)
        batches = {}
        # where a batch is all there is, its order means nothing
        if size < samples:
            batches = dict.fromkeys(("x", TARGET), rows(experiment.streams, state.updates, updates, samples, size))
        dtype = graph.nodes[graph.inputs[RATE]].dtype
        inputs = {"x": forms.train.x, TARGET: forms.train.y, RATE: np.asarray(rate, dtype)}
        arrays = {**state.arrays, **state.memory}
        return updates, *forms.program.scan(arrays, inputs, batches, forms.step.carry, updates)

    def _size(self, forms: Forms) -> int:
        """Return the number of samples of a batch."""
        samples = len(forms.train)
        return min(self.batch or forms.parts[2].batch or samples, samples)

    def _genes(self, experiment: "Experiment") -> Genes:
        return experiment.genome.initial(self.networks, experiment.streams("initial"))

    def _first(self, experiment: "Experiment") -> Networks:
        """Return the networks before training; their arrays are their own."""
        networks = experiment.genome.networks(self._genes(experiment))
        return Networks(networks.graph, {name: np.array(array) for name, array in networks.arrays.items()})

    def _made(self, experiment: "Experiment") -> Forms:
        """Return what a step needs, made at the first one."""
        forms, recipe, task = self._forms, experiment.recipe, experiment.task
        seed = recipe.experiment.seed
        if (
            forms is not None
            and forms.seed == seed
            and all(map(is_, forms.parts, (recipe.device, experiment.genome, task)))
        ):
            return forms
        if not isinstance(task, SupervisedTask):
            raise RunError(f"sgd follows the gradient of a loss, and {type(task).__name__} has no samples to lose on")
        graph, train = self._first(experiment).graph, task.data(task.splits[0])
        if MEMORY in graph.inputs:
            raise RunError("sgd does not go back through time, and these networks have a memory")

        def measures(prediction: Value, target: Value) -> dict[str, Value]:
            correct = {"accuracy": task.loss.correct(prediction, target).mean()} if task.classification else {}
            return {"loss": task.loss.build(prediction, target), **correct}

        catalogue = experiment.catalogue
        target = (("B", *train.y.shape[1:]), str(train.y.dtype))
        step = training_step(graph, measures, self.optimiser, target, catalogue.ops, catalogue.gradients)
        held_out = VALIDATION in task.splits
        seen = ("loss", "accuracy") if task.classification else ("loss",)
        self._forms = Forms(
            (recipe.device, experiment.genome, task),
            seed,
            graph,
            step,
            recipe.device.compile(step.graph),
            train,
            task.data(VALIDATION) if held_out else experiment.evaluation.samples(None),
            ("fitness", *seen) if held_out else ("fitness",),
        )
        return self._forms


def _measured(experiment: "Experiment", forms: Forms, networks: Networks) -> dict[str, Array]:
    return experiment.evaluation.measure(networks, forms.judged, forms.measures)


def _fitness(measured: Mapping[str, Array]) -> NDArray[np.float64]:
    """Return the fitness [P], -inf where it is not finite."""
    fitness = measured["fitness"].astype(np.float64)
    return np.where(np.isfinite(fitness), fitness, -inf)


def _one(arrays: Mapping[str, Array], index: int) -> dict[str, Array]:
    """Return a copy of one network's arrays, [1, ...] each."""
    return {name: array[index : index + 1].copy() for name, array in arrays.items()}


def _form(arrays: Mapping[str, Array]) -> str:
    return ", ".join(f"{name} {array.dtype} {list(array.shape)}" for name, array in arrays.items()) or "nothing"
