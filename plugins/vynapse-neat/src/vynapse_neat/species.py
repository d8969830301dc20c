# SPDX-License-Identifier: MIT OR Apache-2.0
"""The species of a population, and how they pass from one generation to the next.

Species stand oldest first, which is the order in which a genome looks for the one it fits. Ids are never used again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from vynapse_core import Array, Genes, routine, routine_part
from vynapse_neat.draws import below

if TYPE_CHECKING:
    from vynapse_core import Device
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
    sizes: Array
    """int64 [S], numbers of members."""
    tops: Array
    """float64 [S], the fitness of each species' best member; −inf where nobody's is finite."""
    means: Array
    """float64 [S], the mean fitness of those members whose fitness is finite; −inf where there is none."""
    next_id: int
    """The id of the species that is founded next."""
    record: float
    """The greatest finite fitness that any individual ever had; −inf before there was one."""
    record_step: int
    """The step in which the record was set."""

    def __len__(self) -> int:
        return len(self.ids)


def no_species(genes: Genes) -> Species:
    """Return the species before there are any; `genes` show what genomes look like."""
    none, nothing = np.empty(0, np.int64), np.empty(0)
    return Species(none, none, none, nothing, genes.take(slice(0)), none, none, nothing, nothing, 0, -np.inf, 0)


def succeeded(
    species: Species,
    placement: Placement,
    genes: Genes,
    fitness: Array,
    step: int,
    device: Device,
    measure: Measure = "best",
    words: Array | None = None,
) -> Species:
    """Return the species of `genes` [P] of `fitness` float64 [P], placed in this `step` among those before.

    Species without members are gone, new ones get the next ids. With `words`, uint64 [>= S], a random member
    represents each species (Stanley & Miikkulainen 2002, section 3.3); without, its centre. A species improves when it
    surpasses its best by `measure`; a fitness that is not finite counts as none. Raises ValueError where a centre is
    asked for and not there.
    """
    known, all_species = len(species), len(placement.centres)
    species_of, found, record = np.empty(len(fitness), np.int64), np.zeros(1, np.int64), np.empty(1)
    ids, created, improved, sizes, rows = np.empty((5, all_species), np.int64)
    best, tops, means = np.empty((3, all_species), np.float64)
    device.routine(_succeeded)(
        1,
        placement.species_of,
        placement.centres,
        np.empty(0, np.uint64) if words is None else words,
        fitness,
        int(measure == "mean"),
        step,
        species.next_id,
        species.ids,
        species.created,
        species.improved,
        species.best,
        *np.empty((2, all_species), np.int64),
        species_of,
        ids,
        created,
        improved,
        sizes,
        rows,
        best,
        tops,
        means,
        found,
        record,
    )
    s = int(found[0])
    rows = rows[:s]
    if s and rows.min() < 0:
        raise ValueError("a species has no centre in the population; give words to draw its representative with")
    top = float(record[0])
    return Species(
        ids=ids[:s],
        created=created[:s],
        improved=improved[:s],
        best=best[:s],
        representatives=genes.take(rows),
        species_of=species_of,
        sizes=sizes[:s],
        tops=tops[:s],
        means=means[:s],
        next_id=species.next_id + all_species - known,
        record=max(species.record, top),
        record_step=step if top > species.record else species.record_step,
    )


@routine(
    "int64[:], int64[:], uint64[:], float64[:], int64, int64, int64, int64[:], int64[:], int64[:], float64[:], "
    "int64[:], int64[:], int64[:], int64[:], int64[:], int64[:], int64[:], int64[:], float64[:], float64[:], "
    "float64[:], int64[:], float64[:]",
    distinct=True,
)
def _succeeded(
    first: Any, last: Any, placed: Any, centres: Any, words: Any, fitness: Any, by_mean: Any, step: Any, next_id: Any,
    old_ids: Any, old_created: Any, old_improved: Any, old_best: Any, place: Any, fit: Any,
    species_of: Any, ids: Any, created: Any, improved: Any, sizes: Any, rows: Any, best: Any, tops: Any, means: Any,
    found: Any, record: Any,
) -> None:  # fmt: skip
    """Go from the species before to those of a generation: a single row."""
    for k in range(len(centres)):
        place[k] = 0
    for i in range(len(placed)):
        place[placed[i]] += 1
    count, known = np.int64(0), np.int64(len(old_ids))
    for k in range(len(centres)):
        members = place[k]
        place[k] = count
        if members > 0:
            ids[count] = old_ids[k] if k < known else next_id + k - known
            created[count] = old_created[k] if k < known else step
            improved[count] = old_improved[k] if k < known else step
            best[count] = old_best[k] if k < known else -np.inf
            rows[count] = centres[k]
            sizes[count] = members
            count += 1
    found[0] = count
    record[0] = -np.inf
    for s in range(count):
        fit[s] = 0
        tops[s] = -np.inf
    for i in range(len(placed)):
        s = place[placed[i]]
        species_of[i] = s
        if abs(fitness[i]) < np.inf:
            fit[s] += 1
            tops[s] = max(tops[s], fitness[i])
            record[0] = max(record[0], fitness[i])
    means_of_finite(species_of, fitness, count, fit, means)
    for s in range(count):
        worth = means[s] if by_mean else tops[s]
        if worth > best[s]:
            best[s] = worth
            improved[s] = step
    if len(words) > 0:
        drawn_members(species_of, count, sizes, words, fit, rows)


@routine_part
def means_of_finite(species_of: Any, fitness: Any, count: Any, fit: Any, means: Any) -> None:
    """Write each species' mean of what is finite, −inf where nothing is; `fit` counts it."""
    for s in range(count):
        means[s] = 0.0 if fit[s] > 0 else -np.inf
    for i in range(len(fitness)):
        if abs(fitness[i]) < np.inf:
            # a share of each before the sum, so that it cannot overflow
            means[species_of[i]] += fitness[i] / fit[species_of[i]]


@routine_part
def drawn_members(species_of: Any, count: Any, sizes: Any, words: Any, left: Any, rows: Any) -> None:
    """Write a random member of each species."""
    for s in range(count):
        left[s] = below(words[s], sizes[s])
    for i in range(len(species_of)):
        s = species_of[i]
        if left[s] == 0:
            rows[s] = i
        left[s] -= 1


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
