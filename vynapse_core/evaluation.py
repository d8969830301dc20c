# SPDX-License-Identifier: MIT OR Apache-2.0
"""Evaluation: population -> networks -> device -> fitness."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from vynapse_core.builder import Builder
from vynapse_core.contracts import (
    Dataset,
    Device,
    DirectTask,
    EpisodicTask,
    Genome,
    Program,
    SupervisedTask,
    Task,
)
from vynapse_core.graph import Graph
from vynapse_core.networks import Networks
from vynapse_core.ops import Op
from vynapse_core.population import Array, Genes
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
        self._shuffled = cache(lambda epoch, n: self.streams("batch", epoch).permutation(n))

    def fitness(self, genes: Genes, step: int | None) -> Array:
        """Return the fitness float64 [P] or [P, M]; what is not finite becomes −inf.

        `step` names the batch or the start states; None asks for all the data.
        """
        if isinstance(self.task, DirectTask):
            raw = self.task.evaluate(genes)
        elif self.genome is None:
            raise TypeError("genes without a genome cannot be decoded")
        else:
            raw = self.fitness_of_networks(self.genome.networks(genes), step)
        raw = np.asarray(raw, np.float64)
        return np.where(np.isfinite(raw), raw, -np.inf)

    def fitness_of_networks(self, networks: Networks, step: int | None) -> Array:
        """Return the fitness [P] of networks."""
        if isinstance(self.task, EpisodicTask):
            return self._returns(self.task, networks, step)
        if not isinstance(self.task, SupervisedTask):
            raise TypeError(f"{type(self.task).__name__} is not solved by networks")
        measured = self.measure(networks, self.samples(step), (self.task.fitness,))[self.task.fitness]
        return measured if self.task.fitness == "accuracy" else -measured

    def samples(self, step: int | None) -> Dataset:
        """Return the samples of a step: shuffled batches, each sample once an epoch; all of them for a step of None."""
        task = _supervised(self.task)
        data = task.data(task.splits[0])
        if step is None:
            return data if len(data) <= FINAL_SAMPLES else data.take(self._shuffled(-1, len(data))[:FINAL_SAMPLES])
        if task.batch is None or task.batch >= len(data):
            return data
        epoch, index = divmod(step, len(data) // task.batch)
        return data.take(self._shuffled(epoch, len(data))[index * task.batch : (index + 1) * task.batch])

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
        key = (networks.graph.digest(), "episodes")
        if key not in self._programs:
            self._programs[key] = self.device.compile(networks.graph, per_network=("x",))
        program = self._programs[key]
        p = len(next(iter(networks.arrays.values())))
        episodes = FINAL_EPISODES if step is None else task.episodes
        state, seen = task.reset(episodes, self.streams("episodes", -1 if step is None else step))
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


def _supervised(task: Task) -> SupervisedTask:
    if not isinstance(task, SupervisedTask):
        raise TypeError(f"{type(task).__name__} has no data to measure on")
    return task
