# SPDX-License-Identifier: MIT OR Apache-2.0
"""A population's statistics in one pass."""

from __future__ import annotations

import math
from typing import Any

from vynapse_core import routine


@routine("float64[:], {genes}[:, :], int64[:], int64[:], float64[:]", distinct=True)
def statistics(first: Any, last: Any, fitness: Any, genes: Any, rows: Any, columns: Any, found: Any) -> None:
    """Write best, mean, worst, deviation and number of the finite of `fitness`, and the diversity of genes.

    The diversity is the standard deviation of the genes at `columns` of the individuals at `rows`, as a mean over
    genes. Differences are taken from the best and from the first, so that large values keep their digits. It is one
    row; `found` is [6 + 2 len(columns)], all after the first six being space.
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
    away = 0.0
    for i in range(len(fitness)):
        away += (fitness[i] - best - mean) ** 2 if math.isfinite(fitness[i]) else 0.0
    found[0] = best
    found[1] = best + mean
    found[2] = worst
    found[3] = math.sqrt(away / max(1, finite))
    found[4] = finite
    n, width = len(rows), len(columns)
    means, squares = found[6 : 6 + width], found[6 + width :]
    every = width == genes.shape[1]
    start = genes[rows[0] if n > 0 else 0]
    means[:] = 0.0
    squares[:] = 0.0
    for i in range(n):
        row = genes[rows[i]]
        for k in range(width):
            at = k if every else columns[k]
            means[k] += float(row[at]) - float(start[at])
    for k in range(width):
        means[k] /= n
    for i in range(n):
        row = genes[rows[i]]
        for k in range(width):
            at = k if every else columns[k]
            apart = float(row[at]) - float(start[at]) - means[k]
            squares[k] += apart * apart
    spread = 0.0
    for k in range(width):
        spread += math.sqrt(squares[k] / max(1, n))
    found[5] = spread / width if width and n else 0.0
