# SPDX-License-Identifier: MIT OR Apache-2.0
"""Crossover of equally fit parents: the child chooses out of the genes of both.

Genes that match are mixed. Of the others, each is taken or not; what the father alone has must then fit the rest: no
pair of nodes is joined twice, and where genomes are feed-forward, no connection closes a cycle. Each gene set alone is
sound, so that only what both together have is looked at, and paths are followed only where a cycle exists at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vynapse_core import routine_part
from vynapse_neat.draws import unit, word
from vynapse_neat.mixing import (
    AVERAGE,
    BIT_0,
    DISABLE,
    DISABLE_BOTH,
    EQUAL,
    NO,
    OF_CONNECTIONS,
    WHOLE,
    matched_enabled,
    nodes_mixed,
    one_or_mean,
)
from vynapse_neat.paths import joined, linked, marked, peeled, place_of, unlinked, unmarked
from vynapse_neat.workspace import (
    CHILD,
    ENABLED,
    FATHER,
    FIRST,
    ID,
    INNOVATION,
    KINDS,
    MARKS,
    MOTHER,
    RECURRENT,
    SOURCE,
    START,
    TARGET,
    VALUES,
    WANTED,
    at_connection,
    at_node,
    connections_of,
    copied_connection,
    copied_node,
    count,
    nodes_of,
)

BOTH = 1
"""Place of "both" in `EqualFitness`."""
SHARED, SURPLUS, SUSPECT, REFUSED = 0, 1, 2, 3
"""What a connection of the child is: the mother's; the father's alone; the same, and perhaps in a cycle; dropped."""


@routine_part
def united(cells: Any, values: Any, sizes: Any, crossing: Any, seed: Any, spots: Any) -> None:
    """Make a child of two equally fit parents."""
    mean = unit(word(seed, WHOLE)) < crossing[AVERAGE]
    united_nodes(cells, values, sizes)
    # those that the father alone has are mixed with themselves
    nodes_mixed(cells, values, sizes, mean, seed, FATHER, spots)
    if united_connections(cells, values, sizes, crossing, mean, seed):
        judged(cells, sizes)
        kept = 0
        for k in range(connections_of(cells, sizes, CHILD)):
            if cells[sizes[KINDS] + k] != REFUSED:
                copied_connection(cells, values, sizes, CHILD, k, CHILD, kept)
                kept += 1
        count(cells, sizes, CHILD, nodes_of(cells, sizes, CHILD), kept)
    without_loose(cells, values, sizes)


@routine_part
def mixed_connection(
    cells: Any, values: Any, sizes: Any, crossing: Any, mean: Any, bits: Any, other: Any, j: Any, k: Any
) -> None:
    """Mix connection k of the child, a copy of one parent's, with the matching connection j of the other parent."""
    x, y = values[CHILD * sizes[VALUES] + k], values[other * sizes[VALUES] + j]
    values[CHILD * sizes[VALUES] + k] = one_or_mean(x, y, (bits & BIT_0) != NO, mean)
    ours = at_connection(sizes, CHILD, ENABLED) + k
    theirs = cells[at_connection(sizes, other, ENABLED) + j]
    second, share = (bits & BIT_0) != NO, unit(bits)
    cells[ours] = matched_enabled(cells[ours], theirs, second, share, crossing[DISABLE], crossing[DISABLE_BOTH])


@routine_part
def united_nodes(cells: Any, values: Any, sizes: Any) -> None:
    """Give a child the nodes of both parents, and mark those that both have as wanted."""
    ours, theirs = at_node(sizes, MOTHER, ID), at_node(sizes, FATHER, ID)
    nodes, others = nodes_of(cells, sizes, MOTHER), nodes_of(cells, sizes, FATHER)
    i, j, k = 0, 0, 0
    while i < nodes or j < others:
        from_mother = j == others or (i < nodes and cells[ours + i] <= cells[theirs + j])
        from_father = i == nodes or (j < others and cells[theirs + j] <= cells[ours + i])
        copied_node(cells, values, sizes, MOTHER if from_mother else FATHER, i if from_mother else j, CHILD, k)
        cells[sizes[WANTED] + k] = np.int64(from_mother and from_father)
        i += int(from_mother)
        j += int(from_father)
        k += 1
    count(cells, sizes, CHILD, k, FIRST)


@routine_part
def united_connections(cells: Any, values: Any, sizes: Any, crossing: Any, mean: Any, seed: Any) -> Any:
    """Give a child connections of both parents, and say which are the father's alone. Return whether any is."""
    ours, theirs = at_connection(sizes, MOTHER, INNOVATION), at_connection(sizes, FATHER, INNOVATION)
    links, others = connections_of(cells, sizes, MOTHER), connections_of(cells, sizes, FATHER)
    i, j, k = 0, 0, 0
    surplus = False
    while i < links or j < others:
        from_mother = j == others or (i < links and cells[ours + i] <= cells[theirs + j])
        from_father = i == links or (j < others and cells[theirs + j] <= cells[ours + i])
        bits = word(seed, OF_CONNECTIONS + i + j)
        if (from_mother and from_father) or crossing[EQUAL] == BOTH or (bits & BIT_0) != NO:
            copied_connection(
                cells, values, sizes, MOTHER if from_mother else FATHER, i if from_mother else j, CHILD, k
            )
            cells[sizes[KINDS] + k] = SHARED if from_mother else SURPLUS
            surplus = surplus or not from_mother
            if from_mother and from_father:
                mixed_connection(cells, values, sizes, crossing, mean, bits, FATHER, j, k)
            k += 1
        i += int(from_mother)
        j += int(from_father)
    count(cells, sizes, CHILD, nodes_of(cells, sizes, CHILD), k)
    return surplus


@routine_part
def judged(cells: Any, sizes: Any) -> None:
    """Refuse connections of the father's that join nodes already joined, or that close a cycle where none may be."""
    kinds, marks, starts = sizes[KINDS], sizes[MARKS], sizes[START]
    source, target = at_connection(sizes, CHILD, SOURCE), at_connection(sizes, CHILD, TARGET)
    nodes, connections = nodes_of(cells, sizes, CHILD), connections_of(cells, sizes, CHILD)
    unlinked(cells, sizes, nodes)
    for wanted in range(SHARED, SURPLUS + 1):
        for k in range(connections):
            if cells[kinds + k] == wanted:
                origin = place_of(cells, sizes, CHILD, cells[source + k])
                end = place_of(cells, sizes, CHILD, cells[target + k])
                if wanted == SURPLUS and joined(cells, sizes, origin, end):
                    cells[kinds + k] = REFUSED
                else:
                    linked(cells, sizes, k, origin, end)
    if sizes[RECURRENT] != 0 or peeled(cells, sizes, nodes) == 0:
        return
    unlinked(cells, sizes, nodes)
    for k in range(connections):
        if cells[kinds + k] != REFUSED:
            origin, end = np.int64(cells[starts + k]), place_of(cells, sizes, CHILD, cells[target + k])
            # only what joins two nodes that are left can lie on a cycle
            if cells[kinds + k] == SURPLUS and cells[marks + origin] > 0 and cells[marks + end] > 0:
                cells[kinds + k] = SUSPECT
            else:
                linked(cells, sizes, k, origin, end)
    unmarked(cells, sizes, nodes)
    for k in range(connections):
        if cells[kinds + k] == SUSPECT:
            origin, end = np.int64(cells[starts + k]), place_of(cells, sizes, CHILD, cells[target + k])
            if marked(cells, sizes, origin, end, k):
                cells[kinds + k] = REFUSED
            else:
                linked(cells, sizes, k, origin, end)


@routine_part
def without_loose(cells: Any, values: Any, sizes: Any) -> None:
    """Take away nodes that only one parent has and that no connection of the child uses."""
    wanted = sizes[WANTED]
    source, target = at_connection(sizes, CHILD, SOURCE), at_connection(sizes, CHILD, TARGET)
    connections = connections_of(cells, sizes, CHILD)
    for k in range(connections):
        cells[wanted + place_of(cells, sizes, CHILD, cells[source + k])] = 1
        cells[wanted + place_of(cells, sizes, CHILD, cells[target + k])] = 1
    kept = 0
    for k in range(nodes_of(cells, sizes, CHILD)):
        if cells[wanted + k] == 1:
            copied_node(cells, values, sizes, CHILD, k, CHILD, kept)
            kept += 1
    count(cells, sizes, CHILD, kept, connections)
