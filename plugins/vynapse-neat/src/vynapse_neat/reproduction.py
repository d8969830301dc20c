# SPDX-License-Identifier: MIT OR Apache-2.0
"""Who mates with whom: from the shares of species to the parents of each child."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import routine
from vynapse_neat.draws import below, high, word

if TYPE_CHECKING:
    from vynapse_core import Array, Device, Population, Stream
    from vynapse_neat.mating import Mating
    from vynapse_neat.shares import Shares


@dataclass(frozen=True)
class Parents:
    """The parents of n children; children of one species stand together, copies of its best first."""

    mothers: Array
    """int64 [n], places of the fitter parents."""
    fathers: Array
    """int64 [n], places of the others; −1 where a child has one parent."""
    equal: Array
    """uint8 [n], 1 where both parents are equally fit."""
    mutating: Array
    """uint8 [n], 1 where the child is mutated."""
    ids: Array
    """int64 [n, 2], the ids of mothers and fathers; −1 where there is none."""


def parents(shares: Shares, population: Population, size: int, mating: Mating, rng: Stream, device: Device) -> Parents:
    """Draw the parents of a generation of `size`: as many of each species as `shares.quota` says."""
    mothers, fathers = np.empty((2, size), np.int64)
    equal, mutating = np.empty((2, size), np.uint8)
    ids = np.empty((size, 2), np.int64)
    device.routine(mated)(
        size,
        shares.quota,
        shares.elites,
        shares.members,
        shares.first,
        shares.parents,
        population.fitness,
        population.ids,
        mating.crossover,
        mating.interspecies,
        mating.mutate,
        rng.words(size),
        mothers,
        fathers,
        equal,
        mutating,
        ids,
    )
    return Parents(mothers, fathers, equal, mutating, ids)


@routine(
    "int64[:], int64[:], int64[:], int64[:], int64[:], float64[:], int64[:], float64, float64, float64, uint64[:], "
    "int64[:], int64[:], uint8[:], uint8[:], int64[:, :]",
    grain=256,
    distinct=True,
)
def mated(
    first: int, last: int, quota: Any, elites: Any, members: Any, start: Any, breeding: Any, fitness: Any, known: Any,
    crossover: Any, interspecies: Any, mutate: Any, words: Any, mothers: Any, fathers: Any, equal: Any, mutating: Any,
    ids: Any,
) -> None:  # fmt: skip
    """Draw the parents of the children from `first` to `last`, species by species."""
    own, place = np.int64(0), np.int64(first)
    for child in range(first, last):
        while place >= quota[own]:
            place -= quota[own]
            own += 1
        seed, father, tied, changed = words[child], np.int64(-1), 0, 0
        if place < elites[own]:
            mother = members[start[own] + place]
        else:
            changed = 1
            mother = members[start[own] + below(word(seed, 0), breeding[own])]
            if high(word(seed, 1)) < crossover:
                changed = 1 if high(word(seed, 2)) < mutate else 0
                of, drawn = own, below(word(seed, 3), breeding[own])
                if len(start) > 1 and high(word(seed, 4)) < interspecies:
                    of = below(word(seed, 5), len(start) - 1)
                    of += 1 if of >= own else 0
                    drawn = below(word(seed, 3), breeding[of])
                father = members[start[of] + drawn]
                if fitness[father] > fitness[mother]:
                    mother, father = father, mother
                tied = 1 if fitness[father] == fitness[mother] else 0
        mothers[child] = mother
        fathers[child] = father
        equal[child] = tied
        mutating[child] = changed
        ids[child, 0] = known[mother]
        ids[child, 1] = known[father] if father >= 0 else -1
        place += 1
