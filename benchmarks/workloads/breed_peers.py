# SPDX-License-Identifier: MIT OR Apache-2.0
"""The peers of the workload `breed`: a generation as one would write it by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sides import Side

from workloads.evaluate_peers import Problem

SIGMA = 0.05
RATE = 0.07


def torch_plain(problem: Problem, generations: int) -> Side:
    """A random number and a normal one for every gene."""

    def mutate(torch: Any, genes: Any) -> Any:
        changed = torch.rand_like(genes) < RATE
        return torch.where(changed, genes + SIGMA * torch.randn_like(genes), genes)

    return _torch(problem, generations, mutate)


def torch_sparse(problem: Problem, generations: int) -> Side:
    """Random numbers only where genes change: the gaps between changed genes are geometric."""

    def mutate(torch: Any, genes: Any) -> Any:
        count = genes.numel()
        drawn = int(count * RATE + 6 * (count * RATE) ** 0.5) + 8
        places = torch.empty(drawn, dtype=torch.float64).geometric_(RATE).long().cumsum(0) - 1
        places = places[places < count]
        genes.view(-1)[places] += SIGMA * torch.randn(len(places))
        return genes

    return _torch(problem, generations, mutate)


def _torch(problem: Problem, generations: int, mutate: Callable[[Any, Any], Any]) -> Side:
    import torch

    x, y, first = torch.from_numpy(problem.x), torch.from_numpy(problem.y), torch.from_numpy(problem.genes)
    draws = torch.Generator().manual_seed(0)

    def losses(genes: Any) -> Any:
        w1, b1, w2, b2 = problem.parts(genes)
        hidden = torch.baddbmm(b1.unsqueeze(1), x.expand(len(genes), *x.shape), w1.mT).relu_()
        logits = torch.baddbmm(b2.unsqueeze(1), hidden, w2.mT)
        named = logits.gather(2, y[None, :, None].expand(len(genes), -1, 1))[:, :, 0]
        return (logits.logsumexp(2) - named).mean(1)

    def call() -> float:
        with torch.inference_mode():
            genes, loss = first, first_losses
            for _ in range(generations):
                rivals = torch.randint(len(genes), (len(genes), 3), generator=draws)
                parents = rivals.gather(1, loss[rivals].argmin(1, keepdim=True))[:, 0]
                offspring = mutate(torch, genes[parents])
                both, all_losses = torch.cat([genes, offspring]), torch.cat([loss, losses(offspring)])
                loss, kept = all_losses.topk(len(genes), largest=False)
                genes = both[kept]
            return float(loss[0])

    with torch.inference_mode():
        first_losses = losses(first)
    return Side("", call, units=generations, proof=lambda: losses(first).numpy(), reached=float)


def jax_compiled(problem: Problem, generations: int) -> Side:
    """A compiled generation, with a random number and a normal one for every gene."""
    import jax
    from jax import numpy as jnp

    x, y, first = jnp.asarray(problem.x), jnp.asarray(problem.y), jnp.asarray(problem.genes)
    count = iter(range(10**9))

    @jax.jit
    def losses(genes: Any) -> Any:
        w1, b1, w2, b2 = problem.parts(genes)
        hidden = (w1.reshape(-1, w1.shape[2]) @ x.T).reshape(len(genes), w1.shape[1], -1)
        logits = jnp.einsum("phb,poh->pbo", jnp.maximum(hidden + b1[:, :, None], 0), w2) + b2[:, None]
        named = jnp.take_along_axis(logits, y[None, :, None], axis=2)[:, :, 0]
        return (jax.nn.logsumexp(logits, axis=2) - named).mean(1)

    @jax.jit
    def generation(key: Any, genes: Any, loss: Any) -> Any:
        choosing, where, noise = jax.random.split(key, 3)
        rivals = jax.random.randint(choosing, (len(genes), 3), 0, len(genes))
        parents = jnp.take_along_axis(rivals, loss[rivals].argmin(1, keepdims=True), axis=1)[:, 0]
        changed = jax.random.bernoulli(where, RATE, genes.shape)
        offspring = genes[parents] + jnp.where(changed, SIGMA * jax.random.normal(noise, genes.shape), 0)
        both, all_losses = jnp.concatenate([genes, offspring]), jnp.concatenate([loss, losses(offspring)])
        least, kept = jax.lax.top_k(-all_losses, len(genes))
        return both[kept], -least

    first_losses = losses(first)

    def call() -> float:
        genes, loss = first, first_losses
        for key in jax.random.split(jax.random.key(next(count)), generations):
            genes, loss = generation(key, genes, loss)
        return float(loss[0])

    return Side("", call, units=generations, proof=lambda: np.asarray(losses(first)), reached=float)


PEERS: dict[str, Callable[[Problem, int], Side]] = {
    "PyTorch, plain": torch_plain,
    "PyTorch, random numbers where genes change": torch_sparse,
    "JAX, compiled generation": jax_compiled,
}
