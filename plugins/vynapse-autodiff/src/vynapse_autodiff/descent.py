# SPDX-License-Identifier: MIT OR Apache-2.0
"""Descent: what all trainers share that follow the gradient of a task's loss, batch by batch.

A trainer below it says how updates are executed, by the method `updating`, and nothing else: batches, judging, state
and reports are the same. The whole state is in `State`, and every order of samples comes from a stream named by its
epoch, so that a resumed run goes on to the same bits.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vynapse_autodiff.batches import Feed, held_count, per_epoch, rows
from vynapse_autodiff.lesson import VALIDATION, Lesson, Updating, lesson_of
from vynapse_autodiff.optimisers import Adam, AnyOptimiser
from vynapse_autodiff.plateau import Plateau, Stall
from vynapse_core import (
    Array,
    Genes,
    Genome,
    Networks,
    Report,
    RunError,
    Solution,
    SupervisedTask,
    Trainer,
    value_at,
)

if TYPE_CHECKING:
    from vynapse_core import Experiment

Floats = NDArray[np.float32 | np.float64]


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
    """Networks evaluated so far, each gradient counting as one."""
    stall: Stall
    """How long the loss has not fallen, where the trainer has a `plateau`."""


class Descent(Trainer):
    """Networks follow the gradient of the task's loss: shuffled batches, any optimiser, the weights of the best step.

    Fitness is measured after each step: on the split `validation` where the task has one, on the share that the field
    `validation` holds out, or else on what is learnt from.
    """

    uses_genome: ClassVar[bool] = True

    optimiser: AnyOptimiser = Adam()
    """How gradients move parameters: a table with `rule` as "sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop",
    "adagrad", "lion" or "lbfgs"."""
    batch: int | None = Field(None, gt=0)
    """Samples of a batch; by default the task's `batch`, and all samples where it has none."""
    batches: int | None = Field(None, gt=0)
    """Batches of a step; by default one epoch."""
    networks: int = Field(1, ge=1)
    """Networks trained side by side from different first weights, on the same batches; the best one counts."""
    validation: float | None = Field(None, gt=0, lt=1)
    """Share of the samples that is held out to judge by, where the task has no validation split of its own."""
    plateau: Plateau | None = None
    """When the learning rate falls because the loss does not; it multiplies what the schedule says."""

    @abstractmethod
    def updating(self, experiment: "Experiment", lesson: Lesson) -> Updating:
        """Return what executes the updates of `lesson`; it is asked for once a run."""

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where there is no loss to follow, or where samples are sequences."""
        task = experiment.task
        if not isinstance(task, SupervisedTask):
            yield "", "it follows the gradient of a loss, and this task has no samples to lose on; take evolution"
        elif task.sequential:
            yield "", "it does not go back through time, and this task's samples are sequences; take evolution"
        else:
            yield from self._misfits(task)

    def _misfits(self, task: SupervisedTask) -> Iterator[tuple[str, str]]:
        """Yield a problem where samples and fields do not fit."""
        if self.validation and VALIDATION in task.splits:
            yield "validation", "this task has a validation split of its own; leave this out"
        samples = len(task.data(task.splits[0]))
        count = samples - held_count(samples, self.validation or 0.0)
        if self.batch is not None and self.batch > count:
            yield "batch", f"expected {count} at most, the number of samples to learn from, found {self.batch}"
        if not self.optimiser.steady:
            return
        rule = getattr(self.optimiser, "rule", "this")
        if (size := self._size(task, count)) < count:
            yield "optimiser", f"{rule} takes all samples at once, and a batch has {size} of {count}; leave 'batch' out"
        if task.augments:
            yield "optimiser", f"{rule} needs a loss that stays, and this task changes samples by chance; take another"

    def state_type(self) -> type[State]:
        """Return the dataclass of the state."""
        return State

    def fits(self, experiment: "Experiment", state: State) -> Iterator[tuple[str, str]]:
        """Yield a problem where parameters or memory are of another form."""
        arrays = self._first(experiment).arrays
        if (wanted := _form(arrays)) != (found := _form(state.arrays)):
            yield "genome", f"the run goes on with {found}, and this genome gives {wanted}"
        elif (wanted := _form(self._memory(self._made(experiment)[0], arrays))) != (found := _form(state.memory)):
            yield "trainer.optimiser", f"the run goes on with {found}, and this optimiser remembers {wanted}"

    def start(self, experiment: "Experiment") -> State:
        """Return the first networks, measured."""
        (lesson, _), networks = self._made(experiment), self._first(experiment)
        fitness = _fitness(lesson.judge(experiment, networks.arrays))
        best = int(np.argmax(fitness))
        memory = self._memory(lesson, networks.arrays)
        champion = _one(networks.arrays, best)
        return State(0, 0, networks.arrays, memory, champion, best, float(fitness[best]), len(networks), Stall())

    def step(self, experiment: "Experiment", state: State) -> tuple[State, Report]:
        """Return the state after a step's batches, and its report. Raises RunError where no loss is finite."""
        lesson, update = self._made(experiment)
        rate = value_at(self.optimiser.rate, experiment.clock(state.step)) * state.stall.scale
        updates, gradients, after, seen = self._learnt(experiment, lesson, update, state, rate)
        arrays = {name: after[name] for name in state.arrays}
        memory = {name: after[name] for name in state.memory}
        judged = self.optimiser.judged(arrays, memory)
        measured = lesson.judge(experiment, judged)
        fitness = _fitness(measured)
        best = int(np.argmax(fitness))
        highest = float(fitness[best])
        if highest == -inf:
            raise RunError(f"no network's loss is finite; lower the optimiser's rate, {rate:g}, or set its clip_norm")
        better = highest > state.best
        columns = {name: float(values[:, best].mean(dtype=np.float64)) for name, values in sorted(seen.items())}
        where = VALIDATION if lesson.validated else "train"
        columns |= {f"{where}_{name}": float(measured[name][best]) for name in lesson.asked[1:]}
        columns["rate"] = float(rate)
        followed = columns[f"{VALIDATION}_loss" if lesson.validated else "loss"]
        following = State(
            state.step + 1,
            state.updates + updates,
            arrays,
            memory,
            _one(judged, best) if better else state.champion,
            best if better else state.place,
            highest if better else state.best,
            state.evaluations + gradients + self.networks,
            self.plateau.after(state.stall, followed) if self.plateau else state.stall,
        )
        finite = fitness[np.isfinite(fitness)]
        worst = float(finite.min())
        mean = min(max(float(finite.mean()), worst), highest)
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
        self, experiment: "Experiment", lesson: Lesson, update: Updating, state: State, rate: float
    ) -> tuple[int, int, dict[str, Array], dict[str, Array]]:
        """Return (updates, gradients, arrays, seen) of a step.

        How many of both it took, parameters and memory after it, and what each update measured.
        """
        samples = lesson.samples
        size = self._size(lesson.task, samples)
        updates = self.batches or per_epoch(samples, size)
        chosen = None
        if size < samples:
            chosen = rows(experiment.streams, state.updates, updates, samples, size)
        # where a batch is all there is, its order means nothing
        elif lesson.chosen is not None or lesson.task.augments:
            chosen = np.tile(np.arange(samples), (updates, 1))
        if chosen is not None and lesson.chosen is not None:
            chosen = lesson.chosen[chosen]
        feed = Feed(lesson, experiment.streams, state.updates, chosen, rate)
        arrays = {**state.arrays, **state.memory}
        after, seen, gradients = self.optimiser.follow(partial(feed.run, update), arrays, updates, rate)
        return updates, gradients, after, seen

    def _size(self, task: SupervisedTask, samples: int) -> int:
        """Return the number of samples of a batch, `samples` being all there are."""
        return min(self.batch or task.batch or samples, samples)

    def _memory(self, lesson: Lesson, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return what the optimiser remembers before the first step of networks with these parameters."""
        trained = {name: arrays[name] for name in lesson.step.trained}
        return lesson.step.memory(arrays) | self.optimiser.beside(trained)

    def _genes(self, experiment: "Experiment") -> Genes:
        return experiment.genome.initial(self.networks, experiment.streams("initial"))

    def _first(self, experiment: "Experiment") -> Networks:
        """Return the networks before training; their arrays are their own."""
        networks = experiment.genome.networks(self._genes(experiment))
        return replace(networks, arrays={name: np.array(array) for name, array in networks.arrays.items()})

    def _made(self, experiment: "Experiment") -> tuple[Lesson, Updating]:
        """Return what there is to learn and what executes its updates, made at the first step."""

        def make() -> tuple[Lesson, Updating]:
            lesson = lesson_of(experiment, self._first(experiment), self.optimiser, self.validation or 0.0)
            if self.optimiser.steady and lesson.step.draws:
                raise RunError(
                    "lbfgs needs a loss that stays, and these networks draw random numbers; leave dropout out"
                )
            return lesson, self.updating(experiment, lesson)

        return experiment.prepared(self, make)


def _fitness(measured: Mapping[str, Array]) -> NDArray[np.float64]:
    """Return the fitness [P], -inf where it is not finite."""
    fitness = measured["fitness"].astype(np.float64)
    return np.where(np.isfinite(fitness), fitness, -inf)


def _one(arrays: Mapping[str, Array], index: int) -> dict[str, Array]:
    """Return a copy of one network's arrays, [1, ...] each."""
    return {name: array[index : index + 1].copy() for name, array in arrays.items()}


def _form(arrays: Mapping[str, Array]) -> str:
    return ", ".join(f"{name} {array.dtype} {list(array.shape)}" for name, array in arrays.items()) or "nothing"
