# SPDX-License-Identifier: MIT OR Apache-2.0
"""Who is better: indices in order of what they are worth, equals in the order they had."""

from __future__ import annotations

from typing import Any

import numpy as np

from vynapse_core import routine_part

RUN = 8
"""So many are put in order one by one before runs are merged."""


@routine_part
def best_first(order: Any, begin: Any, end: Any, worth: Any, space: Any) -> None:
    """Order the indices order[begin:end], by falling `worth` of each; `space` is as long as `order`.

    Merge sort from below, stable (Knuth, volume 3, section 5.2.4).
    """
    for run in range(begin, end, RUN):
        for i in range(run + 1, min(run + RUN, end)):
            each, j = order[i], i
            while j > run and worth[order[j - 1]] < worth[each]:
                order[j] = order[j - 1]
                j -= 1
            order[j] = each
    wide = np.int64(RUN)
    while wide < end - begin:
        for run in range(begin, end, 2 * wide):
            middle, last = min(run + wide, end), min(run + 2 * wide, end)
            if middle < last and worth[order[middle - 1]] < worth[order[middle]]:
                i, j = run, middle
                for k in range(run, last):
                    if j == last or (i < middle and worth[order[i]] >= worth[order[j]]):
                        space[k] = order[i]
                        i += 1
                    else:
                        space[k] = order[j]
                        j += 1
                for k in range(run, last):
                    order[k] = space[k]
        wide *= 2
