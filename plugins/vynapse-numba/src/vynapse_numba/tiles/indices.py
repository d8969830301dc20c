# SPDX-License-Identifier: MIT OR Apache-2.0
"""Ops with indices, which may differ by network, be shared, or index what is shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vynapse_core import Array, GraphError, Node, Op
from vynapse_numba.tiles.bind import Bind, Write, concrete


def _check(indices: Array, size: int) -> None:
    """Raise GraphError for an index outside an axis of that size."""
    if indices.size and not 0 <= indices.min() <= indices.max() < size:
        wrong = indices.min() if indices.min() < 0 else indices.max()
        raise GraphError(f"index {wrong} is outside an axis of size {size}; expected 0 to {size - 1}")


def gather(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    """Return the binder of `gather`. Its writer raises GraphError for an index outside the axis."""
    axis = node.attributes["axis"]
    source_varies, indices_vary = varies

    def write(out: Array, x: Array, indices: Array) -> Array:
        along = axis + 1 if source_varies else axis
        _check(indices, x.shape[along])
        if not indices_vary:
            np.copyto(out, np.take(x, indices, axis=along))
        elif not source_varies:
            np.copyto(out, np.moveaxis(np.take(x, indices, axis=axis), axis, 0))
        else:
            networks = np.arange(len(x)).reshape(-1, *[1] * (indices.ndim - 1))
            taken = np.moveaxis(x, axis + 1, 1)[networks, indices]
            rest = range(1, indices.ndim)
            np.copyto(out, np.moveaxis(taken, rest, range(axis + 1, axis + indices.ndim)))
        return out

    return lambda n, sizes: write


def scatter_add(node: Node, operands: Sequence[Node], varies: Sequence[bool], op: Op) -> Bind:
    """Return the binder of `scatter_add`. Its writer raises GraphError for an index outside the axis."""
    axis = node.attributes["axis"]
    indices_vary, updates_vary = varies
    count = len(operands[0].shape)

    def bind(n: int, sizes: Mapping[str, int]) -> Write:
        shape = (n, *concrete(node.shape, sizes))

        def write(out: Array, indices: Array, updates: Array) -> Array:
            _check(indices, shape[axis + 1])
            result = np.zeros(shape, updates.dtype)
            if not updates_vary:
                updates = np.broadcast_to(updates, (n, *updates.shape))
            networks = np.arange(n).reshape(-1, *[1] * count)
            if not indices_vary:
                indices = indices[None]
            # the axes of the indices come right after the networks, those that are left at the end
            front = np.moveaxis(updates, range(axis + 1, axis + 1 + count), range(1, 1 + count))
            np.add.at(np.moveaxis(result, axis + 1, 1), (networks, indices), front)
            return result

        return write

    return bind
