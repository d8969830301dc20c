# SPDX-License-Identifier: MIT OR Apache-2.0
"""How genomes of the encoding "topology" lie in arrays, and what must hold of them.

N node places and C connection places are as wide for all individuals as the largest one needs. They grow and shrink
with the population: a width is never a limit. Counts say how much of a row is in use, and what lies beyond is 0.

`values` float32 [P, C + N] has the weights of connections, then the biases of nodes; with responses, these [N] follow.
`structure` has, all int32:

- `nodes` [P], `connections` [P]: counts.
- `node` [P, N]: ids, ascending. Inputs are 0..I-1, outputs I..I+O-1, the bias node, where there is one, I+O. All of
  them are in every genome, so that the place of such a node is its id. Ids of hidden nodes are greater.
- `activation` [P, N], `aggregation` [P, N]: which of the layout's names; 0 for inputs and the bias node.
- `innovation` [P, C]: ascending and unique in a genome.
- `source` [P, C], `target` [P, C]: ids of nodes; a pair is unique in a genome.
- `enabled` [P, C]: 0 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vynapse_core import Genes

if TYPE_CHECKING:
    from vynapse_core import Array

OF_NODES = ("node", "activation", "aggregation")
"""The arrays [P, N]."""
OF_CONNECTIONS = ("innovation", "source", "target", "enabled")
"""The arrays [P, C]."""
COUNTS = ("nodes", "connections")
"""The arrays [P]."""
WIDTH_STEP = 8
"""Widths are multiples of this, so that a genome that grows by one seldom widens the arrays."""


@dataclass(frozen=True)
class Layout:
    """What all genomes of a population have in common."""

    inputs: int
    outputs: int
    bias_node: bool = False
    """Whether a node of constant 1 stands in for biases, which are then all 0."""
    response: bool = False
    """Whether nodes have responses, factors of what their aggregation gives."""
    recurrent: bool = False
    """Whether connections may form cycles."""
    activations: tuple[str, ...] = ("steep_sigmoid",)
    aggregations: tuple[str, ...] = ("sum",)

    @property
    def fixed(self) -> int:
        """Number of nodes that every genome has: inputs, outputs, and the bias node."""
        return self.inputs + self.outputs + self.bias_node

    def width(self, nodes: int, connections: int) -> int:
        """Return the number of values that so many places take."""
        return connections + nodes * (1 + self.response)

    def weights(self, genes: Genes) -> Array:
        """Return the weights [P, C], a view."""
        return genes.values[:, : places(genes)[1]]

    def biases(self, genes: Genes) -> Array:
        """Return the biases [P, N], a view."""
        nodes, connections = places(genes)
        return genes.values[:, connections : connections + nodes]

    def responses(self, genes: Genes) -> Array | None:
        """Return the responses [P, N], a view; None where genomes have none, and all count as 1."""
        return genes.values[:, sum(places(genes)) :] if self.response else None

    def empty(self, n: int, nodes: int, connections: int) -> Genes:
        """Return genes of n individuals with so many places, all 0: no genome yet."""
        structure = {name: np.zeros(n, np.int32) for name in COUNTS}
        structure |= {name: np.zeros((n, nodes), np.int32) for name in OF_NODES}
        structure |= {name: np.zeros((n, connections), np.int32) for name in OF_CONNECTIONS}
        return Genes(np.zeros((n, self.width(nodes, connections)), np.float32), structure)

    def resized(self, genes: Genes, nodes: int, connections: int) -> Genes:
        """Return the same individuals with so many places.

        Raises ValueError where an individual does not fit.
        """
        before = places(genes)
        if before == (nodes, connections):
            return genes
        used = _used(genes)
        if used[0] > nodes or used[1] > connections:
            raise ValueError(f"{used[0]} nodes and {used[1]} connections do not fit {nodes} and {connections} places")
        resized = self.empty(len(genes), nodes, connections)
        shared = min(nodes, before[0]), min(connections, before[1])
        structure = dict(resized.structure) | {name: genes.structure[name] for name in COUNTS}
        for names, width in zip((OF_NODES, OF_CONNECTIONS), shared, strict=True):
            for name in names:
                structure[name][:, :width] = genes.structure[name][:, :width]
        starts = [(0, 0, shared[1]), (before[1], connections, shared[0])]
        starts += [(sum(before), nodes + connections, shared[0])] * self.response
        for old, new, width in starts:
            resized.values[:, new : new + width] = genes.values[:, old : old + width]
        return Genes(resized.values, structure, genes.bounds)

    def trimmed(self, genes: Genes) -> Genes:
        """Return the same individuals with the widths they need, rounded up; itself where these are its widths."""
        nodes, connections = _used(genes)
        return self.resized(genes, rounded(max(nodes, self.fixed)), rounded(connections))

    def validate(self, genes: Genes) -> list[str]:
        """Return what is wrong with `genes`, a line each; nothing where every invariant holds."""
        from vynapse_neat.invariants import violations

        return violations(self, genes)


def rounded(places: int) -> int:
    """Return a width that has so many places."""
    return -(-places // WIDTH_STEP) * WIDTH_STEP


def places(genes: Genes) -> tuple[int, int]:
    """Return N and C, the widths of the arrays."""
    return genes.structure["node"].shape[1], genes.structure["innovation"].shape[1]


def _used(genes: Genes) -> tuple[int, int]:
    nodes, connections = (int(genes.structure[name].max(initial=0)) for name in COUNTS)
    return nodes, connections
