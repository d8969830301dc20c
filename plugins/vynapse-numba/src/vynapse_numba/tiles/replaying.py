# SPDX-License-Identifier: MIT OR Apache-2.0
"""How a call of the engine `tiles` is made again, where all networks are one tile and all samples one block.

The call is made once on arrays of its own, and written down. An address that then lies within one of them is to be that
of the array given. A plugin's kernel is asked in Python; the kernels between two of those are one replay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from math import prod
from typing import Any

import numpy as np

from vynapse_core import Array, Given, GraphError, Node
from vynapse_numba.addresses import address_of, function_address
from vynapse_numba.replay import Job, Like, Patch, replay
from vynapse_numba.replays import Answer
from vynapse_numba.threads import Workers
from vynapse_numba.tiles.asked import Asked
from vynapse_numba.tiles.bind import concrete
from vynapse_numba.tiles.call import Call, Sized
from vynapse_numba.tiles.memory import Arena
from vynapse_numba.tiles.plans import Plan
from vynapse_numba.tiles.product import aligned
from vynapse_numba.tiles.tape import Again, Native, Tape

ROOM = 2**22
"""Most bytes that a call may read and write for a replay to be made; beyond that, what Python takes is little."""
APART = 128
"""Bytes between two arrays, so that the end of one is not the beginning of another."""
SHIFT = 16
"""Bytes by which an array lies behind a cache line: kernels must not count on better."""
Part = Callable[[list[Any]], object]
"""part(values): compute one more value, or return False where the arrays are not alike."""


def answering(plan: Plan, given: Given, sized: Sized, workers: Workers) -> Answer | None:
    """Return what does such a call with other arrays; None where it needs Python besides plugins' kernels."""
    live, leaves = plan.arguments.live, [array for _, array in (*given.own, *given.shared)]
    inside = sum(sized.layout.bytes) * given.networks
    if inside + sum(array.nbytes for array in leaves) > ROOM or not all(x.flags.c_contiguous for x in leaves):
        return None
    moving = plan.moving(live.inputs)
    if any(i not in moving for _, i in plan.common):
        # what no input changes is written once, and each call has outputs of its own
        return None
    own = [_apart(array.shape, array.dtype) for array in leaves]
    for array, leaf in zip(own, leaves, strict=True):
        np.copyto(array, leaf)
    ends = [live.nodes[i] for i in live.outputs.values()]
    made = [((given.networks, *concrete(node.shape, given.sizes)), np.dtype(node.dtype)) for node in ends]
    results = {name: _apart(*each) for name, each in zip(live.outputs, made, strict=True)}
    try:
        actions = _written_down(plan, given, own, results, sized, workers)
    except GraphError:
        # a plugin's kernel has failed, after it was asked the same and did not
        return None
    values = _Values(plan, given, own, [*results.values()], workers.threads)
    parts = _parts(values, actions)
    if parts is None:
        return None
    names, first, last = tuple(results), len(own), len(own) + len(made)

    def answer(found: list[Any]) -> dict[str, Array] | None:
        found += [np.empty(shape, dtype) for shape, dtype in made]
        for part in parts:
            if part(found) is False:
                return None
        return dict(zip(names, found[first:last], strict=True))

    return answer


def _written_down(
    plan: Plan, given: Given, own: Sequence[Array], results: dict[str, Array], sized: Sized, workers: Workers
) -> list[Any]:
    """Return what a call on these arrays does."""
    slots, count = [slot for slot, _ in (*given.own, *given.shared)], len(given.own)
    leaves = list(zip(slots, own, strict=True))
    mine, tape = replace(given, own=leaves[:count], shared=leaves[count:]), Tape()
    call = Call(plan, mine, results, sized, workers, plan.moving(plan.arguments.live.inputs))
    # what lies in these is read again each time
    if call.packs:
        sized.packs.append(call.packs)
    call.packs = {}
    arena = Arena(plan, replace(sized.layout, networks=given.networks))
    call.whole(arena, tape)
    return tape.actions


def _parts(values: _Values, actions: Sequence[Any]) -> list[Part] | None:
    """Return what does the actions again, or None where there is one that takes Python."""
    parts: list[Part] = []
    natives: list[Native] = []
    for action in actions:
        if isinstance(action, Native):
            natives.append(action)
            continue
        if not isinstance(action, Again) or not isinstance(asked := action.compute, Asked):
            return None
        asking = values.asking(asked)
        if asking is None or not action.value.flags.c_contiguous:
            return None
        parts += (values.playing(natives), asking)
        values.add(action.value, asked.node, behind=0)
        natives = []
    return [*parts, values.playing(natives)]


class _Values:
    """The arrays of a call that is written down: leaves, outputs, and what plugins' kernels gave."""

    def __init__(self, plan: Plan, given: Given, own: list[Array], results: list[Array], threads: int) -> None:
        live = plan.arguments.live
        self._plan, self._sizes, self._threads = plan, given.sizes, threads
        self._free: dict[str, tuple[int, int]] = {}
        """Where the sizes are found that only plugins' kernels look at: {symbol: (array, axis)}."""
        self._arrays: list[Array] = []
        self._ends: list[int] = []
        """Up to how many bytes behind its beginning an address is an array's."""
        self._likes: list[Like] = []
        slots = [slot for slot, _ in given.own], [slot for slot, _ in given.shared]
        for array, slot in zip(own, chain(*slots), strict=True):
            self.add(array, live.nodes[slot], own=slot in slots[0])
        for array, i in zip(results, live.outputs.values(), strict=True):
            self.add(array, live.nodes[i])

    def add(self, array: Array, node: Node, own: bool = True, behind: int = 1) -> None:
        """Take an array that has a node's values, of all networks or shared; so many bytes behind it are nobody's."""
        shape: list[Any] = list(array.shape)
        for axis, dim in enumerate(node.shape, int(own)):
            if isinstance(dim, str) and dim not in self._plan.symbols:
                shape[axis] = self._free.setdefault(dim, (len(self._arrays), axis))
        self._arrays.append(array)
        self._ends.append(max(array.nbytes + behind, 1))
        self._likes.append(Like(array.dtype, tuple(shape)))

    def playing(self, natives: Sequence[Native]) -> Part:
        """Return what calls kernels."""
        tables = [native.table[:] for native in natives]
        patches = [
            Patch(table, entry, at, value - address_of(self._arrays[at]))
            for table in tables
            for entry, value in enumerate(table)
            if (at := self._within(value)) is not None
        ]
        jobs = [Job(function_address(each.function), table) for each, table in zip(natives, tables, strict=True)]
        # the arrays of the call that was written down may go, all else that kernels read and write must stay
        held = [x for native in natives for x in native.arrays if self._within(address_of(x)) is None]
        again = replay(self._likes, patches, jobs, (self._plan, held), self._threads)
        return lambda found: again(*found)

    def asking(self, asked: Asked) -> Part | None:
        """Return what asks a plugin's kernel; None where it reads a part of what is given."""
        sources: list[tuple[int, Array | None]] = []
        for operand in asked.operands:
            at = self._within(address_of(operand))
            if at is not None and (operand.shape != self._arrays[at].shape or not operand.flags.c_contiguous):
                return None
            sources.append((-1, operand) if at is None else (at, None))
        free, known, again = tuple(self._free.items()), self._sizes, replace(asked, operands=())

        def part(found: list[Any]) -> None:
            sizes = {**known, **{symbol: found[at].shape[axis] for symbol, (at, axis) in free}}
            with np.errstate(all="ignore"):
                found.append(again.on([found[at] if fixed is None else fixed for at, fixed in sources], sizes))

        return part

    def _within(self, address: int) -> int | None:
        """Return in which of the arrays an address lies."""
        for at, (array, end) in enumerate(zip(self._arrays, self._ends, strict=True)):
            if 0 <= address - address_of(array) < end:
                return at
        return None


def _apart(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return an array of its own, with space around it."""
    size = prod(shape) * dtype.itemsize
    array: Array = aligned(size + APART)[SHIFT : SHIFT + size].view(dtype).reshape(shape)
    return array
