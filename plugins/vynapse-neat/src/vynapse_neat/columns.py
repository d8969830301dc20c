# SPDX-License-Identifier: MIT OR Apache-2.0
"""Genomes that many others are compared with, eight at a time: representatives as the columns of a table.

A row of the table is a gene that any of the eight has. A genome's genes are looked up among the rows once for all of
them, and each number is computed for eight columns at once. The distances are those of `distance`, to the bit:
sums go through the genes in the same order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vynapse_core import routine, routine_part
from vynapse_neat.distance import SIDE, apart_by_ends, apart_by_innovation, apart_by_nodes

if TYPE_CHECKING:
    from vynapse_core import Array

LANES = 8
"""Columns of a block."""
NO, YES = np.float32(0), np.float32(1)
"""Whether a column has a gene."""
DONE = np.int64(2**63 - 1)
"""Stands behind the last gene of a column."""
SCANNED = 64
"""Among so many keys one is soonest found by looking at all of them."""
WEIGHT, HERE, DISABLED, ENABLED = np.arange(4)
"""What is known of a connection: a column's weight, whether it has it, and whether it has it disabled or enabled."""
BIAS, RESPONSE, ACTIVATION, AGGREGATION, PRESENT = np.arange(5)
"""What is known of a node, and whether a column has it."""

COLUMNS = (
    "int64[:, :], float32[:, :, :, :], float64[:, :, :], float64[:, :], int64[:, :], float32[:, :, :, :], int64[:, :], "
    "int64[:, :]"
)
"""What a routine takes of a table: a `Columns`."""


class Columns(NamedTuple):
    """S genomes in blocks of LANES columns, the last of which may be partly empty: what a routine takes of them."""

    keys: Array
    """int64 [blocks, U], the keys of all connections that any column has, ascending, and DONE behind them."""
    connections: Array
    """float32 [blocks, U, 4, LANES]: WEIGHT, HERE, DISABLED and ENABLED; behind the last key, nothing."""
    left: Array
    """float64 [blocks, U, LANES], how many connections of a column are in this row or behind it; [blocks, 1, LANES],
    and not looked at, for a rule by ends."""
    sizes: Array
    """float64 [blocks, 3 * LANES]: numbers of connections and of nodes; the last keys, -1 where there is none, which
    mean something where keys are innovations."""
    nodes: Array
    """int64 [blocks, V], the ids of all nodes but inputs, ascending, and DONE behind them."""
    traits: Array
    """float32 [blocks, V, 5, LANES]: BIAS, RESPONSE, ACTIVATION, AGGREGATION and PRESENT."""
    counts: Array
    """int64 [blocks, LANES]; the first says how many keys there are, the others are scratch space."""
    coming: Array
    """int64 [blocks, LANES], scratch space."""


def empty_columns(blocks: int, wide: int, known: int, by_ends: bool) -> Columns:
    """Return columns to be filled: room for so many connections and nodes in each block, and for a rule `by_ends`."""
    return Columns(
        np.empty((blocks, wide), np.int64),
        np.empty((blocks, wide, 4, LANES), np.float32),
        np.empty((blocks, 1 if by_ends else wide, LANES)),
        np.empty((blocks, 3 * LANES)),
        np.empty((blocks, known), np.int64),
        np.empty((blocks, known, 5, LANES), np.float32),
        *np.empty((2, blocks, LANES), np.int64),
    )


@routine_part
def spotted(keys: Any, row: Any, count: Any, all_keys: Any, known: Any, spots: Any) -> None:
    """Write to `spots` which of `known` ascending keys each of the `count` keys of a row is; `known` for none of them.

    Among a few, LANES of a row are compared with each of those: no branch is then predicted wrongly. Behind a row and
    behind `spots` there is room for LANES.
    """
    if known > SCANNED:
        u = np.int64(0)
        for i in range(count):
            key = np.int64(keys[row, i])
            while all_keys[u] < key:
                u += 1
            spots[i] = u if all_keys[u] == key else known
        return
    for k in range(0, count, LANES):
        for s in range(LANES):
            spots[k + s] = known
        # four at a time: what lies behind those that are known is DONE
        for j in range(0, known, 4):
            one, two, three, four = all_keys[j], all_keys[j + 1], all_keys[j + 2], all_keys[j + 3]
            for s in range(LANES):
                key, spot = np.int64(keys[row, k + s]), spots[k + s]
                spot = np.int32(j) if key == one else spot
                spot = np.int32(j + 1) if key == two else spot
                spot = np.int32(j + 2) if key == three else spot
                spots[k + s] = np.int32(j + 3) if key == four else spot


@routine_part
def compared(
    terms: Any, apart: Any, matching: Any, beyond: Any, spots: Any,
    row: Any, connections: Any, keys: Any, places: Any, values: Any, enabled: Any, nodes: Any, node: Any,
    activation: Any, aggregation: Any,
    all_keys: Any, links: Any, left: Any, sizes: Any, ids: Any, traits: Any, counts: Any,
) -> None:  # fmt: skip
    """Write to `apart` [LANES] the distances of a genome from the columns of a block.

    `matching`, `beyond` [LANES] and `spots` [a row and LANES] are scratch space.
    """
    n, by_ends, disabled = np.int64(connections[row]), terms[4] != 0.0, terms[5] != 0.0
    for s in range(LANES):
        apart[s] = 0.0
        matching[s] = 0.0
        beyond[s] = 0.0
    spotted(keys, row, n, all_keys, counts[0], spots)
    # what no column has is looked up too, where nobody has anything: to pass it over would be a branch
    for i in range(n):
        u = np.int64(spots[i])
        at = np.int64(places[row, i]) if by_ends else np.int64(i)
        weight, other = np.float64(values[row, at]), DISABLED if enabled[row, at] else ENABLED
        for s in range(LANES):
            difference = abs(weight - np.float64(links[u, WEIGHT, s]))
            matching[s] += np.float64(links[u, HERE, s])
            apart[s] += difference if links[u, HERE, s] != NO else 0.0
        if disabled:
            for s in range(LANES):
                apart[s] += np.float64(links[u, other, s])
    u = np.int64(0)
    if not by_ends:
        for i in range(n):
            for s in range(LANES):
                beyond[s] += np.float64(np.float64(keys[row, i]) > sizes[2 * LANES + s])
        if n > 0:
            while all_keys[u] <= keys[row, n - 1]:
                u += 1
        for s in range(LANES):
            excess = beyond[s] + left[u, s]
            apart[s] = apart_by_innovation(terms, n, sizes[s], matching[s], excess, apart[s])
        return
    for s in range(LANES):
        beyond[s] = apart_by_ends(terms, n, sizes[s], matching[s], apart[s])
        apart[s] = 0.0
        # inputs are in every genome, and have no traits
        matching[s] = terms[8]
    n, biases, first = np.int64(nodes[row]), np.int64(enabled.shape[1]), np.int64(terms[8])
    responses = biases + node.shape[1]
    response, choices = values.shape[1] > responses, terms[7] != 0.0
    v = 0
    for i in range(first, n):
        while ids[v] < node[row, i]:
            v += 1
        if ids[v] == node[row, i]:
            bias = np.float64(values[row, biases + i])
            for s in range(LANES):
                difference = abs(bias - np.float64(traits[v, BIAS, s]))
                matching[s] += np.float64(traits[v, PRESENT, s])
                apart[s] += difference if traits[v, PRESENT, s] != NO else 0.0
            if response:
                factor = np.float64(values[row, responses + i])
                for s in range(LANES):
                    difference = abs(factor - np.float64(traits[v, RESPONSE, s]))
                    apart[s] += difference if traits[v, PRESENT, s] != NO else 0.0
            if choices:
                one, other_one = np.float32(activation[row, i]), np.float32(aggregation[row, i])
                for s in range(LANES):
                    here = traits[v, PRESENT, s] != NO
                    apart[s] += 1.0 if here & (traits[v, ACTIVATION, s] != one) else 0.0
                    apart[s] += 1.0 if here & (traits[v, AGGREGATION, s] != other_one) else 0.0
            v += 1
    for s in range(LANES):
        apart[s] = beyond[s] + apart_by_nodes(terms, n, sizes[LANES + s], matching[s], apart[s])


@routine(f"int64[:], float64[:], {SIDE}, {COLUMNS}", distinct=True)
def filled(
    first: int, last: int, rows: Array, terms: Array,
    connections: Array, keys: Array, places: Array, values: Array, enabled: Array,
    nodes: Array, node: Array, activation: Array, aggregation: Array,
    all_keys: Array, links: Array, left: Array, sizes: Array, ids: Array, traits: Array, heads: Array, coming: Array,
) -> None:  # fmt: skip
    """Put the genomes at `rows` into the blocks from `first` to `last`; for a row below 0, a column has no genes."""
    for block in range(first, last):
        for s in range(LANES):
            place = block * LANES + s
            n, m = np.int64(0), np.int64(0)
            if place < len(rows) and rows[place] >= 0:
                n, m = np.int64(connections[rows[place]]), np.int64(nodes[rows[place]])
            heads[block, s] = 0
            coming[block, s] = np.int64(keys[rows[place], 0]) if n > 0 else DONE
            sizes[block, s] = np.float64(n)
            sizes[block, LANES + s] = np.float64(m)
            sizes[block, 2 * LANES + s] = np.float64(keys[rows[place], n - 1]) if n > 0 else -1.0
        u = 0
        while True:
            least = first_of(coming[block])
            all_keys[block, u] = least
            for s in range(LANES):
                links[block, u, WEIGHT, s] = NO
                links[block, u, HERE, s] = NO
                links[block, u, DISABLED, s] = NO
                links[block, u, ENABLED, s] = NO
            if least == DONE:
                break
            for s in range(LANES):
                if coming[block, s] == least:
                    row, head = rows[block * LANES + s], heads[block, s]
                    at = np.int64(places[row, head]) if terms[4] != 0.0 else head
                    links[block, u, WEIGHT, s] = values[row, at]
                    links[block, u, HERE, s] = YES
                    links[block, u, ENABLED if enabled[row, at] else DISABLED, s] = YES
                    heads[block, s] = head + 1
                    coming[block, s] = np.int64(keys[row, head + 1]) if head + 1 < connections[row] else DONE
            u += 1
        for behind in range(1, 4):
            all_keys[block, u + behind] = DONE
        if terms[4] == 0.0:
            for s in range(LANES):
                left[block, u, s] = 0.0
            for below in range(u):
                for s in range(LANES):
                    here = np.float64(links[block, u - 1 - below, HERE, s] != NO)
                    left[block, u - 1 - below, s] = left[block, u - below, s] + here
        else:
            _filled_nodes(
                block, np.int64(terms[8]), rows, values, nodes, node, activation, aggregation, enabled.shape[1],
                sizes, ids, traits, heads, coming,
            )  # fmt: skip
        heads[block, 0] = u


@routine_part
def _filled_nodes(
    block: Any, inputs: Any, rows: Any, values: Any, nodes: Any, node: Any, activation: Any, aggregation: Any,
    biases: Any, sizes: Any, ids: Any, traits: Any, heads: Any, coming: Any,
) -> None:  # fmt: skip
    """Put the nodes of the genomes of a block into it, but for inputs."""
    responses = biases + node.shape[1]
    response = values.shape[1] > responses
    for s in range(LANES):
        heads[block, s] = inputs
        coming[block, s] = DONE
        if sizes[block, LANES + s] > np.float64(inputs):
            coming[block, s] = np.int64(node[rows[block * LANES + s], inputs])
    v = 0
    while True:
        least = first_of(coming[block])
        ids[block, v] = least
        if least == DONE:
            break
        for trait in range(PRESENT + 1):
            for s in range(LANES):
                traits[block, v, trait, s] = NO
        for s in range(LANES):
            if coming[block, s] == least:
                row, head = rows[block * LANES + s], heads[block, s]
                traits[block, v, BIAS, s] = values[row, biases + head]
                if response:
                    traits[block, v, RESPONSE, s] = values[row, responses + head]
                traits[block, v, ACTIVATION, s] = np.float32(activation[row, head])
                traits[block, v, AGGREGATION, s] = np.float32(aggregation[row, head])
                traits[block, v, PRESENT, s] = YES
                heads[block, s] = head + 1
                coming[block, s] = np.int64(node[row, head + 1]) if head + 1 < nodes[row] else DONE
        v += 1


@routine_part
def first_of(coming: Any) -> Any:
    """Return the least of LANES keys."""
    least = DONE
    for s in range(LANES):
        least = min(least, coming[s])
    return least
