# SPDX-License-Identifier: MIT OR Apache-2.0
"""Who mates with whom: from the shares of species to the parents of each child."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import routine
from vynapse_neat.draws import below, high, word

if TYPE_CHECKING:
    from vynapse_core import Array, Device, Stream
    from vynapse_neat.mating import Mating
    from vynapse_neat.sharing import Shares


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


def parents(shares: Shares, fitness: Array, mating: Mating, rng: Stream, device: Device) -> Parents:
    """Draw the parents of a generation: as many as `shares.quota` says, of each species, by `fitness` float64 [P]."""
    n = int(shares.quota.sum())
    mothers, fathers = np.empty((2, n), np.int64)
    equal, mutating = np.empty((2, n), np.uint8)
    device.routine(mated)(
        n,
        shares.quota,
        shares.elites,
        shares.members,
        shares.first,
        shares.parents,
        fitness,
        mating.crossover,
        mating.interspecies,
        mating.mutate,
        rng.words(n),
        mothers,
        fathers,
        equal,
        mutating,
    )
    return Parents(mothers, fathers, equal, mutating)


@routine(
    "int64[:], int64[:], int64[:], int64[:], int64[:], float64[:], float64, float64, float64, uint64[:], int64[:], "
    "int64[:], uint8[:], uint8[:]",
    grain=4096,
    distinct=True,
)
def mated(
    first: int, last: int, quota: Any, elites: Any, members: Any, start: Any, breeding: Any, fitness: Any,
    crossover: Any, interspecies: Any, mutate: Any, words: Any, mothers: Any, fathers: Any, equal: Any, mutating: Any,
) -> None:  # fmt: skip
    """Draw the parents of children, each of a species."""
    own, begin = np.int64(0), np.int64(0)
    for child in range(first, last):
        while child >= begin + quota[own]:
            begin += quota[own]
            own += 1
        seed, place = words[child], child - begin
        equal[child] = 0
        fathers[child] = -1
        if place < elites[own]:
            mothers[child] = members[start[own] + place]
            mutating[child] = 0
            continue
        mother = members[start[own] + below(word(seed, 0), breeding[own])]
        mutating[child] = 1
        if high(word(seed, 1)) < crossover:
            mutating[child] = 1 if high(word(seed, 2)) < mutate else 0
            of, drawn = own, below(word(seed, 3), breeding[own])
            if len(start) > 1 and high(word(seed, 4)) < interspecies:
                of = below(word(seed, 5), len(start) - 1)
                of += 1 if of >= own else 0
                drawn = below(word(seed, 3), breeding[of])
            father = members[start[of] + drawn]
            if fitness[father] > fitness[mother]:
                mother, father = father, mother
            equal[child] = 1 if fitness[father] == fitness[mother] else 0
            fathers[child] = father
        mothers[child] = mother
