# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a recipe computes over and over: a training step or an evaluation, with arrays to compute it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vynapse_autodiff.batches import Feed, rows
from vynapse_autodiff.descent import Descent
from vynapse_autodiff.lesson import lesson_of
from vynapse_core import (
    Array,
    Builder,
    EpisodicTask,
    Experiment,
    Graph,
    Networks,
    RunError,
    SupervisedTask,
    value_at,
)

MOST_NETWORKS = 64
"""Networks of a population at most that are computed node by node."""
MEMORY = "memory"


@dataclass(frozen=True)
class Workload:
    """A graph and what it is called with."""

    what: str
    """In words."""
    graph: Graph
    arrays: Mapping[str, Array]
    inputs: Mapping[str, Array]
    per_network: tuple[str, ...] = ()


def workload(experiment: Experiment) -> Workload:
    """Return what the recipe's trainer computes at each step.

    Raises RunError for a task that is solved by no networks.
    """
    if isinstance(experiment.trainer, Descent):
        return _training(experiment, experiment.trainer)
    task = experiment.task
    if not isinstance(task, SupervisedTask | EpisodicTask):
        raise RunError(f"{type(task).__name__} evaluates genes by itself: there is no graph to profile")
    population = getattr(experiment.trainer, "population", 1)
    count = min(population, MOST_NETWORKS) if isinstance(population, int) else 1
    networks = experiment.genome.networks(experiment.genome.initial(count, experiment.streams("initial")))
    if isinstance(task, SupervisedTask) and not task.sequential and MEMORY not in networks.graph.inputs:
        return _evaluation(experiment, task, networks)
    if isinstance(task, SupervisedTask):
        x = task.data(task.splits[0]).x
        x = x[:, 0] if task.sequential else x
    else:
        _, x = task.reset(task.episodes, experiment.streams("episodes", 0))
    memory = networks.blank_memory(len(x))
    what = f"a time step of {len(networks)} networks on {len(x)} observations"
    return Workload(what, networks.graph, networks.arrays, {"x": np.ascontiguousarray(x), **memory}, tuple(memory))


def _evaluation(experiment: Experiment, task: SupervisedTask, networks: Networks) -> Workload:
    data = experiment.evaluation.samples(0)
    builder = Builder(experiment.catalogue.ops)
    prediction = builder.extend(networks.graph)["y"]
    target = builder.input("target", ("B", *data.y.shape[1:]), str(data.y.dtype))
    graph = builder.graph({"fitness": task.build_fitness(prediction, target)})
    what = f"the evaluation of {len(networks)} networks on {len(data)} samples"
    return Workload(what, graph, networks.arrays, {"x": data.x, "target": data.y})


def _training(experiment: Experiment, trainer: Descent) -> Workload:
    genome = experiment.genome
    networks = genome.networks(genome.initial(trainer.networks, experiment.streams("initial")))
    lesson = lesson_of(experiment, networks, trainer.optimiser, trainer.validation or 0.0)
    samples = lesson.samples
    size = min(trainer.batch or lesson.task.batch or samples, samples)
    first = rows(experiment.streams, 0, 1, samples, size)
    chosen = first if lesson.chosen is None else lesson.chosen[first]
    rate = value_at(trainer.optimiser.rate, experiment.clock(0))
    taken: dict[str, Array] = {}

    def take(
        arrays: Mapping[str, Array], inputs: Mapping[str, Array], batches: Mapping[str, Array], count: int
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        taken.update({name: array[batches[name][0]] if name in batches else array for name, array in inputs.items()})
        return dict(arrays), {"loss": np.zeros((count, 1))}

    arrays = {**networks.arrays, **lesson.step.memory(networks.arrays)}
    Feed(lesson, experiment.streams, 0, chosen, rate).run(take, arrays, 0, 1)
    known = lesson.step.graph.parameters
    what = f"a training step of {len(networks)} network{'s' * (len(networks) > 1)} on {size} samples"
    return Workload(what, lesson.step.graph, {name: arrays[name] for name in known}, taken)
