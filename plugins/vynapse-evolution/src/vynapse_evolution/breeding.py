# SPDX-License-Identifier: MIT OR Apache-2.0
"""Breeding: from a population to the genes of its offspring, by selection, crossover and mutation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vynapse_core import Array, Clock, Crossover, Genes, Mutation, Population, Selector, Streams
from vynapse_evolution.crossover import Clone
from vynapse_evolution.mixture import select


def breed(
    population: Population,
    n: int,
    selectors: Sequence[Selector],
    crossover: Crossover,
    mutations: Sequence[Mutation],
    streams: Streams,
    clock: Clock,
) -> tuple[Genes, Array]:
    """Return the genes of n offspring, and their parents' ids int64 [n, 2]: mother, father (−1 for none).

    Parents are paired at random, and the fitter of a pair is the mother. Without a crossover each child has one parent.
    """
    fitness, step = population.fitness, clock.step
    if isinstance(crossover, Clone):
        mothers = select(selectors, fitness, n, streams("selection", step))
        genes = population.genes.take(mothers)
        parents = np.stack([population.ids[mothers], np.full(n, -1)], axis=1)
    else:
        pairs = select(selectors, fitness, 2 * n, streams("selection", step)).reshape(2, n)
        fitter = np.argmax(fitness[pairs], axis=0)
        mothers, fathers = pairs[fitter, np.arange(n)], pairs[1 - fitter, np.arange(n)]
        rng = streams("crossover", step)
        genes = crossover.cross(population.genes.take(mothers), population.genes.take(fathers), rng, clock)
        parents = np.stack([population.ids[mothers], population.ids[fathers]], axis=1)
    for index, mutation in enumerate(mutations):
        genes = mutation.mutate(genes, streams("mutation", step, index), clock)
    return genes, parents
