# SPDX-License-Identifier: MIT OR Apache-2.0
"""Replacements: who lives on, the best of both generations, of the offspring alone, or the offspring and an elite.

Of equals the younger live: on a plateau a population then drifts, and does not wait.
"""

from collections.abc import Callable
from math import ceil
from typing import ClassVar

import numpy as np
from pydantic import Field

from vynapse_core import Array, Device, Genes, Population, Replacement, RunError, Stream, best_first
from vynapse_evolution.selection import scalar


class Plus(Replacement):
    """(μ + λ): the best of parents and offspring.  Reference: Schwefel 1981; Beyer & Schwefel 2002."""

    def survive(self, parents: Population, offspring: Population, rng: Stream) -> Population:
        """Return the best of both, as many as there are parents."""
        fitness = np.concatenate([scalar(offspring.fitness), scalar(parents.fitness)])
        best = fittest(fitness, len(parents))
        old = best >= len(offspring)
        return joined(offspring, best[~old], parents, best[old] - len(offspring))

    def on(self, device: Device) -> Callable[[Population, Population, Stream], Population]:
        """Return `survive`, as a loop where the device compiles."""
        if not device.compiles:
            return self.survive
        from vynapse_evolution.routines import for_genes
        from vynapse_evolution.routines.survival import best_of_both, gathered

        choose = device.routine(best_of_both)
        form = for_genes(device, gathered)

        def survive(parents: Population, offspring: Population, rng: Stream) -> Population:
            genes, values = parents.genes, parents.genes.values
            gather = form(values)
            if gather is None or genes.structure or parents.fitness.ndim > 1:
                return self.survive(parents, offspring, rng)
            young, old = offspring.fitness, parents.fitness
            m, p = len(young), len(old)
            both, kept = np.concatenate([young, old]), np.empty(p, np.int64)
            # the m-th least parts those who live on from the others without sorting either
            both.partition(m)
            choose(1, young, old, both.item(m), kept)
            alive, fitness = np.empty(values.shape, values.dtype), np.empty(p)
            ids, ancestry, ages = np.empty(p, np.int64), np.empty((p, 2), np.int64), np.empty(p, np.int64)
            gather(
                p,
                kept,
                np.ascontiguousarray(offspring.genes.values),
                np.ascontiguousarray(values),
                young,
                old,
                offspring.ids,
                parents.ids,
                offspring.parents,
                parents.parents,
                parents.ages,
                alive,
                fitness,
                ids,
                ancestry,
                ages,
            )
            return Population(Genes(alive, bounds=genes.bounds), fitness, ids, ancestry, ages)

        return survive


class Comma(Replacement):
    """(μ, λ): the best of the offspring; every parent dies, the best one too.  Reference: Schwefel 1981."""

    keeps_parents: ClassVar[bool] = False
    """Every parent dies."""

    ratio: float = Field(7.0, ge=1)
    """Offspring for each parent, where the trainer leaves it open; about 7 is usual."""

    def offspring(self, population: int) -> int:
        """Return ratio · population, rounded up."""
        return ceil(self.ratio * population)

    def survive(self, parents: Population, offspring: Population, rng: Stream) -> Population:
        """Return the best offspring, as many as there are parents. Raises RunError where they are too few."""
        if len(offspring) < len(parents):
            raise RunError(f"comma replacement needs at least {len(parents)} offspring, found {len(offspring)}")
        return offspring.take(fittest(scalar(offspring.fitness), len(parents)))


class Generational(Replacement):
    """The offspring replace the parents, but for an elite.  Reference: De Jong 1975.

    Offspring are not compared: where they are more than the places, the first live on; where fewer, more parents do.
    """

    elites: int = Field(1, ge=0)
    """Number of the best parents that live on unchanged."""

    def offspring(self, population: int) -> int:
        """Return the number of places that the elite leaves."""
        return max(1, population - self.elites)

    def survive(self, parents: Population, offspring: Population, rng: Stream) -> Population:
        """Return the elite and the offspring, as many as there are parents."""
        places = max(0, min(len(offspring), len(parents) - self.elites))
        elite = best_first(scalar(parents.fitness))[: len(parents) - places]
        return joined(offspring, np.arange(places), parents, elite)


def fittest(fitness: Array, n: int) -> Array:
    """Return the indices, rising, of the n greatest of `fitness` [P]; of equals, those that stand first."""
    if n >= len(fitness):
        return np.arange(len(fitness))
    # the n-th greatest parts the two without sorting either
    border = np.partition(fitness, len(fitness) - n)[len(fitness) - n]
    chosen = fitness > border
    chosen[np.flatnonzero(fitness == border)[: n - np.count_nonzero(chosen)]] = True
    return np.flatnonzero(chosen)


def joined(offspring: Population, born: Array, parents: Population, kept: Array) -> Population:
    """Return the offspring at `born` and the parents at `kept`, a step older."""
    if len(kept) == 0:
        return offspring.take(born)
    return Population.concatenated([offspring.take(born), parents.take(kept).older()])
