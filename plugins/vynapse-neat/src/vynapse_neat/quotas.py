# SPDX-License-Identifier: MIT OR Apache-2.0
"""Numbers of offspring for species: whole numbers that sum to the population's size, by three rules.

Species stand in the order of a list, `chosen` [count], of their places in `sizes`, `means` and `quota`; the quotas of
others are not touched. `order`, `space` and `worth` are scratch space of as many places as there are species.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vynapse_core import routine_part
from vynapse_neat.ranking import best_first


@routine_part
def proportional(
    chosen: Any, count: Any, means: Any, size: Any, least: Any, quota: Any, order: Any, space: Any, worth: Any
) -> None:  # fmt: skip
    """Write quotas in proportion to `means` >= 0, by largest remainder.

    Where all means are 0 they are equal, and so are the quotas. Of equal remainders the first is the largest. Each
    quota is at least `least`, or as much as fits.
    """
    low = min(np.int64(least), np.int64(size) // count)
    rest = size - low * count
    total, given = 0.0, np.int64(0)
    for i in range(count):
        total += means[chosen[i]]
    for i in range(count):
        exact = means[chosen[i]] / total * rest if total > 0.0 else np.float64(rest) / np.float64(count)
        whole = np.int64(np.floor(exact))
        quota[chosen[i]] = low + whole
        worth[i] = exact - np.float64(whole)
        order[i] = i
        given += whole
    best_first(order, np.int64(0), count, worth, space)
    for i in range(rest - given):
        quota[chosen[order[i]]] += 1


@routine_part
def smoothed(
    chosen: Any, count: Any, means: Any, sizes: Any, size: Any, least: Any, quota: Any, order: Any, space: Any,
    worth: Any,
) -> None:  # fmt: skip
    """Write quotas half way from `sizes` to what `means`, 0 to 1, call for.

    Each is at least `least`, 1 or more, or as much as fits. What rounding adds is taken from the largest, what it takes
    is given to the smallest, in turns. neat-python 2.0, `DefaultReproduction.compute_spawn`.
    """
    if size < count:
        proportional(chosen, count, means, size, np.int64(0), quota, order, space, worth)
        return
    low = min(max(np.int64(least), np.int64(1)), np.int64(size) // count)
    total, sum_ = 0.0, 0.0
    for i in range(count):
        total += means[chosen[i]]
    for i in range(count):
        wanted = max(np.float64(low), means[chosen[i]] / total * size) if total > 0.0 else np.float64(low)
        half = (wanted - sizes[chosen[i]]) * 0.5
        moved = np.rint(half)
        if moved == 0.0 and half != 0.0:
            moved = 1.0 if half > 0.0 else -1.0
        worth[i] = sizes[chosen[i]] + moved
        sum_ += worth[i]
    for i in range(count):
        quota[chosen[i]] = np.int64(max(np.float64(low), np.rint(worth[i] * (size / sum_))))
    evened(chosen, count, size, low, quota, order, space, worth)


@routine_part
def ranked(
    chosen: Any, count: Any, sizes: Any, size: Any, least: Any, quota: Any, order: Any, space: Any, worth: Any
) -> None:  # fmt: skip
    """Write quotas half way from `sizes`, best species first, to linear ranking.

    Each is at least `least`, 1 or more, or as much as fits. What rounding adds or takes is the best one's, as far as it
    reaches. TensorNEAT, `SpeciesController`.
    """
    if size < count:
        for i in range(count):
            quota[chosen[i]] = 1 if i < size else 0
        return
    low = min(max(np.int64(least), np.int64(1)), np.int64(size) // count)
    all_ranks, given = np.float64(count) * np.float64(count + 1) / 2.0, np.int64(0)
    for i in range(count):
        wanted = np.floor(np.float64(count - i) / all_ranks * size)
        quota[chosen[i]] = max(low, np.int64(np.trunc(sizes[chosen[i]] + (wanted - sizes[chosen[i]]) * 0.5)))
        given += quota[chosen[i]]
    quota[chosen[0]] = max(low, quota[chosen[0]] + size - given)
    evened(chosen, count, size, low, quota, order, space, worth)


@routine_part
def evened(
    chosen: Any, count: Any, size: Any, least: Any, quota: Any, order: Any, space: Any, worth: Any
) -> None:  # fmt: skip
    """Make quotas sum to `size`: the smallest gain, the largest lose, in turns, none of them below `least`."""
    missing = np.int64(size)
    for i in range(count):
        missing -= quota[chosen[i]]
    while missing != 0:
        for i in range(count):
            worth[i] = np.float64(quota[chosen[i]]) if missing < 0 else -np.float64(quota[chosen[i]])
            order[i] = i
        best_first(order, np.int64(0), count, worth, space)
        for i in range(count):
            place = chosen[order[i]]
            if missing > 0:
                quota[place] += 1
                missing -= 1
            elif missing < 0 and quota[place] > least:
                quota[place] -= 1
                missing += 1
