# SPDX-License-Identifier: MIT OR Apache-2.0
"""Selection as loops: tournaments, a random order, and who of two parents is the mother."""

from __future__ import annotations

from typing import Any

from vynapse_core import fill_words, integer_below, routine, word_block


@routine("uint64, uint64, int64, float64[:], int64[:], int64[:]", grain=512, distinct=True)
def tournaments(
    first: Any, last: Any, key0: Any, key1: Any, start: Any, fitness: Any, places: Any, winners: Any
) -> None:
    """Write the winners of tournaments, int64 [n], each among individuals drawn from all of `fitness` [P].

    The words that draw those of tournament i, at least one, lie from `places[i]` to `places[i + 1]` behind `start`.
    """
    p = len(fitness)
    block = (start + places[first]) >> 2
    w0, w1, w2, w3 = word_block(key0, key1, block)
    for i in range(first, last):
        best, top = 0, 0.0
        for at in range(start + places[i], start + places[i + 1]):
            if at >> 2 != block:
                block = at >> 2
                w0, w1, w2, w3 = word_block(key0, key1, block)
            place = at & 3
            word = w0 if place == 0 else w1 if place == 1 else w2 if place == 2 else w3
            drawn = integer_below(word, p)
            # a choice of two numbers: a branch on what is random would be guessed wrong half of the time
            found = fitness[drawn]
            better = (at == start + places[i]) | (found > top)
            best = drawn if better else best
            top = found if better else top
        winners[i] = best


@routine("uint64, uint64, int64, int64[:], uint64[:, :], int64[:], int64[:]", distinct=True)
def shuffled(
    first: Any,
    last: Any,
    key0: Any,
    key1: Any,
    start: Any,
    chosen: Any,
    words: Any,
    places: Any,
    mixed: Any,
) -> None:
    """Write `chosen` [n] in the order of n random words, as `Stream.permutation` draws it, to `mixed`. It is one row.

    By a word's upper bits it is known to within a few places where it belongs (a distribution sort, Knuth 1998, 5.2.1).
    `words` [2, n] and `places` [n + 1] are space.
    """
    n = len(chosen)
    drawn, sorted_ = words[0], words[1]
    fill_words(key0, key1, start, drawn)
    places[:] = 0
    for i in range(n):
        places[integer_below(drawn[i], n) + 1] += 1
    for i in range(n):
        places[i + 1] += places[i]
    for i in range(n):
        part = integer_below(drawn[i], n)
        sorted_[places[part]] = drawn[i]
        mixed[places[part]] = chosen[i]
        places[part] += 1
    for i in range(1, n):
        word, one, at = sorted_[i], mixed[i], i
        # equal words keep their order
        while at > 0 and sorted_[at - 1] > word:
            sorted_[at] = sorted_[at - 1]
            mixed[at] = mixed[at - 1]
            at -= 1
        sorted_[at] = word
        mixed[at] = one


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
