# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rounds: every side in turn, again and again, so that what changes about the machine changes for all of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from statistics import median

from sides import Contest, Options, Side
from threadpoolctl import ThreadpoolController

PAUSE = 0.05
"""Seconds between two sides: threads of the one before may still spin on their cores."""
PATIENCE = 10
"""A side whose call takes this many times the seconds it is given is measured in fewer rounds."""
FEWEST = 3


@dataclass
class Measured:
    """A side's times, one a round."""

    side: Side
    seconds: list[float] = field(default_factory=list)
    """Median time of a unit of work in each round; a slow side has fewer rounds than the others."""
    reached: list[float] = field(default_factory=list)
    """The quality of every call."""

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return median(self.seconds)


@dataclass(frozen=True)
class Ratio:
    """How many times as long another side takes, the two measured in the same rounds."""

    median: float
    """Ratio of the medians."""
    least: float
    """The least ratio of any round, and the greatest."""
    most: float


def measure(contest: Contest, options: Options) -> list[Measured]:
    """Return what the sides took, each in all rounds; odd rounds go backwards, so that nobody always comes first."""
    pools = ThreadpoolController()
    found = [Measured(side) for side in contest.sides]
    limit = PATIENCE * max(options.seconds, 0.1)
    slow = {id(one) for one in found if _first(one, pools, limit) > limit}
    for number in range(options.rounds):
        for one in found[:: -1 if number % 2 else 1]:
            if number < FEWEST or id(one) not in slow:
                with _held(one.side, pools):
                    _round(one, options.seconds)
    return found


def ratio(ours: Measured, other: Measured) -> Ratio:
    """Return how many times as long `other` takes as `ours`."""
    pairs = [theirs / mine for mine, theirs in zip(ours.seconds, other.seconds, strict=False)]
    return Ratio(other.median / ours.median, min(pairs), max(pairs))


def fastest(found: Sequence[Measured], prefixes: str) -> Measured | None:
    """Return the fastest side whose name begins with one of `prefixes`, which are parted by `|`."""
    fitting = [one for one in found if one.side.name.startswith(tuple(prefixes.split("|")))]
    return min(fitting, key=lambda one: one.median, default=None)


def _first(one: Measured, pools: ThreadpoolController, limit: float) -> float:
    """Return the time of a call that is not counted: of the second, where a side may have compiled in the first."""
    taken = limit
    for _ in range(2):
        if taken <= limit:
            with _held(one.side, pools):
                began = time.perf_counter()
                one.side.call()
                taken = time.perf_counter() - began
    return taken


def _round(one: Measured, seconds: float) -> None:
    time.sleep(PAUSE)
    gc.collect()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        began = time.perf_counter()
        result = one.side.call()
        taken = time.perf_counter() - began
        times.append(taken if one.side.clock is None else one.side.clock())
        if one.side.reached is not None:
            one.reached.append(one.side.reached(result))
    # the first call of several finds other sides' data in the caches and its threads asleep
    one.seconds.append(median(times[1:] or times) / one.side.units)


def _held(side: Side, pools: ThreadpoolController) -> AbstractContextManager[object]:
    return nullcontext() if side.blas_threads is None else pools.limit(limits=side.blas_threads, user_api="blas")
