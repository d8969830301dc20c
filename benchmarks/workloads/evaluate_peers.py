# SPDX-License-Identifier: MIT OR Apache-2.0
"""The peers of the workload `evaluate`: genes [P, w], images [B, 784] and classes [B] to losses [P]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Call = Callable[[], Any]


@dataclass(frozen=True)
class Problem:
    """What all sides are given."""

    genes: Any
    """float32 [P, w]: for each layer weights [out, in], then biases [out]."""
    x: Any
    y: Any
    layers: tuple[int, int, int]

    def parts(self, genes: Any) -> tuple[Any, Any, Any, Any]:
        """Return weights [.., h, i], biases [.., h], weights [.., o, h], biases [.., o] of genes [.., w]."""
        i, h, o = self.layers
        lead = genes.shape[:-1]
        ends = (h * i, h * i + h, h * i + h + o * h)
        first, second = genes[..., : ends[0]].reshape(*lead, h, i), genes[..., ends[1] : ends[2]].reshape(*lead, o, h)
        return first, genes[..., ends[0] : ends[1]], second, genes[..., ends[2] :]


def numpy_each(problem: Problem) -> Call:
    """Network by network, in place, in arrays kept from call to call."""
    x, y, parts = problem.x, problem.y, problem.parts(problem.genes)
    hidden = np.empty((len(x), problem.layers[1]), np.float32)
    logits = np.empty((len(problem.genes), len(x), problem.layers[2]), np.float32)

    def call() -> Any:
        for w1, b1, w2, b2, out in zip(*parts, logits, strict=True):
            np.matmul(x, w1.T, out=hidden)
            np.add(hidden, b1, out=hidden)
            np.maximum(hidden, 0, out=hidden)
            np.matmul(hidden, w2.T, out=out)
            np.add(out, b2, out=out)
        return numpy_losses(logits, y)

    return call


def numpy_batched(problem: Problem) -> Call:
    """All networks in one `matmul` a layer, in arrays kept from call to call."""
    x, y, (w1, b1, w2, b2) = problem.x, problem.y, problem.parts(problem.genes)
    networks, (_, h, o) = len(problem.genes), problem.layers
    hidden, logits = np.empty((networks, len(x), h), np.float32), np.empty((networks, len(x), o), np.float32)

    def call() -> Any:
        np.matmul(x, w1.swapaxes(1, 2), out=hidden)
        np.add(hidden, b1[:, None], out=hidden)
        np.maximum(hidden, 0, out=hidden)
        np.matmul(hidden, w2.swapaxes(1, 2), out=logits)
        np.add(logits, b2[:, None], out=logits)
        return numpy_losses(logits, y)

    return call


def numpy_flat(problem: Problem) -> Call:
    """The first layer of all networks as one product [P·h, i] by [i, B], in arrays kept from call to call."""
    x, y, (w1, b1, w2, b2) = problem.x, problem.y, problem.parts(problem.genes)
    networks, (i, h, o) = len(problem.genes), problem.layers
    laid = np.empty((networks, h, i), np.float32)
    hidden, logits = np.empty((networks, h, len(x)), np.float32), np.empty((networks, len(x), o), np.float32)

    def call() -> Any:
        np.copyto(laid, w1)
        np.matmul(laid.reshape(-1, i), x.T, out=hidden.reshape(-1, len(x)))
        np.add(hidden, b1[:, :, None], out=hidden)
        np.maximum(hidden, 0, out=hidden)
        np.matmul(hidden.swapaxes(1, 2), w2.swapaxes(1, 2), out=logits)
        np.add(logits, b2[:, None], out=logits)
        return numpy_losses(logits, y)

    return call


def numpy_losses(logits: Any, y: Any) -> Any:
    """Return the cross entropies [P] of logits [P, B, k], which are overwritten."""
    logits -= logits.max(axis=2, keepdims=True)
    named = np.take_along_axis(logits, y[None, :, None], axis=2)[:, :, 0]
    return (np.log(np.exp(logits, out=logits).sum(axis=2)) - named).mean(axis=1)


def torch_bmm(problem: Problem) -> Call:
    """One `baddbmm` a layer."""
    torch, genes, x, y = _tensors(problem)

    def forward(genes: Any) -> Any:
        w1, b1, w2, b2 = problem.parts(genes)
        hidden = torch.baddbmm(b1.unsqueeze(1), x.expand(len(genes), *x.shape), w1.mT).relu_()
        return torch.baddbmm(b2.unsqueeze(1), hidden, w2.mT)

    return _torch_call(torch, forward, genes, y)


def torch_flat(problem: Problem) -> Call:
    """The first layer of all networks as one product, the second as a `baddbmm`."""
    torch, genes, x, y = _tensors(problem)
    i, h, _ = problem.layers

    def forward(genes: Any) -> Any:
        w1, b1, w2, b2 = problem.parts(genes)
        hidden = torch.addmm(b1.reshape(-1, 1), w1.reshape(-1, i), x.T).relu_()
        return torch.baddbmm(b2.unsqueeze(1), hidden.reshape(len(genes), h, -1).mT, w2.mT)

    return _torch_call(torch, forward, genes, y)


def torch_vmap(problem: Problem) -> Call:
    """One network's function, mapped."""
    torch, genes, x, y = _tensors(problem)

    def one(row: Any) -> Any:
        w1, b1, w2, b2 = problem.parts(row)
        return torch.nn.functional.linear(torch.nn.functional.linear(x, w1, b1).relu(), w2, b2)

    return _torch_call(torch, torch.vmap(one), genes, y)


def _tensors(problem: Problem) -> tuple[Any, Any, Any, Any]:
    import torch

    return torch, torch.from_numpy(problem.genes), torch.from_numpy(problem.x), torch.from_numpy(problem.y)


def _torch_call(torch: Any, forward: Callable[[Any], Any], genes: Any, y: Any) -> Call:
    def call() -> Any:
        with torch.inference_mode():
            logits = forward(genes)
            named = logits.gather(2, y[None, :, None].expand(len(logits), -1, 1))[:, :, 0]
            return (logits.logsumexp(2) - named).mean(1).numpy()

    return call


def jax_vmap(problem: Problem) -> Call:
    """One network's function, mapped and compiled."""
    jax, jnp, genes, x, y = _jax_arrays(problem)

    def one(row: Any) -> Any:
        w1, b1, w2, b2 = problem.parts(row)
        return _jax_loss(jax, jnp, jnp.maximum(x @ w1.T + b1, 0) @ w2.T + b2, y)

    mapped = jax.jit(jax.vmap(one))
    return lambda: np.asarray(mapped(genes))


def jax_flat(problem: Problem) -> Call:
    """The first layer of all networks as one product, compiled with the rest."""
    jax, jnp, genes, x, y = _jax_arrays(problem)
    i, h, _ = problem.layers

    @jax.jit
    def losses(genes: Any) -> Any:
        w1, b1, w2, b2 = problem.parts(genes)
        hidden = (w1.reshape(-1, i) @ x.T).reshape(len(genes), h, -1)
        hidden = jnp.maximum(hidden + b1[:, :, None], 0)
        logits = jnp.einsum("phb,poh->pbo", hidden, w2) + b2[:, None]
        return jax.vmap(lambda logits: _jax_loss(jax, jnp, logits, y))(logits)

    return lambda: np.asarray(losses(genes))


def _jax_arrays(problem: Problem) -> tuple[Any, Any, Any, Any, Any]:
    import jax
    from jax import numpy as jnp

    return jax, jnp, jnp.asarray(problem.genes), jnp.asarray(problem.x), jnp.asarray(problem.y)


def _jax_loss(jax: Any, jnp: Any, logits: Any, y: Any) -> Any:
    named = jnp.take_along_axis(logits, y[:, None], axis=1)[:, 0]
    return (jax.nn.logsumexp(logits, axis=1) - named).mean()


PEERS: dict[str, Callable[[Problem], Call]] = {
    "NumPy, network by network": numpy_each,
    "NumPy, batched matmul": numpy_batched,
    "NumPy, one flat product": numpy_flat,
    "PyTorch, bmm": torch_bmm,
    "PyTorch, one flat product": torch_flat,
    "PyTorch, vmap": torch_vmap,
    "JAX, vmap": jax_vmap,
    "JAX, one flat product": jax_flat,
}
