# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fitness sharing: how many offspring each species has, and which of its members breed.

A species' share of the next generation follows the mean fitness of its members, so that no species takes over by its
size. Whatever the fitness is, all of it negative, none of it finite, all species stagnant, the quotas sum to the
population's size: a population cannot die out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import routine, routine_part
from vynapse_neat.quotas import proportional, ranked, smoothed
from vynapse_neat.radix import ALL, BASE, DIGITS, ascending, falling
from vynapse_neat.ranking import best_first
from vynapse_neat.sharing import (
    CHAMPION_SIZE,
    ELITES,
    FEWEST_PARENTS,
    LEAST,
    MEASURE,
    OLD_AGE,
    OLD_FACTOR,
    POPULATION_STAGNATION,
    QUOTAS,
    RANKED,
    SMOOTHED,
    SPARED,
    STAGNATION,
    SURVIVAL,
    WORST_AGE,
    YOUNG_AGE,
    YOUNG_FACTOR,
)
from vynapse_neat.species import means_of_finite

if TYPE_CHECKING:
    from vynapse_core import Array, Device
    from vynapse_neat.species import Species

LARGE = 1e280
"""A fitness that lies further from 0 is scaled down before sums are made of it."""


@dataclass(frozen=True)
class Shares:
    """What each of S species gives to the next generation."""

    quota: Array
    """int64 [S], numbers of offspring; they sum to the population's size."""
    elites: Array
    """int64 [S], how many of the quota are copies of the best members, unchanged."""
    members: Array
    """int64 [P], the individuals by species, each species' best first; equals in their order."""
    first: Array
    """int64 [S], where in `members` each species begins."""
    parents: Array
    """int64 [S], how many of a species breed, from `first` on; at least 1."""
    stagnant: Array
    """bool [S], which species were denied offspring because they stagnate."""
    refocused: bool
    """Whether only the two best species breed because the population stagnates: `refocused` in `species` is due."""


def shares(species: Species, fitness: Array, size: int, step: int, rules: Array, device: Device) -> Shares:
    """Return the shares in a next generation of `size` individuals, by `fitness` float64 [P] and `sharing_rules`.

    `species` have been `measured` in this step. Where no fitness is finite, nobody is better than another: all species
    breed, and have equal quotas. A fitness that is not finite counts as the lowest in all else. Raises ValueError
    where there is no species, or nobody to be born.
    """
    count, population = len(species), len(fitness)
    if count == 0 or size < 1:
        raise ValueError(f"cannot share {size} offspring among {count} species")
    members, order, space = np.empty((3, population), np.int64)
    quota, elites, first, parents, *of_species = np.empty((8, count), np.int64)
    stagnant, refocused = np.empty(count, np.uint8), np.empty(1, np.int64)
    device.routine(_shared)(
        1,
        rules,
        size,
        step - species.record_step,
        step,
        species.species_of,
        species.created,
        species.improved,
        fitness,
        fitness.view(np.uint64),
        np.empty(population),
        np.empty(population, np.uint64),
        order,
        space,
        np.empty((DIGITS, BASE), np.int32),
        *of_species,
        *np.empty((3, count)),
        members,
        quota,
        elites,
        first,
        parents,
        stagnant,
        refocused,
    )
    return Shares(quota, elites, members, first, parents, stagnant.view(np.bool_), bool(refocused[0]))


@routine(
    "float64[:], int64, int64, int64, int64[:], int64[:], int64[:], float64[:], uint64[:], float64[:], uint64[:], "
    "int64[:], int64[:], int32[:, :], "
    "int64[:], int64[:], int64[:], int64[:], float64[:], float64[:], float64[:], "
    "int64[:], int64[:], int64[:], int64[:], int64[:], uint8[:], int64[:]",
    distinct=True,
)
def _shared(
    begin: Any, end: Any, rules: Any, size: Any, since_record: Any, step: Any, species_of: Any, created: Any,
    improved: Any, fitness: Any, bits: Any, known: Any, keys: Any, everyone: Any, all_space: Any, counts: Any,
    sizes: Any, fit: Any, order: Any, space: Any,
    worth: Any, means: Any, scratch: Any,
    members: Any, quota: Any, elites: Any, first: Any, parents: Any, stagnant: Any, refocused: Any,
) -> None:  # fmt: skip
    """Share the offspring of all species: a single row."""
    count = np.int64(len(quota))
    anybody = counted(species_of, fitness, count, known, sizes, fit)
    by_fitness(species_of, known, bits, count, sizes, first, members, keys, everyone, all_space, counts)
    for s in range(count):
        worth[s] = known[members[first[s]]]
    if rules[MEASURE] != 0.0:
        means_of_finite(species_of, known, count, fit, worth)
    for s in range(count):
        order[s] = s
    best_first(order, np.int64(0), count, worth, space)
    refocused[0] = stagnating(rules, since_record, step, created, improved, count, order, stagnant)
    if not anybody:
        refocused[0] = 0
        for s in range(count):
            stagnant[s] = 0
    mean_fitness(rules, species_of, known, sizes, count, stagnant, means)
    # those that breed, in the order that their quotas go by
    breeding = np.int64(0)
    for i in range(count):
        s = order[i] if rules[QUOTAS] == RANKED else i
        quota[s] = 0
        if stagnant[s] == 0:
            space[breeding] = s
            breeding += 1
    for i in range(breeding):
        order[i] = space[i]
    apportioned(rules, size, step, created, sizes, order, breeding, means, quota, elites, space, scratch)
    for s in range(count):
        wanted = max(np.int64(np.ceil(rules[SURVIVAL] * sizes[s] - 1e-9)), np.int64(rules[FEWEST_PARENTS]))
        parents[s] = min(wanted, fit[s] if fit[s] > 0 else sizes[s])
        kept = max(np.int64(sizes[s] > rules[CHAMPION_SIZE]), np.int64(rules[ELITES]))
        elites[s] = min(min(kept, quota[s]), fit[s])


@routine_part
def counted(species_of: Any, fitness: Any, count: Any, known: Any, sizes: Any, fit: Any) -> Any:
    """Write the fitness that counts, −inf for what is not finite, and the numbers of members and of finite ones.

    Return whether any fitness is finite.
    """
    anybody = False
    for s in range(count):
        sizes[s] = 0
        fit[s] = 0
    for i in range(len(species_of)):
        finite = abs(fitness[i]) < np.inf
        known[i] = fitness[i] if finite else -np.inf
        sizes[species_of[i]] += 1
        fit[species_of[i]] += np.int64(finite)
        anybody = anybody or finite
    return anybody


@routine_part
def by_fitness(
    species_of: Any, known: Any, bits: Any, count: Any, sizes: Any, first: Any, members: Any, keys: Any, order: Any,
    space: Any, counts: Any,
) -> None:  # fmt: skip
    """Write the individuals by species, within a species best first; equals keep their order."""
    for i in range(len(species_of)):
        keys[i] = falling(bits[i]) if known[i] > -np.inf else ALL
        order[i] = i
    ascending(keys, order, np.int64(len(species_of)), space, counts)
    begin = np.int64(0)
    for s in range(count):
        first[s] = begin
        begin += sizes[s]
    for i in range(len(species_of)):
        s = species_of[order[i]]
        members[first[s]] = order[i]
        first[s] += 1
    for s in range(count):
        first[s] -= sizes[s]


@routine_part
def stagnating(
    rules: Any, since_record: Any, step: Any, created: Any, improved: Any, count: Any, order: Any, stagnant: Any
) -> Any:
    """Say which species have no offspring; `order` has them best first. Return 1 where the population stagnates."""
    if rules[POPULATION_STAGNATION] > 0.0 and since_record >= rules[POPULATION_STAGNATION]:
        for i in range(count):
            stagnant[order[i]] = np.uint8(i >= 2)
        return np.int64(1)
    for i in range(count):
        s = order[i]
        idle = rules[STAGNATION] > 0.0 and step - improved[s] >= rules[STAGNATION] and i >= rules[SPARED]
        stagnant[s] = np.uint8(idle)
    if rules[WORST_AGE] > 0.0:
        for i in range(count - 1):
            s = order[count - 1 - i]
            if step - created[s] > rules[WORST_AGE]:
                stagnant[s] = 1
                break
    return np.int64(0)


@routine_part
def mean_fitness(
    rules: Any, species_of: Any, known: Any, sizes: Any, count: Any, stagnant: Any, means: Any
) -> None:  # fmt: skip
    """Write each species' mean fitness, at least 0; −inf counts as the lowest that is counted.

    Fitness is shifted by the lowest: only if that is negative, as canonical NEAT takes positive fitness as it is; by
    neat-python's rule always, among the species that breed, and divided by the range or 1.
    """
    shifted = rules[QUOTAS] == SMOOTHED
    low, high = np.inf, -np.inf
    for i in range(len(known)):
        if known[i] > -np.inf and not (shifted and stagnant[species_of[i]]):
            low = min(low, known[i])
            high = max(high, known[i])
    for s in range(count):
        means[s] = 0.0
    if low > high:
        return
    # a power of two changes no bits, and keeps sums and differences finite
    unit = 1.0
    if max(-low, high) > LARGE:
        while max(-low, high) * unit >= 0.5:
            unit *= 0.5
    low *= unit
    high *= unit
    base = low if shifted else min(low, 0.0)
    divisor = max(unit, high - low) if shifted else 1.0
    for i in range(len(known)):
        means[species_of[i]] += (max(known[i] * unit, low) - base) / divisor
    for s in range(count):
        means[s] /= sizes[s]


@routine_part
def apportioned(
    rules: Any, size: Any, step: Any, created: Any, sizes: Any, breeding: Any, count: Any, means: Any, quota: Any,
    order: Any, space: Any, worth: Any,
) -> None:  # fmt: skip
    """Write the quotas of the species that breed."""
    if rules[QUOTAS] == SMOOTHED:
        least = np.int64(max(rules[LEAST], rules[ELITES]))
        smoothed(breeding, count, means, sizes, size, least, quota, order, space, worth)
        return
    if rules[QUOTAS] == RANKED:
        ranked(breeding, count, sizes, size, np.int64(rules[LEAST]), quota, order, space, worth)
        return
    for i in range(count):
        age = step - created[breeding[i]]
        if age < rules[YOUNG_AGE]:
            means[breeding[i]] *= rules[YOUNG_FACTOR]
        if age > rules[OLD_AGE]:
            means[breeding[i]] *= rules[OLD_FACTOR]
    proportional(breeding, count, means, size, np.int64(rules[LEAST]), quota, order, space, worth)
