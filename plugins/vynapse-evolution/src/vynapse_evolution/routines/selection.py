# SPDX-License-Identifier: MIT OR Apache-2.0
"""Selection as loops: tournaments, and who of two parents is the mother."""

from __future__ import annotations

from typing import Any

from vynapse_core import integer_below, routine, word_block


@routine("uint64, uint64, int64, float64[:], int64, int64[:]", grain=512)
def tournaments(first: Any, last: Any, key0: Any, key1: Any, start: Any, fitness: Any, size: Any, winners: Any) -> None:
    """Write the winners of tournaments, int64 [n]: each of `size` individuals drawn from all of `fitness` [P]."""
    p = len(fitness)
    at = start + first * size
    w0, w1, w2, w3 = word_block(key0, key1, at >> 2)
    for i in range(first, last):
        best = 0
        for j in range(size):
            place = at & 3
            if place == 0:
                w0, w1, w2, w3 = word_block(key0, key1, at >> 2)
            word = w0 if place == 0 else w1 if place == 1 else w2 if place == 2 else w3
            drawn = integer_below(word, p)
            best = drawn if j == 0 or fitness[drawn] > fitness[best] else best
            at += 1
        winners[i] = best


@routine("float64[:], int64[:], int64[:], int64[:], int64[:], int64[:, :]", grain=2048)
def couples(
    first: Any, last: Any, fitness: Any, ids: Any, chosen: Any, mothers: Any, fathers: Any, parents: Any
) -> None:
    """Pair chosen i with chosen n + i, of int64 [2 n]: the fitter, of equals the first, is the mother.

    Writes their places int64 [n] and their ids int64 [n, 2].
    """
    n = len(mothers)
    for i in range(first, last):
        one, other = chosen[i], chosen[n + i]
        turned = fitness[other] > fitness[one]
        mother, father = (other, one) if turned else (one, other)
        mothers[i] = mother
        fathers[i] = father
        parents[i, 0] = ids[mother]
        parents[i, 1] = ids[father]


@routine("{genes}[:, :], int64[:], {genes}[:, :]")
def rows(first: Any, last: Any, genes: Any, chosen: Any, out: Any) -> None:
    """Write the rows of genes [P, w] at `chosen` [n]."""
    for i in range(first, last):
        for k in range(genes.shape[1]):
            out[i, k] = genes[chosen[i], k]
