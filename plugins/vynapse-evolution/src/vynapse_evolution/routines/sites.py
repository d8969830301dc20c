# SPDX-License-Identifier: MIT OR Apache-2.0
"""Sparse changes as loops: the gaps between the genes that change, and noise for those alone."""

from __future__ import annotations

from collections.abc import Callable
from math import log1p
from typing import Any

import numpy as np

from vynapse_core import Array, Device, Genes, Stream, fill_words, normals_of, routine, routine_part
from vynapse_evolution.sites import Gaps, sites

_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_FRACTION = np.uint64(0xFFFFFFFFFFFFF)
_BITS_OF_ONE = np.uint64(0x3FF0000000000000)


PIECE = 1024
"""Draws of a row."""


@routine("uint64, uint64, int64, float64, int64, uint64[:], int64[:]")
def gaps(first: Any, last: Any, key0: Any, key1: Any, start: Any, scale: Any, most: Any, words: Any, out: Any) -> None:
    """Write how far each chosen gene lies behind the one before, int64 [n]: 1 + floor(log(1 − u) · scale), up to most.

    A row is a piece of `PIECE` draws.
    """
    n = len(out)
    for piece in range(first, last):
        low, high = piece * PIECE, min(n, (piece + 1) * PIECE)
        own, found = words[low:high], out[low:high]
        fill_words(key0, key1, start + low, own)
        for i in range(len(own)):
            u = np.float64(own[i] >> np.uint64(11)) * 1.1102230246251565e-16
            gap = log_of(1.0 - u) * scale
            found[i] = np.int64(min(gap, np.float64(most))) + 1


@routine("uint64, uint64, int64, float64, float64, float64, int64[:], float32[:], uint64[:], float32[:]")
def add_noise_at(
    first: Any,
    last: Any,
    key0: Any,
    key1: Any,
    start: Any,
    sigma: Any,
    low: Any,
    high: Any,
    places: Any,
    values: Any,
    words: Any,
    noise: Any,
) -> None:
    """Add normal noise to the `values` [n · w] at `places`, in place, held within `low` and `high`.

    A row is a piece of `PIECE` places; `words` and `noise` are space for as many draws as there are places.
    """
    scale, least, most = np.float32(sigma), np.float32(low), np.float32(high)
    for piece in range(first, last):
        begin, end = piece * PIECE, min(len(places), (piece + 1) * PIECE)
        own = words[begin >> 1 : (end + 1) >> 1]
        fill_words(key0, key1, start + (begin >> 1), own)
        drawn = noise[begin : begin + 2 * len(own)]
        normals_of(own, drawn)
        for i in range(end - begin):
            at = places[begin + i]
            changed = values[at] + drawn[i] * scale
            # NaN stays NaN, as it does in NumPy
            changed = least if changed < least else changed
            values[at] = most if changed > most else changed


@routine_part
def log_of(x: Any) -> Any:
    """Return the natural logarithm of a normal float64 above 0, to one unit in the last place (fdlibm's e_log)."""
    bits = np.float64(x).view(np.uint64)
    exponent = np.int64(bits >> np.uint64(52)) - 1023
    m = np.uint64((bits & _FRACTION) | _BITS_OF_ONE).view(np.float64)
    large = m > 1.4142135623730951
    exponent = exponent + 1 if large else exponent
    f = m * 0.5 - 1.0 if large else m - 1.0
    k = np.float64(exponent)
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    odd = z * (
        6.666666666666735130e-01
        + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01))
    )
    half = 0.5 * f * f
    return k * _LN2_HIGH - ((half - (s * (half + even + odd) + k * _LN2_LOW)) - f)


def compiled_gaps(device: Device) -> Gaps:
    """Return `gaps` of the module `sites` as a loop."""
    run = device.routine(gaps)

    def compiled(rate: float, n: int, most: int, rng: Stream) -> Array:
        found = np.empty(n, np.int64)
        run(-(-n // PIECE), *rng.reserve(n), 1 / log1p(-rate), most, np.empty(n, np.uint64), found)
        return found

    return compiled


def noise_on_few(device: Device) -> Callable[[Genes, float, float, Stream], None]:
    """Return the function (genes, rate, sigma, rng) that adds noise to few genes of all, in place."""
    run, gaps_of = device.routine(add_noise_at), compiled_gaps(device)

    def compiled(genes: Genes, rate: float, sigma: float, rng: Stream) -> None:
        flat = genes.values.reshape(-1)
        places = sites(rate, flat.size, rng, gaps_of)
        n = len(places)
        low, high = genes.bounds or (-np.inf, np.inf)
        space = np.empty(n // 2 + 1, np.uint64), np.empty(n + 2, np.float32)
        run(-(-n // PIECE), *rng.reserve((n + 1) // 2), sigma, low, high, places, flat, *space)

    return compiled
