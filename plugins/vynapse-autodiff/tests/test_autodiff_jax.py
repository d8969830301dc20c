# SPDX-License-Identifier: MIT OR Apache-2.0
"""The same functions written for JAX and as graphs: values, gradients, Jacobians and second derivatives agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from vynapse_autodiff.derivatives import hessian, hvp, jacobian, jvp
from vynapse_autodiff.gradient import grad, vjp
from vynapse_core import Builder, Value, log_softmax, one_hot, softmax, where
from vynapse_core.devices.reference import Reference

jax = pytest.importorskip("jax")
jnp = jax.numpy

IDS = np.array([2, 0, 2, 1, 1])


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def apply(op: str, x: Value, *rest: Any, **how: Any) -> Value:
    return x.builder.apply(op, x, *rest, **how)


def convolution(x: Value, w: Value) -> Value:
    patches = apply("window", x.reshape((1, 5, 4)), size=(2, 2), stride=(1, 2)).reshape((4, 8))
    return apply("tanh", w.reshape((3, 4)) @ patches)


def jax_convolution(x: Any, w: Any) -> Any:
    image, kernel = x.reshape(1, 1, 5, 4), w.reshape(3, 1, 2, 2)
    return jnp.tanh(jax.lax.conv_general_dilated(image, kernel, (1, 2), "VALID").reshape(3, 8))


Pair = tuple[Callable[[Value, Value], Value], Callable[[Any, Any], Any]]
PAIRS: dict[str, Pair] = {
    "layer": (lambda x, w: apply("tanh", x @ w.T), lambda x, w: jnp.tanh(x @ w.T)),
    "relu": (lambda x, w: apply("maximum", x @ w.T, 0.0), lambda x, w: jax.nn.relu(x @ w.T)),
    "gelu": (
        lambda x, w: x * (1.0 + apply("erf", x * 2.0**-0.5)) * 0.5 + w.sum(0),
        lambda x, w: jax.nn.gelu(x, approximate=False) + w.sum(0),
    ),
    "silu": (lambda x, w: x * apply("sigmoid", x) * w.sum(), lambda x, w: jax.nn.silu(x) * w.sum()),
    "softmax": (lambda x, w: softmax(x @ w.T), lambda x, w: jax.nn.softmax(x @ w.T)),
    "cross-entropy": (
        lambda x, w: -(log_softmax(x @ w.T) * one_hot(x.builder.constant(IDS), 3, "float64")).sum(-1),
        lambda x, w: -jnp.take_along_axis(jax.nn.log_softmax(x @ w.T), IDS[:, None], 1)[:, 0],
    ),
    "powers": (
        lambda x, w: (1.5 + apply("sin", x)) ** apply("cos", w.sum(0)),
        lambda x, w: (1.5 + jnp.sin(x)) ** jnp.cos(w.sum(0)),
    ),
    "roots": (
        lambda x, w: apply("sqrt", 1.0 + x * x) / apply("log1p", apply("exp", w.sum(0))),
        lambda x, w: jnp.sqrt(1.0 + x * x) / jnp.log1p(jnp.exp(w.sum(0))),
    ),
    "extremes": (
        lambda x, w: apply("minimum", x, w.max(0)) * apply("abs", x) + apply("log", apply("maximum", x * x, 0.3)),
        lambda x, w: jnp.minimum(x, w.max(0)) * jnp.abs(x) + jnp.log(jnp.maximum(x * x, 0.3)),
    ),
    "choice": (
        lambda x, w: where(x.less(w.sum(0)), x * x, apply("floor", x) * w.sum()),
        lambda x, w: jnp.where(x < w.sum(0), x * x, jnp.floor(x) * w.sum()),
    ),
    "embedding": (
        lambda x, w: apply("gather", w, x.builder.constant(IDS)) * x,
        lambda x, w: w[IDS] * x,
    ),
    "scattered": (
        lambda x, w: w * apply("scatter_add", w, x.builder.constant(IDS), x * x),
        lambda x, w: w * jnp.zeros_like(w).at[IDS].add(x * x),
    ),
    "parts": (
        lambda x, w: apply("concat", x[1:, :2], apply("pad", w, axis=0, before=1), axis=1).T * 2.0,
        lambda x, w: jnp.concatenate([x[1:, :2], jnp.pad(w, ((1, 0), (0, 0)))], axis=1).T * 2.0,
    ),
    "stopped": (
        lambda x, w: x * apply("stop_gradient", x) + w.sum(0),
        lambda x, w: x * jax.lax.stop_gradient(x) + w.sum(0),
    ),
    "convolution": (convolution, jax_convolution),
    "norm": (
        lambda x, w: (x - x.mean(0)) / apply("sqrt", 1e-3 + ((x - x.mean(0)) * (x - x.mean(0))).mean(0)) * w[0],
        lambda x, w: (x - x.mean(0)) / jnp.sqrt(1e-3 + x.var(0)) * w[0],
    ),
}  # fmt: skip


def _derivatives(function: Any, point: Any, tangents: Any, up: Any) -> dict[str, Any]:
    """Return what JAX says, compiled as one: that is faster than operation by operation."""

    def loss(x: Any, w: Any) -> Any:
        return (function(x, w) ** 2 * up).sum()

    def all_of_them(point: Any) -> dict[str, Any]:
        value, pull = jax.vjp(function, *point)
        slopes, curved = jax.jvp(jax.grad(loss, (0, 1)), point, tangents)
        return {
            "value": value,
            **dict(zip(("vjp x", "vjp w"), pull(up), strict=True)),
            "jvp": jax.jvp(function, point, tangents)[1],
            "jacobian": jax.jacobian(function, 1)(*point),
            **dict(zip(("grad x", "grad w"), slopes, strict=True)),
            "hessian": jax.hessian(loss, 1)(*point),
            **dict(zip(("hvp x", "hvp w"), curved, strict=True)),
        }

    found: dict[str, Any] = jax.jit(all_of_them)(point)
    return found


@pytest.mark.parametrize("name", PAIRS)
def test_derivatives_of_both_orders_agree_with_jax(name: str) -> None:
    mine, theirs = PAIRS[name]
    rng = np.random.default_rng(4)
    x, w, along, across = (rng.normal(size=shape) for shape in ((5, 4), (3, 4), (5, 4), (3, 4)))
    b = Builder()
    given = vx, vw = b.parameter("x", (5, 4), "float64"), b.parameter("w", (3, 4), "float64")
    tangents = [b.constant(along, "float64"), b.constant(across, "float64")]
    out = mine(vx, vw)
    shape: Any = out.shape
    up = rng.normal(size=shape)
    loss = (out * out * up).sum()

    outputs = {
        "value": out,
        **dict(zip(("vjp x", "vjp w"), vjp([out], given, [b.constant(up, "float64")]), strict=True)),
        "jvp": jvp([out], given, tangents)[0],
        "jacobian": jacobian(out, vw),
        **dict(zip(("grad x", "grad w"), grad(loss, given), strict=True)),
        "hessian": hessian(loss, vw),
        **dict(zip(("hvp x", "hvp w"), hvp(loss, given, tangents), strict=True)),
    }
    found = Reference().compile(b.graph(outputs))({"x": x[None], "w": w[None]}, {})
    wanted = _derivatives(theirs, (x, w), (along, across), up)
    for key, expected in wanted.items():
        scale = max(1e-3, np.abs(np.asarray(expected)).max())
        np.testing.assert_allclose(found[key][0] / scale, np.asarray(expected) / scale, atol=1e-11, err_msg=key)
