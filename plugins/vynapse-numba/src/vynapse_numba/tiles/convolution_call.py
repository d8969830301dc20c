# SPDX-License-Identifier: MIT OR Apache-2.0
"""The call of a kernel on images: what follows from sizes and strides is worked out once, addresses are put in anew.

A call of a small network takes a kernel less time than Python takes to describe it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vynapse_core import Array
from vynapse_numba.addresses import address_of
from vynapse_numba.tiles.bind import Bind
from vynapse_numba.tiles.tape import NOW, Rows, Tape


@dataclass(frozen=True)
class Described:
    """A call: a kernel, its table, and the arrays whose addresses that holds."""

    function: Callable[[int], None]
    table: array[int]
    entries: tuple[int, ...]
    """Where the addresses stand: the result's, then the operands'."""
    arrays: tuple[Array, ...]
    """The result, then the operands, as the kernel reads them: views, or copies that lie as it wants."""
    lists: tuple[Array, ...] = ()
    """What else the table has the address of."""
    rows: Rows | None = None


@dataclass(frozen=True)
class Found:
    """A step that computes a node from others than its operands."""

    operands: tuple[int, ...]
    bind: Bind
    in_place: bool = False
    """Whether the result may take the place of an operand."""
    samples: bool = False
    """Whether its first axis is that of samples, which lies innermost."""


Describe = Callable[[Array, Sequence[Array], bool, Tape], Described]
"""describe(out, operands, add, tape): what it must copy for the call, it copies by the tape."""


class Called:
    """A step, bound to sizes; `add` adds to what the result holds."""

    def __init__(self, describe: Describe) -> None:
        self._describe = describe
        self._known: dict[tuple[object, ...], Described] = {}

    def __call__(self, out: Array, *xs: Array, add: bool = False, tape: Tape = NOW) -> Array:
        """Write the result to `out`, and return it."""
        if not out.size:
            return out
        given = (out, *xs)
        key = (add, *[x.strides for x in given])
        found = self._known.get(key)
        if found is not None:
            table = found.table[:] if tape.records else found.table
            for entry, x in zip(found.entries, given, strict=True):
                table[entry] = address_of(x)
            if not tape.records:
                found.function(table.buffer_info()[0])
                return out
            arrays = given
        else:
            found = self._describe(out, xs, add, tape)
            table, arrays = found.table, found.arrays
            if all(address_of(x) == address_of(y) for x, y in zip(arrays, given, strict=True)):
                self._known[key] = Described(found.function, table[:], found.entries, (), found.lists, found.rows)
        tape.kernel(found.function, table, *arrays, *found.lists, writes=arrays[:1], rows=found.rows)
        return out


def images(x: Array, own: bool, shape: tuple[int, ...], tape: Tape) -> Array:
    """Return x [(N,) B, ..] as [N or 1, *shape, B], samples innermost: itself where it lies so, else a copy."""
    moved = np.moveaxis(x if own else x[None], 1, -1)
    lying = moved.reshape(len(moved), *shape, moved.shape[-1])
    near = lying.strides[-1] == lying.itemsize or lying.shape[-1] == 1
    if not lying.size or (np.may_share_memory(lying, x) and near):
        return lying
    room = np.empty(lying.shape, lying.dtype)
    tape.copy(room.reshape(moved.shape), moved)
    return room


def shaped(x: Array, shape: tuple[int, ...], tape: Tape) -> Array:
    """Return x in another shape: itself where that is a view, else a copy."""
    other = x.reshape(shape)
    if other.size and not np.may_share_memory(other, x):
        other = np.empty(shape, x.dtype)
        tape.copy(other.reshape(x.shape), x)
    return other


def network(x: Array) -> int:
    """Return the stride from network to network, 0 for what they share."""
    return x.strides[0] if len(x) > 1 else 0
