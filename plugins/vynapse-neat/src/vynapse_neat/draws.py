# SPDX-License-Identifier: MIT OR Apache-2.0
"""Random numbers inside routines: any number of them for a child, out of the one word that a stream gave it.

How many draws a child takes depends on the size of its genome. Words drawn beforehand would have to cover the largest
genome for all children; so each child has one word of the run's stream, and draw i of it is a pure function of that
word and i: output i of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014) started there. Draws for different purposes are
PURPOSE apart.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vynapse_core import routine_part

PURPOSE = np.int64(1 << 40)
"""Draws that one purpose may take."""

STRIDE = np.uint64(0x9E3779B97F4A7C15)
FACTOR_1, FACTOR_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
BITS_11, BITS_27, BITS_30, BITS_31 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31)
BITS_32, LOW_HALF = np.uint64(32), np.uint64(0xFFFFFFFF)
BITS_1, BITS_2, BITS_4, BITS_56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
PAIRS_OF, FOURS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
EIGHTS, ONES = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)
ULP_53, ULP_32 = 2.0**-53, 2.0**-32

# Wichura 1988, algorithm AS 241, PPND7
NEAR, NEAR_2, TAIL = 0.425, 0.180625, 1.6
A0, A1, A2, A3 = 3.3871327179, 50.434271938, 159.29113202, 59.109374720
B1, B2, B3 = 17.895169469, 78.757757664, 67.187563600
C0, C1, C2, C3 = 1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103
D1, D2 = 0.73700164250, 0.12021132975


@routine_part
def word(seed: Any, place: Any) -> Any:
    """Return draw `place` of a child whose word is `seed`: 64 bits."""
    mixed = seed + np.uint64(place + 1) * STRIDE
    mixed = (mixed ^ (mixed >> BITS_30)) * FACTOR_1
    mixed = (mixed ^ (mixed >> BITS_27)) * FACTOR_2
    return mixed ^ (mixed >> BITS_31)


@routine_part
def bits_in(bits: Any) -> Any:
    """Return how many bits of a word are set (Warren 2012, Hacker's Delight, section 5-1)."""
    # LLVM knows this form and makes one instruction of it
    bits = bits - ((bits >> BITS_1) & PAIRS_OF)
    bits = (bits & FOURS) + ((bits >> BITS_2) & FOURS)
    return np.int64((((bits + (bits >> BITS_4)) & EIGHTS) * ONES) >> BITS_56)


@routine_part
def trailing_zeros(bits: Any) -> Any:
    """Return the place of the lowest bit that is set in a word, which is not 0."""
    return bits_in(~bits & (bits - BITS_1))


@routine_part
def unit(bits: Any) -> Any:
    """Return a float64 in [0, 1) made of the upper 53 bits of a word; the lower 11 are left for other uses."""
    return np.float64(np.int64(bits >> BITS_11)) * ULP_53


@routine_part
def high(bits: Any) -> Any:
    """Return a float64 in [0, 1) made of the upper half of a word."""
    return np.float64(np.int64(bits >> BITS_32)) * ULP_32


@routine_part
def low(bits: Any) -> Any:
    """Return a float64 in (0, 1) made of the lower half of a word."""
    return (np.float64(np.int64(bits & LOW_HALF)) + 0.5) * ULP_32


@routine_part
def below(bits: Any, n: Any) -> Any:
    """Return an integer 0 <= i < n, n < 2^31, made of the upper half of a word, each as probable to n / 2^32."""
    return np.int64(((bits >> BITS_32) * np.uint64(n)) >> BITS_32)


@routine_part
def normal(share: Any) -> Any:
    """Return the standard normal quantile of a share, to 1 part in 10^7 (Wichura 1988, algorithm AS 241).

    The share is at least 10^-10 away from 0 and from 1, as all that `low` gives are.
    """
    q = share - 0.5
    return central(q) if abs(q) <= NEAR else tail(q)


@routine_part
def central(q: Any) -> Any:
    """Return the quantile of the share q + 1/2, for |q| <= NEAR."""
    r = NEAR_2 - q * q
    return q * (((A3 * r + A2) * r + A1) * r + A0) / (((B3 * r + B2) * r + B1) * r + 1.0)


@routine_part
def tail(q: Any) -> Any:
    """Return the quantile of the share q + 1/2, for |q| > NEAR.

    The paper has a third formula for shares that are still nearer to 0 or to 1.
    """
    r = math.sqrt(-math.log(min(0.5 + q, 0.5 - q))) - TAIL
    size = (((C3 * r + C2) * r + C1) * r + C0) / ((D2 * r + D1) * r + 1.0)
    return size if q > 0.0 else -size
