# SPDX-License-Identifier: MIT OR Apache-2.0
"""Decoding: from genes to the arrays of networks, in which each node's links stand together and nodes in order.

Nodes that no output depends on are left out, and so are disabled links. A node with no links is a constant. Weights,
biases and responses stay where they are in the genes: the arrays point there, so that learning changes the genes' own
values and nothing has to be written back to another place.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import routine, routine_part
from vynapse_neat.ordering import BIT, MOST_BITS, ordered_few, ordered_many
from vynapse_neat.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vynapse_core import Array, Genes, Run
    from vynapse_neat.layout import Layout

PART = 64
"""Genomes that share scratch space, so that it stays in the cache."""
LANES = 8
"""Links that are looked at together: rows are read to the next multiple of it."""
SCANNED = 64
"""Among so many hidden nodes one is soonest found by looking at all of them, as no branch is predicted wrongly."""


class Decoding:
    """What makes networks of genomes of a layout, by `run`, a form of the routine `decode`."""

    def __init__(self, layout: Layout, run: Run) -> None:
        self._run = run
        self._numbers = (layout.inputs, layout.outputs, int(layout.bias_node), int(layout.recurrent))
        self._scratch = Scratch(_scratch)

    def arrays(self, genes: Genes) -> dict[str, Array]:
        """Return the arrays of the networks of `genes` [P].

        `values` float32 [P, W] are the genes'. The others are int32. `evaluated` [P] says how many nodes are computed.
        Rows of nodes: `order` [P, N] has their places, sources before targets (in a recurrent network, ascending);
        `ends` [P, N] says where each one's links end. Links: `link` [P, C] has their places among the weights, `source`
        [P, C] the places of the nodes they come from. By place: `activation`, `aggregation` [P, N], the genes'.
        """
        structure = genes.structure
        n, width = structure["node"].shape
        links = structure["innovation"].shape[1]
        given = _taken(structure)
        order, ends = np.empty((2, n, width), np.int32)
        link, source = np.empty((2, n, links), np.int32)
        evaluated = np.empty(n, np.int32)
        sizes = -(-n // PART), width, links
        scratch = self._scratch.take(*sizes)
        self._run(sizes[0], *given, order, ends, link, source, evaluated, *scratch, *self._numbers)
        self._scratch.give(scratch, *sizes)
        return {
            "values": genes.values,
            "order": order,
            "ends": ends,
            "link": link,
            "source": source,
            "activation": structure["activation"],
            "aggregation": structure["aggregation"],
            "evaluated": evaluated,
        }


_TAKEN = itemgetter("nodes", "node", "connections", "source", "target", "enabled")


def _taken(structure: Mapping[str, Array]) -> list[Array]:
    """Return what the routine takes of genes, as arrays whose rows can be read LANES numbers at a time."""
    given = list(map(np.ascontiguousarray, _TAKEN(structure)))
    if all(array.shape[-1] % LANES == 0 for array in given[1:4:2]):
        return given
    return [np.pad(array, ((0, 0), (0, -array.shape[1] % LANES))) if array.ndim > 1 else array for array in given]


def _scratch(parts: int, width: int, links: int) -> list[Array]:
    """Return scratch space for so many parts: int64 [parts, N + 1], then int32 [parts, N + 1] or [parts, C]."""
    nodes, lanes = width + 1 + LANES, links + LANES
    return [
        np.empty((parts, nodes), np.int64),
        *(np.empty((parts, each), np.int32) for each in [nodes] * 7 + [lanes] * 6),
    ]


@routine_part
def placed(place: Any, ids: Any, node: Any, fixed: Any, nodes: Any, links: Any) -> None:
    """Write to `place` where the nodes with `ids` [links] stand in `node` [nodes]: those below `fixed` at their id."""
    if nodes - fixed > SCANNED:
        for k in range(links):
            low, high = np.int64(min(fixed, ids[k])), np.int64(nodes)
            while high - low > 1:
                middle = (low + high) >> 1
                if node[middle] <= ids[k]:
                    low = middle
                else:
                    high = middle
            place[k] = low
        return
    for k in range(0, links, LANES):
        for s in range(LANES):
            place[k + s] = min(ids[k + s], np.int32(fixed))
        for i in range(fixed, nodes):
            for s in range(LANES):
                place[k + s] += np.int64(node[i] < ids[k + s])


@routine(
    "int32[:], int32[:, :], int32[:], int32[:, :], int32[:, :], int32[:, :], "
    "int32[:, :], int32[:, :], int32[:, :], int32[:, :], int32[:], int64[:, :], "
    "int32[:, :], int32[:, :], int32[:, :], int32[:, :], int32[:, :], int32[:, :], "
    "int32[:, :], int32[:, :], int32[:, :], int32[:, :], int32[:, :], int32[:, :], int32[:, :], "
    "int64, int64, int64, int64",
    grain=2,
    distinct=True,
)
def decode(
    first: Any, last: Any,
    nodes: Any, node: Any, connections: Any, source: Any, target: Any, enabled: Any,
    order: Any, ends: Any, link: Any, from_place: Any, evaluated: Any, into: Any,
    counts: Any, starts: Any, rows: Any, row_ends: Any, level: Any, stack: Any, at: Any,
    sources: Any, targets: Any, ranks: Any, grouped: Any, sorted_links: Any, sorted_sources: Any,
    inputs: Any, outputs: Any, bias_node: Any, cyclic: Any,
) -> None:  # fmt: skip
    """Decode the genomes of the parts from `first` to `last`; scratch space is [parts, ...]."""
    bias = inputs + outputs if bias_node else -1
    fixed = inputs + outputs + bias_node
    for part in range(first, last):
        for genome in range(part * PART, min(part * PART + PART, nodes.shape[0])):
            n, links = np.int64(nodes[genome]), np.int64(connections[genome])
            placed(sources[part], source[genome], node[genome], fixed, n, links)
            placed(targets[part], target[genome], node[genome], fixed, n, links)
            # disabled links lead to no node: to one behind all others
            for k in range(0, links, LANES):
                for s in range(LANES):
                    targets[part, k + s] = targets[part, k + s] if enabled[genome, k + s] else n
            for i in range(n + 1):
                counts[part, i] = 0
                into[part, i] = 0
                starts[part, i] = links
            # a rank is how many links before lead to the same node
            for k in range(links):
                end = targets[part, k]
                rank = counts[part, end]
                ranks[part, k] = rank
                counts[part, end] = rank + 1
                into[part, end] |= BIT << (np.int64(sources[part, k]) & MOST_BITS)
            if n <= MOST_BITS:
                count = ordered_few(rows[part], into[part], inputs, outputs, bias, cyclic, n)
            else:
                count = ordered_many(
                    rows[part], counts[part], targets[part], sources[part], grouped[part], row_ends[part],
                    level[part], stack[part], at[part], inputs, outputs, bias, cyclic, n, links,
                )  # fmt: skip
            evaluated[genome] = count
            used = np.int64(0)
            for row in range(count):
                starts[part, rows[part, row]] = used
                used += counts[part, rows[part, row]]
                row_ends[part, row] = used
            # links of nodes that are left out go behind those of the others, and are cut off
            for k in range(links):
                place = min(np.int64(starts[part, targets[part, k]]) + np.int64(ranks[part, k]), used)
                sorted_links[part, place] = k
                sorted_sources[part, place] = sources[part, k]
            for row in range(order.shape[1]):
                order[genome, row] = rows[part, row] if row < count else np.int32(0)
                ends[genome, row] = row_ends[part, row] if row < count else np.int32(0)
            for k in range(link.shape[1]):
                link[genome, k] = sorted_links[part, k] if k < used else np.int32(0)
                from_place[genome, k] = sorted_sources[part, k] if k < used else np.int32(0)
