# SPDX-License-Identifier: MIT OR Apache-2.0
"""A population's statistics in one pass."""

from __future__ import annotations

import math
from typing import Any

from vynapse_core import routine


@routine("float64[:], {genes}[:, :], int64[:], int64[:], float64[:], float64[:]")
def statistics(first: Any, last: Any, fitness: Any, genes: Any, rows: Any, columns: Any, sums: Any, found: Any) -> None:
    """Write best, mean, worst, deviation and number of the finite of `fitness`, and the diversity of genes.

    The diversity is the standard deviation of the genes at `columns` of the individuals at `rows`, as a mean over
    genes; `sums` [2 · len(columns)] is space for it. Differences are taken from the best and from the first, so that
    large values keep their digits. It is one row.
    """
    best, worst, finite = -math.inf, math.inf, 0
    for i in range(len(fitness)):
        if math.isfinite(fitness[i]):
            best = max(best, fitness[i])
            worst = min(worst, fitness[i])
            finite += 1
    total = 0.0
    for i in range(len(fitness)):
        total += fitness[i] - best if math.isfinite(fitness[i]) else 0.0
    mean = total / max(1, finite)
    squares = 0.0
    for i in range(len(fitness)):
        squares += (fitness[i] - best - mean) ** 2 if math.isfinite(fitness[i]) else 0.0
    found[0] = best
    found[1] = best + mean
    found[2] = worst
    found[3] = math.sqrt(squares / max(1, finite))
    found[4] = finite
    width = len(columns)
    for k in range(2 * width):
        sums[k] = 0.0
    for i in range(len(rows)):
        for k in range(width):
            sums[k] += float(genes[rows[i], columns[k]]) - float(genes[rows[0], columns[k]])
    for i in range(len(rows)):
        for k in range(width):
            apart = float(genes[rows[i], columns[k]]) - float(genes[rows[0], columns[k]]) - sums[k] / len(rows)
            sums[width + k] += apart * apart
    spread = 0.0
    for k in range(width):
        spread += math.sqrt(sums[width + k] / max(1, len(rows)))
    found[5] = spread / width if width and len(rows) else 0.0
