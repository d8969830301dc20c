# SPDX-License-Identifier: MIT OR Apache-2.0
"""Species as clusters around medoids: genomes that stand in the middle of those around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vynapse_core import routine
from vynapse_neat.clustering import OLD, Placement, Placing
from vynapse_neat.distance import SIDE, Side, distance
from vynapse_neat.species import by_species

if TYPE_CHECKING:
    from vynapse_core import Array
    from vynapse_neat.comparing import Comparing

SAMPLE = 64
"""Members among which the medoid of a cluster is looked for, and by which it is measured."""
ROUNDS = 4
"""How often medoids are moved at most."""


def k_medoids(comparing: Comparing, genomes: Side, representatives: Side, wanted: int, words: Array) -> Placement:
    """Part the genomes [P] into `wanted` species, or P where there are fewer, around medoids.

    Medoids begin at the genomes nearest to the representatives of the largest species [S] that exist, so that species
    live on; where there are too few, further ones are drawn from `words`, uint64 [>= wanted], in proportion to
    the squared distance from the nearest medoid (Arthur & Vassilvitskii 2007). Each genome then joins its nearest
    medoid and each medoid moves to the middle of its members, in turns (Park & Jun 2009); of a large cluster, a sample
    stands for all. Two genomes of distance 0 are never both medoids: there may be fewer species than wanted.
    """
    n = genomes.population
    medoids = _kept(comparing, genomes, representatives, min(wanted, n))
    existing = np.flatnonzero(medoids >= 0)
    chosen = medoids[existing]
    place = _joining(comparing, genomes, chosen)
    while len(chosen) < min(wanted, n):
        ends = np.cumsum(np.where(np.isfinite(place.apart), place.apart, 1.0) ** 2)
        if not ends[-1] > 0:
            break
        share = float(words[len(chosen)] >> np.uint64(11)) * 2.0**-53 * ends[-1]
        drawn = np.searchsorted(ends, min(share, np.nextafter(ends[-1], 0)), side="right")[None]
        place.among(genomes, np.arange(n, dtype=np.int64), drawn, np.array([OLD]), len(chosen))
        chosen = np.append(chosen, drawn)
    for _ in range(ROUNDS):
        before, chosen = chosen, _middles(comparing, genomes, chosen, place.species_of)
        if np.array_equal(before, chosen):
            break
        place = _joining(comparing, genomes, chosen)
    new = np.arange(
        representatives.population, representatives.population + len(chosen) - len(existing), dtype=np.int64
    )
    names = np.concatenate([existing, new])
    centres = np.full(representatives.population + len(new), OLD, np.int64)
    centres[names] = chosen
    return Placement(names[place.species_of], centres)


def _kept(comparing: Comparing, genomes: Side, representatives: Side, most: int) -> Array:
    """Return for each species the genome nearest to its representative, of the `most` largest species; else -1."""
    species, everyone = representatives.population, np.arange(genomes.population, dtype=np.int64)
    medoids = np.full(species, -1, np.int64)
    if species == 0 or most == 0:
        return medoids
    apart = comparing.distances(genomes, everyone, representatives, np.arange(species, dtype=np.int64))
    sizes = np.bincount(apart.argmin(1), minlength=species)
    for each in np.argsort(-sizes, kind="stable")[:most]:
        row = int(apart[:, each].argmin())
        if row not in medoids:
            medoids[each] = row
    return medoids


def _joining(comparing: Comparing, genomes: Side, medoids: Array) -> Placing:
    """Return a placement of each genome to its nearest medoid, the first of equals."""
    n = genomes.population
    place = Placing(comparing, genomes, np.zeros(n, np.int64), np.full(n, np.inf), True)
    place.among(genomes, np.arange(n, dtype=np.int64), medoids, np.full(len(medoids), OLD, np.int64), 0)
    return place


def _middles(comparing: Comparing, genomes: Side, medoids: Array, joined: Array) -> Array:
    """Return for each cluster the member with the least sum of distances from the members, or from a sample of them."""
    members, moved = by_species(joined, len(medoids)), medoids.copy()
    ends = np.cumsum(np.bincount(joined, minlength=len(medoids)))
    comparing.run(_middle)(len(medoids), members, ends, comparing.terms, *genomes, moved)
    return moved


@routine(f"int64[:], int64[:], float64[:], {SIDE}, int64[:]")
def _middle(
    first: int, last: int, members: Array, ends: Array, terms: Array,
    connections: Array, keys: Array, places: Array, values: Array, enabled: Array,
    nodes: Array, node: Array, activation: Array, aggregation: Array,
    moved: Array,
) -> None:  # fmt: skip
    for cluster in range(first, last):
        begin = np.int64(0) if cluster == 0 else ends[cluster - 1]
        stride = max((ends[cluster] - begin + SAMPLE - 1) // SAMPLE, 1)
        best, least = moved[cluster], np.inf
        # the medoid comes first, so that only a better one replaces it
        for candidate in range(begin - stride, ends[cluster], stride):
            row = moved[cluster] if candidate < begin else members[candidate]
            total = 0.0
            for other in range(begin, ends[cluster], stride):
                total += distance(
                    terms, np.inf,
                    row, connections, keys, places, values, enabled, nodes, node, activation, aggregation,
                    members[other], connections, keys, places, values, enabled, nodes, node, activation, aggregation,
                )  # fmt: skip
                if total >= least:
                    break
            if total < least:
                best, least = row, total
        moved[cluster] = best
