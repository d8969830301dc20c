# SPDX-License-Identifier: MIT OR Apache-2.0
"""Chains as steps: their kernels compiled together, each called with one table of sizes, addresses and strides."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from vynapse_core import Arguments, Array
from vynapse_numba.addresses import address_of
from vynapse_numba.cache import kept
from vynapse_numba.lanes.machine import lanes
from vynapse_numba.llvm import loaded, object_code, processor
from vynapse_numba.tiles.bind import concrete
from vynapse_numba.tiles.chains import NETWORKS, Chain, Leaf
from vynapse_numba.tiles.passes import ADD, HEAD, STREAM, written
from vynapse_numba.tiles.tape import NOW, Rows, Tape

Compute = Callable[..., None]
"""compute(results, *leaves, add=False): write the results of a chain; with `add`, reductions add to what is there."""
_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


LENGTH, ROWS = "length", "rows"
FEW = 8
"""Fewer rows are cut along their length."""
PAST = 2**22
"""Bytes of a result from which it is written past the caches: it would drive out all else, and not stay itself."""


class Kernels:
    """The machine code of chains; it lives as long as this object."""

    def __init__(self, chains: Sequence[Chain], arguments: Arguments) -> None:
        text = written(chains, arguments.live.nodes, lanes())
        code = kept("passes", (text, *processor()), lambda: object_code(text, speed=1, vectorise=False))
        self._engine = loaded(code)
        self.functions = [_KERNEL(self._engine.get_function_address(f"pass_{at}")) for at in range(len(chains))]


class Fused:
    """One chain, to be bound to sizes."""

    def __init__(self, chain: Chain, arguments: Arguments, kernels: Kernels, at: int) -> None:
        self._chain, self._kernels, self._function = chain, kernels, kernels.functions[at]
        self.joins = not chain.by_columns and not any(member.over_vector for member in chain.members.values())
        self.largest = any(member.op == "max" and member.over_vector for member in chain.members.values())
        self.members, self.by_columns = len(chain.members), chain.by_columns
        ends = [member for member in chain.members.values() if member.over_vector]
        self.along = "" if ends else LENGTH
        """How it can be cut so that no sum is."""
        if ends and chain.rows and not chain.by_columns and all(m.wide and not m.over_rows for m in ends):
            self.along = ROWS
        nodes, varying = arguments.live.nodes, arguments.varying
        self.arrays = [
            (leaf, varying[leaf.node], np.dtype(nodes[leaf.node].dtype).itemsize)
            for leaf in (*chain.leaves, *chain.places.values())
        ]
        """(how it lies, whether it has an axis of networks, bytes of a number) of all leaves, then of the results."""

    def bind(self, n: int, sizes: Mapping[str, int]) -> Compute:
        """Return the function that computes the chain for so many networks and such sizes."""
        chain = self._chain
        rows = concrete(chain.rows or (), sizes)
        length = n if chain.length is None else concrete((chain.length,), sizes)[0]
        networks = 1 if chain.length is None else n
        return _Call(self, self._function, (networks, length, 0, *rows))


class _Call:
    """A kernel with its table; what is known of strides is kept from call to call."""

    def __init__(self, fused: Fused, function: Callable[..., None], head: tuple[int, ...]) -> None:
        self._function, self._fused = function, fused
        self._rank = len(head) - HEAD
        self._width = 2 + self._rank
        self._length = head[1]
        self._table = array("q", [*head, *[0] * (self._width * len(fused.arrays))])
        self._address = self._table.buffer_info()[0]
        self._head = head
        self._empty = fused.largest and 0 in head[1:2] + head[HEAD:]
        self._first = HEAD + self._rank
        """Where the table has the address of the first array."""
        self._strides: list[Any] = [None] * len(fused.arrays)
        self._copies: dict[int, Array] = {}

    def __call__(self, results: Sequence[Array], *leaves: Array, add: bool = False, tape: Tape = NOW) -> None:
        table, strides, at, width = self._table, self._strides, self._first, self._width
        if self._empty:
            raise ValueError("there is no largest of no numbers: an axis that a maximum goes over has size 0")
        changed = False
        for k, x in enumerate((*leaves, *results)):
            if x.strides != strides[k]:
                self._describe(k, x)
                changed = True
            if k in self._copies:
                tape.copy(self._copies[k], x)
                x = self._copies[k]
            table[at] = address_of(x)
            at += width
        if changed and self._fused.joins:
            self._join()
        table[2] = ADD * add + STREAM * (results[0].nbytes >= PAST)
        if tape.records:
            copies = self._copies.values()
            tape.kernel(self._function, table[:], *leaves, *results, *copies, writes=results, rows=self._rows())
        else:
            self._function(self._address)

    def _rows(self) -> Rows | None:
        """Return how the chain can be cut: along its first axis of rows or its vectors; None for not at all."""
        table, fused, width = self._table, self._fused, self._width
        count, length, sizes = table[0], table[1], table[HEAD : HEAD + self._rank]
        if count != 1 or not fused.along:
            return None
        work = float(length * prod(sizes) * fused.members)
        places = range(self._first, len(table), width)
        if fused.along == LENGTH and (fused.by_columns or not sizes or sizes[0] < FEW):
            moves = [
                (at, size * (leaf.vector is not None)) for at, (leaf, _, size) in zip(places, fused.arrays, strict=True)
            ]
            return Rows(length, 1, tuple(moves), 16, work)
        return Rows(sizes[0], HEAD, tuple((at, table[at + 2]) for at in places), 1, work)

    def _join(self) -> None:
        """Make one long row of axes along which all arrays go on where the one before ends."""
        table, rank, width = self._table, self._rank, self._width
        sizes = [self._head[0], *self._head[HEAD:]]
        length = self._length
        for axis in range(rank, -1, -1):
            for k, (leaf, _, size) in enumerate(self._fused.arrays):
                stride = table[self._first + k * width + 1 + axis]
                if stride != (0 if leaf.vector is None else length * size) and sizes[axis] != 1:
                    break
            else:
                length *= sizes[axis]
                sizes[axis] = 1
                continue
            break
        table[0], table[1] = sizes[0], length
        table[HEAD : HEAD + rank] = array("q", sizes[1:])

    def _describe(self, k: int, x: Array) -> None:
        """Write the strides of an array; one whose neighbours along the axis of vectors lie apart is to be copied."""
        leaf, varies, size = self._fused.arrays[k]
        self._copies.pop(k, None)
        self._strides[k] = x.strides
        axis = _axis(leaf, varies)
        if axis is not None and self._length > 1 and (x.strides[axis] != size or address_of(x) % size):
            moved = np.empty(np.moveaxis(x, axis, -1).shape, x.dtype)
            self._copies[k] = x = np.moveaxis(moved, -1, axis)
        start = self._first + k * self._width + 1
        along = [x.strides[0] if varies and leaf.vector != NETWORKS else 0]
        along += [0 if axis is None else x.strides[axis + varies] for axis in leaf.rows]
        for entry in range(1 + self._rank):
            self._table[start + entry] = along[entry] if entry < len(along) else 0


def _axis(leaf: Leaf, varies: bool) -> int | None:
    if leaf.vector is None:
        return None
    return 0 if leaf.vector == NETWORKS else leaf.vector + varies


def fused(chains: Sequence[Chain], arguments: Arguments) -> dict[int, Fused]:
    """Return the chains compiled, by their ids."""
    if not chains:
        return {}
    kernels = Kernels(chains, arguments)
    return {id(chain): Fused(chain, arguments, kernels, at) for at, chain in enumerate(chains)}
