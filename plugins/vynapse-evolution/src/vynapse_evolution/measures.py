# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a population looks like in numbers: its fitness, and how much its individuals differ."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np

from vynapse_core import Array, Device, RunError

WATCHED_GENES = 64
"""Genes at most whose spread is measured, evenly spaced: enough to see a population of long genomes converge."""
WATCHED_INDIVIDUALS = 1024
"""Individuals at most that are looked at, evenly spaced: their spread is within some 2% of the whole population's."""


class Spread(NamedTuple):
    """The finite fitnesses of a population."""

    best: float
    mean: float
    worst: float
    deviation: float
    """Standard deviation."""
    failed: int
    """Individuals whose fitness is not finite."""


Measure: TypeAlias = Callable[[Array, Array, str], tuple[Spread, float]]


def measuring(device: Device) -> Measure:
    """Return the function (fitness [P], values [P, w], where) -> spread and diversity, as a loop if a device compiles.

    It raises RunError where no fitness is finite; `where` says in what population.
    """
    if not device.compiles:
        return lambda fitness, values, where: (spread(fitness, where), diversity(values))
    from vynapse_evolution.routines import for_genes
    from vynapse_evolution.routines.measures import statistics

    form = for_genes(device, statistics)

    def measure(fitness: Array, values: Array, where: str) -> tuple[Spread, float]:
        run = form(values)
        if run is None:
            return spread(fitness, where), diversity(values)
        rows, columns = _watched(*values.shape)
        found = np.empty(6 + 2 * len(columns))
        run(1, fitness, np.ascontiguousarray(values), rows, columns, found)
        best, mean, worst, deviation, finite, differing = found[:6].tolist()
        if finite == 0:
            raise _hopeless(len(fitness), where)
        return Spread(best, mean, worst, deviation, len(fitness) - int(finite)), differing

    return measure


@lru_cache(16)
def _watched(n: int, w: int) -> tuple[Array, Array]:
    """Return the individuals and the genes that are watched."""
    return np.arange(n)[_evenly(n, WATCHED_INDIVIDUALS)], np.arange(w)[_evenly(w, WATCHED_GENES)]


def spread(fitness: Array, where: str) -> Spread:
    """Return the statistics of `fitness` [P]. Raises RunError where none is finite; `where` says in what population."""
    finite = fitness[np.isfinite(fitness)]
    if len(finite) == 0:
        raise _hopeless(len(fitness), where)
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


def _hopeless(n: int, where: str) -> RunError:
    return RunError(
        f"{where}: none of {n} individuals has a finite fitness; look for overflow in the network or "
        "the loss (smaller first weights, genome bounds, a smaller mutation sigma), and for NaN in the data"
    )


def _evenly(n: int, most: int) -> slice | Array:
    """Return an index of all n, or of `most` of them."""
    return slice(None) if n <= most else np.arange(most) * n // most
