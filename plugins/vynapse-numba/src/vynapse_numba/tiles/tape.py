# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a call does, as a list of actions on arrays that stay where they are: to do it again costs the actions alone.

In a scan, every second step reads and writes the same places. So the choices that lead from a graph to calls of
kernels are made twice, not in each step. Where all actions are calls of kernels, machine code repeats them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from vynapse_core import Array

Action = Callable[[], object]
Function = Callable[[int], None]


@dataclass(frozen=True)
class Rows:
    """How the work of a kernel can be cut: each part takes some of the rows, and its results are the same bits."""

    count: int
    size: int
    """The entry of the table that says how many rows there are."""
    moves: tuple[tuple[int, int], ...]
    """(entry of an address, bytes from one row to the next)."""
    grain: int
    """Cuts lie at multiples of this."""
    work: float
    """About how many floating-point operations all rows take."""


@dataclass(frozen=True)
class Native:
    """A call of a kernel with its table."""

    function: Function
    table: array[int]
    arrays: tuple[Array, ...]
    """All whose addresses the table holds."""
    writes: tuple[Array, ...]
    """Those that it writes to."""
    rows: Rows | None = None

    def __call__(self) -> None:
        """Call the kernel."""
        self.function(self.table.buffer_info()[0])

    def part(self, low: int, high: int) -> Native:
        """Return the call for the rows from `low` to before `high`."""
        if self.rows is None:
            return self
        table = self.table[:]
        table[self.rows.size] = high - low
        for entry, stride in self.rows.moves:
            table[entry] += low * stride
        return Native(self.function, table, self.arrays, self.writes)


@dataclass(frozen=True)
class Again:
    """A value that Python computes, to be computed again where it lies."""

    value: Array
    compute: Callable[[], Array]

    def __call__(self) -> None:
        """Compute it."""
        found = self.compute()
        if found is not self.value:
            np.copyto(self.value, found)


class Tape:
    """Does what it is given at once; one that records can do it all again."""

    def __init__(self, records: bool = True) -> None:
        self.records = records
        self.actions: list[Action] = []

    def do(self, action: Action) -> None:
        """Do it."""
        action()
        if self.records:
            self.actions.append(action)

    def kernel(
        self,
        function: Function,
        table: array[int],
        *arrays: Array | None,
        writes: Sequence[Array] | None = None,
        rows: Rows | None = None,
    ) -> None:
        """Call a kernel with its table; `arrays` are those whose addresses it holds, which it writes unless told."""
        given = tuple(x for x in arrays if x is not None)
        self.do(Native(function, table, given, given if writes is None else tuple(writes), rows))

    def copy(self, out: Array, x: Array) -> None:
        """Write x to `out`."""
        if not self.records:
            np.copyto(out, x)
            return
        from vynapse_numba.tiles.moves import copying

        native = copying(out, x)
        self.do(partial(np.copyto, out, x) if native is None else native)

    def value(self, compute: Callable[[], Array], seen: Sequence[Array] = ()) -> Array:
        """Return what `compute` returns. Unless that is a view of one of `seen`, it is to be computed again."""
        value = np.asarray(compute())
        if self.records and not any(np.may_share_memory(value, x) for x in seen):
            self.actions.append(Again(value, compute))
        return value

    def again(self) -> None:
        """Do all actions again, in order."""
        for action in self.actions:
            action()

    def natives(self) -> list[Native] | None:
        """Return the actions where all of them are calls of kernels, else None."""
        found = [action for action in self.actions if isinstance(action, Native)]
        return found if len(found) == len(self.actions) else None


NOW = Tape(records=False)
"""Records nothing."""
