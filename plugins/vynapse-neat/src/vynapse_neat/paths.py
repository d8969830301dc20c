# SPDX-License-Identifier: MIT OR Apache-2.0
"""Parts of routines that follow connections: which node leads to which, and what would close a cycle.

The connections into a node are a linked list in the cells of a workspace: INTO + v has one of them, AFTER + c the next
one into the same node, NONE the end; START + c has the place of the node that c comes from. Such lists take a pass to
build and grow one connection at a time. Disabled connections count like any other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vynapse_core import routine_part
from vynapse_neat.workspace import (
    AFTER,
    CHILD,
    FIXED,
    ID,
    INTO,
    LANES,
    LONGEST,
    MARKS,
    SOURCE,
    STACK,
    START,
    TARGET,
    at_connection,
    at_node,
    nodes_of,
)

NONE = np.int64(-1)
SCANNED = 32
"""Among so many hidden nodes one is soonest found by looking at all of them, as no branch is predicted wrongly."""


@routine_part
def place_of(cells: Any, sizes: Any, genome: Any, wanted: Any) -> Any:
    """Return the place of a node of a genome; a fixed node's place is its id."""
    if wanted < sizes[FIXED]:
        return np.int64(wanted)
    ids = at_node(sizes, genome, ID)
    first, last = sizes[FIXED], nodes_of(cells, sizes, genome) - 1
    if last - first < SCANNED:
        place = first
        for i in range(first, last):
            place += np.int64(cells[ids + i] < wanted)
        return place
    while first < last:
        middle = (first + last) >> 1
        if cells[ids + middle] < wanted:
            first = middle + 1
        else:
            last = middle
    return first


@routine_part
def ends_placed(cells: Any, sizes: Any, connections: Any, spots: Any) -> None:
    """Write to `spots` at which of a child's nodes its connections begin, and LONGEST further on, where they end."""
    own, fixed, nodes = at_node(sizes, CHILD, ID), sizes[FIXED], nodes_of(cells, sizes, CHILD)
    sources, targets, ends = at_connection(sizes, CHILD, SOURCE), at_connection(sizes, CHILD, TARGET), sizes[LONGEST]
    if nodes - fixed > SCANNED:
        for k in range(connections):
            spots[k] = place_of(cells, sizes, CHILD, cells[sources + k])
            spots[ends + k] = place_of(cells, sizes, CHILD, cells[targets + k])
        return
    for k in range(0, connections, LANES):
        for s in range(LANES):
            spots[k + s] = min(cells[sources + k + s], np.int32(fixed))
        for s in range(LANES):
            spots[ends + k + s] = min(cells[targets + k + s], np.int32(fixed))
        for i in range(fixed, nodes):
            known = cells[own + i]
            for s in range(LANES):
                spots[k + s] += np.int32(known < cells[sources + k + s])
            for s in range(LANES):
                spots[ends + k + s] += np.int32(known < cells[targets + k + s])


@routine_part
def unlinked(cells: Any, sizes: Any, nodes: Any) -> None:
    """Empty the lists of so many nodes."""
    for v in range(nodes):
        cells[sizes[INTO] + v] = NONE


@routine_part
def linked(cells: Any, sizes: Any, connection: Any, origin: Any, end: Any) -> None:
    """Put a connection from place `origin` into the list of place `end`."""
    cells[sizes[START] + connection] = origin
    cells[sizes[AFTER] + connection] = cells[sizes[INTO] + end]
    cells[sizes[INTO] + end] = connection


@routine_part
def joined(cells: Any, sizes: Any, origin: Any, end: Any) -> Any:
    """Return whether some connection in the lists goes from place `origin` to place `end`."""
    c = cells[sizes[INTO] + end]
    while c != NONE:
        if cells[sizes[START] + c] == origin:
            return True
        c = cells[sizes[AFTER] + c]
    return False


@routine_part
def unmarked(cells: Any, sizes: Any, nodes: Any) -> None:
    """Take all marks from so many nodes."""
    for v in range(nodes):
        cells[sizes[MARKS] + v] = NONE


@routine_part
def marked(cells: Any, sizes: Any, end: Any, goal: Any, stamp: Any) -> Any:
    """Mark `end` and all that leads to it with `stamp`, a mark not yet in use; stop where that is `goal`.

    Returns whether `goal` was found; NONE is found nowhere.
    """
    into, after, start, marks, stack = sizes[INTO], sizes[AFTER], sizes[START], sizes[MARKS], sizes[STACK]
    cells[marks + end] = stamp
    if end == goal:
        return True
    cells[stack] = end
    waiting = 1
    while waiting > 0:
        waiting -= 1
        c = cells[into + cells[stack + waiting]]
        while c != NONE:
            v = cells[start + c]
            if cells[marks + v] != stamp:
                if v == goal:
                    return True
                cells[marks + v] = stamp
                cells[stack + waiting] = v
                waiting += 1
            c = cells[after + c]
    return False


@routine_part
def peeled(cells: Any, sizes: Any, nodes: Any) -> Any:
    """Take away, again and again, nodes that lead to no other one; return how many are left.

    What is left holds all cycles. The mark of a node is then how many connections it has to others that are left.
    """
    into, after, start, outs, stack = sizes[INTO], sizes[AFTER], sizes[START], sizes[MARKS], sizes[STACK]
    for v in range(nodes):
        cells[outs + v] = 0
    for v in range(nodes):
        c = cells[into + v]
        while c != NONE:
            cells[outs + cells[start + c]] += 1
            c = cells[after + c]
    waiting, left = 0, nodes
    for v in range(nodes):
        if cells[outs + v] == 0:
            cells[stack + waiting] = v
            waiting += 1
    while waiting > 0:
        waiting -= 1
        left -= 1
        c = cells[into + cells[stack + waiting]]
        while c != NONE:
            u = cells[start + c]
            cells[outs + u] -= 1
            if cells[outs + u] == 0:
                cells[stack + waiting] = u
                waiting += 1
            c = cells[after + c]
    return left
