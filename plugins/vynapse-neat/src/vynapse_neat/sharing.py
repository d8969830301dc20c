# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fitness sharing: how many offspring each species has, and which of its members breed.

A species' share of the next generation follows the mean fitness of its members, so that no species takes over by its
size. Whatever the fitness is, all of it negative, none of it finite, all species stagnant, the quotas sum to the
population's size: a population cannot die out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from pydantic import Field

from vynapse_core import Settings
from vynapse_neat.species import Measure, by_species, worths

if TYPE_CHECKING:
    from vynapse_core import Array
    from vynapse_neat.species import Species

Quotas: TypeAlias = Literal["proportional", "neat-python", "tensorneat"]

LARGE = 1e280
"""A fitness that lies further from 0 is scaled down before sums are made of it."""
FEW = 512
"""So many individuals are soonest sorted by two keys at once."""


class Sharing(Settings):
    """How species share offspring."""

    quotas: Quotas = "proportional"
    """"proportional" to the mean fitness, rounded by largest remainder; "neat-python": half way from the size that a
    species has to the one it deserves by its mean fitness; "tensorneat": the same, but it deserves by its rank."""
    survival: float = Field(0.2, gt=0, le=1)
    """Share of each species that breeds, the best of it, rounded up; within (0, 1]."""
    fewest_parents: int = Field(1, ge=1)
    """So many of a species breed at least, where it has them; at least 1. neat-python: 2."""
    champion_size: int = Field(5, ge=0)
    """The best member of a species with more members than this is copied unchanged; at least 0."""
    elites: int = Field(0, ge=0)
    """So many of each species' best are copied unchanged, however small the species is; at least 0."""
    least: int = Field(0, ge=0)
    """Least quota of a species that breeds; at least 0. Where there are too many species, all have as much as fits."""
    stagnation: int = Field(15, ge=0)
    """A species that has not surpassed its best for so many steps has no offspring; 0 for never."""
    population_stagnation: int = Field(20, ge=0)
    """Where no individual has set a record for so many steps, only the two best species breed; 0 for never."""
    spared: int = Field(1, ge=1)
    """So many of the best species breed though they stagnate; at least 1."""
    worst_age: int = Field(0, ge=0)
    """Of the species older than this, in steps, the worst has no offspring, but where it is the best of all; 0 for
    never. Stanley & Miikkulainen 2004 (JAIR 21), appendix A: 30."""
    measure: Measure = "best"
    """What a species is worth when the best ones are looked for."""
    young_age: int = Field(10, ge=0)
    """A species younger than this, in steps, is young."""
    young_factor: float = Field(1.0, gt=0)
    """Factor of a young species' mean fitness; above 0."""
    old_age: int = Field(30, ge=0)
    """A species older than this, in steps, is old."""
    old_factor: float = Field(1.0, gt=0)
    """Factor of an old species' mean fitness; above 0."""


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


def shares(species: Species, fitness: Array, size: int, step: int, sharing: Sharing) -> Shares:
    """Return the shares in a next generation of `size` individuals, by `fitness` float64 [P].

    `species` have been `measured` in this step. Where no fitness is finite, nobody is better than another: all species
    breed, and have equal quotas. A fitness that is not finite counts as the lowest in all else. Raises ValueError
    where there is no species, or nobody to be born.
    """
    count = len(species)
    if count == 0 or size < 1:
        raise ValueError(f"cannot share {size} offspring among {count} species")
    of, sizes = species.species_of, species.sizes
    finite = np.isfinite(fitness)
    known = fitness if finite.all() else np.where(finite, fitness, -np.inf)
    members, first = _best_first(of, known, count), np.cumsum(sizes) - sizes
    worth = known[members[first]] if sharing.measure == "best" else worths(species, known, sharing.measure)
    ranking = np.argsort(-worth, kind="stable")
    stagnant, refocused = _stagnant(species, ranking, step, sharing)
    if not finite.any():
        stagnant, refocused = np.zeros(count, np.bool_), False
    breeding = np.flatnonzero(~stagnant)
    quota = np.zeros(count, np.int64)
    if sharing.quotas == "neat-python":
        means = _means(of, sizes, known, ~stagnant[of] & finite, False)[breeding]
        quota[breeding] = smoothed(means, sizes[breeding], size, max(sharing.least, sharing.elites))
    elif sharing.quotas == "tensorneat":
        best_first = ranking[~stagnant[ranking]]
        quota[best_first] = ranked(sizes[best_first], size, sharing.least)
    else:
        age = step - species.created
        factors = np.where(age < sharing.young_age, sharing.young_factor, 1.0)
        factors *= np.where(age > sharing.old_age, sharing.old_factor, 1.0)
        means = (_means(of, sizes, known, finite, True) * factors)[breeding]
        quota[breeding] = proportional(means, size, sharing.least)
    fit = np.bincount(of[finite], minlength=count)
    parents = np.ceil(sharing.survival * sizes - 1e-9).astype(np.int64)
    parents = np.minimum(np.maximum(parents, sharing.fewest_parents), np.where(fit > 0, fit, sizes))
    elites = np.maximum(np.where(sizes > sharing.champion_size, 1, 0), sharing.elites)
    return Shares(
        quota=quota,
        elites=np.minimum(np.minimum(elites, quota), fit),
        members=members,
        first=first,
        parents=parents,
        stagnant=stagnant,
        refocused=refocused,
    )


def proportional(means: Array, size: int, least: int = 0) -> Array:
    """Return quotas int64 [S] that sum to `size`, in proportion to `means` [S] >= 0, by largest remainder.

    Where all means are 0 they are equal, and so are the quotas. Of equal remainders the first is the largest. Each
    quota is at least `least`, or as much as fits.
    """
    count = len(means)
    least = min(least, size // count)
    rest = size - least * count
    total = means.sum()
    exact = means / total * rest if total > 0 else np.full(count, rest / count)
    quota = np.floor(exact).astype(np.int64)
    quota[np.argsort(quota - exact, kind="stable")[: rest - int(quota.sum())]] += 1
    shared: Array = quota + least
    return shared


def smoothed(means: Array, sizes: Array, size: int, least: int) -> Array:
    """Return quotas int64 [S] that sum to `size`, half way from `sizes` to what `means` [S], 0 to 1, call for.

    Each is at least `least`, 1 or more, or as much as fits. What rounding adds is taken from the largest, what it takes
    is given to the smallest, in turns. neat-python 2.0, `DefaultReproduction.compute_spawn`.
    """
    count = len(means)
    if size < count:
        return proportional(means, size)
    least = min(max(least, 1), size // count)
    total = means.sum()
    wanted = np.maximum(least, means / total * size) if total > 0 else np.full(count, float(least))
    half = (wanted - sizes) * 0.5
    moved = np.rint(half)
    quota = sizes + np.where(moved != 0, moved, np.sign(half))
    return _evened(np.maximum(least, np.rint(quota * (size / quota.sum()))).astype(np.int64), size, least)


def ranked(sizes: Array, size: int, least: int) -> Array:
    """Return quotas int64 [S] that sum to `size`, half way from `sizes`, best species first, to linear ranking.

    Each is at least `least`, 1 or more, or as much as fits. What rounding adds or takes is the best one's, as far as it
    reaches. TensorNEAT, `SpeciesController`.
    """
    count = len(sizes)
    if size < count:
        return proportional(np.zeros(count), size)
    least = min(max(least, 1), size // count)
    shares = np.arange(count, 0, -1) / (count * (count + 1) / 2)
    wanted = np.floor(shares * size)
    quota = np.maximum(least, np.trunc(sizes + (wanted - sizes) * 0.5)).astype(np.int64)
    quota[0] = max(least, quota[0] + size - int(quota.sum()))
    return _evened(quota, size, least)


def _evened(quota: Array, size: int, least: int) -> Array:
    """Return quotas that sum to `size`: the smallest gain, the largest lose, in turns, none of them below `least`."""
    whole = quota.copy()
    while (missing := size - int(whole.sum())) != 0:
        order = np.argsort(whole if missing > 0 else -whole, kind="stable")
        if missing < 0:
            order = order[whole[order] > least]
        whole[order[: abs(missing)]] += np.sign(missing)
    return whole


def _stagnant(species: Species, ranking: Array, step: int, sharing: Sharing) -> tuple[Array, bool]:
    """Return which species have no offspring, bool [S], and whether that is because the population stagnates."""
    count = len(species)
    if 0 < sharing.population_stagnation <= step - species.record_step:
        stagnant = np.ones(count, np.bool_)
        stagnant[ranking[:2]] = False
        return stagnant, True
    stagnant = np.zeros(count, np.bool_)
    if sharing.stagnation:
        stagnant = step - species.improved >= sharing.stagnation
        stagnant[ranking[: sharing.spared]] = False
    if sharing.worst_age:
        old = ranking[1:][step - species.created[ranking[1:]] > sharing.worst_age]
        stagnant[old[-1:]] = True
    return stagnant, False


def _means(species_of: Array, sizes: Array, fitness: Array, counted: Array, absolute: bool) -> Array:
    """Return each species' mean fitness, at least 0, float64 [S]; −inf counts as the lowest that is `counted`.

    Fitness is shifted by the lowest: always, and divided by the range or 1 (neat-python's way), or, where `absolute`,
    only if the lowest is negative, as canonical NEAT takes positive fitness as it is.
    """
    if not counted.any():
        return np.zeros(len(sizes))
    known = fitness[counted]
    low, high, unit = float(known.min()), float(known.max()), 1.0
    if max(-low, high) > LARGE:
        # a power of two changes no bits, and keeps sums and differences finite
        exponent = math.frexp(max(-low, high))[1] + 1
        low, high, unit = (math.ldexp(each, -exponent) for each in (low, high, unit))
        fitness = np.ldexp(fitness, -exponent)
    scaled = np.maximum(fitness, low)
    if absolute:
        scaled -= min(low, 0.0)
    else:
        scaled -= low
        scaled /= max(unit, high - low)
    sums = np.bincount(species_of, scaled, minlength=len(sizes))
    means: Array = sums / sizes
    return means


def _best_first(species_of: Array, fitness: Array, count: int) -> Array:
    """Return the individuals by species, within a species by fitness; equals keep their order."""
    if len(fitness) <= FEW:
        few: Array = np.lexsort((-fitness, species_of))
        return few
    # equals are put in order afterwards: a sort that keeps theirs takes six times as long
    order = np.argsort(-fitness)
    ordered = fitness[order]
    falls = ordered[1:] != ordered[:-1]
    if not falls.all():
        ranks = np.zeros(len(order), np.int64)
        np.cumsum(falls, out=ranks[1:])
        ranks *= len(order)
        order = np.sort(ranks + order) - ranks
    members: Array = order[by_species(species_of[order], count)]
    return members
