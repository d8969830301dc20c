# SPDX-License-Identifier: MIT OR Apache-2.0
"""Survival as loops: the best of two generations, and their rows gathered."""

from __future__ import annotations

from typing import Any

from vynapse_core import routine


@routine("float64[:], float64[:], float64, int64[:]")
def best_of_both(first: Any, last: Any, young: Any, old: Any, border: Any, kept: Any) -> None:
    """Write who lives on, int64 [P]: i for offspring i, len(young) + i for parent i, in that order.

    All above `border`, the fitness of the last that lives on, do, and of those at it the first as far as there is
    room. It is one row.
    """
    n, m = len(kept), len(young)
    above = 0
    for i in range(m):
        above += 1 if young[i] > border else 0
    for i in range(len(old)):
        above += 1 if old[i] > border else 0
    room, at = n - above, 0
    for i in range(m + len(old)):
        fitness = young[i] if i < m else old[i - m]
        if fitness > border or (fitness == border and room > 0):
            room -= 0 if fitness > border else 1
            kept[at] = i
            at += 1


@routine(
    "int64[:], {genes}[:, :], {genes}[:, :], float64[:], float64[:], int64[:], int64[:], int64[:, :], int64[:, :], "
    "int64[:], {genes}[:, :], float64[:], int64[:], int64[:, :], int64[:]",
)
def gathered(
    first: Any,
    last: Any,
    kept: Any,
    young_genes: Any,
    old_genes: Any,
    young_fitness: Any,
    old_fitness: Any,
    young_ids: Any,
    old_ids: Any,
    young_parents: Any,
    old_parents: Any,
    old_ages: Any,
    genes: Any,
    fitness: Any,
    ids: Any,
    parents: Any,
    ages: Any,
) -> None:
    """Write the rows of those `kept`, as `best_of_both` numbers them; parents are a step older."""
    m = len(young_fitness)
    w = genes.shape[1]
    for i in range(first, last):
        at = kept[i]
        if at < m:
            for k in range(w):
                genes[i, k] = young_genes[at, k]
            fitness[i] = young_fitness[at]
            ids[i] = young_ids[at]
            parents[i, 0] = young_parents[at, 0]
            parents[i, 1] = young_parents[at, 1]
            ages[i] = 0
        else:
            at -= m
            for k in range(w):
                genes[i, k] = old_genes[at, k]
            fitness[i] = old_fitness[at]
            ids[i] = old_ids[at]
            parents[i, 0] = old_parents[at, 0]
            parents[i, 1] = old_parents[at, 1]
            ages[i] = old_ages[at] + 1
