# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a device would take for a step: shares of the work are timed, and a line through the last two says the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

GROWTH = 4
"""How much larger a share is than the one before."""
SETTLING = 0.01
"""Seconds in which a share is repeated, up to MOST times, so that one disturbance does not count."""
MOST = 5
HOPELESS = 3.0
"""How many times longer than the best device another must seem to take before little more time is spent on it."""
LITTLE = 0.1
"""The share of the budget that is little."""

Point = tuple[int, float]
"""A share and its time in seconds."""


@dataclass(frozen=True)
class Estimate:
    """What a device takes."""

    seconds: float
    """Of a step's evaluation."""
    preparing: float
    """Seconds before the first one: compiling, or reading what was compiled before."""

    def each_step(self, steps: int | None) -> float:
        """Return the seconds of a step where `steps` share the preparation; None leaves it out."""
        return self.seconds + (self.preparing / steps if steps else 0.0)


def estimate(prepare: Callable[[], Callable[[int], object]], size: int, budget: float, enough: float = inf) -> Estimate:
    """Return what all `size` parts would take a device that `prepare` makes ready, having timed shares of them.

    Shares grow as long as the next one fits in `budget` seconds, or in a tenth of it where the device seems to need far
    longer than `enough` seconds. What `prepare` and a share raise is raised.

    A device that may be taken is made ready twice: what the first time leaves behind, a module that is imported or code
    that is kept on disk, the run will not pay for.
    """
    run, first = _ready(prepare)
    began = time.perf_counter()
    points = [(1, _least(run, 1))]
    while (largest := points[-1][0]) < size:
        share = min(size, GROWTH * largest if len(points) > 1 else 2)
        spent = time.perf_counter() - began
        allowed = LITTLE * budget if _hopeless(points, size, enough) else budget
        if spent + _predicted(points, share) > allowed:
            break
        points.append((share, _least(run, share)))
    seconds = _predicted(points, size)
    if seconds <= enough:
        _, first = _ready(prepare)
    return Estimate(seconds, max(0.0, first - points[0][1]))


def _ready(prepare: Callable[[], Callable[[int], object]]) -> tuple[Callable[[int], object], float]:
    """Return what computes shares after it has computed the smallest, and the seconds that took."""
    began = time.perf_counter()
    run = prepare()
    run(1)
    return run, time.perf_counter() - began


def _least(run: Callable[[int], object], share: int) -> float:
    """Return the least time of a few runs of a share, in seconds."""
    times: list[float] = []
    end = time.perf_counter() + SETTLING
    while not times or (len(times) < MOST and time.perf_counter() < end):
        began = time.perf_counter()
        run(share)
        times.append(time.perf_counter() - began)
    return min(times)


def _predicted(points: Sequence[Point], share: int) -> float:
    """Return the time of a share, on the line through the last two points; a single one is taken as proportional."""
    largest, seconds = points[-1]
    if len(points) == 1:
        return seconds * share / largest
    smaller, before = points[-2]
    return seconds + max(0.0, seconds - before) / (largest - smaller) * (share - largest)


def _hopeless(points: Sequence[Point], size: int, enough: float) -> bool:
    """Whether a share takes longer than the best device's whole, or two of them promise far worse."""
    return points[-1][1] > enough or (len(points) > 1 and _predicted(points, size) > HOPELESS * enough)
