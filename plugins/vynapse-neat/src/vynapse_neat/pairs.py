# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which nodes of a small genome a connection may join: sets of nodes are bits of a number.

What closes a cycle is then known for all pairs at once, and one draw chooses among those that are left. Bits stand in
the cells of a workspace: INTO + v has the nodes that lead to node v at once, MARKS + v those that v leads to.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vynapse_core import routine_part
from vynapse_neat.draws import below, word
from vynapse_neat.paths import NONE, placed
from vynapse_neat.workspace import (
    BIAS_NODE,
    CHILD,
    FIRST,
    FIXED,
    INPUTS,
    INTO,
    LANES,
    LONGEST,
    MARKS,
    OUTPUTS,
    SOURCE,
    TARGET,
    at_connection,
    connections_of,
)

MOST_BITS = 31
"""So many nodes at most: cells are int32."""
ANY, FORWARD, CYCLIC = np.arange(-1, 2)
"""Among which pairs of nodes a connection is sought."""
BIT = np.int64(1)


@routine_part
def bits_in(mask: Any) -> Any:
    """Return how many of 32 bits are set."""
    mask = mask - ((mask >> 1) & 0x55555555)
    mask = (mask & 0x33333333) + ((mask >> 2) & 0x33333333)
    return (((mask + (mask >> 4)) & 0x0F0F0F0F) * 0x01010101 >> 24) & 0xFF


@routine_part
def reach_found(cells: Any, sizes: Any, nodes: Any, spots: Any) -> None:
    """Write the bits of a child's nodes: what leads to each at once, and what each leads to (Warshall 1962)."""
    into, reach, ends = sizes[INTO], sizes[MARKS], sizes[LONGEST]
    connections = connections_of(cells, sizes, CHILD)
    placed(cells, sizes, at_connection(sizes, CHILD, SOURCE), connections, spots, FIRST)
    placed(cells, sizes, at_connection(sizes, CHILD, TARGET), connections, spots, ends)
    for v in range(nodes):
        cells[into + v] = 0
        cells[reach + v] = 0
    for k in range(connections):
        origin, end = np.int64(spots[k]), np.int64(spots[ends + k])
        cells[into + end] |= BIT << origin
        cells[reach + origin] |= BIT << end
    # nothing leads to an input
    for via in range(sizes[INPUTS], nodes):
        further = cells[reach + via]
        for v in range(0, nodes, LANES):
            for s in range(LANES):
                here = cells[reach + v + s]
                cells[reach + v + s] = here | (further & -((here >> via) & 1))


@routine_part
def origins_of(cells: Any, sizes: Any, nodes: Any, end: Any, wanted: Any, from_outputs: Any) -> Any:
    """Return the bits of the nodes from which a connection to `end` may come."""
    every = (BIT << nodes) - 1
    free = every & ~np.int64(cells[sizes[INTO] + end])
    if wanted == ANY:
        return free
    cyclic = np.int64(cells[sizes[MARKS] + end]) | (BIT << end)
    if not from_outputs:
        cyclic |= ((BIT << sizes[OUTPUTS]) - 1) << sizes[INPUTS]
    return free & cyclic if wanted == CYCLIC else free & ~cyclic


@routine_part
def pair_among_few(
    cells: Any, sizes: Any, seed: Any, draw: Any, nodes: Any, wanted: Any, from_outputs: Any, spots: Any
) -> Any:
    """Return one out of all pairs of places that a connection may join, each as probable, as origin * nodes + end.

    NONE where there is none. There are at most MOST_BITS nodes.
    """
    reach_found(cells, sizes, nodes, spots)
    # a bias node, the last of the fixed ones, is no end
    kept = sizes[FIXED] - 1 if sizes[BIAS_NODE] != 0 else NONE
    pairs = np.int64(0)
    for end in range(sizes[INPUTS], nodes):
        if end != kept:
            pairs += bits_in(origins_of(cells, sizes, nodes, end, wanted, from_outputs))
    if pairs == 0:
        return NONE
    left = below(word(seed, draw), pairs)
    # all are gone through, as where to stop would be predicted wrongly
    chosen, there, rest = np.int64(0), np.int64(0), np.int64(0)
    for end in range(sizes[INPUTS], nodes):
        if end != kept:
            origins = origins_of(cells, sizes, nodes, end, wanted, from_outputs)
            found = bits_in(origins)
            here = (left >= 0) & (left < found)
            chosen, there, rest = np.int64(end) if here else chosen, origins if here else there, left if here else rest
            left -= found
    pair = NONE
    for origin in range(nodes):
        bit = (there >> origin) & 1
        pair = origin * nodes + chosen if (rest == 0) & (bit == 1) else pair
        rest -= bit
    return pair
