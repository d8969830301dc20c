# SPDX-License-Identifier: MIT OR Apache-2.0
"""The function that repeats a step's kernels without Python, on any number of threads.

A step is a row of phases, a phase some items that may be done at once, an item some calls of kernels. A thread takes
the items that are its own first, so that what it wrote in the step before lies in its caches, and then whatever nobody
has begun: a thread that comes late, or never, delays nothing but what it is in the middle of. Whoever waits for a phase
to end takes items of what comes last meanwhile: that is the next step's batch. Items write to places of their own, so
the bits of a result depend on no thread.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

from vynapse_core import Array
from vynapse_numba.addresses import address_of, function_address
from vynapse_numba.ir_text import Function, Value
from vynapse_numba.tiles.product import aligned
from vynapse_numba.tiles.tape import Native
from vynapse_numba.waiting import pause, waiting

LINE = 8
"""Numbers of a cache line: threads that write to one line slow each other down."""
Item = Sequence[Native]
Phase = Sequence[Item]
_LINE = 8 * LINE
"""Bytes of a line. A phase's has how many items were done, in all rounds, and the addresses where its items begin and
end; an item's has the round that it is due in, the address of its calls and their number. A call is the address of a
function, and what it is given."""


def player(machine: str) -> str:
    """Return the module of `play`; `machine` is the first part of LLVM's name of the platform, such as `x86_64`."""
    return "".join([_play(), _done(), _work(), _item(), pause(machine)])


def _play() -> str:
    """Return `play(table, low, high, me, threads)`: steps `low` to before `high`, as thread `me`."""
    code = Function("define void @play(i64 %table, i64 %low, i64 %high, i64 %me, i64 %threads)")
    table, low, high, me, threads = code.arguments
    head = table.pointer()
    with code.counted(low, high) as step:
        half, round_ = head.at((step & 1) * 24), step >> 1
        phases, main, every = half.load("ptr"), half.at(8).load(), half.at(16).load()
        with code.counted(0, every) as p:
            phase = phases.at(p * _LINE)
            code.call("void", "@work", phase, round_, me, threads)
            with waiting(code, head.at(48)) as over:
                code.go(over, where=code.call("i1", "@done", phase, round_))
                stuck = code.label()
                with code.counted(main, every) as q:
                    later = phases.at(q * _LINE)
                    with code.when(code.call("i1", "@done", later, round_).equals(0)):
                        code.call("void", "@work", later, round_, me, threads)
                        code.go(stuck, unless=code.call("i1", "@done", later, round_))
                code.begin(stuck)
    return code.text()


def _done() -> str:
    """Return `done(phase, round)`: whether all items have been done in that round."""
    code = Function("define internal i1 @done(ptr %phase, i64 %round)")
    phase, round_ = code.arguments
    wanted = _items(phase) * (round_ + 1)
    code.give((phase.load(order="acquire") < wanted).equals(0))
    return code.text()


def _work() -> str:
    """Return `work(phase, round, me, threads)`: the items that are a thread's own, then the others from the back."""
    code = Function("define internal void @work(ptr %phase, i64 %round, i64 %me, i64 %threads)")
    phase, round_, me, threads = code.arguments
    end = code.label()
    begin, items = phase.at(8).load("ptr"), _items(phase)
    with code.counted(items * me // threads, items * (me + 1) // threads) as i:
        code.call("void", "@item", phase, begin.at(i * _LINE), round_)
    code.go(end, unless=threads > 1)
    with code.counted(0, items) as i:
        code.call("void", "@item", phase, begin.at((items - i - 1) * _LINE), round_)
    code.begin(end)
    return code.text()


def _item() -> str:
    """Return `item(phase, item, round)`: the calls of an item, unless somebody has begun it in that round."""
    code = Function("define internal void @item(ptr %phase, ptr %item, i64 %round)")
    phase, item, round_ = code.arguments
    end = code.label()
    code.go(end, unless=item.load(order="monotonic").equals(round_))
    code.go(end, unless=item.claim(round_, round_ + 1, "acq_rel"))
    calls, count = item.at(8).load("ptr"), item.at(16).load()
    with code.counted(0, count) as c:
        call = calls.at(c * 16)
        code.call("void", call.load("ptr"), call.at(8).load())
    phase.change("add", 1, "acq_rel")
    code.begin(end)
    return code.text()


def _items(phase: Value) -> Value:
    """Write how many items a phase has."""
    return (phase.at(16).load() - phase.at(8).load()) // _LINE


class Score:
    """Two steps in turn, laid out for `play`: phases of items, then those that may be done while others wait."""

    def __init__(self, halves: Sequence[tuple[Sequence[Phase], Sequence[Phase]]], give_way: int) -> None:
        """Lay out (phases, phases that may come any time before the step's end) of the even steps and of the odd ones.

        `give_way` is the address of a function that offers the processor to others, or 0.
        """
        self._held: list[object] = []
        head = [0] * LINE
        for at, (main, late) in enumerate(halves):
            head[3 * at : 3 * at + 3] = [self._phases([*main, *late]), len(main), len(main) + len(late)]
        head[6] = give_way
        self.address = self._lines([head])
        """Where the table lies that `play` takes."""

    def _phases(self, phases: Sequence[Phase]) -> int:
        lines = []
        for phase in phases:
            begin = self._lines([self._item(item) for item in phase])
            lines.append([0, begin, begin + 8 * LINE * len(phase)])
        return self._lines(lines)

    def _item(self, item: Item) -> list[int]:
        calls = array("q")
        for native in item:
            self._held.append(native)
            calls.extend((function_address(native.function), native.table.buffer_info()[0]))
        self._held.append(calls)
        return [0, calls.buffer_info()[0], len(item)]

    def _lines(self, lines: Sequence[Sequence[int]]) -> int:
        room: Array = aligned(8 * LINE * max(len(lines), 1)).view(np.int64).reshape(-1, LINE)
        room[:] = 0
        for at, line in enumerate(lines):
            room[at, : len(line)] = line
        self._held.append(room)
        return address_of(room)
