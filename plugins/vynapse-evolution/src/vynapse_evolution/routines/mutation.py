# SPDX-License-Identifier: MIT OR Apache-2.0
"""Normal noise on all genes of some individuals, as a loop that makes its own random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vynapse_core import Device, Genes, Stream, fill_words, normals_of, routine, uniform_of

_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_PIECE = 1024
"""Words made at a time, so that they and their normals stay in a core's first cache."""
SHARES, SHARE = 16, 1 << 15
"""Into how many shares a population is parted at most, and genes that are worth one."""


@routine(
    "uint64, uint64, int64, float64, float64, float64, float64, int64, int64, float32[:], uint64[:, :], float32[:, :]",
    distinct=True,
)
def add_noise(
    first: Any,
    last: Any,
    key0: Any,
    key1: Any,
    start: Any,
    probability: Any,
    sigma: Any,
    low: Any,
    high: Any,
    n: Any,
    w: Any,
    values: Any,
    words: Any,
    noise: Any,
) -> None:
    """Add normal noise to some rows of `values` [n · w], in place, and hold those within `low` and `high`.

    A row of this routine is one of `len(words)` equal shares of the individuals; `words` and `noise` are its space.
    """
    shares = len(words)
    piece = words.shape[1]
    threshold, scale = np.float32(probability), np.float32(sigma)
    least, most = np.float32(low), np.float32(high)
    some = probability < 1.0
    begin = start + ((n + 1) >> 1 if some else 0)
    for share in range(first, last):
        own, drawn = words[share], noise[share]
        row = n * share // shares
        end = n * (share + 1) // shares
        rows = max(1, (2 * piece - 2) // max(1, w))
        while row < end and w > 0:
            stop = min(end, row + rows)
            if some:
                begun = row >> 1
                fill_words(key0, key1, start + begun, own[: ((stop + 1) >> 1) - begun])
            # which rows change is kept at the end of the noise's space, where no noise comes
            for i in range(row, stop):
                chosen = np.float32(1)
                if some:
                    word = own[(i >> 1) - (row >> 1)]
                    half = word >> _HALF if i & 1 else word & _LOW
                    chosen = np.float32(1) if uniform_of(np.uint32(half)) < threshold else np.float32(0)
                drawn[2 * piece + i - row] = chosen
            at, i, after = row * w, row, (row + 1) * w
            while at < stop * w:
                upto = min(stop * w, (at & ~1) + 2 * piece)
                count = ((upto + 1) >> 1) - (at >> 1)
                fill_words(key0, key1, begin + (at >> 1), own[:count])
                normals_of(own[:count], drawn[: 2 * count])
                skip = at & 1
                while at < upto:
                    until = min(upto, after)
                    if drawn[2 * piece + i - row] != 0:
                        here = values[at:until]
                        there = drawn[skip : skip + until - at]
                        for k in range(len(here)):
                            changed = here[k] + there[k] * scale
                            # NaN stays NaN, as it does in NumPy
                            changed = least if changed < least else changed
                            here[k] = most if changed > most else changed
                    skip += until - at
                    at = until
                    if at == after:
                        i += 1
                        after += w
            row = stop


def noise_on_all(device: Device) -> Callable[[Genes, float, float, Stream], None]:
    """Return the function (genes, probability, sigma, rng) that adds noise to all genes of some, in place."""
    run = device.routine(add_noise)

    def compiled(genes: Genes, probability: float, sigma: float, rng: Stream) -> None:
        n, w = genes.values.shape
        words = (n * w + 1) // 2 + (-(-n // 2) if probability < 1 else 0)
        low, high = genes.bounds or (-np.inf, np.inf)
        shares = min(SHARES, 1 + n * w // SHARE)
        space = np.empty((shares, _PIECE), np.uint64), np.empty((shares, 4 * _PIECE), np.float32)
        run(shares, *rng.reserve(words), probability, sigma, low, high, n, w, genes.values.reshape(-1), *space)

    return compiled
