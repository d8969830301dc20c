# SPDX-License-Identifier: MIT OR Apache-2.0
"""Evaluation: population -> networks -> device -> fitness."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from vynapse_core.builder import Builder, Value
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
from vynapse_core.episodes import Player, player
from vynapse_core.errors import RunError
from vynapse_core.graph import Graph
from vynapse_core.measures import measured
from vynapse_core.networks import MEMORY, Networks
from vynapse_core.ops import Op
from vynapse_core.population import Array, Genes
from vynapse_core.sequences import said
from vynapse_core.streams import Streams

FINAL_SAMPLES = 10_000
"""Samples on which the best of a population is chosen where steps saw only batches: enough to tell 1% apart."""
FINAL_EPISODES = 20
"""Episodes for the same choice."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A program that measures networks of a graph, and the data that it measures them on."""

    graph: Graph
    data: Dataset
    what: tuple[str, ...]
    program: Program
    inputs: Mapping[str, Array]
    sequences: Dataset | None = None
    """The data as sequences, for networks that take one time step after the other."""
    steps: Program | None = None
    """Of such networks; `program` then measures what they have said."""


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
        # a task's sort is asked for once, as its answer takes longer than a small program
        self._direct = task if isinstance(task, DirectTask) else None
        self._episodic = task if isinstance(task, EpisodicTask) else None
        self._supervised = task if isinstance(task, SupervisedTask) else None
        self._last: Measure | None = None
        self._programs: dict[tuple[str, ...], Program] = {}
        self._players: dict[str, Player] = {}
        # the epoch in hand and the choice at the end, by one cache each, so that neither drives out the other
        self._epoch = lru_cache(1)(lambda epoch, n: streams("batch", epoch).permutation(n))
        self._final = lru_cache(1)(lambda n: streams("batch", -1).permutation(n)[:FINAL_SAMPLES])

    def with_streams(self, streams: Streams) -> Evaluation:
        """Return the same evaluation with other streams; what either compiles serves both."""
        other = Evaluation(self.task, self.genome, self.device, streams, self.ops)
        other._programs, other._players = self._programs, self._players
        return other

    def fitness(self, genes: Genes, step: int | None) -> Array:
        """Return the fitness float64 [P] or [P, M]; what is not finite becomes −inf.

        `step` names the batch or the start states; None asks for all the data. Raises RunError where the task returns
        anything else.
        """
        if self._direct is not None:
            raw = self._direct.evaluate(genes)
        else:
            raw = self.fitness_of_networks(self._decode(genes), step)
        fitness = _numbers(raw, len(genes), self.task).astype(np.float64)
        finite = np.isfinite(fitness)
        return fitness if finite.all() else np.where(finite, fitness, -np.inf)

    def fitness_of_networks(self, networks: Networks, step: int | None) -> Array:
        """Return the fitness [P] of networks."""
        if self._episodic is not None:
            return self._returns(self._episodic, networks, step)
        if self._supervised is None:
            raise TypeError(f"{type(self.task).__name__} is not solved by networks")
        return self.measure(networks, self.samples(step), ("fitness",))["fitness"]

    @cached_property
    def examined(self) -> bool:
        """Whether the task has examinations."""
        return bool(self._examiners)

    def passes(self, networks: Networks) -> bool:
        """Return whether one network passes all of the task's examinations, the first that it fails ending them."""
        return all(examiner.fitness_of_networks(networks, 0)[0] >= wanted for examiner, wanted in self._examiners)

    @cached_property
    def _examiners(self) -> list[tuple[Evaluation, float]]:
        examinations = self._episodic.examinations() if self._episodic is not None else ()
        return [(Evaluation(task, None, self.device, self.streams, self.ops), wanted) for task, wanted in examinations]

    def samples(self, step: int | None) -> Dataset:
        """Return the samples of a step, or all of them for a step of None.

        Batches are slices of an order drawn anew for each epoch; what is left of it and fills no batch is left out.
        """
        data, batch = self._learnt, self._samples_of.batch
        if step is None:
            return data if len(data) <= FINAL_SAMPLES else data.take(self._final(len(data)))
        whole = batch is None or batch >= len(data)
        if whole and not self._samples_of.augments:
            return data
        size = len(data) if batch is None else min(batch, len(data))
        epoch, index = divmod(step, len(data) // size)
        order = np.arange(size) if whole else self._epoch(epoch, len(data))[index * size : (index + 1) * size]
        return next(self._samples_of.batches(order[None], step, self.streams))

    def measure(self, networks: Networks, data: Dataset, what: tuple[str, ...]) -> dict[str, Array]:
        """Return what is asked for, [P] each, of networks on data: `fitness`, `loss`, `accuracy` or a task's metric.

        `confusion` is [P, classes, classes].
        """
        last = self._last
        if last is None or last.graph is not networks.graph or last.data is not data or last.what != what:
            self._last = last = self._bound(networks.graph, data, what)
        if last.steps is None or last.sequences is None:
            return last.program(networks.arrays, last.inputs)
        found = [last.program({}, {"said": part, **last.inputs}) for part in said(last.steps, networks, last.sequences)]
        return {name: np.concatenate([part[name] for part in found] or [np.zeros(0)]) for name in what}

    def _bound(self, graph: Graph, data: Dataset, what: tuple[str, ...]) -> Measure:
        if self._samples_of.sequential or MEMORY in graph.inputs:
            return self._bound_over_time(graph, data, what)
        key = (graph.digest(), str(data.y.ndim), *what)
        if key not in self._programs:
            self._programs[key] = self.device.compile(self._measuring(graph, data, what))
        return Measure(graph, data, what, self._programs[key], {"x": data.x, "target": data.y})

    def metrics(self, networks: Networks) -> dict[str, dict[str, Any]]:
        """Return `{split: {"loss": …, "accuracy": …}}` of one network; an episodic task has the mean return only.

        What the task's `metrics` name is there too: numbers, and of `confusion` rows of them.
        """
        if self._episodic is not None:
            return {"test": {"return": float(self._returns(self._episodic, networks, None)[0])}}
        task = self._samples_of
        what = ("loss", *("accuracy",) * task.classification, *task.metrics)
        found = {split: self.measure(networks, task.data(split), what) for split in task.splits}
        return {split: {name: value[0].tolist() for name, value in values.items()} for split, values in found.items()}

    @cached_property
    def _decode(self) -> Callable[[Genes], Networks]:
        if self.genome is None:
            raise TypeError("genes without a genome cannot be decoded")
        return self.genome.on(self.device)

    @cached_property
    def _learnt(self) -> Dataset:
        task = self._samples_of
        return task.data(task.splits[0])

    @property
    def _samples_of(self) -> SupervisedTask:
        if self._supervised is None:
            raise TypeError(f"{type(self.task).__name__} has no data to measure on")
        return self._supervised

    def _bound_over_time(self, graph: Graph, data: Dataset, what: tuple[str, ...]) -> Measure:
        # a sample that is no sequence is one of a single time step
        sequences = data if self._samples_of.sequential else Dataset(data.x[:, None], data.y[:, None])
        targets = sequences.y.reshape(-1, *sequences.y.shape[2:])
        node = graph.nodes[graph.outputs["y"]]
        key, measuring = (graph.digest(), "time step"), (node.type, str(targets.ndim), *what)
        if key not in self._programs:
            own = (MEMORY,) if MEMORY in graph.inputs else ()
            self._programs[key] = self.device.compile(graph, per_network=own)
        if measuring not in self._programs:
            builder = Builder(self.ops)
            outputs = self._measured(builder.input("said", node.shape, node.dtype), targets, what)
            self._programs[measuring] = self.device.compile(builder.graph(outputs), per_network=("said",))
        return Measure(
            graph, data, what, self._programs[measuring], {"target": targets}, sequences, self._programs[key]
        )

    def _measuring(self, graph: Graph, data: Dataset, what: tuple[str, ...]) -> Graph:
        builder = Builder(self.ops)
        return builder.graph(self._measured(builder.extend(graph)["y"], data.y, what))

    def _measured(self, prediction: Value, y: Array, what: tuple[str, ...]) -> dict[str, Value]:
        """Return what is asked for as scalars of the prediction's graph."""
        task = self._samples_of
        target = prediction.builder.input("target", ("B", *y.shape[1:]), str(y.dtype))
        outputs = {}
        if "fitness" in what:
            outputs["fitness"] = task.build_fitness(prediction, target)
        if "loss" in what:
            outputs["loss"] = task.loss.build(prediction, target)
        if "accuracy" in what:
            outputs["accuracy"] = task.loss.correct(prediction, target).mean()
        others = [name for name in what if name not in ("fitness", "loss", "accuracy")]
        return outputs | {name: measured(name, task.loss, prediction, target) for name in others}

    def _returns(self, task: EpisodicTask, networks: Networks, step: int | None) -> Array:
        """Play every network's episodes side by side; all networks get the same start states."""
        episodes = FINAL_EPISODES if step is None else task.episodes
        state, seen = task.reset(episodes, self.streams("episodes", -1 if step is None else step))
        key = networks.graph.digest()
        if key not in self._players:
            self._players[key] = player(task, networks.graph, self.device, self.ops)
        return self._players[key](networks, state, seen)


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
