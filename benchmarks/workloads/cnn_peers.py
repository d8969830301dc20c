# SPDX-License-Identifier: MIT OR Apache-2.0
"""The peers of the workload `cnn`: from first weights to the loss of each update of an epoch.

A call starts from the given weights, and lays out nothing anew that its library would keep.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sides import Side

PROVEN = 5
RATE, MEAN, SQUARE, EPSILON = 0.001, 0.9, 0.999, 1e-8


def torch_eager(problem: Any) -> Side:
    """A module and its optimiser, channels first, batch by batch."""
    import torch

    return _torch(torch, problem, lambda model: model)


def torch_channels_last(problem: Any) -> Side:
    """The same with channels last in memory, which oneDNN prefers for larger networks."""
    import torch

    return _torch(torch, problem, lambda model: model, torch.channels_last)


def torch_compiled(problem: Any) -> Side:
    """The model through `torch.compile`, which needs a C++ compiler."""
    import torch

    return _torch(torch, problem, torch.compile)


def _torch(torch: Any, problem: Any, made: Callable[[Any], Any], layout: Any = None) -> Side:
    nn = torch.nn
    layers = (
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 10),
    )  # fmt: skip
    model = nn.Sequential(*layers)
    x = torch.from_numpy(problem.x).reshape(-1, 1, 28, 28)
    if layout is not None:
        model, x = model.to(memory_format=layout), x.to(memory_format=layout)
    run, y = made(model), torch.from_numpy(problem.y)
    first = [torch.from_numpy(array) for array in problem.weights.values()]
    rows, loss = torch.from_numpy(problem.rows), nn.CrossEntropyLoss()

    def call(updates: int) -> Any:
        with torch.no_grad():
            for parameter, value in zip(_ordered(model.parameters(), first), first, strict=True):
                parameter.copy_(value.reshape(parameter.shape))
        optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
        losses = []
        for chosen in rows[:updates]:
            optimiser.zero_grad()
            value = loss(run(x[chosen]), y[chosen])
            value.backward()
            optimiser.step()
            losses.append(value.detach())
        return torch.stack(losses).numpy()

    return _whole(call, problem)


def _ordered(parameters: Any, first: Any) -> list[Any]:
    """Return the parameters in the order of the first weights: by their numbers of elements, no two of which agree."""
    by_size = {parameter.numel(): parameter for parameter in parameters}
    return [by_size[value.numel()] for value in first]


def jax_steps(problem: Any) -> Side:
    """One compiled update, called for each batch."""
    import jax

    return _jax(jax, problem, scans=False)


def jax_scan(problem: Any) -> Side:
    """All updates of the epoch compiled as one scan."""
    import jax

    return _jax(jax, problem, scans=True)


def _jax(jax: Any, problem: Any, scans: bool) -> Side:
    jnp, lax = jax.numpy, jax.lax
    names = ("conv0", "bias0", "conv1", "bias1", "dense", "bias2")
    shapes = ((16, 1, 3, 3), (16,), (32, 16, 3, 3), (32,), (10, 800), (10,))
    by_size = {array.size: array for array in problem.weights.values()}
    first = {
        name: jnp.asarray(by_size[int(np.prod(shape))]).reshape(shape)
        for name, shape in zip(names, shapes, strict=True)
    }
    x, y, rows = jnp.asarray(problem.x).reshape(-1, 1, 28, 28), jnp.asarray(problem.y), jnp.asarray(problem.rows)

    def layer(image: Any, weights: Any, bias: Any) -> Any:
        made = lax.conv_general_dilated(image, weights, (1, 1), "VALID") + bias[:, None, None]
        return lax.reduce_window(jax.nn.relu(made), -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    def loss(w: Any, image: Any, target: Any) -> Any:
        hidden = layer(layer(image, w["conv0"], w["bias0"]), w["conv1"], w["bias1"])
        logits = hidden.reshape(len(hidden), -1) @ w["dense"].T + w["bias2"]
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), target[:, None], 1).mean()

    def update(state: Any, chosen: Any) -> Any:
        w, mean, square, count = state
        value, slopes = jax.value_and_grad(loss)(w, x[chosen], y[chosen])
        count = count + 1
        mean = jax.tree.map(lambda m, g: MEAN * m + (1 - MEAN) * g, mean, slopes)
        square = jax.tree.map(lambda v, g: SQUARE * v + (1 - SQUARE) * g * g, square, slopes)
        scale, root = 1 / (1 - MEAN**count), 1 / (1 - SQUARE**count)
        w = jax.tree.map(lambda p, m, v: p - RATE * scale * m / (jnp.sqrt(v * root) + EPSILON), w, mean, square)
        return (w, mean, square, count), value

    zeros = jax.tree.map(jnp.zeros_like, first)
    start = (first, zeros, zeros, jnp.zeros(()))
    compiled = jax.jit(update)
    whole = jax.jit(lambda state, chosen: lax.scan(update, state, chosen))

    def call(updates: int) -> Any:
        if scans:
            return np.asarray(whole(start, rows[:updates])[1])
        state, losses = start, []
        # rows of NumPy's: to take one of JAX's is a computation of its own
        for chosen in problem.rows[:updates]:
            state, value = compiled(state, chosen)
            losses.append(value)
        return np.asarray([np.asarray(value) for value in losses])

    return _whole(call, problem)


def _whole(call: Callable[[int], Any], problem: Any) -> Side:
    def reached(losses: Any) -> float:
        found = np.asarray(losses)
        return float(found[-max(len(found) // 10, 1) :].mean())

    return Side("", partial(call, len(problem.rows)), proof=partial(call, PROVEN), reached=reached)


PEERS: dict[str, Callable[[Any], Side]] = {
    "PyTorch, eager": torch_eager,
    "PyTorch, eager, channels last": torch_channels_last,
    "PyTorch, compiled": torch_compiled,
    "JAX, compiled update": jax_steps,
    "JAX, scan over the epoch": jax_scan,
}
