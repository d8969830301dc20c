# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which nodes of a small genome a connection may join: sets of nodes are bits of a number.

What closes a cycle is then known for all pairs at once, and one draw chooses among those that are left. Bits stand in
the cells of a workspace: INTO + v has the nodes that lead to node v at once, MARKS + v those that v leads to.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vynapse_core import routine_part
from vynapse_neat.draws import below, bits_in, word
from vynapse_neat.paths import NONE, ends_placed
from vynapse_neat.workspace import (
    BIAS_NODE,
    CHILD,
    FIXED,
    INPUTS,
    INTO,
    LANES,
    LONGEST,
    MARKS,
    OUTPUTS,
    connections_of,
    whole_lanes,
)

MOST_BITS = 31
"""So many nodes at most: cells are int32."""
ANY, FORWARD, CYCLIC = np.arange(-1, 2)
"""Among which pairs of nodes a connection is sought."""
BIT, ZERO, NO = np.int64(1), np.int32(0), np.uint64(0)


@routine_part
def reach_found(cells: Any, sizes: Any, nodes: Any, spots: Any) -> None:
    """Write the bits of a child's nodes: what leads to each at once, and what each leads to (Warshall 1962)."""
    into, reach, ends = sizes[INTO], sizes[MARKS], sizes[LONGEST]
    connections = connections_of(cells, sizes, CHILD)
    ends_placed(cells, sizes, connections, spots)
    for v in range(0, nodes, LANES):
        for s in range(LANES):
            cells[into + v + s] = 0
        for s in range(LANES):
            cells[reach + v + s] = 0
    for k in range(connections):
        origin, end = np.int64(spots[k]), np.int64(spots[ends + k])
        cells[into + end] |= BIT << origin
        cells[reach + origin] |= BIT << end
    # nothing leads to an input
    for via in range(sizes[INPUTS], nodes):
        further, bit = cells[reach + via], np.int32(BIT << via)
        for v in range(0, nodes, LANES):
            for s in range(LANES):
                here = cells[reach + v + s]
                cells[reach + v + s] = here | (further if np.int32(here & bit) != ZERO else ZERO)


@routine_part
def origins_found(cells: Any, sizes: Any, nodes: Any, wanted: Any, from_outputs: Any, spots: Any) -> Any:
    """Write the bits of the nodes from which a connection to each node may come; return how many such pairs there are.

    A bias node, the last of the fixed ones, is no end. The list in `spots` has whole LANES.
    """
    inputs, into, reach = sizes[INPUTS], sizes[INTO], sizes[MARKS]
    kept = sizes[FIXED] - 1 if sizes[BIAS_NODE] != 0 else NONE
    every = np.int32((BIT << nodes) - 1)
    outputs = np.int32(0 if from_outputs else ((BIT << sizes[OUTPUTS]) - 1) << inputs)
    # those in `turned` are wanted where they are in no cycle
    among, turned = np.int32(-1 if wanted == ANY else 0), np.int32(-1 if wanted == FORWARD else 0)
    pairs = np.int64(0)
    for v in range(0, nodes, LANES):
        for s in range(LANES):
            cyclic = cells[reach + v + s] | np.int32(BIT << (v + s)) | outputs
            origins = every & ~cells[into + v + s] & (cyclic ^ turned | among)
            is_end = (v + s >= inputs) & (v + s < nodes) & (v + s != kept)
            spots[v + s] = origins if is_end else 0
        for s in range(LANES):
            pairs += bits_in(np.uint64(spots[v + s]))
    return pairs


@routine_part
def pair_among_few(
    cells: Any, sizes: Any, seed: Any, draw: Any, nodes: Any, wanted: Any, from_outputs: Any, spots: Any
) -> Any:
    """Return one out of all pairs of places that a connection may join, each as probable, as origin * nodes + end.

    NONE where there is none. There are at most MOST_BITS nodes.
    """
    reach_found(cells, sizes, nodes, spots)
    pairs = origins_found(cells, sizes, nodes, wanted, from_outputs, spots)
    if pairs == 0:
        return NONE
    left = below(word(seed, draw), pairs)
    # all are gone through, in whole LANES, as where to stop would be predicted wrongly
    whole = whole_lanes(nodes)
    chosen, there, rest = np.int64(0), np.int64(0), np.int64(0)
    for end in range(whole):
        origins = np.int64(spots[end])
        found = bits_in(np.uint64(origins))
        here = (left >= 0) & (left < found)
        chosen, there, rest = np.int64(end) if here else chosen, origins if here else there, left if here else rest
        left -= found
    first = np.int64(0)
    for origin in range(whole):
        bit = (there >> origin) & 1
        first = np.int64(origin) if (rest == 0) & (bit == 1) else first
        rest -= bit
    return first * nodes + chosen
