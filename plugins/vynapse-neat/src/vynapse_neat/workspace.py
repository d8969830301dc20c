# SPDX-License-Identifier: MIT OR Apache-2.0
"""Where children are made: room for three genomes and for paths through one, as two flat arrays.

A genome is spread over ten arrays. The parts of which children are made would each take thirty of them, and a compiler
takes minutes over that; so parents are loaded into a workspace, everything happens there, and the child is stored. A
thread has one workspace, which stays in its cache.

`cells` int32 has for each genome its count of nodes, its count of connections, its nodes' ids, activations and
aggregations [3, WIDE], its connections' innovations, sources, targets and enabled flags [4, LINKS]; behind the genomes
what `paths` and `union` use. `values` float32 has for each genome weights, biases and responses.

Beside these, parts take scratch space: `spots` int32 [3 * LONGEST] and `lanes` float64 [3, 3 * LONGEST]. A loop that
reads the cells and writes there becomes vector instructions, as these arrays are known not to overlap.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import routine_part
from vynapse_neat.layout import OF_CONNECTIONS, OF_NODES

if TYPE_CHECKING:
    from vynapse_core import Array, Genes
    from vynapse_neat.layout import Layout

MOTHER, FATHER, CHILD = np.arange(3)
"""The genomes in a workspace. These are NumPy's integers: for each Python number, Numba would compile a part anew."""
(INPUTS, OUTPUTS, FIXED, BIAS_NODE, RESPONSE, RECURRENT, AGGREGATIONS, WIDE, LINKS, CELLS, VALUES, INTO, MARKS, STACK,
 WANTED, AFTER, START, KINDS, ALL_CELLS, LONGEST) = range(20)  # fmt: skip
"""Places in `sizes`: facts of the layout; widths; cells and values of a genome; where cells of other use begin; and
room for something about each node or each connection, in whole LANES."""
LANES = 8
"""Numbers that are drawn at a time; behind each genome there is room for so many."""
FIRST = np.int64(0)
"""Where a list begins that has an array to itself."""
NOBODY = np.int32(-1)
"""What stands in a list behind innovations and ids, so that none of those equals it."""
ID, ACTIVATION, AGGREGATION = np.arange(3)
INNOVATION, SOURCE, TARGET, ENABLED = np.arange(4)

GENES = "float32[:, :], int32[:], int32[:], " + ", ".join(["int32[:, :]"] * (len(OF_NODES) + len(OF_CONNECTIONS)))
"""What a routine takes of a population: the arrays that `arrays` gives, in order."""


def arrays(genes: Genes) -> tuple[Array, ...]:
    """Return all arrays of a population: values, counts of nodes and of connections, those of nodes, the others."""
    of = genes.structure
    return (
        genes.values,
        of["nodes"],
        of["connections"],
        of["node"],
        of["activation"],
        of["aggregation"],
        of["innovation"],
        of["source"],
        of["target"],
        of["enabled"],
    )


@lru_cache(64)
def sizes(layout: Layout, wide: int, links: int) -> Array:
    """Return what parts know of a layout and of a workspace of so many places: int64 [20]."""
    cells = 2 + len(OF_NODES) * wide + len(OF_CONNECTIONS) * links
    lengths = [wide, wide, wide, wide, links, links, links]
    begins = 3 * cells + np.cumsum([0, *lengths])
    known = np.array(
        [
            layout.inputs,
            layout.outputs,
            layout.fixed,
            layout.bias_node,
            layout.response,
            layout.recurrent,
            len(layout.aggregations),
            wide,
            links,
            cells,
            layout.width(wide, links) + LANES,
            *begins,
            max(wide, links) + LANES,
        ],
        np.int64,
    )
    known.flags.writeable = False
    return known


@routine_part
def at_node(sizes: Any, genome: Any, what: Any) -> Any:
    """Return the cell where what is known of a genome's nodes begins: their ID, ACTIVATION or AGGREGATION."""
    return genome * sizes[CELLS] + 2 + what * sizes[WIDE]


@routine_part
def at_connection(sizes: Any, genome: Any, what: Any) -> Any:
    """Return the cell where what is known of a genome's connections begins: their INNOVATION, SOURCE and so on."""
    return genome * sizes[CELLS] + 2 + 3 * sizes[WIDE] + what * sizes[LINKS]


@routine_part
def nodes_of(cells: Any, sizes: Any, genome: Any) -> Any:
    """Return how many nodes a genome has."""
    return np.int64(cells[genome * sizes[CELLS]])


@routine_part
def connections_of(cells: Any, sizes: Any, genome: Any) -> Any:
    """Return how many connections a genome has."""
    return np.int64(cells[genome * sizes[CELLS] + 1])


@routine_part
def count(cells: Any, sizes: Any, genome: Any, nodes: Any, connections: Any) -> None:
    """Set how many nodes and connections a genome has."""
    cells[genome * sizes[CELLS]] = nodes
    cells[genome * sizes[CELLS] + 1] = connections


@routine_part
def copied_node(cells: Any, values: Any, sizes: Any, old: Any, i: Any, new: Any, k: Any) -> None:
    """Copy node i of a genome to node k of a genome."""
    wide = sizes[WIDE]
    source, to = at_node(sizes, old, ID) + i, at_node(sizes, new, ID) + k
    cells[to] = cells[source]
    cells[to + wide] = cells[source + wide]
    cells[to + 2 * wide] = cells[source + 2 * wide]
    source, to = old * sizes[VALUES] + sizes[LINKS] + i, new * sizes[VALUES] + sizes[LINKS] + k
    values[to] = values[source]
    if sizes[RESPONSE]:
        values[to + wide] = values[source + wide]


@routine_part
def copied_connection(cells: Any, values: Any, sizes: Any, old: Any, i: Any, new: Any, k: Any) -> None:
    """Copy connection i of a genome to connection k of a genome."""
    links = sizes[LINKS]
    source, to = at_connection(sizes, old, INNOVATION) + i, at_connection(sizes, new, INNOVATION) + k
    cells[to] = cells[source]
    cells[to + links] = cells[source + links]
    cells[to + 2 * links] = cells[source + 2 * links]
    cells[to + 3 * links] = cells[source + 3 * links]
    values[new * sizes[VALUES] + k] = values[old * sizes[VALUES] + i]


@routine_part
def whole_lanes(count: Any) -> Any:
    """Return the next whole number of LANES."""
    return (count + LANES - 1) // LANES * LANES


@routine_part
def lanes_loaded(cells: Any, to: Any, array: Any, row: Any, first: Any, count: Any, none: Any) -> None:
    """Copy LANES numbers of a row, from `first` on; those from `count` on become `none`. Rows have whole LANES.

    Of a plain copy of a whole row a compiler would make a call, which takes longer.
    """
    for s in range(LANES):
        cells[to + s] = array[row, first + s] if s < count else none


@routine_part
def loaded(
    cells: Any, reals: Any, sizes: Any, genome: Any, row: Any,
    values: Any, nodes: Any, connections: Any, node: Any, activation: Any, aggregation: Any,
    innovation: Any, source: Any, target: Any, enabled: Any,
) -> None:  # fmt: skip
    """Copy an individual into a workspace, LANES places at a time.

    Behind its lists, to the end of these LANES, are NOBODY as innovation or id and 0 of all else.
    """
    wide, links, base, factors = sizes[WIDE], sizes[LINKS], innovation.shape[1], innovation.shape[1] + node.shape[1]
    nobody, none, zero = NOBODY, np.int32(0), np.float32(0)
    m, n = np.int64(nodes[row]), np.int64(connections[row])
    count(cells, sizes, genome, m, n)
    to, real = at_connection(sizes, genome, INNOVATION), genome * sizes[VALUES]
    for k in range(0, n, LANES):
        lanes_loaded(cells, to + k, innovation, row, k, n - k, nobody)
        lanes_loaded(cells, to + links + k, source, row, k, n - k, none)
        lanes_loaded(cells, to + 2 * links + k, target, row, k, n - k, none)
        lanes_loaded(cells, to + 3 * links + k, enabled, row, k, n - k, none)
        lanes_loaded(reals, real + k, values, row, k, n - k, zero)
    to, real = at_node(sizes, genome, ID), real + links
    for k in range(0, m, LANES):
        lanes_loaded(cells, to + k, node, row, k, m - k, nobody)
        lanes_loaded(cells, to + wide + k, activation, row, k, m - k, none)
        lanes_loaded(cells, to + 2 * wide + k, aggregation, row, k, m - k, none)
        lanes_loaded(reals, real + k, values, row, base + k, m - k, zero)
        if sizes[RESPONSE]:
            lanes_loaded(reals, real + wide + k, values, row, factors + k, m - k, zero)


@routine_part
def row_stored(array: Any, row: Any, first: Any, width: Any, cells: Any, begin: Any, count: Any, none: Any) -> None:
    """Copy `count` numbers to a row, from `first` on, with `none` behind them for `width` numbers in all.

    One array is written after the other: to write LANES of each in turn takes large genomes longer.
    """
    for k in range(0, width, LANES):
        for s in range(LANES):
            array[row, first + k + s] = cells[begin + k + s] if k + s < count else none


@routine_part
def stored(
    cells: Any, reals: Any, sizes: Any, genome: Any, row: Any,
    values: Any, nodes: Any, connections: Any, node: Any, activation: Any, aggregation: Any,
    innovation: Any, source: Any, target: Any, enabled: Any,
) -> None:  # fmt: skip
    """Copy a genome out of a workspace, with 0 beyond its counts; where it is too large, only its counts."""
    m, n = nodes_of(cells, sizes, genome), connections_of(cells, sizes, genome)
    nodes[row] = m
    connections[row] = n
    wide, links, base, width = sizes[WIDE], sizes[LINKS], innovation.shape[1], node.shape[1]
    if m > width or n > base:
        return
    none, zero = np.int32(0), np.float32(0)
    begin, real = at_connection(sizes, genome, INNOVATION), genome * sizes[VALUES]
    row_stored(innovation, row, FIRST, base, cells, begin, n, none)
    row_stored(source, row, FIRST, base, cells, begin + links, n, none)
    row_stored(target, row, FIRST, base, cells, begin + 2 * links, n, none)
    row_stored(enabled, row, FIRST, base, cells, begin + 3 * links, n, none)
    row_stored(values, row, FIRST, base, reals, real, n, zero)
    begin, real = at_node(sizes, genome, ID), real + links
    row_stored(node, row, FIRST, width, cells, begin, m, none)
    row_stored(activation, row, FIRST, width, cells, begin + wide, m, none)
    row_stored(aggregation, row, FIRST, width, cells, begin + 2 * wide, m, none)
    row_stored(values, row, base, width, reals, real, m, zero)
    if sizes[RESPONSE]:
        row_stored(values, row, base + width, width, reals, real + wide, m, zero)
