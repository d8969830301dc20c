# SPDX-License-Identifier: MIT OR Apache-2.0
"""The calls of a step as phases of items, for `play`: what may run at once, and how long calls are cut.

A call comes in the phase after the last one that it must wait for: that writes what it reads, or touches what it
writes. A product whose result only one later call reads, row by row, goes together with that call, so that the rows
are still in the cache: so a gradient meets its optimiser. Cuts depend on sizes alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
from numpy.typing import NDArray

from vynapse_core import Array
from vynapse_numba.addresses import address_of
from vynapse_numba.tiles.player import Item, Phase
from vynapse_numba.tiles.tape import Native, Rows

UNIT = 2.0**19
"""Floating-point operations of an item that is worth another thread's while."""
LIGHT = 2.0**15
"""The same of a call that is too short to be given away; calls that cannot be cut count as much."""
MOST = 16
"""Most items of a call."""


@dataclass(frozen=True)
class _Work:
    """A call, or a product and what reads its rows."""

    calls: tuple[Native, ...]
    factor: int = 1
    """How many rows of the second call one row of the first is."""

    @property
    def size(self) -> float:
        """About how many floating-point operations it takes."""
        return sum(LIGHT if call.rows is None else call.rows.work for call in self.calls)

    def items(self) -> list[Item]:
        """Return its parts."""
        rows = self.calls[0].rows
        if rows is None or self.size < 2 * UNIT:
            return [self.calls]
        grains = ceil(rows.count / rows.grain)
        parts = ceil(grains / ceil(grains / min(self.size / UNIT, MOST)))
        borders = [min(grains * part // parts * rows.grain, rows.count) for part in range(parts + 1)]
        factors = (1, self.factor)
        return [
            [call.part(low * factor, high * factor) for call, factor in zip(self.calls, factors, strict=False)]
            for low, high in pairwise(borders)
        ]


def phases(natives: Sequence[Native]) -> list[Phase]:
    """Return the calls as phases, in an order that leaves every result as it is."""
    found: dict[int, list[Item]] = {}
    light: dict[int, tuple[list[Native], float]] = {}
    works, before = _works(natives)
    levels: dict[int, int] = {}
    for at, work in works.items():
        levels[at] = level = max((levels[other] + 1 for other in before[at]), default=0)
        if len(parts := work.items()) > 1 or work.size > 2 * LIGHT:
            found.setdefault(level, []).extend(parts)
            continue
        calls, size = light.get(level, ([], 0.0))
        if size + work.size > 2 * LIGHT:
            found.setdefault(level, []).append(calls)
            calls, size = [], 0.0
        light[level] = ([*calls, *work.calls], size + work.size)
    for level, (calls, _) in light.items():
        found.setdefault(level, []).append(calls)
    return [found[level] for level in sorted(found)]


def effort(natives: Sequence[Native]) -> float:
    """Return about how many floating-point operations the calls take that can be cut."""
    return sum(native.rows.work for native in natives if native.rows is not None)


def _works(natives: Sequence[Native]) -> tuple[dict[int, _Work], dict[int, set[int]]]:
    """Return the calls by place, some products moved to where their result is read, and whom each must wait for."""
    touches = _touches(natives)
    works = {at: _Work((native,)) for at, native in enumerate(natives)}
    place = list(range(len(natives)))
    for at, native in enumerate(natives):
        later = at + 1 + np.flatnonzero(touches[at, at + 1 :])
        if not later.size or len(works[at].calls) > 1 or native.rows is None or native.rows.work < 2 * UNIT:
            continue
        after = int(later[0])
        factor = _row_by_row(native, natives[after])
        if factor and len(works[after].calls) == 1 and not touches[at + 1 : after + 1, at].any():
            works[after] = _Work((native, natives[after]), factor)
            place[at] = after
            del works[at]
    before: dict[int, set[int]] = {at: set() for at in works}
    for later, earlier in zip(*np.nonzero(np.tril(touches | touches.T, -1)), strict=True):
        if place[later] != place[earlier]:
            before[place[later]].add(place[earlier])
    return works, before


def _row_by_row(product: Native, reader: Native) -> int | None:
    """Return how many rows of the reader read one row of a product's result, or None if it is not read so."""
    made, read = product.rows, reader.rows
    if made is None or read is None or read.count % made.count:
        return None
    factor = read.count // made.count
    if len(product.writes) != 1:
        return None
    (result,) = product.writes
    start = address_of(result)
    stride = next((stride for entry, stride in made.moves if product.table[entry] == start), 0)
    # the rows must be all there is of the result, one after the other
    if not stride or stride * made.count != result.nbytes or stride % factor:
        return None
    return factor if dict(_places(reader, read)).get(start) == stride // factor else None


def _places(native: Native, rows: Rows) -> Iterator[tuple[int, int]]:
    """Yield addresses in a table with the bytes from one row to the next."""
    for entry, stride in rows.moves:
        yield native.table[entry], stride


def _touches(natives: Sequence[Native]) -> NDArray[np.bool_]:
    """Return whether call i writes to memory that call j reads or writes, [n, n]."""
    writers, written = _spans([native.writes for native in natives])
    users, used = _spans([native.arrays for native in natives])
    overlap = (written[:, None, 0] < used[None, :, 1]) & (used[None, :, 0] < written[:, None, 1])
    found = np.zeros((len(natives), len(natives)), np.bool_)
    at, by = np.nonzero(overlap)
    found[writers[at], users[by]] = True
    return found


def _spans(lists: Sequence[Sequence[Array]]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Return whose each array is [n], and its first byte and the one after its last [n, 2]."""
    whose = [at for at, arrays in enumerate(lists) for x in arrays if x.size]
    bounds = [np.lib.array_utils.byte_bounds(x) for arrays in lists for x in arrays if x.size]
    return np.array(whose, np.int64), np.array(bounds, np.uint64).reshape(-1, 2)
