# SPDX-License-Identifier: MIT OR Apache-2.0
"""The form of what computes one node for all networks of a tile: bind(n, sizes) -> write(out, *operands) -> value.

Operands that vary come with a leading axis of n networks, shared ones without; `out` is an array that the result may
be written to. What is only another look at its operand returns a view.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vynapse_core import Node, Op

Write = Callable[..., Any]
Bind = Callable[[int, Mapping[str, int]], Write]
Lift = Callable[[Node, Sequence[Node], Sequence[bool], Op], Bind]
"""`lift(node, operands, varies, op)`: the binder of a node; `varies` says which operands differ by network."""


def concrete(shape: Sequence[int | str], sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Return `shape` with its symbols replaced by their sizes."""
    return tuple(sizes[dim] if isinstance(dim, str) else dim for dim in shape)


def axes_added(missing: int) -> tuple[Any, ...] | None:
    """Return the index that gives an operand with fewer axes those that broadcasting would, after the networks'."""
    return (slice(None), *[None] * missing) if missing else None
