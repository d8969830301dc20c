# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which genomes belong together: a population parted into species by distance.

Each way of parting begins with species that exist, oldest first, and may found others. A genome that fits no species
founds one, which those after it may join: this depends on order. So all genomes are first compared with what exists,
in parallel; the few that fit nowhere are taken in blocks, each block one by one, and what it founds is compared with
all behind it, in parallel again. The result is that of going through all genomes one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vynapse_core import routine
from vynapse_neat.columns import COLUMNS, LANES, compared
from vynapse_neat.distance import PART, SIDE, Side, distance

if TYPE_CHECKING:
    from vynapse_core import Array
    from vynapse_neat.comparing import Comparing

BLOCK = 256
"""Genomes without a species that are taken one by one before others are compared with what they found."""
OLD = -1
"""Stands where a species has no centre in the population: its representative is of an earlier generation."""


@dataclass(frozen=True)
class Placement:
    """Where genomes belong. Species that exist come first, in their order, then new ones; some may be empty."""

    species_of: Array
    """int64 [P], index of each genome's species."""
    centres: Array
    """int64 [K], for each species the genome that stands for it; OLD for that of an earlier generation."""


def first_compatible(comparing: Comparing, genomes: Side, representatives: Side, threshold: float) -> Placement:
    """Place each genome into the first species whose representative is nearer than `threshold`.

    A genome [P] that fits none founds a species and is its centre; species [S] and founders are gone through in order.
    Stanley & Miikkulainen 2002, section 3.3.
    """
    n, existing = genomes.population, representatives.population
    place = Placing(comparing, genomes, np.full(n, -1, np.int64), np.full(n, threshold, np.float64), False)
    centres = np.full(existing, OLD, np.int64)
    place.among(representatives, np.arange(n, dtype=np.int64), np.arange(existing, dtype=np.int64), centres, 0)
    return Placement(place.species_of, np.concatenate([centres, place.founders(existing)]))


def nearest_compatible(comparing: Comparing, genomes: Side, representatives: Side, threshold: float) -> Placement:
    """Place each genome into the nearest of the species whose centres are nearer than `threshold`.

    A species that exists [S] has the genome [P] nearest to its representative as centre; so none of them dies out.
    A genome that fits none founds a species and is its centre; it competes for the genomes behind it. Of equally near
    ones, the older species gets the genome. neat-python 2.0, `DefaultSpeciesSet.speciate`.
    """
    n, existing = genomes.population, representatives.population
    species_of, apart = np.empty(n, np.int64), np.empty(n, np.float64)
    centres, since = np.empty((2, existing), np.int64)
    place = Placing(comparing, genomes, species_of, apart, True)
    least, rows = _nearest_genomes(comparing, genomes, representatives)
    given = (threshold, comparing.terms, *genomes, *representatives)
    comparing.run(_claimed)(1, least, rows, *given, centres, since, species_of, apart)
    everyone = np.arange(n)
    place.among(genomes, everyone, centres, since, 0)
    if species_of.min(initial=0) >= 0:
        return Placement(species_of, centres)
    founders = place.founders(existing)
    place.among(genomes, everyone, founders, founders, existing)
    return Placement(species_of, np.concatenate([centres, founders]))


def _nearest_genomes(comparing: Comparing, genomes: Side, representatives: Side) -> tuple[Array, Array]:
    """Return for each part of the genomes which of them is nearest to each of the representatives [S].

    Distances float64 and rows int64, [parts, S] each. Of equally near ones, the first.
    """
    parts, existing = -(-genomes.population // PART), representatives.population
    least, rows = np.empty((parts, existing)), np.empty((parts, existing), np.int64)
    columns = comparing.columns(representatives, np.arange(existing))
    given = (parts, existing, comparing.terms, *genomes, *columns)
    comparing.run(_nearest)(*given, *comparing.scratch(genomes, parts), least, rows)
    comparing.done(columns)
    return least, rows


@dataclass(frozen=True)
class Placing:
    """What is common to the passes of a placement: `species_of` [P] and `apart` [P] are theirs to write."""

    comparing: Comparing
    genomes: Side
    species_of: Array
    apart: Array
    nearest: bool

    def among(self, others: Side, rows: Array, those: Array, since: Array, offset: int) -> None:
        """Compare `rows` with `others[those]`, species from `offset` on, each with those founded before it."""
        if len(rows) == 0 or len(those) == 0:
            return
        comparing, parts = self.comparing, -(-len(rows) // PART)
        columns = comparing.columns(others, those)
        given = (parts, rows, since, offset, int(self.nearest), comparing.terms, *self.genomes, *columns)
        comparing.run(_among)(*given, *comparing.scratch(self.genomes, parts), self.species_of, self.apart)
        comparing.done(columns)

    def founders(self, offset: int) -> Array:
        """Let those without a species found some, from `offset` on, and place all others; return the founders."""
        unplaced = np.flatnonzero(self.species_of < 0)
        founders = np.empty(0, np.int64)
        while len(unplaced):
            founded = self._block(unplaced[:BLOCK], offset + len(founders))
            unplaced = unplaced[BLOCK:]
            if len(unplaced):
                self.among(self.genomes, unplaced, founded, founded, offset + len(founders))
                unplaced = unplaced[self.species_of[unplaced] < 0]
            founders = np.concatenate([founders, founded])
        return founders

    def _block(self, rows: Array, offset: int) -> Array:
        """Place `rows`, none of which fits what exists, one by one; return the founders."""
        founders, count = np.empty(len(rows), np.int64), np.zeros(1, np.int64)
        given = (rows, offset, int(self.nearest), self.comparing.terms, *self.genomes)
        self.comparing.run(_block)(1, *given, self.species_of, self.apart, founders, count)
        return founders[: count[0]]


@routine(
    f"int64[:], int64[:], int64, int64, float64[:], {SIDE}, {COLUMNS}, float64[:, :], float64[:, :], float64[:, :], "
    "int32[:, :], int64[:], float64[:]",
    grain=2,
    distinct=True,
)
def _among(
    first: int, last: int, rows: Array, since: Array, offset: int, nearest: int, terms: Array,
    connections: Array, keys: Array, places: Array, values: Array, enabled: Array,
    nodes: Array, node: Array, activation: Array, aggregation: Array,
    all_keys: Array, links: Array, left: Array, sizes: Array, ids: Array, traits: Array, counts: Array, coming: Array,
    found: Array, matching: Array, beyond: Array, spots: Array, species_of: Array, apart: Array,
) -> None:  # fmt: skip
    """Place the rows of the parts from `first` to `last` among columns, each with those that were founded before it."""
    for part in range(first, last):
        for i in range(part * PART, min(part * PART + PART, len(rows))):
            row = rows[i]
            place = 0
            while place < len(since) and (nearest or since[place] < row):
                block = place // LANES
                compared(
                    terms, found[part], matching[part], beyond[part], spots[part],
                    row, connections, keys, places, values, enabled, nodes, node, activation, aggregation,
                    all_keys[block], links[block], left[block], sizes[block], ids[block], traits[block], counts[block],
                )  # fmt: skip
                for s in range(min(LANES, len(since) - place)):
                    if since[place + s] < row and found[part, s] < apart[row]:
                        species_of[row] = offset + place + s
                        if nearest == 0:
                            place = len(since)
                            break
                        apart[row] = found[part, s]
                place += LANES


@routine(
    f"int64, float64[:], {SIDE}, {COLUMNS}, float64[:, :], float64[:, :], float64[:, :], int32[:, :], float64[:, :], "
    "int64[:, :]",
    grain=2,
    distinct=True,
)
def _nearest(
    first: int, last: int, count: int, terms: Array,
    connections: Array, keys: Array, places: Array, values: Array, enabled: Array,
    nodes: Array, node: Array, activation: Array, aggregation: Array,
    all_keys: Array, links: Array, left: Array, sizes: Array, ids: Array, traits: Array, counts: Array, coming: Array,
    found: Array, matching: Array, beyond: Array, spots: Array, least: Array, rows: Array,
) -> None:  # fmt: skip
    """Find for each column the nearest genome in each of the parts from `first` to `last`."""
    for part in range(first, last):
        for j in range(count):
            least[part, j] = np.inf
            rows[part, j] = part * PART
        for row in range(part * PART, min(part * PART + PART, connections.shape[0])):
            for block in range(all_keys.shape[0]):
                compared(
                    terms, found[part], matching[part], beyond[part], spots[part],
                    row, connections, keys, places, values, enabled, nodes, node, activation, aggregation,
                    all_keys[block], links[block], left[block], sizes[block], ids[block], traits[block], counts[block],
                )  # fmt: skip
                for s in range(min(LANES, count - block * LANES)):
                    if found[part, s] < least[part, block * LANES + s]:
                        least[part, block * LANES + s] = found[part, s]
                        rows[part, block * LANES + s] = row


@routine(f"float64[:, :], int64[:, :], float64, float64[:], {SIDE}, {SIDE}, int64[:], int64[:], int64[:], float64[:]")
def _claimed(
    first: int, last: int, least: Array, rows: Array, threshold: float, terms: Array,
    connections_a: Array, keys_a: Array, places_a: Array, values_a: Array, enabled_a: Array,
    nodes_a: Array, node_a: Array, activation_a: Array, aggregation_a: Array,
    connections_b: Array, keys_b: Array, places_b: Array, values_b: Array, enabled_b: Array,
    nodes_b: Array, node_b: Array, activation_b: Array, aggregation_b: Array,
    centres: Array, since: Array, species_of: Array, apart: Array,
) -> None:  # fmt: skip
    """Give each representative, in turn, the nearest genome that no other one has got; OLD where none is left.

    That genome is of its species; all others have none yet. A species without a centre counts as founded by nobody.
    """
    population = len(species_of)
    for i in range(population):
        species_of[i] = -1
        apart[i] = threshold
    for j in range(len(centres)):
        centres[j] = OLD
        since[j] = population
        if j >= population:
            continue
        row, best = np.int64(-1), np.inf
        for part in range(least.shape[0]):
            candidate, near = rows[part, j], least[part, j]
            if species_of[candidate] >= 0:
                # another one has got the nearest of this part: the nearest of its others
                candidate, near = np.int64(-1), np.inf
                for other in range(part * PART, min(part * PART + PART, population)):
                    if species_of[other] < 0:
                        found = distance(
                            terms, near,
                            other, connections_a, keys_a, places_a, values_a, enabled_a, nodes_a, node_a, activation_a,
                            aggregation_a,
                            j, connections_b, keys_b, places_b, values_b, enabled_b, nodes_b, node_b, activation_b,
                            aggregation_b,
                        )  # fmt: skip
                        if found < near or candidate < 0:
                            near = min(near, found)
                            candidate = np.int64(other)
            if candidate >= 0 and (near < best or row < 0):
                best = near
                row = candidate
        centres[j] = row
        since[j] = OLD
        species_of[row] = j
        apart[row] = 0.0


@routine(f"int64[:], int64, int64, float64[:], {SIDE}, int64[:], float64[:], int64[:], int64[:]")
def _block(
    first: int, last: int, rows: Array, offset: int, nearest: int, terms: Array,
    connections: Array, keys: Array, places: Array, values: Array, enabled: Array,
    nodes: Array, node: Array, activation: Array, aggregation: Array,
    species_of: Array, apart: Array, founders: Array, count: Array,
) -> None:  # fmt: skip
    founded = 0
    for i in range(len(rows)):
        row = rows[i]
        for j in range(founded):
            found = distance(
                terms, apart[row],
                row, connections, keys, places, values, enabled, nodes, node, activation, aggregation,
                founders[j], connections, keys, places, values, enabled, nodes, node, activation, aggregation,
            )  # fmt: skip
            if found < apart[row]:
                species_of[row] = offset + j
                if nearest == 0:
                    break
                apart[row] = found
        if species_of[row] < 0:
            species_of[row] = offset + founded
            founders[founded] = row
            founded += 1
    count[0] = founded
