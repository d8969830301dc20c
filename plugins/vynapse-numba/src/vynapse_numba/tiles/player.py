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
from typing import Any

import numpy as np

from vynapse_core import Array
from vynapse_numba.addresses import address_of
from vynapse_numba.tiles.product import aligned
from vynapse_numba.tiles.tape import Native
from vynapse_numba.waiting import with_pauses

LINE = 8
"""Numbers of a cache line: threads that write to one line slow each other down."""
Item = Sequence[Native]
Phase = Sequence[Item]
_SPINS = 300
"""Looks at a counter before a waiting thread offers its processor to others."""

PLAY = """
define void @play(i64 %table, i64 %low, i64 %high, i64 %me, i64 %threads) {
entry:
  %head = inttoptr i64 %table to ptr
  br label %steps
steps:
  %step = phi i64 [%low, %entry], [%step1, %next]
  %more = icmp slt i64 %step, %high
  br i1 %more, label %one, label %end
one:
  %odd = and i64 %step, 1
  %round = lshr i64 %step, 1
  %at = mul i64 %odd, 3
  %half = getelementptr i64, ptr %head, i64 %at
  %first = load ptr, ptr %half
  %half1 = getelementptr i64, ptr %half, i64 1
  %main = load i64, ptr %half1
  %half2 = getelementptr i64, ptr %half, i64 2
  %all = load i64, ptr %half2
  br label %phases
phases:
  %p = phi i64 [0, %one], [%p1, %over]
  %some = icmp slt i64 %p, %all
  br i1 %some, label %phase, label %next
phase:
  %offset = mul i64 %p, 64
  %place = getelementptr i8, ptr %first, i64 %offset
  call void @work(ptr %place, i64 %round, i64 %me, i64 %threads)
  br label %look
look:
  %spins = phi i64 [0, %phase], [%spins1, %again]
  %ready = call i1 @done(ptr %place, i64 %round)
  br i1 %ready, label %over, label %meanwhile
meanwhile:
  br label %later
later:
  %q = phi i64 [%main, %meanwhile], [%q1, %finished]
  %is = icmp slt i64 %q, %all
  br i1 %is, label %try, label %pause
try:
  %offset2 = mul i64 %q, 64
  %place2 = getelementptr i8, ptr %first, i64 %offset2
  %ready1 = call i1 @done(ptr %place2, i64 %round)
  br i1 %ready1, label %finished, label %help
help:
  call void @work(ptr %place2, i64 %round, i64 %me, i64 %threads)
  %ready2 = call i1 @done(ptr %place2, i64 %round)
  br i1 %ready2, label %finished, label %pause
finished:
  %q1 = add i64 %q, 1
  br label %later
pause:
  PAUSE
  %spins1 = add i64 %spins, 1
  %tired = icmp sgt i64 %spins1, SPINS
  br i1 %tired, label %yield, label %again
yield:
  %half6 = getelementptr i64, ptr %head, i64 6
  %other = load ptr, ptr %half6
  %none = icmp eq ptr %other, null
  br i1 %none, label %again, label %give
give:
  %ignored = call i32 %other()
  br label %again
again:
  br label %look
over:
  %p1 = add i64 %p, 1
  br label %phases
next:
  %step1 = add i64 %step, 1
  br label %steps
end:
  ret void
}

define internal i1 @done(ptr %phase, i64 %round) {
  %begin.at = getelementptr i64, ptr %phase, i64 1
  %begin = load i64, ptr %begin.at
  %end.at = getelementptr i64, ptr %phase, i64 2
  %end = load i64, ptr %end.at
  %bytes = sub i64 %end, %begin
  %items = lshr i64 %bytes, 6
  %rounds = add i64 %round, 1
  %wanted = mul i64 %items, %rounds
  %found = load atomic i64, ptr %phase acquire, align 8
  %ready = icmp sge i64 %found, %wanted
  ret i1 %ready
}

define internal void @work(ptr %phase, i64 %round, i64 %me, i64 %threads) {
entry:
  %begin.at = getelementptr i64, ptr %phase, i64 1
  %begin = load i64, ptr %begin.at
  %end.at = getelementptr i64, ptr %phase, i64 2
  %end = load i64, ptr %end.at
  %bytes = sub i64 %end, %begin
  %items = lshr i64 %bytes, 6
  %before = mul i64 %items, %me
  %low = udiv i64 %before, %threads
  %me1 = add i64 %me, 1
  %until = mul i64 %items, %me1
  %high = udiv i64 %until, %threads
  br label %own
own:
  %i = phi i64 [%low, %entry], [%i1, %mine]
  %some = icmp slt i64 %i, %high
  br i1 %some, label %mine, label %others
mine:
  call void @item(ptr %phase, i64 %begin, i64 %i, i64 %round)
  %i1 = add i64 %i, 1
  br label %own
others:
  %alone = icmp sle i64 %threads, 1
  br i1 %alone, label %leave, label %rest
rest:
  %j = phi i64 [%items, %others], [%j1, %theirs]
  %left = icmp sgt i64 %j, 0
  br i1 %left, label %theirs, label %leave
theirs:
  %j1 = sub i64 %j, 1
  call void @item(ptr %phase, i64 %begin, i64 %j1, i64 %round)
  br label %rest
leave:
  ret void
}

define internal void @item(ptr %phase, i64 %begin, i64 %at, i64 %round) {
entry:
  %offset = mul i64 %at, 64
  %address = add i64 %begin, %offset
  %item = inttoptr i64 %address to ptr
  %due = load atomic i64, ptr %item monotonic, align 8
  %open = icmp eq i64 %due, %round
  br i1 %open, label %claim, label %leave
claim:
  %round1 = add i64 %round, 1
  %result = cmpxchg ptr %item, i64 %round, i64 %round1 acq_rel monotonic
  %won = extractvalue {i64, i1} %result, 1
  br i1 %won, label %do, label %leave
do:
  %calls.at = getelementptr i64, ptr %item, i64 1
  %calls = load ptr, ptr %calls.at
  %count.at = getelementptr i64, ptr %item, i64 2
  %count = load i64, ptr %count.at
  br label %calls.loop
calls.loop:
  %c = phi i64 [0, %do], [%c1, %call]
  %more = icmp slt i64 %c, %count
  br i1 %more, label %call, label %told
call:
  %pair = mul i64 %c, 2
  %function.at = getelementptr i64, ptr %calls, i64 %pair
  %function = load ptr, ptr %function.at
  %pair1 = add i64 %pair, 1
  %table.at = getelementptr i64, ptr %calls, i64 %pair1
  %table = load i64, ptr %table.at
  call void %function(i64 %table)
  %c1 = add i64 %c, 1
  br label %calls.loop
told:
  %was = atomicrmw add ptr %phase, i64 1 acq_rel
  br label %leave
leave:
  ret void
}
"""


def player(machine: str) -> str:
    """Return the module of `play(table, low, high, me, threads)`: steps `low` to before `high`, as thread `me`.

    `machine` is the first part of LLVM's name of the platform, such as `x86_64`.
    """
    return with_pauses(PLAY.replace("SPINS", str(_SPINS)), machine)


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
        from ctypes import c_void_p, cast

        calls = array("q")
        for native in item:
            self._held.append(native)
            function: Any = native.function
            calls.extend((cast(function, c_void_p).value or 0, native.table.buffer_info()[0]))
        self._held.append(calls)
        return [0, calls.buffer_info()[0], len(item)]

    def _lines(self, lines: Sequence[Sequence[int]]) -> int:
        room: Array = aligned(8 * LINE * max(len(lines), 1)).view(np.int64).reshape(-1, LINE)
        room[:] = 0
        for at, line in enumerate(lines):
            room[at, : len(line)] = line
        self._held.append(room)
        return address_of(room)
