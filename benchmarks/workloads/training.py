# SPDX-License-Identifier: MIT OR Apache-2.0
"""Training by gradients: an epoch of MNIST, the step of a tiny network, 200 networks at once.

All sides start from the same weights, take the same batches, and must lose as much in the first updates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from images import default_folder, images
from ours import Samples, devices, experiment
from sides import OURS, Bar, Contest, Options, Side, gathered

from vynapse_autodiff.optimisers import Adam, Sgd
from vynapse_autodiff.training_step import training_step
from vynapse_core import Array, Device, Experiment, Streams, Value
from vynapse_core.catalogue import installed
from workloads.training_peers import EPOCH, POPULATION, TINY, Lesson

XOR = (np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([[0], [1], [1], [0]], np.float32))
PROVED = 10
"""Updates after which all sides must have lost as much."""
SLOW = ("reference",)
"""Devices that compute node by node in Python."""


def contests(name: str, options: Options) -> Iterator[Contest]:
    """Yield the contest of a workload."""
    yield {"mnist_mlp_epoch": _epoch, "tiny_step": _tiny, "population_step": _population}[name](options)


def _epoch(options: Options) -> Contest:
    samples, layers = 2_560 if options.small else 60_000, (784, 128, 10)
    x, y, source = images(samples, options.mnist)
    made = _experiment(Samples.of(x, y, 10, "cross_entropy"), layers, "relu", "he")
    rows = np.random.default_rng(0).permutation(samples)[: samples // 64 * 64].reshape(-1, 64)
    lesson = Lesson(x, y, rows, _first(made, 1), 0.001, "adam")
    tested = _tested(options)
    sides = {f"{OURS}, {device} device": _ours(made, device, tested) for device in _quick(options)}
    peers = {name: _judged(maker, tested) for name, maker in EPOCH.items()}
    found, absent = gathered(sides | peers, lesson, expected=_expected(made, lesson), tolerance=1e-3)
    inputs, hidden, outputs = layers
    return Contest(
        f"An epoch of an MLP 784-128-10: {len(rows)} updates of 64 images",
        found,
        absent,
        bars=(Bar(3, "PyTorch, eager"), Bar(1, "JAX, scan")),
        flops=2.0 * rows.size * (2 * inputs * hidden + 3 * hidden * outputs),
        quality="test accuracy",
        notes=(f"{source}; ReLU, cross entropy, Adam; the operations of the products only are counted",),
    )


def _tiny(options: Options) -> Contest:
    x, y = XOR
    made = _experiment(Samples.of(x, y, 1, "mse"), (2, 8, 1), "tanh", "xavier")
    steps = 200 if options.small else 20_000
    lesson = Lesson(x, y, np.tile(np.arange(4), (steps, 1)), _first(made, 1), 0.1, "sgd")
    sides = {f"{OURS}, {device} device": _ours(made, device, None, 1.0) for device in _quick(options)}
    found, absent = gathered(sides | TINY, lesson, expected=_expected(made, lesson), tolerance=1e-3)
    return Contest(
        "A training step of a network 2-8-1 on 4 samples",
        found,
        absent,
        unit="updates",
        bars=(Bar(50, "PyTorch, eager"), Bar(1, "JAX, scan")),
        notes=("tanh, mean squared error, gradient descent; the updates of a call follow each other",),
    )


def _population(options: Options) -> Contest:
    networks, layers = 10 if options.small else 200, (784, 64, 10)
    x, y, source = images(64, options.mnist)
    made = _experiment(Samples.of(x, y, 10, "cross_entropy"), layers, "relu", "he")
    rows = np.arange(64).reshape(1, 64)
    lesson = Lesson(x, y, rows, _first(made, networks), 0.1, "sgd")
    sides = {f"{OURS}, {device} device": _together(made, device) for device in _quick(options)}
    sides[f"one by one: {OURS}, {networks} calls"] = _one_by_one(made, "numba")
    found, absent = gathered(sides | POPULATION, lesson, expected=_losses(made, lesson), tolerance=1e-3)
    inputs, hidden, outputs = layers
    return Contest(
        f"One training step of {networks} networks 784-64-10 on 64 images",
        found,
        absent,
        bars=(Bar(4, "one by one"),),
        flops=2.0 * networks * 64 * (2 * inputs * hidden + 3 * hidden * outputs),
        notes=(f"{source}; ReLU, cross entropy, gradient descent; from weights [P, ...] to the next ones",),
    )


def _quick(options: Options) -> list[str]:
    return [device for device in devices() if options.small or device not in SLOW]


def _experiment(task: Samples, layers: tuple[int, ...], activation: str, initialiser: str) -> Experiment:
    genome = {"type": "mlp", "layers": layers, "activation": activation, "initialiser": initialiser}
    return experiment(task, genome, {"type": "reference"})


def _first(made: Experiment, networks: int) -> dict[str, Array]:
    """Return the first weights {name: [P, ...]}, in the order of the layers."""
    genes = made.genome.initial(networks, Streams(0)("initial"))
    return {name: np.array(array) for name, array in made.genome.networks(genes).arrays.items()}


def _compiled(made: Experiment, lesson: Lesson, device: str) -> tuple[Any, Any]:
    """Return the training step and its program on a device."""
    task = made.task
    assert isinstance(task, Samples)
    optimiser = Adam(rate=lesson.rate) if lesson.optimiser == "adam" else Sgd(rate=lesson.rate)

    def measures(prediction: Value, target: Value) -> Mapping[str, Value]:
        return {"loss": task.loss.build(prediction, target)}

    graph = made.genome.networks(made.genome.initial(1, Streams(0)("initial"))).graph
    target = (("B", *lesson.y.shape[1:]), str(lesson.y.dtype))
    step = training_step(graph, measures, optimiser, target, installed().ops, installed().gradients)
    return step, installed().build(Device, {"type": device}).compile(step.graph)


def _scanned(made: Experiment, lesson: Lesson, device: str) -> Callable[[Array], tuple[dict[str, Array], Array]]:
    """Return scan(rows) -> (arrays after all updates, losses [steps])."""
    step, program = _compiled(made, lesson, device)
    arrays = {**lesson.weights, **step.memory(lesson.weights)}
    inputs = {"x": lesson.x, "target": lesson.y, "rate": np.asarray(lesson.rate, np.float32)}
    whole = lesson.rows.shape[1] == len(lesson.x)

    def scan(rows: Array) -> tuple[dict[str, Array], Array]:
        # where a batch is all there is, its order means nothing
        batches = {} if whole else dict.fromkeys(("x", "target"), rows)
        after, seen = program.scan(arrays, inputs, batches, step.carry, len(rows))
        return after, seen["loss"][:, 0]

    return scan


def _ours(
    made: Experiment, device: str, tested: Callable[[Any], float] | None, share: float | None = None
) -> Callable[[Lesson], Side]:
    def make(lesson: Lesson) -> Side:
        scan = _scanned(made, lesson, device)
        units = len(lesson.rows) if share else 1
        return Side(
            device,
            lambda: scan(lesson.rows)[0],
            units,
            blas_threads=1,
            proof=lambda: scan(lesson.rows[:PROVED])[1],
            reached=None if tested is None else lambda after: tested(_layers(after)),
        )

    return make


def _together(made: Experiment, device: str) -> Callable[[Lesson], Side]:
    def make(lesson: Lesson) -> Side:
        step, program = _compiled(made, lesson, device)
        arrays = {**lesson.weights, **step.memory(lesson.weights)}
        inputs = {"x": lesson.x, "target": lesson.y, "rate": np.asarray(lesson.rate, np.float32)}
        return Side(
            device, lambda: program(arrays, inputs), blas_threads=1, proof=lambda: program(arrays, inputs)["loss"]
        )

    return make


def _one_by_one(made: Experiment, device: str) -> Callable[[Lesson], Side]:
    def make(lesson: Lesson) -> Side:
        step, program = _compiled(made, lesson, device)
        inputs = {"x": lesson.x, "target": lesson.y, "rate": np.asarray(lesson.rate, np.float32)}
        networks = len(next(iter(lesson.weights.values())))
        each = [{name: array[i : i + 1] for name, array in lesson.weights.items()} for i in range(networks)]
        each = [arrays | step.memory(arrays) for arrays in each]

        def call() -> list[float]:
            return [float(program(arrays, inputs)["loss"][0]) for arrays in each]

        return Side(device, call, blas_threads=1)

    return make


def _expected(made: Experiment, lesson: Lesson) -> Array:
    """Return the losses of the first updates, by the reference device."""
    return _scanned(made, lesson, "reference")(lesson.rows[:PROVED])[1]


def _losses(made: Experiment, lesson: Lesson) -> Array:
    """Return the networks' losses [P], by the reference device."""
    step, program = _compiled(made, lesson, "reference")
    inputs = {"x": lesson.x, "target": lesson.y, "rate": np.asarray(lesson.rate, np.float32)}
    losses: Array = program({**lesson.weights, **step.memory(lesson.weights)}, inputs)["loss"]
    return losses


def _tested(options: Options) -> Callable[[Any], float]:
    """Return what measures accuracy on MNIST's test images, or on random ones; it takes layers [(w, b)]."""
    folder = options.mnist or default_folder()
    x, y, _ = images(1_000, None) if folder is None else images(10_000, folder, "test")

    def accuracy(layers: Any) -> float:
        h = x
        for at, (w, b) in enumerate(layers):
            h = (np.maximum(h, 0) if at else h) @ np.asarray(w).T + np.asarray(b)
        return float((h.argmax(1) == y).mean())

    return accuracy


def _layers(arrays: Mapping[str, Array]) -> list[tuple[Array, Array]]:
    return [(arrays[f"w{at}"][0], arrays[f"b{at}"][0]) for at in range(2)]


def _judged(maker: Callable[[Lesson], Any], tested: Callable[[Any], float]) -> Callable[[Lesson], Side]:
    """Return a maker of a peer's side whose test accuracy is measured."""

    def make(lesson: Lesson) -> Side:
        side: Side = maker(lesson)
        return Side(side.name, side.call, side.units, proof=side.proof, reached=tested)

    return make
