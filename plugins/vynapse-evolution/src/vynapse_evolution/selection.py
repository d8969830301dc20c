# SPDX-License-Identifier: MIT OR Apache-2.0
"""Selectors: who becomes a parent. All bear equal fitness, individuals that failed (−inf), and nothing but those."""

from collections.abc import Callable
from functools import lru_cache
from math import ceil

import numpy as np
from pydantic import Field

from vynapse_core import Array, Device, RunError, Selector, Stream


class Tournament(Selector):
    """The fittest of a few that are drawn at random, with replacement.  Reference: Goldberg & Deb 1991.

    The individual of rank i out of P, 1 being the worst, wins with probability (i^size − (i−1)^size) / P^size.
    """

    size: int = Field(3, ge=1)
    """Individuals in a tournament: the more, the harder it is for the less fit."""

    def select(self, fitness: Array, n: int, rng: Stream) -> Array:
        """Return the winners of n tournaments, int64 [n]; of equals, the one drawn first."""
        fitness = scalar(fitness)
        drawn = rng.integers(0, len(fitness), (n, self.size))
        winner: Array = drawn[np.arange(n), np.argmax(fitness[drawn], axis=1)]
        return winner

    def on(self, device: Device) -> Callable[[Array, int, Stream], Array]:
        """Return `select`, as a loop where the device compiles."""
        if not device.compiles:
            return self.select
        return winners(lambda n: np.full(n, self.size), device)


class Roulette(Selector):
    """Each with a probability in proportion to its fitness; those that failed never, unless all did.

    Reference: Holland 1975 (fitness-proportionate selection).
    """

    shift: bool = True
    """Whether the worst finite fitness is subtracted first (its owner is never chosen); else none may be below 0."""

    def select(self, fitness: Array, n: int, rng: Stream) -> Array:
        """Return indices, int64 [n]. Raises RunError for negative fitness that is not shifted."""
        return rng.choice(len(fitness), n, self._weights(scalar(fitness)))

    def _weights(self, fitness: Array) -> Array:
        finite = np.isfinite(fitness)
        if not finite.any():
            return np.ones(len(fitness))
        worst = fitness[finite].min()
        if worst < 0 and not self.shift:
            raise RunError(
                f"roulette: fitness {worst:g} is negative; set shift = true, or select by rank or tournament"
            )
        # scaled first, so that no difference of finite numbers is infinite
        scale = max(abs(fitness[finite]).max(), np.finfo(np.float64).tiny)
        weights = np.where(finite, fitness / scale - (worst / scale if self.shift else 0), 0)
        return weights if weights.any() else finite.astype(np.float64)


class Rank(Selector):
    """Linear ranking: a probability that grows linearly with the rank, whatever the fitness is.

    Rank i out of P, 1 being the worst, has probability (2 − s + 2(s − 1)(i − 1) / (P − 1)) / P with s the pressure.
    Equals share their mean rank.  Reference: Baker 1985.
    """

    pressure: float = Field(1.8, gt=1, le=2)
    """How often the best is chosen, relative to the mean; at 2 the worst is never."""

    def select(self, fitness: Array, n: int, rng: Stream) -> Array:
        """Return indices, int64 [n]."""
        fitness = scalar(fitness)
        p = len(fitness)
        _, level, counts = np.unique(fitness, return_inverse=True, return_counts=True)
        rank = (np.cumsum(counts) - (counts + 1) / 2)[level]
        weights = 2 - self.pressure + 2 * (self.pressure - 1) * rank / max(1, p - 1)
        return rng.choice(p, n, weights if p > 1 else None)


class Elitism(Selector):
    """Truncation: the best share become parents, equally often.  Reference: Mühlenbein & Schlierkamp-Voosen 1993."""

    share: float = Field(0.2, gt=0, le=1)
    """Share of the population that becomes parents, rounded up; those that failed are left out."""

    def select(self, fitness: Array, n: int, rng: Stream) -> Array:
        """Return indices, int64 [n], in random order; what n leaves over goes to the better ones."""
        fitness = scalar(fitness)
        order = np.argsort(-fitness, kind="stable")
        size = ceil(self.share * len(fitness))
        elite = order[: min(size, int(np.isfinite(fitness).sum()) or size)]
        chosen: Array = elite[rng.permutation(n) % len(elite)]
        return chosen


class Random(Selector):
    """Anyone, whatever the fitness."""

    def select(self, fitness: Array, n: int, rng: Stream) -> Array:
        """Return indices, int64 [n]."""
        return rng.integers(0, len(fitness), n)

    def on(self, device: Device) -> Callable[[Array, int, Stream], Array]:
        """Return `select`; where the device compiles, as tournaments of one, which draw the same."""
        return Tournament(size=1).on(device) if device.compiles else self.select


def winners(sizes: Callable[[int], Array], device: Device) -> Callable[[Array, int, Stream], Array]:
    """Return the function (fitness [P], n, rng) -> winners of n tournaments, int64 [n], as a loop.

    `sizes` returns the individuals in each of n tournaments, int [n].
    """
    from vynapse_evolution.routines.selection import tournaments

    run = device.routine(tournaments)

    @lru_cache(4)
    def drawn(n: int) -> tuple[Array, int]:
        places = np.concatenate([[0], np.cumsum(sizes(n))]).astype(np.int64)
        return places, int(places[-1])

    def select(fitness: Array, n: int, rng: Stream) -> Array:
        (places, words), best = drawn(n), np.empty(n, np.int64)
        run(n, *rng.reserve(words), scalar(fitness), places, best)
        return best

    return select


def scalar(fitness: Array) -> Array:
    """Return `fitness` [P]. Raises RunError where it has several objectives."""
    if fitness.ndim != 1:
        raise RunError(f"this compares individuals by one fitness, and the task has {fitness.shape[1]} objectives")
    return fitness
