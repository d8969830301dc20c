# SPDX-License-Identifier: MIT OR Apache-2.0
"""The ops for all networks of a tile at once: the kernel's meanings with one axis more, in front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vynapse_core import Array, Kernel, Node, Op
from vynapse_numba.tiles.bind import Bind, Lift, Write, axes_added, concrete
from vynapse_numba.tiles.elementwise import WRITERS
from vynapse_numba.tiles.indices import gather, scatter_add
from vynapse_numba.tiles.product import matmul
from vynapse_numba.tiles.tape import NOW, Tape
from vynapse_numba.tiles.views import VIEWS

OWN = frozenset({"fold", "scatter_add"})
"""Ops that make their own arrays."""


def lifted(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op, kernel: Kernel | None) -> Bind:
    """Return the binder of a node that varies; `operands` are those that have a value, `varies` says which differ."""
    if kernel is not None:
        return _by_kernel(node, varies, kernel)
    if node.op in WRITERS:
        return _elementwise(node, operands, varies, op)
    return _LIFTS.get(node.op, _network_by_network)(node, operands, varies, op)


def _elementwise(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    write = WRITERS[node.op]
    rank = len(node.shape)
    indices = [axes_added(rank - len(o.shape)) if v else None for o, v in zip(operands, varies, strict=True)]

    def plain(out: Array, *xs: Array) -> Array:
        write(out, *xs)
        return out

    def aligned(out: Array, *xs: Array) -> Array:
        write(out, *[x if index is None else x[index] for x, index in zip(xs, indices, strict=True)])
        return out

    chosen = plain if all(index is None for index in indices) else aligned
    return lambda n, sizes: chosen


def _sum(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    axes = tuple(axis + 1 for axis in node.attributes["axes"])
    keepdims = node.attributes["keepdims"]

    def write(out: Array, x: Array) -> Array:
        np.add.reduce(x, axis=axes, dtype=out.dtype, keepdims=keepdims, out=out)
        return out

    return lambda n, sizes: write


def _max(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    axes = tuple(axis + 1 for axis in node.attributes["axes"])
    keepdims = node.attributes["keepdims"]

    def write(out: Array, x: Array) -> Array:
        np.maximum.reduce(x, axis=axes, keepdims=keepdims, out=out)
        return out

    return lambda n, sizes: write


def _argmax(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    axis, keepdims = node.attributes["axis"] + 1, node.attributes["keepdims"]

    def write(out: Array, x: Array) -> Array:
        np.copyto(out, np.argmax(x, axis=axis, keepdims=keepdims))
        return out

    return lambda n, sizes: write


def _sum_like(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    missing = len(operands[0].shape) - len(node.shape)

    def bind(n: int, sizes: Mapping[str, int]) -> Write:
        shape = (*(1,) * missing, *concrete(node.shape, sizes))
        axes = tuple(axis + 1 for axis, size in enumerate(shape) if size == 1)
        index: Any = (slice(None), *[0] * missing)

        def write(out: Array, x: Array) -> Array:
            reduced = np.add.reduce(x, axis=axes, dtype=x.dtype, keepdims=True)
            np.copyto(out, reduced[index])
            return out

        return write

    return bind


def _pad(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    axis, before, value = (node.attributes[name] for name in ("axis", "before", "value"))
    size = int(operands[0].shape[axis])
    lead = (slice(None),) * (axis + 1)
    edges = ((*lead, slice(before)), (*lead, slice(before + size, None)))
    filling = np.array(value, node.dtype)

    def write(out: Array, x: Array, tape: Tape = NOW) -> Array:
        for edge in edges:
            if out[edge].size:
                tape.copy(out[edge], filling)
        tape.copy(out[(*lead, slice(before, before + size))], x)
        return out

    return lambda n, sizes: write


def _concat(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    axis = node.attributes["axis"]
    places: list[Any] = []
    start = 0
    for operand in operands:
        stop = start + operand.shape[axis]
        places.append((slice(None),) * (axis + 1) + (slice(start, stop),))
        start = stop

    def write(out: Array, *xs: Array) -> Array:
        for place, x in zip(places, xs, strict=True):
            out[place] = x
        return out

    return lambda n, sizes: write


def _matmul(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    rank = len(node.shape)
    a_index, b_index = (axes_added(rank - len(o.shape)) if v else None for o, v in zip(operands, varies, strict=True))
    a_lead, b_lead = (() if v else (None,) for v in varies)

    def write(out: Array, a: Array, b: Array, add: bool = False, tape: Tape = NOW) -> Array:
        a = a[a_lead] if a_lead else a if a_index is None else a[a_index]
        b = b[b_lead] if b_lead else b if b_index is None else b[b_index]
        matmul(a, b, out, add, tape)
        return out

    return lambda n, sizes: write


def _fold(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    def bind(n: int, sizes: Mapping[str, int]) -> Write:
        meaning = op.bind(node.attributes, sizes)
        like = np.broadcast_to(np.zeros((), node.dtype), (n, *concrete(node.shape, sizes)))
        return lambda out, patches: meaning(patches, like)

    return bind


def _uniform(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    def bind(n: int, sizes: Mapping[str, int]) -> Write:
        meaning = op.bind(node.attributes, sizes)
        like = np.broadcast_to(np.zeros((), node.dtype), concrete(node.shape, sizes))

        def write(out: Array, keys: Array) -> Array:
            for network in range(n):
                out[network] = meaning(like, keys[network])
            return out

        return write

    return bind


def _network_by_network(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    def bind(n: int, sizes: Mapping[str, int]) -> Write:
        meaning = op.bind(node.attributes, sizes)

        def write(out: Array, *xs: Array) -> Array:
            values = [
                meaning(*[x[network] if own else x for x, own in zip(xs, varies, strict=True)]) for network in range(n)
            ]
            return np.stack([np.asarray(value) for value in values])

        return write

    return bind


def _by_kernel(node: Node, varies: Sequence[bool], kernel: Kernel) -> Bind:
    attributes, shared = node.attributes, [at for at, own in enumerate(varies) if not own]

    def write(out: Array, *xs: Array, sizes: Mapping[str, int], threads: int) -> Array:
        operands = list(xs)
        for at in shared:
            operands[at] = operands[at][None]
        return np.asarray(kernel(operands, attributes, sizes, threads))

    return lambda n, sizes: write


_LIFTS: dict[str, Lift] = {
    **VIEWS,
    "sum": _sum,
    "max": _max,
    "argmax": _argmax,
    "sum_like": _sum_like,
    "pad": _pad,
    "concat": _concat,
    "matmul": _matmul,
    "gather": gather,
    "scatter_add": scatter_add,
    "fold": _fold,
    "uniform": _uniform,
}

LIFTED = frozenset(WRITERS) | frozenset(_LIFTS)
"""The ops computed for all networks of a tile at once. Operands of which only the shape counts are left out."""
