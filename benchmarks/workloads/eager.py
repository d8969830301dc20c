# SPDX-License-Identifier: MIT OR Apache-2.0
"""Training steps written line by line: forward, backward and update, each op computed when its line is reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from images import images
from sides import OURS, Bar, Contest, Maker, Options, Side, gathered

from vynapse_autodiff.eager import Minimiser, tensor
from vynapse_autodiff.optimisers import Adam, Sgd
from vynapse_core import Array
from workloads.eager_peers import PEERS, Step

PROVED = 20
"""Steps after which all sides must have the same weights."""


@dataclass(frozen=True)
class Problem:
    """What all sides are given."""

    title: str
    x: Array
    """Samples float32 [n, k]."""
    y: Array
    """Targets float32 [n, m], or class ids int64 [n]."""
    weights: tuple[Array, ...]
    """Weights [k, h], biases [h], weights [h, m], biases [m]."""
    rule: str
    """`sgd` or `adam`."""
    rate: float
    units: int
    """Steps of a call."""

    @property
    def classes(self) -> bool:
        """Whether the loss is a cross-entropy after ReLU; else a mean squared error after tanh."""
        return self.y.dtype == np.int64


def contests(name: str, options: Options) -> Iterator[Contest]:
    """Yield the contests of a network, one an optimiser."""
    for problem in _problems(name, options):
        expected = _trained(vynapse(problem))
        makers = {f"{OURS}, eager": _maker(vynapse)} | {peer: _maker(make) for peer, make in PEERS.items()}
        sides, absent = gathered(makers, problem, expected=expected, tolerance=1e-3)
        yield Contest(
            problem.title,
            sides,
            absent,
            unit="steps",
            bars=(Bar(1, "PyTorch, eager"),),
            notes=("one thread; forward, backward, update and forgetting the gradients",),
        )


def _problems(name: str, options: Options) -> Iterator[Problem]:
    rng = np.random.default_rng(0)
    if name == "eager_tiny":
        x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
        y = np.array([[0], [1], [1], [0]], np.float32)
        shapes, units, title = ((2, 8), (8,), (8, 1), (1,)), 50, "2-8-1, tanh, on 4 samples"
    else:
        images_x, images_y, _ = images(64, options.mnist)
        x, y = images_x, images_y.astype(np.int64)
        shapes, units, title = ((784, 128), (128,), (128, 10), (10,)), 20, "784-128-10, ReLU, batch 64"
    weights = tuple((rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32) for shape in shapes)
    for rule, rate in (("sgd", 0.1), ("adam", 0.001)):
        yield Problem(f"Eager training step {title}, {rule}", x, y, weights, rule, rate, 5 if options.small else units)


def vynapse(problem: Problem) -> Step:
    """Tensors, and the plugin's optimisers on one flat array."""
    x, y = tensor(problem.x), tensor(problem.y)
    w1, b1, w2, b2 = leaves = [tensor(array, requires_grad=True) for array in problem.weights]
    rules = {"sgd": Sgd, "adam": Adam}
    minimiser = Minimiser(leaves, rules[problem.rule](rate=problem.rate))
    rows = np.arange(len(problem.x))

    def regression() -> None:
        error = (x @ w1 + b1).tanh() @ w2 + b2 - y
        loss = (error * error).mean()
        loss.backward()
        minimiser.step()
        minimiser.zero_grad()

    def classification() -> None:
        logits = (x @ w1 + b1).relu() @ w2 + b2
        shifted = logits - logits.max(-1, keepdims=True).detach()
        loss = (shifted.exp().sum(-1).log() - shifted[rows, y]).mean()
        loss.backward()
        minimiser.step()
        minimiser.zero_grad()

    return Step(classification if problem.classes else regression, lambda: [leaf.numpy() for leaf in leaves])


def _trained(step: Step) -> Array:
    for _ in range(PROVED):
        step.run()
    return np.concatenate([np.asarray(array).ravel() for array in step.weights()])


def _maker(make: Callable[[Problem], Step]) -> Maker:
    def side(problem: Problem) -> Side:
        step, fresh = make(problem), make(problem)

        def call() -> None:
            for _ in range(problem.units):
                step.run()

        return Side("", call, units=problem.units, blas_threads=1, proof=lambda: _trained(fresh))

    return side
