# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a population looks like in numbers: its fitness, and how much its individuals differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vynapse_core import Array, RunError

WATCHED_GENES = 64
"""Genes at most whose spread is measured, evenly spaced: enough to see a population of long genomes converge."""
WATCHED_INDIVIDUALS = 1024
"""Individuals at most that are looked at, evenly spaced: their spread is within some 2% of the whole population's."""


@dataclass(frozen=True)
class Spread:
    """The finite fitnesses of a population."""

    best: float
    mean: float
    worst: float
    deviation: float
    """Standard deviation."""
    failed: int
    """Individuals whose fitness is not finite."""


def spread(fitness: Array, where: str) -> Spread:
    """Return the statistics of `fitness` [P]. Raises RunError where none is finite; `where` says in what population."""
    finite = fitness[np.isfinite(fitness)]
    if len(finite) == 0:
        raise RunError(
            f"{where}: none of {len(fitness)} individuals has a finite fitness; look for overflow in the network or "
            "the loss (smaller first weights, genome bounds, a smaller mutation sigma), and for NaN in the data"
        )
    best, worst = float(finite.max()), float(finite.min())
    # from the best, so that large values with small differences keep their digits
    distance = finite - best
    return Spread(best, best + float(distance.mean()), worst, float(distance.std()), failed=len(fitness) - len(finite))


def diversity(values: Array) -> float:
    """Return the standard deviation of a gene of `values` [P, w] over the population, as a mean over genes."""
    watched = values[_evenly(len(values), WATCHED_INDIVIDUALS)][:, _evenly(values.shape[1], WATCHED_GENES)]
    if watched.size == 0:
        return 0.0
    distance = watched.astype(np.float64) - watched[0]
    return float(distance.std(axis=0).mean())


def _evenly(n: int, most: int) -> slice | Array:
    """Return an index of all n, or of `most` of them."""
    return slice(None) if n <= most else np.arange(most) * n // most
