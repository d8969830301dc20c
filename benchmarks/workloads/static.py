# SPDX-License-Identifier: MIT OR Apache-2.0
"""Training steps by level of optimization: what compiling a graph gains over computing it node by node, as written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from images import images
from ours import Samples, experiment
from sides import OURS, Bar, Contest, Options, Side, gathered

from vynapse_autodiff.batches import rows
from vynapse_autodiff.descent import Descent
from vynapse_autodiff.lesson import Lesson, lesson_of
from vynapse_core import Array, Experiment, Streams
from workloads.cnn import GENOME as CNN

LEVEL_0 = "level 0"
"""What the names of the sides begin with that compute a graph as it is written; the bars are set against them."""
MLP: Mapping[str, Any] = {"type": "mlp", "layers": (784, 128, 10), "activation": "relu"}
TINY: Mapping[str, Any] = {"type": "mlp", "layers": (2, 8, 1), "activation": "tanh"}
XOR = (np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([[0], [1], [1], [0]], np.float32))


@dataclass(frozen=True)
class Problem:
    """A network, its samples, and the updates of a call."""

    title: str
    genome: Mapping[str, Any]
    task: Samples
    batch: int
    updates: int
    bar: float


def contests(name: str, options: Options) -> Iterator[Contest]:
    """Yield the contest of a network."""
    problem = _problem(name, options.small, options.mnist)
    expected = _side(problem, 0, "reference").proof
    assert expected is not None
    makers: dict[str, Callable[[], Side]] = {f"{LEVEL_0}: node by node": partial(_side, problem, 0, "reference")}
    makers[f"{OURS}, level 1: planned memory"] = partial(_side, problem, 1, "reference")
    makers[f"{OURS}, level 2, numba device: a call an update"] = partial(_side, problem, 2, "numba")
    makers[f"{OURS}, level 3, numba device: a scan"] = partial(_side, problem, 3, "numba")
    sides, absent = gathered(makers, expected=expected(), tolerance=1e-3)
    yield Contest(
        problem.title,
        sides,
        absent,
        unit="updates",
        bars=(Bar(problem.bar, LEVEL_0),),
        notes=(f"{problem.updates} updates a call, batches of {problem.batch}, Adam",),
    )


def _problem(name: str, small: bool, folder: Path | None) -> Problem:
    if name == "static_tiny":
        task = Samples.of(*XOR, 1, "mse")
        return Problem("Training step 2-8-1 on 4 samples, by level", TINY, task, 4, 20 if small else 200, 20)
    x, y, _ = images(320 if small else 6_400, folder)
    task = Samples.of(x, y, 10, "cross_entropy")
    if name == "static_mlp":
        title, genome, updates = "Training step 784-128-10, batch 64, by level", MLP, 5 if small else 100
    else:
        title, genome, updates = "Training step of the CNN, batch 64, by level", CNN, 2 if small else 20
    return Problem(title, genome, task, 64, updates, 2)


def _side(problem: Problem, level: int, device: str) -> Side:
    made, trainer = _made(problem, level, device)
    lesson = _lesson(made, trainer)
    update = trainer.updating(made, lesson)
    chosen = rows(Streams(0), 0, problem.updates, lesson.samples, problem.batch)
    arrays = {**lesson.networks.arrays, **lesson.step.memory(lesson.networks.arrays)}
    inputs = {"x": lesson.data.x, "target": lesson.data.y, "rate": np.asarray(0.001, np.float32)}
    whole = problem.batch >= lesson.samples

    def call(updates: int = problem.updates) -> Array:
        batches = {} if whole else dict.fromkeys(("x", "target"), chosen[:updates])
        _, seen = update(arrays, inputs, batches, updates)
        return seen["loss"][:, 0]

    return Side("", call, problem.updates, blas_threads=1, proof=partial(call, min(3, problem.updates)))


def _made(problem: Problem, level: int, device: str) -> tuple[Experiment, Descent]:
    table = {"type": "static_graph", "optimization_level": level, "batch": problem.batch}
    made = experiment(problem.task, problem.genome, {"type": device}, table)
    assert isinstance(made.trainer, Descent)
    return made, made.trainer


def _lesson(made: Experiment, trainer: Descent) -> Lesson:
    networks = made.genome.networks(made.genome.initial(1, made.streams("initial")))
    return lesson_of(made, networks, trainer.optimiser)
