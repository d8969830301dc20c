# SPDX-License-Identifier: MIT OR Apache-2.0
"""Mutation of a child's structure: what is deleted at once, and what is proposed, numbered and then added.

Proposals are made of the genome as it is, so that a child's new connection never joins its new node.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vynapse_core import routine_part
from vynapse_neat.draws import PURPOSE, below, unit, word
from vynapse_neat.innovation import ABSENT, CONNECTION, ENDPOINT
from vynapse_neat.pairs import ANY, CYCLIC, FORWARD, MOST_BITS, pair_among_few
from vynapse_neat.paths import NONE, joined, linked, marked, place_of, unlinked, unmarked
from vynapse_neat.rates import (
    ADD_CONNECTION,
    ADD_NODE,
    DELETE_CONNECTION,
    DELETE_NODE,
    FROM_OUTPUTS,
    OLD_FIRST,
    RECURRENT_SHARE,
    SHARPNESS,
    SINGLE,
    SPLIT_BIAS,
    TARGET_CONNECTIONS,
    TARGET_NODES,
)
from vynapse_neat.workspace import (
    BIAS_NODE,
    CHILD,
    ENABLED,
    FIXED,
    ID,
    INNOVATION,
    INPUTS,
    LANES,
    LINKS,
    MARKS,
    OUTPUTS,
    RECURRENT,
    SOURCE,
    TARGET,
    VALUES,
    at_connection,
    at_node,
    connections_of,
    copied_connection,
    copied_node,
    count,
    nodes_of,
)

ADDS_NODE, ADDS_CONNECTION, DELETES_NODE, DELETES_CONNECTION = 1, 2, 4, 8
"""What happens to a child's structure: a sum of these."""
TRIES = 24
"""Pairs that are drawn before all are looked through: 24 fail where 9 in 10 pairs are taken 1 time in 12."""
PASSED_OVER = 0.3
"""Probability that an old connection is not split where old ones come first: that of NEAT C++."""

STRUCTURE, PAIRS, FOUND = PURPOSE * np.arange(9, 12)
OF_NODE, OF_CONNECTION, OF_LESS_NODES, OF_LESS_CONNECTIONS, OF_CYCLIC, SPLIT, GONE_NODE, GONE_CONNECTION = (
    STRUCTURE + np.arange(8)
)


@routine_part
def pressure(size: Any, target: Any, sharpness: Any) -> Any:
    """Return by what to multiply a rate of growth at a size: near 1 below the target, 1/2 there, near 0 past it."""
    share = size / target
    return 1.0 if share == 0.0 else 1.0 / (1.0 + math.pow(share, sharpness))


@routine_part
def planned(seed: Any, hidden: Any, connections: Any, rates: Any) -> Any:
    """Return what happens to the structure of a child of so many hidden nodes and connections."""
    full = pressure(connections, rates[TARGET_CONNECTIONS], rates[SHARPNESS])
    add_node = rates[ADD_NODE] * full * pressure(hidden, rates[TARGET_NODES], rates[SHARPNESS])
    add_connection = rates[ADD_CONNECTION] * full
    delete_node, delete_connection = rates[DELETE_NODE], rates[DELETE_CONNECTION]
    share = unit(word(seed, OF_NODE))
    if rates[SINGLE] != 0.0:
        share *= max(1.0, add_node + delete_node + add_connection + delete_connection)
        if share < add_node:
            return ADDS_NODE
        if share < add_node + delete_node:
            return DELETES_NODE
        if share < add_node + delete_node + add_connection:
            return ADDS_CONNECTION
        if share < add_node + delete_node + add_connection + delete_connection:
            return DELETES_CONNECTION
        return 0
    plan = 0
    if share < add_node:
        plan += ADDS_NODE
    if unit(word(seed, OF_CONNECTION)) < add_connection:
        plan += ADDS_CONNECTION
    if unit(word(seed, OF_LESS_NODES)) < delete_node:
        plan += DELETES_NODE
    if unit(word(seed, OF_LESS_CONNECTIONS)) < delete_connection:
        plan += DELETES_CONNECTION
    return plan


@routine_part
def node_deleted(cells: Any, values: Any, sizes: Any, seed: Any) -> None:
    """Take away a hidden node and its connections, where a child has hidden nodes."""
    nodes, fixed = nodes_of(cells, sizes, CHILD), sizes[FIXED]
    if nodes == fixed:
        return
    place = fixed + below(word(seed, GONE_NODE), nodes - fixed)
    gone = cells[at_node(sizes, CHILD, ID) + place]
    source, target = at_connection(sizes, CHILD, SOURCE), at_connection(sizes, CHILD, TARGET)
    kept = np.int64(0)
    for k in range(connections_of(cells, sizes, CHILD)):
        stays = (cells[source + k] != gone) & (cells[target + k] != gone)
        copied_connection(cells, values, sizes, CHILD, k, CHILD, kept)
        kept += np.int64(stays)
    for k in range(place + 1, nodes):
        copied_node(cells, values, sizes, CHILD, k, CHILD, k - 1)
    count(cells, sizes, CHILD, nodes - 1, kept)


@routine_part
def closed_up(array: Any, first: Any, gone: Any, count: Any) -> None:
    """Take number `gone` out of a list of `count` numbers from `first` on, LANES at a time."""
    for k in range(gone // LANES * LANES, count, LANES):
        for s in range(LANES):
            # not "one or the other", of which a compiler makes a choice between addresses
            if k + s >= gone:
                array[first + k + s] = array[first + k + s + 1]


@routine_part
def connection_deleted(cells: Any, values: Any, sizes: Any, seed: Any) -> None:
    """Take away a connection, where a child has any."""
    connections = connections_of(cells, sizes, CHILD)
    if connections == 0:
        return
    gone, first = below(word(seed, GONE_CONNECTION), connections), at_connection(sizes, CHILD, INNOVATION)
    for what in range(4):
        closed_up(cells, first + what * sizes[LINKS], gone, connections)
    closed_up(values, CHILD * sizes[VALUES], gone, connections)
    count(cells, sizes, CHILD, nodes_of(cells, sizes, CHILD), connections - 1)


@routine_part
def among_oldest(share: Any, n: Any) -> Any:
    """Return which of n, oldest first, a share in [0, 1) picks, each being passed over; where all are, the oldest."""
    picked = np.int64(0)
    while share < PASSED_OVER and picked < n:
        share /= PASSED_OVER
        picked += 1
    return picked if picked < n else np.int64(0)


@routine_part
def split_proposed(cells: Any, sizes: Any, rates: Any, seed: Any) -> Any:
    """Return the key of a node to be added: the innovation of the connection it splits; ABSENT where none can be."""
    source, enabled = at_connection(sizes, CHILD, SOURCE), at_connection(sizes, CHILD, ENABLED)
    connections = connections_of(cells, sizes, CHILD)
    kept = sizes[FIXED] - 1 if sizes[BIAS_NODE] != 0 and rates[SPLIT_BIAS] == 0.0 else NONE
    active, candidates = np.int64(0), np.int64(0)
    for k in range(connections):
        candidates += np.int64(cells[source + k] != kept)
        active += np.int64((cells[source + k] != kept) & (cells[enabled + k] == 1))
    if candidates == 0:
        return ABSENT
    left = below(word(seed, SPLIT), active if active > 0 else candidates)
    if active > 0 and connections < rates[OLD_FIRST]:
        left = among_oldest(unit(word(seed, SPLIT)), active)
    # all are gone through, as where to stop would be predicted wrongly
    chosen = np.int64(0)
    for k in range(connections):
        fits = (cells[source + k] != kept) & ((active == 0) | (cells[enabled + k] == 1))
        chosen = np.int64(k) if fits & (left == 0) else chosen
        left -= np.int64(fits)
    return np.int64(cells[at_connection(sizes, CHILD, INNOVATION) + chosen])


@routine_part
def is_output(sizes: Any, place: Any) -> Any:
    """Return whether a place is an output's."""
    return sizes[INPUTS] <= place and place < sizes[INPUTS] + sizes[OUTPUTS]


@routine_part
def fits(cells: Any, sizes: Any, origin: Any, end: Any, wanted: Any, from_outputs: Any, stamp: Any) -> Any:
    """Return whether a connection between two places may be added and is of the kind wanted."""
    if joined(cells, sizes, origin, end):
        return False
    if wanted == ANY:
        return True
    if is_output(sizes, origin) and not from_outputs:
        return wanted == CYCLIC
    return marked(cells, sizes, origin, end, stamp) == (wanted == CYCLIC)


@routine_part
def pair_drawn(cells: Any, sizes: Any, seed: Any, nodes: Any, wanted: Any, from_outputs: Any) -> Any:
    """Return a pair of places that a connection may join, as origin * nodes + end; NONE where none was met."""
    inputs, outputs = sizes[INPUTS], sizes[OUTPUTS]
    skipped = outputs if wanted == FORWARD and not from_outputs else 0
    for attempt in range(TRIES):
        origin = below(word(seed, PAIRS + 2 * attempt), nodes - skipped)
        end = inputs + below(word(seed, PAIRS + 2 * attempt + 1), nodes - inputs - sizes[BIAS_NODE])
        if origin >= inputs:
            origin += skipped
        if end >= inputs + outputs:
            end += sizes[BIAS_NODE]
        if fits(cells, sizes, origin, end, wanted, from_outputs, attempt):
            return origin * nodes + end
    return NONE


@routine_part
def pair_found(cells: Any, sizes: Any, seed: Any, nodes: Any, wanted: Any, from_outputs: Any) -> Any:
    """Return one out of all pairs of places that a connection may join, each as probable; NONE where there is none."""
    chosen, found = NONE, 0
    for origin in range(nodes):
        stamp = TRIES + origin
        outward = is_output(sizes, origin) and not from_outputs
        if wanted == FORWARD and outward:
            continue
        if wanted != ANY:
            marked(cells, sizes, origin, NONE, stamp)
        for end in range(sizes[INPUTS], nodes):
            if (sizes[BIAS_NODE] != 0 and end == sizes[FIXED] - 1) or joined(cells, sizes, origin, end):
                continue
            cyclic = outward or cells[sizes[MARKS] + end] == stamp
            if wanted == ANY or cyclic == (wanted == CYCLIC):
                # the n-th pair replaces the one chosen so far with probability 1/n
                if below(word(seed, FOUND + found), found + 1) == 0:
                    chosen = origin * nodes + end
                found += 1
    return chosen


@routine_part
def pair_among_many(cells: Any, sizes: Any, seed: Any, nodes: Any, wanted: Any, from_outputs: Any) -> Any:
    """Return a pair of places that a connection may join; NONE where there is none.

    Pairs are drawn until one fits; after TRIES of them, all are looked through. Either way each is as probable.
    """
    source, target = at_connection(sizes, CHILD, SOURCE), at_connection(sizes, CHILD, TARGET)
    unlinked(cells, sizes, nodes)
    unmarked(cells, sizes, nodes)
    for k in range(connections_of(cells, sizes, CHILD)):
        origin = place_of(cells, sizes, CHILD, cells[source + k])
        linked(cells, sizes, k, origin, place_of(cells, sizes, CHILD, cells[target + k]))
    pair = pair_drawn(cells, sizes, seed, nodes, wanted, from_outputs)
    if pair == NONE:
        pair = pair_found(cells, sizes, seed, nodes, wanted, from_outputs)
    return pair


@routine_part
def connection_proposed(cells: Any, sizes: Any, rates: Any, seed: Any, spots: Any) -> Any:
    """Return the key of a connection to be added; ABSENT where no two nodes may be joined. Each pair is as probable."""
    nodes = nodes_of(cells, sizes, CHILD)
    wanted = FORWARD
    if sizes[RECURRENT] != 0:
        wanted = ANY
        if rates[RECURRENT_SHARE] >= 0.0:
            wanted = CYCLIC if unit(word(seed, OF_CYCLIC)) < rates[RECURRENT_SHARE] else FORWARD
    from_outputs = rates[FROM_OUTPUTS] != 0.0
    if nodes <= MOST_BITS:
        pair = pair_among_few(cells, sizes, seed, PAIRS, nodes, wanted, from_outputs, spots)
    else:
        pair = pair_among_many(cells, sizes, seed, nodes, wanted, from_outputs)
    if pair == NONE:
        return ABSENT
    ids = at_node(sizes, CHILD, ID)
    return CONNECTION + np.int64(cells[ids + pair // nodes]) * ENDPOINT + np.int64(cells[ids + pair % nodes])
