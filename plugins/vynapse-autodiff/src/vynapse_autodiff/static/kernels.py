# SPDX-License-Identifier: MIT OR Apache-2.0
"""Ops that write their result where they are told to, in NumPy: what planned memory is computed with.

An op without a form of its own computes its meaning and copies it, so that every op can be planned, a plugin's too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vynapse_core import Array, Node, Op

Write = Callable[..., Any]
"""`write(*operands, out)`."""
Sizes = Mapping[str, int]

UFUNCS: Mapping[str, np.ufunc] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power,
    "neg": np.negative, "abs": np.absolute, "sign": np.sign,
    "exp": np.exp, "log": np.log, "log1p": np.log1p, "sqrt": np.sqrt, "tanh": np.tanh, "sin": np.sin, "cos": np.cos,
    "floor": np.floor, "less": np.less, "equal": np.equal, "matmul": np.matmul,
}  # fmt: skip

IN_PLACE: Mapping[str, tuple[int, ...]] = {
    **{op: (0, 1) for op in UFUNCS if op not in ("matmul", "less", "equal")},
    "maximum": (0, 1),
    "minimum": (0, 1),
    "where": (2,),
    "sigmoid": (0,),
    "erf": (0,),
}
"""{op: operands of the result's shape and dtype over which the result may be written}."""


def writer(op: Op, node: Node, sizes: Sizes) -> Write:
    """Return the function that computes a node into an array of its shape and dtype."""
    if node.op in UFUNCS:
        return UFUNCS[node.op]
    if node.op in _FORMS:
        return _FORMS[node.op](node)
    meaning = op.bind(node.attributes, sizes)

    def write(*given: Array) -> None:
        given[-1][...] = meaning(*given[:-1])

    return write


def _maximum(a: Array, b: Array, out: Array) -> None:
    np.maximum(a, b, out=out)


def _minimum(a: Array, b: Array, out: Array) -> None:
    np.minimum(a, b, out=out)


def _where(condition: Array, a: Array, b: Array, out: Array) -> None:
    if out is not b:
        np.copyto(out, b)
    np.copyto(out, a, where=condition)


def _copy(x: Array, out: Array) -> None:
    out[...] = x


def _cast(x: Array, out: Array) -> None:
    np.copyto(out, x, casting="unsafe")


def _expand_like(x: Array, like: Array, out: Array) -> None:
    out[...] = x


def _sum(node: Node) -> Write:
    axes, keepdims = node.attributes["axes"], node.attributes["keepdims"]

    def write(x: Array, out: Array) -> None:
        np.add.reduce(x, axis=axes, dtype=x.dtype, out=out, keepdims=keepdims)

    return write


def _max(node: Node) -> Write:
    axes, keepdims = node.attributes["axes"], node.attributes["keepdims"]

    def write(x: Array, out: Array) -> None:
        np.maximum.reduce(x, axis=axes, out=out, keepdims=keepdims)

    return write


def _sum_like(x: Array, like: Array, out: Array) -> None:
    shape = (1,) * (x.ndim - out.ndim) + out.shape
    axes = tuple(axis for axis, size in enumerate(shape) if size == 1)
    np.add.reduce(x, axis=axes, dtype=x.dtype, keepdims=True, out=out.reshape(shape))


def _concat(node: Node) -> Write:
    axis = node.attributes["axis"]

    def write(*given: Array) -> None:
        np.concatenate(given[:-1], axis=axis, out=given[-1])

    return write


def _pad(node: Node) -> Write:
    axis, before, value = node.attributes["axis"], node.attributes["before"], node.attributes["value"]

    def write(x: Array, out: Array) -> None:
        out[...] = value
        out[(slice(None),) * axis + (slice(before, before + x.shape[axis]),)] = x

    return write


_FORMS: Mapping[str, Callable[[Node], Write]] = {
    "maximum": lambda node: _maximum,
    "minimum": lambda node: _minimum,
    "where": lambda node: _where,
    "cast": lambda node: _cast,
    "stop_gradient": lambda node: _copy,
    "slice": lambda node: _slice(node),
    "reshape": lambda node: lambda x, out: _copy(x.reshape(out.shape), out),
    "expand_like": lambda node: _expand_like,
    "sum": _sum,
    "max": _max,
    "sum_like": lambda node: _sum_like,
    "concat": _concat,
    "pad": _pad,
}


def _slice(node: Node) -> Write:
    index = (slice(None),) * node.attributes["axis"] + (slice(node.attributes["start"], node.attributes["stop"]),)
    return lambda x, out: _copy(x[index], out)
