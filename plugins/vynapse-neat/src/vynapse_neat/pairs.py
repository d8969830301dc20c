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
from vynapse_neat.paths import NONE, place_of
from vynapse_neat.workspace import (
    BIAS_NODE,
    CHILD,
    FIXED,
    INPUTS,
    INTO,
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
def reach_found(cells: Any, sizes: Any, nodes: Any) -> None:
    """Write the bits of a child's nodes: what leads to each at once, and what each leads to (Warshall 1962)."""
    into, reach = sizes[INTO], sizes[MARKS]
    source, target = at_connection(sizes, CHILD, SOURCE), at_connection(sizes, CHILD, TARGET)
    for v in range(nodes):
        cells[into + v] = 0
        cells[reach + v] = 0
    for k in range(connections_of(cells, sizes, CHILD)):
        origin = place_of(cells, sizes, CHILD, cells[source + k])
        end = place_of(cells, sizes, CHILD, cells[target + k])
        cells[into + end] |= BIT << origin
        cells[reach + origin] |= BIT << end
    for via in range(nodes):
        further = cells[reach + via]
        for v in range(nodes):
            if (cells[reach + v] >> via) & 1:
                cells[reach + v] |= further


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
def pair_among_few(cells: Any, sizes: Any, seed: Any, draw: Any, nodes: Any, wanted: Any, from_outputs: Any) -> Any:
    """Return one out of all pairs of places that a connection may join, each as probable, as origin * nodes + end.

    NONE where there is none. There are at most MOST_BITS nodes.
    """
    reach_found(cells, sizes, nodes)
    # a bias node, the last of the fixed ones, is no end
    kept = sizes[FIXED] - 1 if sizes[BIAS_NODE] != 0 else NONE
    pairs = np.int64(0)
    for end in range(sizes[INPUTS], nodes):
        if end != kept:
            pairs += bits_in(origins_of(cells, sizes, nodes, end, wanted, from_outputs))
    if pairs == 0:
        return NONE
    left = below(word(seed, draw), pairs)
    for end in range(sizes[INPUTS], nodes):
        origins = origins_of(cells, sizes, nodes, end, wanted, from_outputs) if end != kept else np.int64(0)
        found = bits_in(origins)
        if left < found:
            for origin in range(nodes):
                if (origins >> origin) & 1:
                    if left == 0:
                        return origin * nodes + end
                    left -= 1
        left -= found
    return NONE
