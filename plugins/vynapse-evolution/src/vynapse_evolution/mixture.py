# SPDX-License-Identifier: MIT OR Apache-2.0
"""The mixture of selectors that a recipe lists: each chooses its share of the parents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vynapse_core import Array, Selector, Stream


def select(selectors: Sequence[Selector], fitness: Array, n: int, rng: Stream) -> Array:
    """Return the parents, int64 [n], shared by weight, in random order so that any two may meet."""
    if len(selectors) == 1:
        return selectors[0].select(fitness, n, rng)
    counts = shares([selector.weight for selector in selectors], n)
    chosen = [selector.select(fitness, int(count), rng) for selector, count in zip(selectors, counts, strict=True)]
    mixed: Array = np.concatenate(chosen)[rng.permutation(n)]
    return mixed


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
