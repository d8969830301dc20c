# SPDX-License-Identifier: MIT OR Apache-2.0
"""The mixture of selectors that a recipe lists: each chooses its share of the parents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from vynapse_core import Array, Device, RunError, Selector, Stream
from vynapse_evolution.selection import Random, Tournament, winners

Select: TypeAlias = Callable[[Array, int, Stream], Array]

SOUND = (Tournament, Random)
"""Selectors that choose without weights and orders, and so cannot choose whom there is not."""


def mixture(selectors: Sequence[Selector], device: Device) -> Select:
    """Return the function (fitness, n, rng) -> parents int64 [n], shared by weight, in random order."""
    if len(selectors) == 1:
        return _checked(selectors[0], device)
    weights, mixed = [selector.weight for selector in selectors], shuffling(device)
    if device.compiles and all(type(selector) in SOUND for selector in selectors):
        # tournaments of all sizes are one loop
        sizes = [selector.size if isinstance(selector, Tournament) else 1 for selector in selectors]
        win = winners(lambda n: np.repeat(sizes, shares(weights, n)), device)
        return lambda fitness, n, rng: mixed(win(fitness, n, rng), rng)
    functions = [_checked(selector, device) for selector in selectors]
    shared = lru_cache(4)(lambda n: [int(count) for count in shares(weights, n)])

    def select(fitness: Array, n: int, rng: Stream) -> Array:
        chosen = [function(fitness, count, rng) for function, count in zip(functions, shared(n), strict=True)]
        return mixed(np.concatenate(chosen), rng)

    return select


def shuffling(device: Device) -> Callable[[Array, Stream], Array]:
    """Return the function (chosen int64 [n], rng) -> the same in random order."""
    if not device.compiles:
        return lambda chosen, rng: chosen[rng.permutation(len(chosen))]
    from vynapse_evolution.routines.selection import shuffled

    run = device.routine(shuffled)

    def compiled(chosen: Array, rng: Stream) -> Array:
        n = len(chosen)
        mixed = np.empty(n, np.int64)
        run(1, *rng.reserve(n), chosen, np.empty((2, n), np.uint64), np.empty(n + 1, np.int64), mixed)
        return mixed

    return compiled


def _checked(selector: Selector, device: Device) -> Select:
    """Return a selector's form with its result looked at: what reads memory by these indices checks nothing."""
    function = selector.on(device)
    if type(selector) in SOUND:
        return function

    def select(fitness: Array, n: int, rng: Stream) -> Array:
        chosen = np.ascontiguousarray(function(fitness, n, rng))
        kind = chosen.dtype.kind in "iu" and chosen.shape == (n,)
        if not kind or (n and not (chosen.min() >= 0 and chosen.max() < len(fitness))):
            found = f"{chosen.dtype} {list(chosen.shape)}"
            found += f" from {chosen.min()} to {chosen.max()}" if kind else ""
            raise RunError(
                f"selector {type(selector).__name__} returned {found}; expected the places of {n} of the "
                f"{len(fitness)} individuals, integers from 0 to {len(fitness) - 1}"
            )
        return chosen.astype(np.int64, copy=False)

    return select


def shares(weights: Sequence[float], n: int) -> Array:
    """Return counts, int64 of the length of `weights`, that sum to n.

    Largest remainder: each gets its exact share rounded down, and what is left goes to the largest remainders, the
    first of equals first. Weights are at least 0 and not all 0.
    """
    exact = np.asarray(weights, np.float64) / sum(weights) * n
    counts: Array = np.floor(exact).astype(np.int64)
    late = np.argsort(counts - exact, kind="stable")[: n - counts.sum()]
    counts[late] += 1
    return counts
