# SPDX-License-Identifier: MIT OR Apache-2.0
"""The species of a population, and how they pass from one generation to the next.

Species stand oldest first, which is the order in which a genome looks for the one it fits. Ids are never used again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from vynapse_core import Array, Genes

if TYPE_CHECKING:
    from vynapse_neat.clustering import Placement

Measure: TypeAlias = Literal["best", "mean"]
"""What a species is worth: its best member's fitness, or the mean of all."""


@dataclass(frozen=True)
class Species:
    """S species of P individuals, none of them empty."""

    ids: Array
    """int64 [S], ascending."""
    created: Array
    """int64 [S], the step in which each was founded."""
    improved: Array
    """int64 [S], the step in which each last surpassed its best."""
    best: Array
    """float64 [S], the most that each was ever worth; −inf before it was measured."""
    representatives: Genes
    """[S], what genomes of the next generation are compared with."""
    species_of: Array
    """int64 [P], for each individual the index of its species."""
    next_id: int
    """The id of the species that is founded next."""
    record: float
    """The greatest finite fitness that any individual ever had; −inf before there was one."""
    record_step: int
    """The step in which the record was set."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def sizes(self) -> Array:
        """Numbers of members, int64 [S]."""
        return np.bincount(self.species_of, minlength=len(self))


def no_species(genes: Genes) -> Species:
    """Return the species before there are any; `genes` show what genomes look like."""
    none = np.empty(0, np.int64)
    return Species(none, none, none, np.empty(0), genes.take(slice(0)), none, 0, -np.inf, 0)


def succeeded(species: Species, placement: Placement, genes: Genes, step: int, words: Array | None = None) -> Species:
    """Return the species of `genes` [P], placed in this `step` among those of the generation before.

    Species without members are gone, new ones get the next ids. With `words`, uint64 [>= S], a random member
    represents each species (Stanley & Miikkulainen 2002, section 3.3); without, its centre. Raises ValueError where a
    centre is asked for and not there.
    """
    existing, count = len(species), len(placement.centres)
    new = count - existing
    sizes = np.bincount(placement.species_of, minlength=count)
    kept = np.flatnonzero(sizes)
    place = np.full(count, -1, np.int64)
    place[kept] = np.arange(len(kept))
    species_of = place[placement.species_of]
    rows = placement.centres[kept] if words is None else _random_members(species_of, sizes[kept], words)
    if rows.min(initial=0) < 0:
        raise ValueError("a species has no centre in the population; give words to draw its representative with")
    fresh = np.full(new, step, np.int64)
    ids = np.concatenate([species.ids, np.arange(species.next_id, species.next_id + new, dtype=np.int64)])
    return replace(
        species,
        ids=ids[kept],
        created=np.concatenate([species.created, fresh])[kept],
        improved=np.concatenate([species.improved, fresh])[kept],
        best=np.concatenate([species.best, np.full(new, -np.inf)])[kept],
        representatives=genes.take(rows),
        species_of=species_of,
        next_id=species.next_id + new,
    )


def measured(species: Species, fitness: Array, step: int, measure: Measure = "best") -> Species:
    """Return the species with their improvements, and the record, brought up to `fitness` [P] of this `step`.

    A fitness that is not finite counts as none: a species without any other has not improved.
    """
    worth = worths(species, fitness, measure)
    better = worth > species.best
    top = float(fitness.max(where=np.isfinite(fitness), initial=-np.inf))
    return replace(
        species,
        improved=np.where(better, step, species.improved),
        best=np.where(better, worth, species.best),
        record=max(species.record, top),
        record_step=step if top > species.record else species.record_step,
    )


def worths(species: Species, fitness: Array, measure: Measure = "best") -> Array:
    """Return what each species is worth, float64 [S]; −inf for one that has no member with a finite fitness."""
    of, finite = species.species_of, np.isfinite(fitness)
    if not finite.all():
        of, fitness = of[finite], fitness[finite]
    if measure == "best":
        worth = np.full(len(species), -np.inf)
        np.maximum.at(worth, of, fitness)
        return worth
    counts = np.bincount(of, minlength=len(species))
    # a share of each before the sum, so that it cannot overflow
    sums = np.bincount(of, fitness / counts[of], minlength=len(species))
    return np.where(counts > 0, sums, -np.inf)


def refocused(species: Species, rows: Array, step: int) -> Species:
    """Return the species after only those at `rows` bred because the population stagnated.

    Their time begins again, and the population's: the next such step is as far away as the first one was. Stanley's
    program (NEAT C++) does so; the paper leaves it open.
    """
    improved = species.improved.copy()
    improved[rows] = step
    return replace(species, improved=improved, record_step=step)


def by_species(species_of: Array, count: int) -> Array:
    """Return the individuals ordered by species, int64 [P]; those of one species keep their order."""
    # NumPy sorts 16 bits by radix, in a tenth of the time
    order: Array = np.argsort(species_of.astype(np.uint16) if count <= 2**16 else species_of, kind="stable")
    return order


def _random_members(species_of: Array, sizes: Array, words: Array) -> Array:
    members = by_species(species_of, len(sizes))
    # 32 random bits times a size below 2^32 fit into a word
    number = ((words[: len(sizes)] >> np.uint64(32)) * sizes.astype(np.uint64)) >> np.uint64(32)
    rows: Array = members[np.cumsum(sizes) - sizes + number.astype(np.int64)]
    return rows
