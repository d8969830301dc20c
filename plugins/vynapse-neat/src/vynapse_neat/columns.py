# SPDX-License-Identifier: MIT OR Apache-2.0
"""Genomes that many others are compared with, eight at a time: representatives as the columns of a table.

A row of the table is a gene that any of the eight has. One merge of a genome with the rows finds what it shares with
all of them, and each number is computed for eight columns at once. The distances are those of `distance`, to the bit:
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
ABSENT, DISABLED, ENABLED = np.float32(0), np.float32(1), np.float32(2)
"""What a column has of a connection; of a node it is 0 or 1."""
DONE = np.int64(2**63 - 1)
"""Stands behind the last gene of a column."""
WEIGHT, HERE = np.arange(2)
BIAS, RESPONSE, ACTIVATION, AGGREGATION, PRESENT = np.arange(5)

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
    """float32 [blocks, U, 2, LANES]: WEIGHT and HERE."""
    left: Array
    """float64 [blocks, U, LANES], how many connections of a column are in this row or behind it."""
    sizes: Array
    """float64 [blocks, 3 * LANES]: numbers of connections and of nodes; the last keys, -1 where there is none, which
    mean something where keys are innovations."""
    nodes: Array
    """int64 [blocks, V], the ids of all nodes, ascending, and DONE behind them."""
    traits: Array
    """float32 [blocks, V, 5, LANES]: BIAS, RESPONSE, ACTIVATION, AGGREGATION and PRESENT."""
    heads: Array
    """int64 [blocks, LANES], scratch space, as is `coming`."""
    coming: Array


def empty_columns(blocks: int, wide: int, known: int, by_ends: bool) -> Columns:
    """Return columns to be filled: room for so many connections and nodes in each block, and for a rule `by_ends`."""
    return Columns(
        np.empty((blocks, wide), np.int64),
        np.empty((blocks, wide, 2, LANES), np.float32),
        np.empty((blocks, 1 if by_ends else wide, LANES)),
        np.empty((blocks, 3 * LANES)),
        np.empty((blocks, known), np.int64),
        np.empty((blocks, known, 5, LANES), np.float32),
        *np.empty((2, blocks, LANES), np.int64),
    )


@routine_part
def compared(
    terms: Any, apart: Any, matching: Any, beyond: Any,
    row: Any, connections: Any, keys: Any, places: Any, values: Any, enabled: Any, nodes: Any, node: Any,
    activation: Any, aggregation: Any,
    all_keys: Any, links: Any, left: Any, sizes: Any, ids: Any, traits: Any,
) -> None:  # fmt: skip
    """Write to `apart` [LANES] the distances of a genome from the columns of a block; two more arrays are scratch."""
    n, by_ends, disabled = np.int64(connections[row]), terms[4] != 0.0, terms[5]
    for s in range(LANES):
        apart[s] = 0.0
        matching[s] = 0.0
        beyond[s] = 0.0
    u = 0
    for i in range(n):
        key = np.int64(keys[row, i])
        while all_keys[u] < key:
            u += 1
        if not by_ends:
            for s in range(LANES):
                beyond[s] += np.float64(np.float64(key) > sizes[2 * LANES + s])
        if all_keys[u] == key:
            at = np.int64(places[row, i]) if by_ends else np.int64(i)
            weight, own = np.float64(values[row, at]), ENABLED if enabled[row, at] else DISABLED
            for s in range(LANES):
                here = links[u, HERE, s] != ABSENT
                difference = abs(weight - np.float64(links[u, WEIGHT, s]))
                matching[s] += np.float64(here)
                apart[s] += difference if here else 0.0
            if disabled != 0.0:
                for s in range(LANES):
                    here = (links[u, HERE, s] != ABSENT) & (links[u, HERE, s] != own)
                    apart[s] += disabled if here else 0.0
            u += 1
    if not by_ends:
        for s in range(LANES):
            excess = beyond[s] + left[u, s]
            apart[s] = apart_by_innovation(terms, n, sizes[s], matching[s], excess, apart[s])
        return
    for s in range(LANES):
        beyond[s] = apart_by_ends(terms, n, sizes[s], matching[s], apart[s])
        apart[s] = 0.0
        matching[s] = 0.0
    n, biases = np.int64(nodes[row]), np.int64(keys.shape[1])
    responses = biases + node.shape[1]
    response = values.shape[1] > responses
    v = 0
    for i in range(n):
        while ids[v] < node[row, i]:
            v += 1
        if ids[v] == node[row, i]:
            bias = np.float64(values[row, biases + i])
            for s in range(LANES):
                here = traits[v, PRESENT, s] != ABSENT
                difference = abs(bias - np.float64(traits[v, BIAS, s]))
                matching[s] += np.float64(here)
                apart[s] += difference if here else 0.0
            if response:
                factor = np.float64(values[row, responses + i])
                for s in range(LANES):
                    here = traits[v, PRESENT, s] != ABSENT
                    difference = abs(factor - np.float64(traits[v, RESPONSE, s]))
                    apart[s] += difference if here else 0.0
            one, other = np.float32(activation[row, i]), np.float32(aggregation[row, i])
            for s in range(LANES):
                here = traits[v, PRESENT, s] != ABSENT
                apart[s] += np.float64(here & (traits[v, ACTIVATION, s] != one))
                apart[s] += np.float64(here & (traits[v, AGGREGATION, s] != other))
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
            if least == DONE:
                break
            for s in range(LANES):
                links[block, u, WEIGHT, s] = ABSENT
                links[block, u, HERE, s] = ABSENT
            for s in range(LANES):
                if coming[block, s] == least:
                    row, head = rows[block * LANES + s], heads[block, s]
                    at = np.int64(places[row, head]) if terms[4] != 0.0 else head
                    links[block, u, WEIGHT, s] = values[row, at]
                    links[block, u, HERE, s] = ENABLED if enabled[row, at] else DISABLED
                    heads[block, s] = head + 1
                    coming[block, s] = np.int64(keys[row, head + 1]) if head + 1 < connections[row] else DONE
            u += 1
        if terms[4] == 0.0:
            for s in range(LANES):
                left[block, u, s] = 0.0
            for below in range(u):
                for s in range(LANES):
                    here = np.float64(links[block, u - 1 - below, HERE, s] != ABSENT)
                    left[block, u - 1 - below, s] = left[block, u - below, s] + here
        else:
            _filled_nodes(
                block, rows, values, nodes, node, activation, aggregation, keys.shape[1], sizes, ids, traits,
                heads, coming,
            )  # fmt: skip


@routine_part
def _filled_nodes(
    block: Any, rows: Any, values: Any, nodes: Any, node: Any, activation: Any, aggregation: Any, biases: Any,
    sizes: Any, ids: Any, traits: Any, heads: Any, coming: Any,
) -> None:  # fmt: skip
    """Put the nodes of the genomes of a block into it."""
    responses = biases + node.shape[1]
    response = values.shape[1] > responses
    for s in range(LANES):
        heads[block, s] = 0
        coming[block, s] = DONE
        if sizes[block, LANES + s] > 0.0:
            coming[block, s] = np.int64(node[rows[block * LANES + s], 0])
    v = 0
    while True:
        least = first_of(coming[block])
        ids[block, v] = least
        if least == DONE:
            break
        for trait in range(PRESENT + 1):
            for s in range(LANES):
                traits[block, v, trait, s] = ABSENT
        for s in range(LANES):
            if coming[block, s] == least:
                row, head = rows[block * LANES + s], heads[block, s]
                traits[block, v, BIAS, s] = values[row, biases + head]
                if response:
                    traits[block, v, RESPONSE, s] = values[row, responses + head]
                traits[block, v, ACTIVATION, s] = np.float32(activation[row, head])
                traits[block, v, AGGREGATION, s] = np.float32(aggregation[row, head])
                traits[block, v, PRESENT, s] = DISABLED
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
