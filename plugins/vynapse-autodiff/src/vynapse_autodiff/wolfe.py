# SPDX-License-Identifier: MIT OR Apache-2.0
"""A line search for the strong Wolfe conditions.  Reference: Nocedal & Wright 2006, algorithms 3.5 and 3.6."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DECREASE = 1e-4
"""Share of the fall that the slope promises, which the loss must show."""
CURVATURE = 0.9
"""Share of the slope's magnitude at the start that may be left."""
NARROWEST = 1e-9
"""Where a bracket is no longer divided: the most that a parameter would move in it."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What is known at one length."""

    length: float
    loss: float
    """Infinite where it is not finite."""
    rise: float
    """Derivative of the loss by the length."""
    slope: NDArray[np.float64]
    """Gradient [n]."""
    seen: Mapping[str, NDArray[np.generic]]
    """What else was measured."""


def wolfe(start: Trial, at: Callable[[float], Trial], first: float, most: int, reach: float) -> Trial:
    """Return the trial to take of those that `at` returns for lengths, at most `most` of them, `first` the first.

    `start` is the trial of length 0; its `rise` is below 0. `reach` is how far any parameter moves in a length of 1.
    Where no trial is lower, the start itself is returned.
    """

    def low_enough(trial: Trial) -> bool:
        return trial.loss <= start.loss + DECREASE * trial.length * start.rise

    def flat_enough(trial: Trial) -> bool:
        return abs(trial.rise) <= -CURVATURE * start.rise

    before, length, far = start, first, None
    while most > 0 and far is None:
        here = at(length)
        most -= 1
        if not low_enough(here) or (before is not start and here.loss >= before.loss):
            far = here
        elif flat_enough(here):
            return here
        elif here.rise >= 0:
            before, far = here, before
        else:
            wanted = valley(before, here)
            longer = 10 * length if wanted is None or wanted <= length else wanted
            length = min(max(longer, length + 0.01 * (length - before.length)), 10 * length)
            before = here
    near = before
    while most > 0 and far is not None and abs(far.length - near.length) * reach > NARROWEST:
        here = at(between(near, far))
        most -= 1
        if not low_enough(here) or here.loss >= near.loss:
            far = here
            continue
        if flat_enough(here):
            return here
        if here.rise * (far.length - near.length) >= 0:
            far = near
        near = here
    return near


def between(near: Trial, far: Trial) -> float:
    """Return a length in the inner 80% of a bracket: the valley of the cubic through its ends, else the middle."""
    low, high = sorted((near.length, far.length))
    wanted, margin = valley(near, far), 0.1 * (high - low)
    return (low + high) / 2 if wanted is None else min(max(wanted, low + margin), high - margin)


def valley(one: Trial, other: Trial) -> float | None:
    """Return where the cubic through two trials has its minimum, or None where it has none.  Reference: eq. 3.59."""
    width = other.length - one.length
    if not (width and all(map(isfinite, (one.loss, one.rise, other.loss, other.rise)))):
        return None
    first = one.rise + other.rise - 3 * (other.loss - one.loss) / width
    square = first * first - one.rise * other.rise
    if square < 0:
        return None
    second = sqrt(square) if width > 0 else -sqrt(square)
    below = other.rise - one.rise + 2 * second
    return other.length - width * (other.rise + second - first) / below if below else None
