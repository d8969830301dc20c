# SPDX-License-Identifier: MIT OR Apache-2.0
"""Two steps in turn, repeated by machine code in stretches: between two of them Python looks for an interruption."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from vynapse_numba.threads import Workers, processors
from vynapse_numba.tiles.machine import movers
from vynapse_numba.tiles.player import Score
from vynapse_numba.tiles.schedule import effort, phases
from vynapse_numba.tiles.tape import Native
from vynapse_numba.waiting import give_way

STRETCH = 0.05
"""Seconds after which an interruption is looked for."""
LIGHT = 2.0**22
"""Floating-point operations of a step that one thread has done before two have met twice."""


@dataclass(frozen=True)
class Half:
    """Every second step."""

    natives: Sequence[Native]
    """Its calls."""
    ahead: Sequence[Native]
    """Calls that prepare the other half, which comes next; they may come any time within the step."""


def play(halves: Sequence[Half], steps: int, workers: Workers, threads: int) -> None:
    """Repeat two halves in turn, `steps` in all, on up to so many threads."""
    score = Score([(phases(half.natives), phases(half.ahead)) for half in halves], give_way())
    heavy = min(effort(half.natives) for half in halves) >= LIGHT
    # threads that wait for each other are of no use without a processor each
    count = min(threads, processors()) if heavy else 1
    low, stretch = 0, 1
    while low < steps:
        high = min(low + stretch, steps)
        began = time.perf_counter()
        workers.run(partial(_stretch, score, low, high, count), count)
        taken = max(time.perf_counter() - began, 1e-6)
        stretch = int(max(1, min((high - low) * STRETCH / taken, 10 * (high - low))))
        low = high


def _stretch(score: Score, low: int, high: int, threads: int, me: int) -> None:
    movers().play(score.address, low, high, me, threads)
