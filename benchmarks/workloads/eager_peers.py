# SPDX-License-Identifier: MIT OR Apache-2.0
"""The peers of the workloads `eager_tiny` and `eager_mlp`: the same training step in other libraries' eager modes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Step:
    """A training step, and proof that it is the same."""

    run: Callable[[], None]
    """Trains once."""
    weights: Callable[[], Any]
    """Returns the weights, in the order of the problem's."""


def numpy_by_hand(problem: Any) -> Step:
    """The gradient worked out on paper: what no library's step can be faster than in NumPy."""
    x, y = problem.x, problem.y
    leaves = [array.copy() for array in problem.weights]
    w1, b1, w2, b2 = leaves
    memory = [[np.zeros_like(array), np.zeros_like(array)] for array in leaves]
    rows, n, time = np.arange(len(x)), np.float32(len(x)), [0]
    rate = np.float32(problem.rate)

    def run() -> None:
        before = x @ w1 + b1
        if problem.classes:
            hidden = np.maximum(before, 0)
            logits = hidden @ w2 + b2
            shares = np.exp(logits - logits.max(-1, keepdims=True))
            shares /= shares.sum(-1, keepdims=True)
            shares[rows, y] -= 1
            slope = shares / n
            back = (slope @ w2.T) * (before > 0)
        else:
            hidden = np.tanh(before)
            slope = (hidden @ w2 + b2 - y) * np.float32(2 / y.size)
            back = (slope @ w2.T) * (1 - hidden * hidden)
        slopes = (x.T @ back, back.sum(0), hidden.T @ slope, slope.sum(0))
        time[0] += 1
        for leaf, g, (mean, square) in zip(leaves, slopes, memory, strict=True):
            if problem.rule == "sgd":
                leaf -= rate * g
            else:
                mean *= np.float32(0.9)
                mean += np.float32(0.1) * g
                square *= np.float32(0.999)
                square += np.float32(0.001) * g * g
                root = np.sqrt(square / np.float32(1 - 0.999 ** time[0])) + np.float32(1e-8)
                leaf -= rate / np.float32(1 - 0.9 ** time[0]) * mean / root

    return Step(run, lambda: leaves)


def torch_eager(problem: Any) -> Step:
    """Tensors, autograd and `torch.optim` as they come."""
    import torch

    return _torch(problem, torch, {})


def torch_fused(problem: Any) -> Step:
    """The same with the optimiser's fused update."""
    import torch

    return _torch(problem, torch, {"fused": True})


def _torch(problem: Any, torch: Any, options: dict[str, Any]) -> Step:
    functional = torch.nn.functional
    x, y = torch.from_numpy(problem.x), torch.from_numpy(problem.y)
    w1, b1, w2, b2 = leaves = [torch.from_numpy(array.copy()).requires_grad_() for array in problem.weights]
    rules = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
    optimiser = rules[problem.rule](leaves, lr=problem.rate, **options)

    def step() -> None:
        if problem.classes:
            loss = functional.cross_entropy(torch.relu(x @ w1 + b1) @ w2 + b2, y)
        else:
            loss = functional.mse_loss(torch.tanh(x @ w1 + b1) @ w2 + b2, y)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    def run() -> None:
        threads = torch.get_num_threads()
        if threads != 1:
            torch.set_num_threads(1)
        step()

    return Step(run, lambda: [leaf.detach().numpy() for leaf in leaves])


def autograd(problem: Any) -> Step:
    """HIPS autograd: NumPy, recorded; updates as in `numpy_by_hand`."""
    import autograd.numpy as anp
    from autograd import grad

    x, y, rows = problem.x, problem.y, np.arange(len(problem.x))
    leaves = [array.copy() for array in problem.weights]
    memory = [[np.zeros_like(array), np.zeros_like(array)] for array in leaves]
    time = [0]

    def loss(leaves: Any) -> Any:
        w1, b1, w2, b2 = leaves
        if problem.classes:
            logits = anp.dot(anp.maximum(anp.dot(x, w1) + b1, 0), w2) + b2
            shifted = logits - anp.max(logits, axis=-1, keepdims=True)
            return anp.mean(anp.log(anp.sum(anp.exp(shifted), axis=-1)) - shifted[rows, y])
        error = anp.dot(anp.tanh(anp.dot(x, w1) + b1), w2) + b2 - y
        return anp.mean(error * error)

    slope = grad(loss)

    def run() -> None:
        time[0] += 1
        for leaf, g, (mean, square) in zip(leaves, slope(leaves), memory, strict=True):
            if problem.rule == "sgd":
                leaf -= problem.rate * g
            else:
                mean += (g - mean) * 0.1
                square += (g * g - square) * 0.001
                root = np.sqrt(square / (1 - 0.999 ** time[0])) + 1e-8
                leaf -= problem.rate / (1 - 0.9 ** time[0]) * mean / root

    return Step(run, lambda: leaves)


PEERS: dict[str, Callable[[Any], Step]] = {
    "NumPy, gradient by hand": numpy_by_hand,
    "PyTorch, eager": torch_eager,
    "PyTorch, eager, fused update": torch_fused,
    "autograd": autograd,
}
