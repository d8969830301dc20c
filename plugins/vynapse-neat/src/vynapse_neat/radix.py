# SPDX-License-Identifier: MIT OR Apache-2.0
"""Indices in the order of whole numbers, in a time that grows with their number alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from vynapse_core import routine_part

DIGITS, BASE = 8, 256
"""Digits of a key, and how many values one has."""
BITS_OF_DIGIT, LAST_DIGIT = np.uint64(8), np.uint64(255)
SIGN, ALL = np.uint64(1 << 63), np.uint64(2**64 - 1)


@routine_part
def ascending(keys: Any, order: Any, count: Any, space: Any, counts: Any) -> None:
    """Put the indices order[:count] in the order of their `keys` uint64; equals keep theirs.

    `space` is as long as `order`; `counts` int32 [DIGITS, BASE]. Radix sort from the last digit (Knuth, volume 3,
    section 5.2.5); digits that are the same in all keys cost nothing.
    """
    for digit in range(DIGITS):
        for value in range(BASE):
            counts[digit, value] = 0
    for i in range(count):
        key = keys[order[i]]
        for digit in range(DIGITS):
            counts[digit, np.int64(key & LAST_DIGIT)] += 1
            key >>= BITS_OF_DIGIT
    moved = False
    for digit in range(DIGITS):
        shift = np.uint64(digit) * BITS_OF_DIGIT
        if count == 0 or counts[digit, np.int64((keys[order[0]] >> shift) & LAST_DIGIT)] == count:
            continue
        begin = np.int64(0)
        for value in range(BASE):
            number = counts[digit, value]
            counts[digit, value] = begin
            begin += number
        for i in range(count):
            each = space[i] if moved else order[i]
            its = np.int64((keys[each] >> shift) & LAST_DIGIT)
            place = counts[digit, its]
            counts[digit, its] = place + 1
            if moved:
                order[place] = each
            else:
                space[place] = each
        moved = not moved
    if moved:
        for i in range(count):
            order[i] = space[i]


@routine_part
def falling(bits: Any) -> Any:
    """Return a key that is the smaller the greater the float64 of these bits is; it must not be NaN."""
    if bits == SIGN:
        # -0 is as great as 0
        return ALL ^ SIGN
    return bits if (bits & SIGN) != np.uint64(0) else ALL ^ (bits | SIGN)
