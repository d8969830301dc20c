# SPDX-License-Identifier: MIT OR Apache-2.0
"""Breeding: from a population to the genes of its offspring, by selection, crossover and mutation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from vynapse_core import Array, Clock, Crossover, Device, Genes, Mutation, Population, Selector, Streams
from vynapse_evolution.crossover import Clone
from vynapse_evolution.mixture import mixture

Breed: TypeAlias = Callable[[Population, int, Clock], tuple[Genes, Array]]


def breeding(
    selectors: Sequence[Selector],
    crossover: Crossover,
    mutations: Sequence[Mutation],
    device: Device,
    streams: Streams,
) -> Breed:
    """Return the function (population, n, clock) -> genes of n offspring, parents' ids int64 [n, 2].

    The ids are mother, father (−1 for none). Parents are paired at random, and the fitter of a pair is the mother.
    Without a crossover each child has one parent. Operators act in the form that suits the device, and draw from
    streams of their own at each step.
    """
    select = mixture(selectors, device)
    pair = pairing(device)
    take = taking(device)
    cross = None if isinstance(crossover, Clone) else crossover.on(device)
    changes = [mutation.on(device) for mutation in mutations]
    selecting, crossing, changing = (streams.within(role) for role in ("selection", "crossover", "mutation"))

    def breed(population: Population, n: int, clock: Clock) -> tuple[Genes, Array]:
        fitness, step = population.fitness, clock.step
        if cross is None:
            mothers = select(fitness, n, selecting(step))
            genes = take(population.genes, mothers)
            parents = np.stack([population.ids[mothers], np.full(n, -1)], axis=1)
        else:
            chosen = select(fitness, 2 * n, selecting(step))
            mothers, fathers, parents = pair(fitness, population.ids, chosen)
            genes = cross(population.genes, mothers, fathers, crossing(step), clock)
        for index, change in enumerate(changes):
            genes = change(genes, changing(step, index), clock)
        return genes, parents

    return breed


def taking(device: Device) -> Callable[[Genes, Array], Genes]:
    """Return the function (genes, chosen) -> copies of the chosen, on all threads where the device compiles."""
    if not device.compiles:
        return Genes.take
    from vynapse_evolution.routines import for_genes
    from vynapse_evolution.routines.selection import rows

    form = for_genes(device, rows)

    def take(genes: Genes, chosen: Array) -> Genes:
        run = form(genes.values)
        if run is None or genes.structure:
            return genes.take(chosen)
        values = np.empty((len(chosen), genes.values.shape[1]), genes.values.dtype)
        run(len(chosen), np.ascontiguousarray(genes.values), chosen, values)
        return Genes(values, bounds=genes.bounds)

    return take


def pairing(device: Device) -> Callable[[Array, Array, Array], tuple[Array, Array, Array]]:
    """Return the function (fitness [P], ids [P], chosen [2 n]) -> mothers [n], fathers [n], their ids [n, 2]."""
    if not device.compiles:
        return couples
    from vynapse_evolution.routines.selection import couples as routine

    run = device.routine(routine)

    def compiled(fitness: Array, ids: Array, chosen: Array) -> tuple[Array, Array, Array]:
        n = len(chosen) // 2
        mothers, fathers, parents = np.empty(n, np.int64), np.empty(n, np.int64), np.empty((n, 2), np.int64)
        run(n, fitness, ids, chosen, mothers, fathers, parents)
        return mothers, fathers, parents

    return compiled


def couples(fitness: Array, ids: Array, chosen: Array) -> tuple[Array, Array, Array]:
    """Pair chosen i with chosen n + i: the fitter, of equals the first, is the mother."""
    pairs = chosen.reshape(2, -1)
    fitter = np.argmax(fitness[pairs], axis=0)
    everyone = np.arange(pairs.shape[1])
    mothers, fathers = pairs[fitter, everyone], pairs[1 - fitter, everyone]
    return mothers, fathers, np.stack([ids[mothers], ids[fathers]], axis=1)
