# SPDX-License-Identifier: MIT OR Apache-2.0
"""Uniform crossover as a loop: from the whole population's genes to the children's, without copies of the parents'."""

from __future__ import annotations

from typing import Any

import numpy as np

from vynapse_core import routine, uniform_of, word_block

_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_NONE, _ONE = np.uint64(0), np.uint64(1)


@routine("uint64, uint64, int64, float64, {genes}[:, :], int64[:], int64[:], {genes}[:, :]", distinct=True)
def uniform_crossover(
    first: Any,
    last: Any,
    key0: Any,
    key1: Any,
    start: Any,
    rate: Any,
    genes: Any,
    mothers: Any,
    fathers: Any,
    children: Any,
) -> None:
    """Write the children [n, w]: each gene of a crossed pair from either parent by a bit, those of others the mother's.

    Half a word for each pair says whether it is crossed, unless `rate` is 1; then each has a word for every 64 genes.
    Genes are seen as unsigned integers, so that a choice is arithmetic on their bits and no branch.
    """
    n, w = children.shape
    threshold = np.float32(rate)
    some = rate < 1.0
    words = (w + 63) >> 6
    begin = start + ((n + 1) >> 1 if some else 0)
    # neighbours share a block of four words
    deciding, mixing = (start + (first >> 1)) >> 2, (begin + first * words) >> 2
    d0, d1, d2, d3 = word_block(key0, key1, deciding)
    w0, w1, w2, w3 = word_block(key0, key1, mixing)
    for i in range(first, last):
        mother, father = genes[mothers[i]], genes[fathers[i]]
        child = children[i]
        crossed = True
        if some:
            place = start + (i >> 1)
            if place >> 2 != deciding:
                deciding = place >> 2
                d0, d1, d2, d3 = word_block(key0, key1, deciding)
            place = place & 3
            word = d0 if place == 0 else d1 if place == 1 else d2 if place == 2 else d3
            half = word >> _HALF if i & 1 else word & _LOW
            crossed = uniform_of(np.uint32(half)) < threshold
        for piece in range(words):
            at = begin + i * words + piece
            if at >> 2 != mixing:
                mixing = at >> 2
                w0, w1, w2, w3 = word_block(key0, key1, mixing)
            place = at & 3
            word = w0 if place == 0 else w1 if place == 1 else w2 if place == 2 else w3
            word = word if crossed else _NONE
            low = piece << 6
            for k in range(min(64, w - low)):
                own, other = mother[low + k], father[low + k]
                child[low + k] = own ^ ((own ^ other) & (_NONE - ((word >> np.uint64(k)) & _ONE)))
