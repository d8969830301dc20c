# SPDX-License-Identifier: MIT OR Apache-2.0
"""The mixture of selectors that a recipe lists: each chooses its share of the parents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from vynapse_core import Array, Device, RunError, Selector, Stream
from vynapse_evolution.selection import Random, Tournament

Select: TypeAlias = Callable[[Array, int, Stream], Array]

SOUND = (Tournament, Random)
"""Selectors that choose without weights and orders, and so cannot choose whom there is not."""


def mixture(selectors: Sequence[Selector], device: Device) -> Select:
    """Return the function (fitness, n, rng) -> parents int64 [n], shared by weight, in random order."""
    functions = [_checked(selector, selector.on(device)) for selector in selectors]
    if len(functions) == 1:
        return functions[0]
    weights = [selector.weight for selector in selectors]
    shared = lru_cache(4)(lambda n: [int(count) for count in shares(weights, n)])

    def select(fitness: Array, n: int, rng: Stream) -> Array:
        chosen = [function(fitness, count, rng) for function, count in zip(functions, shared(n), strict=True)]
        mixed: Array = np.concatenate(chosen)[rng.permutation(n)]
        return mixed

    return select


def _checked(selector: Selector, function: Select) -> Select:
    """Return the function with its result looked at: what reads memory by these indices checks nothing."""
    if isinstance(selector, SOUND):
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
