# SPDX-License-Identifier: MIT OR Apache-2.0
"""Draws for routines: a stream's words and what they become, one number at a time, as `streams` and `draws` say.

A routine is given a stream's two key words and the place of the first word that it may use (`Stream.reserve`), and
makes the words itself: so any thread makes those of its own rows. Integers and uniforms have the very bits that NumPy's
forms have; normal numbers differ by rounding, since logarithm and sine are written out here, float32 throughout.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vynapse_core.routines import routine_part

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ONE = np.uint64(1)
_MULTIPLIER_0 = np.uint64(0xD2E7470EE14C6C93)
_MULTIPLIER_1 = np.uint64(0xCA5A826395121157)
_WEYL_0 = np.uint64(0x9E3779B97F4A7C15)
_WEYL_1 = np.uint64(0xBB67AE8584CAA73B)
_EIGHT = np.uint32(8)
_TO_UNIT = np.float32(2.0**-24)
_HALVES_TO_UNIT = np.float32(2.0**-32)
_HALVES_TO_CIRCLE = np.float32(2.0 * math.pi * 2.0**-32)
_QUARTERS = np.float32(2.0 / math.pi)
_EXPONENT, _MANTISSA = np.uint32(23), np.uint32(0x7FFFFF)
_BITS_OF_HALF = np.uint32(0x3F000000)
_f = np.float32


@routine_part
def high_product(a: Any, b: Any) -> Any:
    """Return the upper 64 bits of the product of two uint64. A device may know an instruction for it."""
    a_low, a_high, b_low, b_high = a & _LOW, a >> _HALF, b & _LOW, b >> _HALF
    middle = a_high * b_low + (a_low * b_low >> _HALF)
    return a_high * b_high + (middle >> _HALF) + ((a_low * b_high + (middle & _LOW)) >> _HALF)


@routine_part
def word_block(key0: Any, key1: Any, block: Any) -> Any:
    """Return the four words 4 block to 4 block + 3 of a stream's key, uint64; `block` is an int64."""
    c0, c1, c2, c3 = np.uint64(block) + _ONE, np.uint64(0), np.uint64(0), np.uint64(0)
    for _ in range(10):
        product0, product1 = _MULTIPLIER_0 * c0, _MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (
            high_product(_MULTIPLIER_1, c2) ^ c1 ^ key0,
            product1,
            high_product(_MULTIPLIER_0, c0) ^ c3 ^ key1,
            product0,
        )
        key0 = key0 + _WEYL_0
        key1 = key1 + _WEYL_1
    return c0, c1, c2, c3


@routine_part
def fill_words(key0: Any, key1: Any, first: Any, words: Any) -> None:
    """Write the words from `first` on to `words`, uint64 [n]."""
    n = len(words)
    at = 0
    while at < n:
        place = (first + at) & 3
        c0, c1, c2, c3 = word_block(key0, key1, (first + at) >> 2)
        if place == 0 and at + 4 <= n:
            words[at] = c0
            words[at + 1] = c1
            words[at + 2] = c2
            words[at + 3] = c3
            at += 4
        else:
            words[at] = c0 if place == 0 else c1 if place == 1 else c2 if place == 2 else c3
            at += 1


@routine_part
def integer_below(word: Any, span: Any) -> Any:
    """Return what a word becomes as an integer from 0 to before `span`, an int64 from 1 to 2^32 - 1."""
    factor = np.uint64(span)
    return np.int64(((word >> _HALF) * factor + ((word & _LOW) * factor >> _HALF)) >> _HALF)


@routine_part
def half_of(words: Any, i: Any) -> Any:
    """Return half i of words, uint32: low halves first."""
    return np.uint32((words[i >> 1] >> (np.uint64(i & 1) << np.uint64(5))) & _LOW)


@routine_part
def uniform_of(half: Any) -> Any:
    """Return what half a word becomes as a uniform float32, 0 <= x < 1."""
    return _f(half >> _EIGHT) * _TO_UNIT


@routine_part
def normals_of(words: Any, out: Any) -> None:
    """Write two standard normal numbers for each of `words` [n] to `out`, float32 [2 n]; at most 1e-6 from NumPy's.

    Box & Muller 1958. Logarithm, sine and cosine are the minimax polynomials of Cephes (Moshier 1989), here without a
    branch, so that a compiler makes vectors of the loop.
    """
    for j in range(len(words)):
        word = words[j]
        u = (_f(np.uint32(word & _LOW)) + _f(0.5)) * _HALVES_TO_UNIT
        radius = _f(math.sqrt(_f(-2) * _log(u)))
        angle = _f(np.uint32(word >> _HALF)) * _HALVES_TO_CIRCLE
        quarter = np.int32(angle * _QUARTERS + _f(0.5))
        turns = _f(quarter)
        t = angle - turns * _f(1.5703125)
        t = t - turns * _f(4.837512969970703125e-4)
        t = t - turns * _f(7.54978995489188216e-8)
        z = t * t
        c = (_f(2.443315711809948e-5) * z + _f(-1.388731625493765e-3)) * z + _f(4.166664568298827e-2)
        c = c * z * z - _f(0.5) * z + _f(1)
        s = (_f(-1.9515295891e-4) * z + _f(8.3321608736e-3)) * z + _f(-1.6666654611e-1)
        s = s * z * t + t
        odd = (quarter & 1) != 0
        cosine = s if odd else c
        sine = c if odd else s
        out[2 * j] = radius * (-cosine if ((quarter + 1) & 2) != 0 else cosine)
        out[2 * j + 1] = radius * (-sine if (quarter & 2) != 0 else sine)


@routine_part
def _log(x: Any) -> Any:
    """Return the natural logarithm of a normal float32 above 0."""
    bits = _f(x).view(np.uint32)
    exponent = np.int32(bits >> _EXPONENT) - np.int32(126)
    m = np.uint32((bits & _MANTISSA) | _BITS_OF_HALF).view(np.float32)
    small = m < _f(0.70710678)
    exponent = exponent - np.int32(1) if small else exponent
    m = m + m - _f(1) if small else m - _f(1)
    z = m * m
    y = _f(7.0376836292e-2) * m + _f(-1.1514610310e-1)
    y = y * m + _f(1.1676998740e-1)
    y = y * m + _f(-1.2420140846e-1)
    y = y * m + _f(1.4249322787e-1)
    y = y * m + _f(-1.6668057665e-1)
    y = y * m + _f(2.0000714765e-1)
    y = y * m + _f(-2.4999993993e-1)
    y = y * m + _f(3.3333331174e-1)
    whole = _f(exponent)
    y = y * m * z + whole * _f(-2.12194440e-4)
    return m + (y - _f(0.5) * z) + whole * _f(0.693359375)
