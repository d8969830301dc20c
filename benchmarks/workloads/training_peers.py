# SPDX-License-Identifier: MIT OR Apache-2.0
"""The peers of the workloads that train: weights, samples and batches to the weights after all updates.

Weights are those of two dense layers, {w0 [P, h, i], b0 [P, h], w1 [P, o, h], b1 [P, o]}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sides import AbsentError, Side

PROVED = 10


@dataclass(frozen=True)
class Lesson:
    """What all sides are given."""

    x: Any
    """Samples float32 [n, i]."""
    y: Any
    """Classes int64 [n], or numbers float32 [n, o]."""
    rows: Any
    """Which samples each update takes, int64 [steps, b]."""
    weights: Mapping[str, Any]
    rate: float
    optimiser: str
    """`adam` or `sgd`."""

    @property
    def classes(self) -> bool:
        """Whether targets are class ids: then the loss is the cross entropy and the activation ReLU, else tanh."""
        return bool(self.y.ndim == 1)


def torch_eager(lesson: Lesson, fused: bool = False, compiled: bool = False) -> Side:
    """Modules, autograd and the library's optimiser, update by update."""
    import torch

    functional = torch.nn.functional
    x, y, rows = (torch.from_numpy(np.ascontiguousarray(part)) for part in (lesson.x, lesson.y, lesson.rows))
    first = [torch.from_numpy(np.array(array[0])) for array in lesson.weights.values()]

    def loss_of(x: Any, y: Any, w0: Any, b0: Any, w1: Any, b1: Any) -> Any:
        hidden = functional.linear(x, w0, b0)
        outputs = functional.linear(hidden.relu() if lesson.classes else hidden.tanh(), w1, b1)
        return functional.cross_entropy(outputs, y) if lesson.classes else functional.mse_loss(outputs, y)

    chosen = torch.compile(loss_of) if compiled else loss_of

    def train(rows: Any) -> tuple[Any, list[float]]:
        weights = [array.clone().requires_grad_() for array in first]
        kind: Any = torch.optim.Adam if lesson.optimiser == "adam" else torch.optim.SGD
        optimiser = kind(weights, lr=lesson.rate, **({"fused": True} if fused else {}))
        losses = []
        whole = rows.shape[1] == len(x)
        for batch in rows:
            optimiser.zero_grad()
            loss = chosen(x, y, *weights) if whole else chosen(x[batch], y[batch], *weights)
            loss.backward()
            optimiser.step()
            losses.append(loss.detach())
        return [w.detach().numpy() for w in weights], torch.stack(losses).numpy()

    return Side("", lambda: _pairs(train(rows)[0]), proof=lambda: train(rows[:PROVED])[1])


def torch_fused(lesson: Lesson) -> Side:
    """The optimiser as one kernel."""
    return torch_eager(lesson, fused=True)


def torch_compiled(lesson: Lesson) -> Side:
    """Loss and gradient through `torch.compile`, which needs a C++ compiler."""
    return torch_eager(lesson, fused=True, compiled=True)


def jax_scan(lesson: Lesson) -> Side:
    """All updates as one compiled scan; weights lie as [in, out]."""
    import jax
    from jax import numpy as jnp

    x, y = jnp.asarray(lesson.x), jnp.asarray(lesson.y)
    w0, b0, w1, b1 = (np.array(array[0]) for array in lesson.weights.values())
    weights = tuple(jnp.asarray(part) for part in (w0.T, b0, w1.T, b1))
    whole = lesson.rows.shape[1] == len(lesson.x)
    loss_of = _jax_loss(lesson.classes)

    def update(state: Any, batch: Any) -> tuple[Any, Any]:
        weights, means, squares, count = state
        data = (x, y) if whole else (x[batch], y[batch])
        loss, slopes = jax.value_and_grad(loss_of)(weights, *data)
        if lesson.optimiser == "sgd":
            return (tuple(w - lesson.rate * g for w, g in zip(weights, slopes, strict=True)), (), (), count), loss
        count = count + 1
        means = tuple(0.9 * m + 0.1 * g for m, g in zip(means, slopes, strict=True))
        squares = tuple(0.999 * v + 0.001 * g * g for v, g in zip(squares, slopes, strict=True))
        rate = lesson.rate * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        # as PyTorch does, epsilon counts after the correction
        epsilon = 1e-8 * jnp.sqrt(1 - 0.999**count)
        moved = tuple(w - rate * m / (jnp.sqrt(v) + epsilon) for w, m, v in zip(weights, means, squares, strict=True))
        return (moved, means, squares, count), loss

    zeros = tuple(jnp.zeros_like(w) for w in weights) if lesson.optimiser == "adam" else ()
    scan = jax.jit(lambda state, rows: jax.lax.scan(update, state, rows))
    state, rows = (weights, zeros, zeros, jnp.float32(0)), jnp.asarray(lesson.rows)

    def call() -> Any:
        w0, b0, w1, b1 = (np.asarray(part) for part in scan(state, rows)[0][0])
        return [(w0.T, b0), (w1.T, b1)]

    return Side("", call, proof=lambda: np.asarray(scan(state, rows[:PROVED])[1]))


def jax_together(lesson: Lesson) -> Callable[[], Any]:
    """One network's update, mapped over all and compiled."""
    import jax
    from jax import numpy as jnp

    x, y = jnp.asarray(lesson.x), jnp.asarray(lesson.y)
    w0, b0, w1, b1 = lesson.weights.values()
    weights = tuple(jnp.asarray(part) for part in (w0.swapaxes(1, 2), b0, w1.swapaxes(1, 2), b1))
    loss_of = _jax_loss(True)

    def update(weights: Any) -> tuple[Any, Any]:
        loss, slopes = jax.value_and_grad(loss_of)(weights, x, y)
        return tuple(w - lesson.rate * g for w, g in zip(weights, slopes, strict=True)), loss

    step = jax.jit(jax.vmap(update))

    def call() -> Any:
        moved, losses = step(weights)
        jax.block_until_ready(moved)
        return np.asarray(losses)

    return call


def torch_together(lesson: Lesson) -> Callable[[], Any]:
    """One `baddbmm` a layer, autograd, and weights moved in place."""
    import torch

    x, y = torch.from_numpy(lesson.x), torch.from_numpy(lesson.y)
    first = [torch.from_numpy(np.array(array)) for array in lesson.weights.values()]

    def call() -> Any:
        w0, b0, w1, b1 = weights = [array.detach().requires_grad_() for array in first]
        hidden = torch.baddbmm(b0.unsqueeze(1), x.expand(len(w0), *x.shape), w0.mT).relu()
        outputs = torch.baddbmm(b1.unsqueeze(1), hidden, w1.mT)
        named = outputs.gather(2, y[None, :, None].expand(len(outputs), -1, 1))[:, :, 0]
        losses = (outputs.logsumexp(2) - named).mean(1)
        slopes = torch.autograd.grad(losses.sum(), weights)
        torch._foreach_add(weights, slopes, alpha=-lesson.rate)
        return losses.detach().numpy()

    return call


def tinygrad_jit(lesson: Lesson) -> Side:
    """One update, captured by `TinyJit`; the library wants Clang or LLVM for processors."""
    from tinygrad import Tensor, TinyJit
    from tinygrad.nn.optim import SGD, Adam

    try:
        (Tensor([1.0]) + 1).numpy()
    except RuntimeError as error:
        raise AbsentError(f"installed, but cannot compute here: {error}") from error
    x, y = Tensor(lesson.x).realize(), Tensor(lesson.y).realize()
    whole = lesson.rows.shape[1] == len(lesson.x)

    def train(rows: Any) -> tuple[Any, Any]:
        w0, b0, w1, b1 = weights = [Tensor(np.array(array[0])).realize() for array in lesson.weights.values()]
        for weight in weights:
            weight.requires_grad = True
        optimiser = Adam(weights, lr=lesson.rate) if lesson.optimiser == "adam" else SGD(weights, lr=lesson.rate)

        @TinyJit
        def update(batch: Any) -> Any:
            some, wanted = (x, y) if whole else (x[batch], y[batch])
            hidden = some.linear(w0.T, b0)
            outputs = (hidden.relu() if lesson.classes else hidden.tanh()).linear(w1.T, b1)
            loss = (
                outputs.sparse_categorical_crossentropy(wanted) if lesson.classes else ((outputs - wanted) ** 2).mean()
            )
            optimiser.zero_grad()
            loss.backward()
            return loss.realize(*optimiser.schedule_step())

        with Tensor.train():
            losses = [float(update(Tensor(batch)).numpy()) for batch in rows]
        return [weight.numpy() for weight in weights], losses

    return Side("", lambda: _pairs(train(lesson.rows)[0]), proof=lambda: train(lesson.rows[:PROVED])[1])


def _jax_loss(classes: bool) -> Callable[..., Any]:
    import jax
    from jax import numpy as jnp

    def loss_of(weights: Any, x: Any, y: Any) -> Any:
        w0, b0, w1, b1 = weights
        hidden = x @ w0 + b0
        outputs = (jnp.maximum(hidden, 0) if classes else jnp.tanh(hidden)) @ w1 + b1
        if not classes:
            return ((outputs - y) ** 2).mean()
        named = jnp.take_along_axis(outputs, y[:, None], axis=1)[:, 0]
        return (jax.nn.logsumexp(outputs, axis=1) - named).mean()

    return loss_of


def _pairs(weights: Any) -> Any:
    w0, b0, w1, b1 = weights
    return [(w0, b0), (w1, b1)]


def _per_update(maker: Callable[[Lesson], Side], steps: int | None = None) -> Callable[[Lesson], Side]:
    """Return a maker whose side counts updates; a slow one makes fewer of them."""

    def make(lesson: Lesson) -> Side:
        given = Lesson(lesson.x, lesson.y, lesson.rows[:steps], lesson.weights, lesson.rate, lesson.optimiser)
        side = maker(given)
        return Side(side.name, side.call, len(given.rows), proof=side.proof)

    return make


EPOCH: dict[str, Callable[[Lesson], Side]] = {
    "PyTorch, eager": torch_eager,
    "PyTorch, eager, fused Adam": torch_fused,
    "PyTorch, compiled, fused Adam": torch_compiled,
    "JAX, scan over the epoch": jax_scan,
    "tinygrad, TinyJit": tinygrad_jit,
}
TINY: dict[str, Callable[[Lesson], Side]] = {
    "PyTorch, eager": _per_update(torch_eager, 200),
    "JAX, scan": _per_update(jax_scan),
    "tinygrad, TinyJit": _per_update(tinygrad_jit, 200),
}
POPULATION: dict[str, Callable[[Lesson], Any]] = {
    "PyTorch, bmm": torch_together,
    "JAX, vmap": jax_together,
}
