# SPDX-License-Identifier: MIT OR Apache-2.0
"""Evaluation: population -> networks -> device -> fitness."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from vynapse_core.builder import Builder
from vynapse_core.contracts import (
    Dataset,
    Device,
    DirectTask,
    ElementwiseTask,
    EpisodicTask,
    Genome,
    Program,
    SupervisedTask,
    Task,
)
from vynapse_core.errors import RunError
from vynapse_core.graph import Graph
from vynapse_core.networks import Networks
from vynapse_core.ops import Op
from vynapse_core.population import Array, Genes
from vynapse_core.rollouts import Rollout, rollout
from vynapse_core.streams import Streams

FINAL_SAMPLES = 10_000
"""Samples on which the best of a population is chosen where steps saw only batches: enough to tell 1% apart."""
FINAL_EPISODES = 20
"""Episodes for the same choice."""


class Evaluation:
    """Turns genes into fitness and networks into metrics. Compiled programs and a split's data are kept."""

    def __init__(
        self, task: Task, genome: Genome | None, device: Device, streams: Streams, ops: Mapping[str, Op]
    ) -> None:
        self.task = task
        self.genome = genome
        self.device = device
        self.streams = streams
        self.ops = ops
        self._programs: dict[tuple[str, ...], Program] = {}
        self._rollouts: dict[str, Rollout | None] = {}
        # the epoch in hand and the choice at the end, by one cache each, so that neither drives out the other
        self._epoch = lru_cache(1)(lambda epoch, n: streams("batch", epoch).permutation(n))
        self._final = lru_cache(1)(lambda n: streams("batch", -1).permutation(n)[:FINAL_SAMPLES])

    def fitness(self, genes: Genes, step: int | None) -> Array:
        """Return the fitness float64 [P] or [P, M]; what is not finite becomes −inf.

        `step` names the batch or the start states; None asks for all the data. Raises RunError where the task returns
        anything else.
        """
        if isinstance(self.task, DirectTask):
            raw = self.task.evaluate(genes)
        elif self.genome is None:
            raise TypeError("genes without a genome cannot be decoded")
        else:
            raw = self.fitness_of_networks(self.genome.networks(genes), step)
        fitness = _numbers(raw, len(genes), self.task).astype(np.float64)
        return np.where(np.isfinite(fitness), fitness, -np.inf)

    def fitness_of_networks(self, networks: Networks, step: int | None) -> Array:
        """Return the fitness [P] of networks."""
        if isinstance(self.task, EpisodicTask):
            return self._returns(self.task, networks, step)
        if not isinstance(self.task, SupervisedTask):
            raise TypeError(f"{type(self.task).__name__} is not solved by networks")
        measured = self.measure(networks, self.samples(step), (self.task.fitness,))[self.task.fitness]
        return measured if self.task.fitness == "accuracy" else -measured

    def samples(self, step: int | None) -> Dataset:
        """Return the samples of a step, or all of them for a step of None.

        Batches are slices of an order drawn anew for each epoch; what is left of it and fills no batch is left out.
        """
        task = _supervised(self.task)
        data = task.data(task.splits[0])
        if step is None:
            return data if len(data) <= FINAL_SAMPLES else data.take(self._final(len(data)))
        if task.batch is None or task.batch >= len(data):
            return data
        epoch, index = divmod(step, len(data) // task.batch)
        return data.take(self._epoch(epoch, len(data))[index * task.batch : (index + 1) * task.batch])

    def measure(self, networks: Networks, data: Dataset, what: tuple[str, ...]) -> dict[str, Array]:
        """Return `loss` and/or `accuracy`, each [P], of networks on data."""
        key = (networks.graph.digest(), str(data.y.ndim), *what)
        if key not in self._programs:
            self._programs[key] = self.device.compile(self._measuring(networks.graph, data, what))
        return self._programs[key](networks.arrays, {"x": data.x, "target": data.y})

    def metrics(self, networks: Networks) -> dict[str, dict[str, float]]:
        """Return `{split: {"loss": …, "accuracy": …}}` of one network; an episodic task has the mean return only."""
        if isinstance(self.task, EpisodicTask):
            return {"test": {"return": float(self._returns(self.task, networks, None)[0])}}
        task = _supervised(self.task)
        what = ("loss", "accuracy") if task.classification else ("loss",)
        measured = {split: self.measure(networks, task.data(split), what) for split in task.splits}
        return {split: {name: float(value[0]) for name, value in values.items()} for split, values in measured.items()}

    def _measuring(self, graph: Graph, data: Dataset, what: tuple[str, ...]) -> Graph:
        task = _supervised(self.task)
        builder = Builder(self.ops)
        prediction = builder.extend(graph)["y"]
        target = builder.input("target", ("B", *data.y.shape[1:]), str(data.y.dtype))
        outputs = {}
        if "loss" in what:
            outputs["loss"] = task.loss.build(prediction, target)
        if "accuracy" in what:
            outputs["accuracy"] = task.loss.correct(prediction, target).mean()
        return builder.graph(outputs)

    def _returns(self, task: EpisodicTask, networks: Networks, step: int | None) -> Array:
        """Play every network's episodes side by side; all networks get the same start states."""
        episodes = FINAL_EPISODES if step is None else task.episodes
        state, seen = task.reset(episodes, self.streams("episodes", -1 if step is None else step))
        if isinstance(task, ElementwiseTask) and (fused := self._rollout(task, networks.graph)) is not None:
            starts = np.stack([state[name] for name in task.components], axis=1)
            return fused.returns(networks, starts, task.limit)
        key = (networks.graph.digest(), "episodes")
        if key not in self._programs:
            self._programs[key] = self.device.compile(networks.graph, per_network=("x",))
        program = self._programs[key]
        p = len(next(iter(networks.arrays.values())))
        state = {name: np.tile(array, (p, *[1] * (array.ndim - 1))) for name, array in state.items()}
        seen = np.tile(seen, (p, *[1] * (seen.ndim - 1)))
        total, playing = np.zeros(p * episodes), np.ones(p * episodes, bool)
        for _ in range(task.limit):
            outputs = program(networks.arrays, {"x": seen.reshape(p, episodes, *seen.shape[1:])})["y"]
            state, seen, reward, ended = task.step(state, outputs.reshape(p * episodes, -1))
            total += np.where(playing, reward, 0)
            playing &= ~ended
            if not playing.any():
                break
        mean: Array = total.reshape(p, episodes).mean(axis=1)
        return mean

    def _rollout(self, task: ElementwiseTask, policy: Graph) -> Rollout | None:
        key = policy.digest()
        if key not in self._rollouts:
            self._rollouts[key] = rollout(task, policy, self.device, self.ops)
        return self._rollouts[key]


def _numbers(raw: object, n: int, task: Task) -> Array:
    """Return what `task` gave as the fitness of n individuals, if it is one."""
    try:
        fitness = np.asarray(raw)
    except ValueError:
        found = "rows of different lengths"
    else:
        if fitness.dtype.kind in "biuf" and fitness.ndim in (1, 2) and len(fitness) == n and 0 not in fitness.shape[1:]:
            return fitness
        found = f"{fitness.dtype} {list(fitness.shape)}"
    raise RunError(
        f"task {type(task).__name__} at task returned {found} as fitness; expected a number for each of the "
        f"{n} individuals, [{n}], or a row of objectives, [{n}, M]"
    )


def _supervised(task: Task) -> SupervisedTask:
    if not isinstance(task, SupervisedTask):
        raise TypeError(f"{type(task).__name__} has no data to measure on")
    return task
