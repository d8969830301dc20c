# SPDX-License-Identifier: MIT OR Apache-2.0
"""A generation in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import routine

if TYPE_CHECKING:
    from vynapse_core import Device, Population


@dataclass(frozen=True, slots=True)
class Summary:
    """What is told of a generation. Fitness is that of those individuals who have a finite one."""

    finite: int
    """How many have a finite fitness; where nobody has, the five numbers behind it mean nothing."""
    champion: int
    """Place of the first individual of the best fitness."""
    best: float
    mean: float
    worst: float
    deviation: float
    """Standard deviation of the fitness."""
    nodes: float
    """Mean number of nodes of all individuals."""
    connections: float
    """Mean number of connections."""


def summary(population: Population, device: Device) -> Summary:
    """Return the summary of a population."""
    found, structure = np.empty(8), population.genes.structure
    device.routine(_summed)(1, population.fitness, structure["nodes"], structure["connections"], found)
    finite, champion, *rest = found.tolist()
    return Summary(int(finite), int(champion), *rest)


@routine("float64[:], int32[:], int32[:], float64[:]", distinct=True)
def _summed(first: Any, last: Any, fitness: Any, nodes: Any, connections: Any, found: Any) -> None:
    """Write the numbers of a summary, in order: a single row."""
    finite, champion, best, worst, total = np.int64(0), np.int64(0), -np.inf, np.inf, 0.0
    all_nodes, all_connections = np.int64(0), np.int64(0)
    for i in range(len(fitness)):
        all_nodes += nodes[i]
        all_connections += connections[i]
        if abs(fitness[i]) < np.inf:
            finite += 1
            total += fitness[i]
            worst = min(worst, fitness[i])
            if fitness[i] > best:
                best = fitness[i]
                champion = np.int64(i)
    number = max(np.float64(finite), 1.0)
    mean, squares = total / number, 0.0
    for i in range(len(fitness)):
        if abs(fitness[i]) < np.inf:
            squares += (fitness[i] - mean) * (fitness[i] - mean)
    found[0] = finite
    found[1] = champion
    found[2] = best
    found[3] = mean
    found[4] = worst
    found[5] = np.sqrt(squares / number)
    found[6] = all_nodes / len(fitness)
    found[7] = all_connections / len(fitness)
