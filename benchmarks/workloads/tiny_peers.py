# SPDX-License-Identifier: MIT OR Apache-2.0
"""The peers of the workload `tiny`: genes [P, 33], samples [4, 2] and targets [4] to losses [P].

Genes are weights [8, 2], biases [8], weights [8], bias.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Call = Callable[[], Any]


def numpy_arithmetic(genes: Any, x: Any, y: Any) -> Call:
    """Broadcasting, which is quicker than a hundred thousand products of a few numbers; arrays are kept."""
    hidden = np.empty((len(genes), 8, len(x)), np.float32)
    part = np.empty_like(hidden)

    def call() -> Any:
        w1, b1, w2, b2 = genes[:, :16].reshape(-1, 8, 2), genes[:, 16:24], genes[:, 24:32], genes[:, 32:]
        np.multiply(w1[:, :, :1], x[:, 0], out=hidden)
        np.multiply(w1[:, :, 1:], x[:, 1], out=part)
        np.add(hidden, part, out=hidden)
        np.add(hidden, b1[:, :, None], out=hidden)
        np.tanh(hidden, out=hidden)
        np.multiply(hidden, w2[:, :, None], out=hidden)
        return np.mean((hidden.sum(axis=1) + b2 - y) ** 2, axis=1)

    return call


def numpy_last(genes: Any, x: Any, y: Any) -> Call:
    """The population as the last axis, weight by weight, so that every pass runs along memory."""

    def call() -> Any:
        rows = np.ascontiguousarray(genes.T)
        loss = np.zeros(len(genes), np.float32)
        for sample, target in zip(x, y, strict=True):
            hidden = rows[0:16:2] * sample[0] + rows[1:16:2] * sample[1]
            hidden += rows[16:24]
            np.tanh(hidden, out=hidden)
            hidden *= rows[24:32]
            loss += (hidden.sum(axis=0) + rows[32] - target) ** 2
        return loss / len(x)

    return call


def torch_vmap(genes: Any, x: Any, y: Any) -> Call:
    """One network's function, mapped."""
    torch, rows, x, y = _tensors(genes, x, y)
    mapped = torch.vmap(_torch_one(torch, x, y))

    def call() -> Any:
        with torch.inference_mode():
            return mapped(rows).numpy()

    return call


def torch_bmm(genes: Any, x: Any, y: Any) -> Call:
    """One `baddbmm` a layer."""
    torch, rows, x, y = _tensors(genes, x, y)
    samples = x.T.expand(len(rows), 2, len(x))

    def call() -> Any:
        with torch.inference_mode():
            hidden = torch.baddbmm(rows[:, 16:24, None], rows[:, :16].reshape(-1, 8, 2), samples).tanh_()
            output = torch.baddbmm(rows[:, 32:, None], rows[:, None, 24:32], hidden)[:, 0]
            return ((output - y) ** 2).mean(1).numpy()

    return call


def torch_compiled(genes: Any, x: Any, y: Any) -> Call:
    """The mapped function through `torch.compile`, which needs a C++ compiler."""
    torch, rows, x, y = _tensors(genes, x, y)
    compiled = torch.compile(torch.vmap(_torch_one(torch, x, y)))

    def call() -> Any:
        with torch.no_grad():
            return compiled(rows).numpy()

    return call


def _tensors(genes: Any, x: Any, y: Any) -> tuple[Any, Any, Any, Any]:
    import torch

    return torch, torch.from_numpy(genes), torch.from_numpy(x), torch.from_numpy(y)


def _torch_one(torch: Any, x: Any, y: Any) -> Callable[[Any], Any]:
    def one(row: Any) -> Any:
        hidden = torch.tanh(x @ row[:16].reshape(8, 2).T + row[16:24])
        return ((hidden @ row[24:32] + row[32] - y) ** 2).mean()

    return one


def jax_vmap(genes: Any, x: Any, y: Any) -> Call:
    """One network's function, mapped and compiled."""
    jax, jnp, rows, x, y = _jax_arrays(genes, x, y)

    def one(row: Any) -> Any:
        hidden = jnp.tanh(x @ row[:16].reshape(8, 2).T + row[16:24])
        return ((hidden @ row[24:32] + row[32] - y) ** 2).mean()

    mapped = jax.jit(jax.vmap(one))
    return lambda: np.asarray(mapped(rows))


def jax_last(genes: Any, x: Any, y: Any) -> Call:
    """The population as the last axis, weight by weight, so that the compiler can vectorise along it."""
    jax, jnp, rows, x, y = _jax_arrays(genes, x, y)
    samples, targets = x.tolist(), y.tolist()

    @jax.jit
    def losses(rows: Any) -> Any:
        w = rows.T
        total = jnp.zeros(len(rows), jnp.float32)
        for (first, second), target in zip(samples, targets, strict=True):
            hidden = jnp.tanh(w[0:16:2] * first + w[1:16:2] * second + w[16:24])
            total += ((hidden * w[24:32]).sum(0) + w[32] - target) ** 2
        return total / len(samples)

    return lambda: np.asarray(losses(rows))


def _jax_arrays(genes: Any, x: Any, y: Any) -> tuple[Any, Any, Any, Any, Any]:
    import jax
    from jax import numpy as jnp

    return jax, jnp, jnp.asarray(genes), jnp.asarray(x), jnp.asarray(y)


PEERS: dict[str, Callable[[Any, Any, Any], Call]] = {
    "NumPy, broadcasting": numpy_arithmetic,
    "NumPy, population last": numpy_last,
    "PyTorch, vmap": torch_vmap,
    "PyTorch, bmm": torch_bmm,
    "PyTorch, compiled vmap": torch_compiled,
    "JAX, vmap": jax_vmap,
    "JAX, population last": jax_last,
}
