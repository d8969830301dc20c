# SPDX-License-Identifier: MIT OR Apache-2.0
"""Ops that are another look at their operand: nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vynapse_core import Node, Op
from vynapse_numba.tiles.bind import Bind, Lift, Write, axes_added, concrete


def _view(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    return lambda n, sizes: lambda out, x: x


def _reshape(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    def bind(n: int, sizes: Mapping[str, int]) -> Write:
        shape = (n, *concrete(node.shape, sizes))
        return lambda out, x: x.reshape(shape)

    return bind


def _transpose(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    axes = (0, *[axis + 1 for axis in node.attributes["axes"]])
    return lambda n, sizes: lambda out, x: x.transpose(axes)


def _slice(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    axis, start, stop = (node.attributes[name] for name in ("axis", "start", "stop"))
    index = (slice(None),) * (axis + 1) + (slice(start, stop),)
    return lambda n, sizes: lambda out, x: x[index]


def _expand_like(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    index = axes_added(len(node.shape) - len(operands[0].shape))

    def bind(n: int, sizes: Mapping[str, int]) -> Write:
        shape = (n, *concrete(node.shape, sizes))
        return lambda out, x: np.broadcast_to(x if index is None else x[index], shape)

    return bind


def _window(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    def bind(n: int, sizes: Mapping[str, int]) -> Write:
        meaning = op.bind(node.attributes, sizes)
        return lambda out, x: meaning(x)

    return bind


VIEWS: dict[str, Lift] = {
    "stop_gradient": _view,
    "reshape": _reshape,
    "transpose": _transpose,
    "slice": _slice,
    "expand_like": _expand_like,
    "window": _window,
}
"""{op: its lift}."""
