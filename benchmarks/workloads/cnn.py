# SPDX-License-Identifier: MIT OR Apache-2.0
"""An epoch of a convolutional network on 10,000 images in batches of 64, by Adam: the trainer `sgd`'s own updates.

All sides start from the same weights, take the same batches in the same order, and must lose the same at first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from images import images
from ours import Samples, devices, experiment
from sides import OURS, Bar, Contest, Options, Side, gathered

from vynapse_autodiff.descent import Descent
from vynapse_autodiff.lesson import lesson_of
from vynapse_core import Array
from workloads.cnn_peers import PEERS

BATCH = 64
PROVEN = 5
"""Updates after which losses are compared: later ones part ways, as rounding does."""
GENOME = {
    "type": "network",
    "input": (1, 28, 28),
    "layers": (
        {"type": "conv2d", "filters": 16, "size": 3, "activation": "relu"},
        {"type": "max_pool", "size": 2},
        {"type": "conv2d", "filters": 32, "size": 3, "activation": "relu"},
        {"type": "max_pool", "size": 2},
        {"type": "flatten"},
        {"type": "dense", "units": 10},
    ),
}
FLOPS = 2 * (2 * 16 * 9 * 26**2) + 3 * (2 * 32 * 144 * 11**2) + 3 * (2 * 800 * 10)
"""Operations of the products for one image: forward, and backward but for the gradient by the images."""


@dataclass(frozen=True)
class Problem:
    """What all sides are given."""

    x: Array
    """Images float32 [n, 784]."""
    y: Array
    """Their classes int64 [n]."""
    rows: Array
    """The images of each update, int64 [updates, batch]."""
    weights: dict[str, Array]
    """First weights by name, as the network's layers have them."""


def contests(name: str, options: Options) -> Iterator[Contest]:
    """Yield the one contest."""
    x, y, source = images(640 if options.small else 10_000, options.mnist)
    task = Samples.of(x, y, 10, "cross_entropy")
    updates = len(x) // BATCH
    rows = np.random.default_rng(0).permutation(len(x))[: updates * BATCH].reshape(updates, BATCH)
    made = experiment(task, GENOME, {"type": "reference"}, {"type": "sgd"})
    networks = made.genome.networks(made.genome.initial(1, made.streams("initial")))
    weights = {name: array[0] for name, array in networks.arrays.items()}
    problem = Problem(x, y, rows, weights)
    ours: dict[str, Callable[[Any], Any]] = {
        f"{OURS}, {device} device, {threads} thread{'s' * (threads != 1)}": partial(_side, task, device, threads)
        for device in devices()
        if device == "numba"
        for threads in (2, 1)
    }
    expected = _side(task, "reference", None, problem).proof
    assert expected is not None
    sides, absent = gathered(ours | PEERS, problem, expected=expected(), tolerance=1e-3)
    yield Contest(
        f"An epoch of a convolutional network on {len(x):,} images, batches of {BATCH}",
        sides,
        absent,
        bars=(Bar(1.2, "PyTorch"), Bar(5, "JAX")),
        flops=float(FLOPS) * updates * BATCH,
        quality="loss at the end",
        notes=(
            f"{source}; 16 filters 3x3, pool, 32 filters 3x3, pool, 10 outputs; ReLU, cross entropy, Adam at 0.001; "
            f"{updates} updates a call, always from the same weights",
            "the operations of the products only are counted",
        ),
    )


def _side(task: Samples, device: str, threads: int | None, problem: Problem) -> Side:
    table = {"type": device} if threads is None else {"type": device, "threads": threads}
    made = experiment(task, GENOME, table, {"type": "sgd"})
    trainer = made.trainer
    assert isinstance(trainer, Descent)
    networks = made.genome.networks(made.genome.initial(1, made.streams("initial")))
    lesson = lesson_of(made, networks, trainer.optimiser)
    update = trainer.updating(made, lesson)
    first = {name: array[None] for name, array in problem.weights.items()}
    arrays = {**networks.arrays, **first, **lesson.step.memory(networks.arrays)}
    inputs = {"x": problem.x, "target": problem.y, "rate": np.asarray(0.001, np.float32)}

    def call(updates: int = len(problem.rows)) -> Array:
        batches = dict.fromkeys(("x", "target"), problem.rows[:updates])
        _, seen = update(arrays, inputs, batches, updates)
        return seen["loss"][:, 0]

    return Side("", call, proof=partial(call, PROVEN), reached=at_end)


def at_end(losses: Any) -> float:
    """Return the mean loss of the last tenth of the updates."""
    found = np.asarray(losses)
    return float(found[-max(len(found) // 10, 1) :].mean())
