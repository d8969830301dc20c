# SPDX-License-Identifier: MIT OR Apache-2.0
"""Matrix products of many networks, in place of BLAS.

BLAS packs both operands anew for each network and rounds by the size of the product and the number of threads. Here
the weights are read where the genes lie, an operand that all networks share is packed once a call, and a network's
bits depend on nothing else.
"""

from __future__ import annotations

from array import array
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from vynapse_core import Array
from vynapse_numba.addresses import address_of
from vynapse_numba.tiles.machine import machine
from vynapse_numba.tiles.micro import registers
from vynapse_numba.tiles.tape import NOW, Rows, Tape

FEW = 256
"""Rows of a matrix that lie on no more pages than the processor knows at once."""
FROM_0, FROM_C, FROM_BIAS = range(3)


def product(
    a: Array,
    b: Array,
    c: Array,
    bias: Array | None = None,
    packed: bool = False,
    add: bool = False,
    tape: Tape = NOW,
) -> None:
    """Write a @ b (+ bias) to `c`, or add it to what `c` holds.

    a [N or 1, m, k] in any strides; b [N or 1, k, n] and c [N, m, n] with neighbours along n side by side; bias
    [N or 1, m]; all of one float dtype. With `packed`, b is what `pack` made.
    """
    if not c.size:
        return
    count, m, n = c.shape
    start, at_bias, biasn, step = FROM_C if add else FROM_0, 0, 0, 0
    if bias is not None:
        start, at_bias, step = FROM_BIAS, address_of(bias), bias.strides[1]
        biasn = bias.strides[0] if len(bias) > 1 else 0
    an, am, ak = a.strides
    bn, bk, _ = b.strides
    cn, cm, _ = c.strides
    table = array(
        "q",
        (
            count, m, n, a.shape[2],
            address_of(a), an if len(a) > 1 else 0, am, ak,
            address_of(b), bn if len(b) > 1 else 0, bk,
            address_of(c), cn, cm,
            at_bias, biasn, step, start, packed,
        ),
    )  # fmt: skip
    rows = None
    if count == 1:
        work = 2.0 * m * n * a.shape[2]
        rows = Rows(m, 1, ((4, am), (11, cm), (14, step)), registers().rows, work)
    tape.kernel(machine().product[c.dtype.char], table, a, b, c, bias, writes=(c,), rows=rows)


class Panels(NamedTuple):
    """A matrix in the order in which `product` reads it."""

    array: Array


def pack(b: Array, room: Array | None = None, tape: Tape = NOW) -> Array:
    """Return b [k, n], any strides, in the order in which `product` reads it: [1, k, n made up to whole vectors].

    It is written to `room`, what an earlier call returned, where that has the right size.
    """
    k, n = b.shape
    chosen = registers()
    lanes = chosen.bytes // b.itemsize
    vectors = -(-n // lanes)
    shape = (1, k, vectors * lanes)
    if room is None or room.shape != shape or room.dtype != b.dtype:
        room = aligned(k * vectors * chosen.bytes).view(b.dtype).reshape(shape)
    packed = room.reshape(-1)
    panels = -(-vectors // chosen.vectors)
    for panel in range(panels):
        first, end = (vectors * at // panels * lanes for at in (panel, panel + 1))
        part = packed[k * first : k * end].reshape(k, end - first)
        columns = b[:, first : min(end, n)]
        if columns.strides[0] == b.itemsize:
            turn(columns.T[None], part[None], True, tape)
            continue
        tape.copy(part[:, : columns.shape[1]], columns)
        part[:, columns.shape[1] :] = 0
    return room


def ready(b: Array) -> bool:
    """Whether `product` reads b [k, n] as fast where it lies: few long rows, each from a cache line's start."""
    return side_by_side(b) and len(b) <= FEW and b.strides[0] % 64 == 0 and address_of(b) % 64 == 0


def turn(x: Array, out: Array, padded: bool = False, tape: Tape = NOW) -> None:
    """Write x [N, r, c] to `out` [N, c, r or, with `padded`, r made up to whole vectors], rows as columns.

    Neighbours along the last axes lie side by side.
    """
    (count, rows, columns), xs, outs = x.shape, x.strides, out.strides
    table = array("q", (count, rows, columns, address_of(x), xs[0], xs[1], address_of(out), outs[0], outs[1], padded))
    cut = Rows(rows, 1, ((3, xs[1]), (6, x.itemsize)), registers().bytes // x.itemsize, 8.0 * x.size)
    tape.kernel(machine().turn[x.dtype.char], table, x, out, writes=(out,), rows=cut if count == 1 else None)


def innermost(x: Array, axis: int, tape: Tape = NOW) -> Array:
    """Return x with neighbours along an axis side by side: itself where they are, else a copy."""
    moved = np.moveaxis(x, axis, -1)
    if moved.flags.c_contiguous:
        return x
    room = np.empty(moved.shape, moved.dtype)
    if axis == 0 and x.flags.c_contiguous and x.dtype.char in machine().turn:
        turn(x.reshape(1, len(x), -1), room.reshape(1, -1, len(x)), tape=tape)
    else:
        tape.copy(room, moved)
    return np.moveaxis(room, -1, axis)


def aligned(size: int) -> Array:
    """Return an array of so many bytes that starts a cache line: a vector that straddles two costs two loads."""
    room = np.empty(size + 64, np.uint8)
    start = -address_of(room) % 64
    return room[start : start + size]


def matmul(a: Array, b: Array, out: Array, add: bool = False, tape: Tape = NOW) -> None:
    """Write a @ b to `out` [N, .., n, m], or add it; a [N or 1, .., n, k] and b [N or 1, .., k, m], which broadcast."""
    if out.ndim > 3:
        tape.do(partial(_stacked, a, b, out, add))
    elif side_by_side(out):
        product(a, _rows(b, tape), out, add=add, tape=tape)
    elif side_by_side(out.swapaxes(1, 2)):
        product(b.swapaxes(1, 2), _rows(a.swapaxes(1, 2), tape), out.swapaxes(1, 2), add=add, tape=tape)
    else:
        written = _held(out, add, tape)
        product(a, _rows(b, tape), written, add=add, tape=tape)
        _copy(out, written, tape)


def dense(
    weights: Array,
    samples: Array,
    out: Array,
    bias: Array | None = None,
    packed: bool = False,
    add: bool = False,
    tape: Tape = NOW,
) -> None:
    """Write weights [N or 1, m, k] @ samples [N or 1, k, n] (+ bias [N or 1, m]) to `out` [N, m, n], any strides."""
    samples = samples if packed else _rows(samples, tape)
    if side_by_side(out):
        product(weights, samples, out, bias, packed, add, tape)
    else:
        written = _held(out, add, tape)
        product(weights, samples, written, bias, packed, add, tape)
        _copy(out, written, tape)


def side_by_side(x: Array) -> bool:
    """Whether neighbours along the last axis of x are neighbours in memory."""
    return x.shape[-1] <= 1 or x.strides[-1] == x.itemsize


def _held(out: Array, add: bool, tape: Tape) -> Array:
    """Return an array for a result that `out` cannot take as it lies; with `add`, it holds what `out` does."""
    written = np.empty(out.shape, out.dtype)
    if add:
        _copy(written, out, tape)
    return written


def _rows(x: Array, tape: Tape) -> Array:
    """Return x with neighbours along the last axis side by side."""
    if side_by_side(x):
        return x
    rows = np.empty(x.shape, x.dtype)
    _copy(rows, x, tape)
    return rows


def _copy(out: Array, x: Array, tape: Tape) -> None:
    """Write x to `out` of the same shape; one may have rows as columns."""
    turned = out.swapaxes(-1, -2)
    if x.ndim == 3 and side_by_side(turned) and side_by_side(x):
        turn(x, turned, tape=tape)
    elif x.ndim == 3 and side_by_side(out) and side_by_side(x.swapaxes(1, 2)):
        turn(x.swapaxes(1, 2), out, tape=tape)
    else:
        tape.copy(out, x)


def _stacked(a: Array, b: Array, out: Array, add: bool) -> None:
    """Products with leading axes: matrix by matrix where b has none, so that any of a's axes may lie innermost."""
    lead = out.shape[1:-2]
    if all(size == 1 for size in b.shape[1:-2]):
        a = np.broadcast_to(a, (a.shape[0], *lead, *a.shape[-2:]))
        b = b.reshape(b.shape[0], *b.shape[-2:])
        # one of the axes of rows is taken whole, the one that lies innermost in the result
        axis = min(range(1, out.ndim - 1), key=lambda at: (abs(out.strides[at]), -out.shape[at]))
        a, out = np.moveaxis(a, axis, -2), np.moveaxis(out, axis, -2)
        for place in np.ndindex(out.shape[1:-2]):
            index: Any = (slice(None), *place)
            matmul(a[index], b, out[index], add)
        return
    count, (n, m), k = out.shape[0], out.shape[-2:], a.shape[-1]
    rows = np.ascontiguousarray(np.broadcast_to(a, (count, *lead, n, k))).reshape(-1, n, k)
    columns = np.ascontiguousarray(np.broadcast_to(b, (count, *lead, k, m))).reshape(-1, k, m)
    written = np.empty((len(rows), n, m), out.dtype)
    product(rows, columns, written)
    if add:
        written += out.reshape(written.shape)
    np.copyto(out, written.reshape(out.shape))
