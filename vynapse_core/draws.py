# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a stream's words become: uniform and normal numbers, integers, choices, masks and orders.

The rules are exact, because devices in other languages must draw the same numbers. `w` is a word (64 bits), `h` a
half of one, low half first; the arithmetic is in the type of the draw:

- uniform: u = (h >> 8) * 2^-24 for float32, two a word; u = (w >> 11) * 2^-53 for float64; then
  u * (high - low) + low, or the next number below `high` where rounding went further;
- normal: draws 2j and 2j + 1 are r cos a and r sin a (Box & Muller 1958), then times sigma, plus mean.
  For float32, from one word: r = sqrt(-2 log((float32(low half) + 0.5) * 2^-32)) and
  a = float32(high half) * float32(2 pi 2^-32). For float64, from two words:
  r = sqrt(-2 log(((w0 >> 11) + 0.5) * 2^-53)) and a = (w1 >> 11) * (2 pi 2^-53).
  All but log, cos and sin is exact; those three differ by rounding from one library to another;
- integers: low + floor(w * (high - low) / 2^64);
- weighted choice: the least index whose cumulative share of the weights exceeds a uniform float64;
- bernoulli: uniform float32 < float32(rate);
- permutation: the stable ascending order of n words.

Results are written to `out`, and words are used up in making them: a block of them never leaves the cache.
"""

from __future__ import annotations

import math
import sys
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Number: TypeAlias = float | np.number[Any] | NDArray[Any]
Words: TypeAlias = NDArray[np.uint64]

_LARGEST = sys.float_info.max
# made once, as to make them takes as long as to use them on a few words
_HALF, _LOW_HALF = np.uint64(32), np.uint64(0xFFFFFFFF)
_WORDS, _HALVES = np.dtype("<u8"), np.dtype("<u4")
_DROP_8, _DROP_11 = np.uint32(8), np.uint64(11)
_UNIT = np.float32(2.0**-24)


def uniform(words: Words, out: NDArray[Any]) -> None:
    """Write uniform numbers in [0, 1) to `out`: of words [n] n float64, or 2n float32, the last left where odd."""
    if out.dtype == np.float64:
        words >>= _DROP_11
        np.multiply(words, 2.0**-53, out=out)
    else:
        halves = _halves(words)[: len(out)]
        halves >>= _DROP_8
        np.multiply(halves, _UNIT, out=out, dtype=np.float32, casting="unsafe")


def normal(words: Words, out: NDArray[Any]) -> None:
    """Write standard normal numbers to `out`: of words [n] n float64, where n is even, or 2n float32."""
    if out.dtype == np.float64:
        words >>= _DROP_11
        radius = words[0::2] + 0.5
        radius *= 2.0**-53
        _polar(radius, words[1::2] * (2.0 * math.pi * 2.0**-53), out)
    else:
        halves = _halves(words).astype(np.float32)
        radius = halves[0::2] + np.float32(0.5)
        radius *= np.float32(2.0**-32)
        _polar(radius, halves[1::2] * np.float32(2.0 * math.pi * 2.0**-32), out)


def integers(words: Words, low: int, span: int, out: NDArray[np.int64]) -> None:
    """Write integers low <= x < low + span to `out`, one a word; 1 <= span < 2^32."""
    factor = np.uint64(span)
    upper = words >> _HALF
    upper *= factor
    words &= _LOW_HALF
    words *= factor
    words >>= _HALF
    upper += words
    upper >>= _HALF
    np.add(upper.view(np.int64), low, out=out)


def choice(uniforms: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return an index for each uniform float64, given the cumulative `shares` of all that there is."""
    return np.asarray(np.searchsorted(shares, uniforms, side="right"), np.int64)


def bernoulli(uniforms: NDArray[np.float32], rate: Number) -> NDArray[np.bool_]:
    """Return for each uniform float32 whether it is below `rate`, which broadcasts."""
    mask = np.empty(uniforms.shape, np.bool_)
    np.less(uniforms, np.asarray(rate, np.float32), out=mask)
    return mask


def permutation(words: Words) -> NDArray[np.int64]:
    """Return the order of words [..., n] along the last axis: int64 [..., n]."""
    order = np.argsort(words, axis=-1)
    ranked = words[order] if words.ndim == 1 else np.take_along_axis(words, order, axis=-1)
    if (ranked[..., 1:] == ranked[..., :-1]).any():
        # only a stable sort puts equal words in one order on every processor; it takes five times as long
        order = np.argsort(words, axis=-1, kind="stable")
    return order.astype(np.int64, copy=False)


def stretch(values: NDArray[Any], low: Number, high: Number) -> None:
    """Map uniform `values` from [0, 1) to [low, high), in place. Raises ValueError unless low <= high, both finite."""
    if _is(low, 0.0) and _is(high, 1.0):
        return
    with np.errstate(over="ignore", invalid="ignore"):
        lower, upper = np.asarray(low, values.dtype), np.asarray(high, values.dtype)
        span = upper - lower
    if not np.all(np.isfinite(span) & (span >= 0)):
        raise ValueError(f"uniform needs finite low <= high, found low={low}, high={high}")
    values *= span
    values += lower
    np.minimum(values, np.maximum(np.nextafter(upper, lower), lower), out=values)


def scale(values: NDArray[Any], mean: Number, sigma: Number) -> None:
    """Give standard normal `values` a mean and a deviation, in place. Raises ValueError for sigma < 0, not finite."""
    if not _is(sigma, 1.0):
        if not within(sigma, 0.0, _LARGEST):
            raise ValueError(f"sigma must be finite and at least 0, found {sigma}")
        values *= np.asarray(sigma, values.dtype)
    if not _is(mean, 0.0):
        if not within(mean, -_LARGEST, _LARGEST):
            raise ValueError(f"mean must be finite, found {mean}")
        values += np.asarray(mean, values.dtype)


def cumulative(weights: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return the cumulative shares [n] of `weights`; the last is exactly 1, above every uniform.

    Raises ValueError for weights that are negative, not finite, all zero, or not n of them.
    """
    if weights.shape != (n,):
        raise ValueError(f"a choice of {n} needs weights of shape ({n},), found shape {weights.shape}")
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if bad.size:
        raise ValueError(f"weights must be finite and at least 0, found {weights[bad[0]]} at index {bad[0]}")
    with np.errstate(over="ignore"):
        sums: NDArray[np.float64] = np.cumsum(weights)
    if not 0 < sums[-1] < math.inf:
        raise ValueError(f"weights must have a finite sum above 0, found {sums[-1]}")
    sums /= sums[-1]
    return sums


def within(value: Number, low: float, high: float) -> bool:
    """Whether a number, or every number of an array, is one from `low` to `high`; NaN is not."""
    if isinstance(value, int | float):
        return low <= value <= high
    return bool(np.all(np.greater_equal(value, low) & np.less_equal(value, high)))


def _is(value: Number, number: float) -> bool:
    return isinstance(value, int | float) and value == number


def _halves(words: Words) -> NDArray[np.uint32]:
    """View words [n] as their halves [2n], low half first."""
    return words.astype(_WORDS, copy=False).view(_HALVES)


def _polar(radius: NDArray[Any], angle: NDArray[Any], out: NDArray[Any]) -> None:
    """Write r cos a and r sin a by turns, where r = sqrt(-2 log radius); `radius` and `angle` are used up."""
    np.log(radius, out=radius)
    radius *= radius.dtype.type(-2.0)
    np.sqrt(radius, out=radius)
    np.multiply(radius, np.cos(angle), out=out[0::2])
    np.sin(angle, out=angle)
    np.multiply(radius, angle, out=out[1::2])
