# SPDX-License-Identifier: MIT OR Apache-2.0
"""Call: an op with its attributes, ready to be computed; equal calls are one object.

So the structure of what was computed is compared by identity, and an op that repeats is looked up, not checked again.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import Builder, GraphError, installed, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vynapse_core import Op

KERNEL: Mapping[str, Op] = Builder().ops
"""The kernel's ops by name."""
OWN: dict[str, Op] = {}
"""Ops of eager mode alone, which stand for Python functions and are in no graph that leaves it."""


class Call:
    """An op applied: what it is called in a graph, and the NumPy function that computes it."""

    __slots__ = ("attributes", "code", "function", "op")

    def __init__(self, op: Op, attributes: Mapping[str, Any], function: Callable[..., Any]) -> None:
        self.op = op
        self.attributes = attributes
        self.function = function
        self.code = id(self)
        """A number that no other living call has."""

    def __repr__(self) -> str:
        return f"<{self.op.name} {dict(self.attributes)}>"


def known_op(name: str) -> Op:
    """Return the op of that name, of the kernel or of an installed plugin. Raises GraphError where there is none."""
    if name in KERNEL:
        return KERNEL[name]
    if name in OWN:
        return OWN[name]
    offered = installed().ops
    if name not in offered:
        raise GraphError(f"unknown op {name!r}; {nearest(name, [*KERNEL, *offered]) or 'is its plugin installed?'}")
    return offered[name]


@lru_cache(4096)
def call_of(name: str, operands: int, attributes: tuple[tuple[str, Any], ...] = ()) -> Call:
    """Return the call of an op on that many operands, with all its attributes. Raises GraphError for an unknown op."""
    op, completed = known_op(name), dict(attributes)
    return Call(op, completed, bound(op, completed))


def constant_call(value: float | bool, dtype: str) -> Call:
    """Return a call that stands for a constant, a number of that dtype."""
    return Call(_CONSTANT, {"value": value}, lambda: np.array(value, dtype))


@lru_cache(8192)
def checked_call(
    name: str,
    attributes: tuple[tuple[str, Any], ...],
    shapes: tuple[tuple[int, ...], ...],
    dtypes: tuple[np.dtype[Any], ...],
) -> Call:
    """Return the call of an op on operands of these shapes. Raises GraphError where they do not fit it."""
    op = known_op(name)
    completed = op.complete(shapes, dict(attributes))
    op.result(shapes, [dtype.name for dtype in dtypes], completed)
    return call_of(name, len(shapes), tuple(completed.items()))


def bound(op: Op, attributes: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the NumPy function of an op: its own, or one that does the same with fewer steps in Python."""
    if op is KERNEL["sum"] and not attributes["keepdims"]:
        return _sum(op.bind(attributes, {}), attributes["axes"])
    return op.bind(attributes, {})


def _sum(general: Callable[..., Any], axes: tuple[int, ...]) -> Callable[..., Any]:
    reduce = np.add.reduce

    def total(x: Any) -> Any:
        # integers would become int64
        return reduce(x, axes) if x.dtype.kind == "f" else general(x)

    return total


_CONSTANT = replace(KERNEL["stop_gradient"], name="constant", arity=0)
FREED = Call(replace(_CONSTANT, name="freed"), {}, lambda: None)
"""Stands where a backward pass has let go of what was recorded."""
