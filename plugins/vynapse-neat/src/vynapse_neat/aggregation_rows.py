# SPDX-License-Identifier: MIT OR Apache-2.0
"""Aggregations for routines: of a node's weighted inputs, for a row of samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from vynapse_core import routine_part
from vynapse_neat.scalars import HALF, ONE, ZERO


@routine_part
def aggregate(
    code: Any, target: Any, to: Any, read: Any, link: Any, source: Any, values: Any, first: Any, last: Any, width: Any
) -> None:
    """Write to target[to] what `code`, of `AGGREGATIONS`, makes of weight · read[source] over some links."""
    if code == 5:
        median(target, to, read, link, source, values, first, last, width)
        return
    for i in range(width):
        target[to, i] = ONE if code == 1 else ZERO
    for k in range(first, last):
        weight, row = values[link[k]], source[k]
        if code > 1 and code != 4 and k == first:
            for i in range(width):
                target[to, i] = weight * read[row, i]
        elif code == 1:
            for i in range(width):
                target[to, i] *= weight * read[row, i]
        elif code == 2:
            for i in range(width):
                term = weight * read[row, i]
                target[to, i] = term if term < target[to, i] else target[to, i]
        elif code == 3:
            for i in range(width):
                term = weight * read[row, i]
                target[to, i] = term if term > target[to, i] else target[to, i]
        elif code == 4 or code == 0:
            for i in range(width):
                target[to, i] += weight * read[row, i]
        else:
            for i in range(width):
                term = weight * read[row, i]
                target[to, i] = term if abs(term) > abs(target[to, i]) else target[to, i]
    if code == 4 and last > first:
        count = np.float32(last - first)
        for i in range(width):
            target[to, i] /= count


@routine_part
def median(
    target: Any, to: Any, read: Any, link: Any, source: Any, values: Any, first: Any, last: Any, width: Any
) -> None:
    """Write the median, which is the mean of the middle two of an even number: found by counting, in no space."""
    low, high = (last - first - 1) // 2, (last - first) // 2
    for i in range(width):
        target[to, i] = ZERO
        for k in range(first, last):
            term = values[link[k]] * read[source[k], i]
            smaller, equal = np.int64(0), np.int64(0)
            for other in range(first, last):
                against = values[link[other]] * read[source[other], i]
                smaller += against < term
                # of equal terms each counts as one rank
                equal += against == term and other < k
            rank = smaller + equal
            if rank == low:
                target[to, i] += term * HALF
            if rank == high:
                target[to, i] += term * HALF
