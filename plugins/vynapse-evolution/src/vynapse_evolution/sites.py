# SPDX-License-Identifier: MIT OR Apache-2.0
"""Sites: which of many genes an operator changes, each independently with the same probability."""

from collections.abc import Callable
from math import log1p, sqrt
from typing import TypeAlias

import numpy as np

from vynapse_core import Array, Stream

SPARSE = 0.1
"""Rate below which it is quicker to draw the gaps between sites than to toss a coin for each gene."""


Gaps: TypeAlias = Callable[[float, int, int, Stream], Array]


def gaps(rate: float, n: int, most: int, rng: Stream) -> Array:
    """Return n geometric gaps, int64 from 1 to most + 1: how far each chosen gene lies behind the one before."""
    u = rng.uniform(n, dtype=np.float64)
    whole: Array = np.minimum(np.log1p(-u) / log1p(-rate), most).astype(np.int64)
    return whole + 1


def sites(rate: float, count: int, rng: Stream, gaps: Gaps = gaps) -> Array:
    """Return those of 0 .. count-1, int64 in rising order, that are chosen, each with probability `rate`.

    A low rate costs as many draws as there are sites: the gaps between chosen genes are geometric, floor(log(1 − u) /
    log(1 − rate)) for a uniform u (Devroye 1986, ch. X.2).
    """
    if rate >= SPARSE:
        return np.flatnonzero(rng.bernoulli(min(rate, 1.0), count))
    if rate <= 0:
        return np.zeros(0, np.int64)
    found: list[Array] = []
    last = -1
    while last < count:
        expected = rate * (count - 1 - last)
        places = last + np.cumsum(gaps(rate, int(expected + 4 * sqrt(expected)) + 4, count, rng))
        last = int(places[-1])
        found.append(places)
    places = np.concatenate(found) if len(found) > 1 else found[0]
    return places[: np.searchsorted(places, count)]
