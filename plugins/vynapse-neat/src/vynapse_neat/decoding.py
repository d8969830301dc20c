# SPDX-License-Identifier: MIT OR Apache-2.0
"""Decoding: from genes to the arrays of networks, in which each node's links stand together and nodes in order.

Nodes that no output depends on are left out, and so are disabled links. A node with no links is a constant. Weights,
biases and responses stay where they are in the genes: the arrays point there, so that learning changes the genes' own
values and nothing has to be written back to another place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import routine, routine_part

if TYPE_CHECKING:
    from vynapse_core import Array, Genes, Run
    from vynapse_neat.layout import Layout

PART = 64
"""Genomes that share scratch space, so that it stays in the cache."""

SCANNED = 64
"""Among so many places a node is soonest found by looking at all of them, as no branch is predicted wrongly."""


def decoded(layout: Layout, genes: Genes, run: Run) -> dict[str, Array]:
    """Return the arrays of the networks of `genes` [P], made by `run`, a form of the routine `decode`.

    `values` float32 [P, W] are the genes'. The others are int32. `evaluated` [P] says how many nodes are computed.
    Rows of nodes: `order` [P, N] has their places, sources before targets (in a recurrent network, ascending); `ends`
    [P, N] says where each one's links end. Links: `link` [P, C] has their places among the weights, `source` [P, C]
    the places of the nodes they come from. By place: `activation`, `aggregation` [P, N], the genes'.
    """
    structure = genes.structure
    n, width = structure["node"].shape
    links = structure["innovation"].shape[1]
    parts = -(-n // PART)
    made: dict[str, Array] = {name: np.empty((n, width), np.int32) for name in ("order", "ends")}
    made |= {name: np.empty((n, links), np.int32) for name in ("link", "source")}
    made["evaluated"] = np.empty(n, np.int32)
    given = [np.ascontiguousarray(structure[name]) for name in _TAKEN]
    scratch = [np.empty((parts, links), np.int32) for _ in range(3)]
    scratch += [np.empty((parts, width + 1), np.int32) for _ in range(4)]
    numbers = (layout.inputs, layout.outputs, int(layout.bias_node), int(layout.recurrent))
    run(parts, *given, *made.values(), *scratch, *numbers)
    genes_own = {name: structure[name] for name in ("activation", "aggregation")}
    return {"values": genes.values, **made, **genes_own}


_TAKEN = ("nodes", "node", "connections", "source", "target", "enabled")


@routine_part
def place_of(identity: Any, node: Any, first: Any, last: Any) -> Any:
    """Return where a node's id stands in `node`: below `first` at its own number, else within `first` and `last`."""
    if identity < first:
        return np.int64(identity)
    width = np.int64(node.shape[0])
    if width <= SCANNED:
        # what stands behind the last node is 0, and counts as before every other
        place = np.int64(last) - width
        for i in range(width):
            place += np.int64(node[i] < identity)
        return place
    low, high = np.int64(first), np.int64(last)
    while high - low > 1:
        middle = (low + high) >> 1
        if node[middle] <= identity:
            low = middle
        else:
            high = middle
    return low


@routine_part
def group(ends: Any, targets: Any, grouped: Any, nodes: Any, links: Any) -> None:
    """Write the links to `grouped` by their target's place, in the order they have; row i ends at ends[i].

    A target below 0 marks a disabled link.
    """
    for i in range(nodes + 1):
        ends[i] = 0
    for k in range(links):
        if targets[k] >= 0:
            ends[targets[k] + 1] += 1
    for i in range(nodes):
        ends[i + 1] += ends[i]
    # ends[i] is where row i starts, until all its links are there
    for k in range(links):
        if targets[k] >= 0:
            grouped[ends[targets[k]]] = k
            ends[targets[k]] += 1


@routine_part
def levelled(
    outputs: Any, inputs: Any, bias: Any, cyclic: Any, ends: Any, grouped: Any, sources: Any, level: Any, stack: Any,
    at: Any, nodes: Any,
) -> Any:  # fmt: skip
    """Write to `level` [nodes] how many links lie at most before each node that an output needs, -1 for all others.

    Links are followed back from the outputs, depth first, each once. Returns the highest level. With cycles, levels
    mean nothing and are all 1.
    """
    for i in range(nodes):
        level[i] = 0 if i < inputs or i == bias else -1
    highest = np.int64(0)
    for output in range(inputs, inputs + outputs):
        if level[output] >= 0:
            continue
        depth = np.int64(0)
        stack[0] = output
        at[output] = ends[output - 1]
        level[output] = 1
        while depth >= 0:
            node = stack[depth]
            if at[node] < ends[node]:
                source = sources[grouped[at[node]]]
                if level[source] < 0:
                    level[source] = 1
                    at[source] = ends[source - 1]
                    depth += 1
                    stack[depth] = source
                    continue
                # the source is done, or lies on a cycle through this node
                if not cyclic and level[source] + 1 > level[node]:
                    level[node] = level[source] + 1
                at[node] += 1
            else:
                if level[node] > highest:
                    highest = np.int64(level[node])
                depth -= 1
    return highest


@routine(
    "int32[:], int32[:, :], int32[:], int32[:, :], int32[:, :], int32[:, :], "
    "int32[:, :], int32[:, :], int32[:, :], int32[:, :], int32[:], "
    "int32[:, :], int32[:, :], int32[:, :], int32[:, :], int32[:, :], int32[:, :], int32[:, :], "
    "int64, int64, int64, int64",
    grain=32,
    distinct=True,
)
def decode(
    first: Any, last: Any,
    nodes: Any, node: Any, connections: Any, source: Any, target: Any, enabled: Any,
    order: Any, ends: Any, link: Any, from_place: Any, evaluated: Any,
    places: Any, targets: Any, grouped: Any, rows: Any, level: Any, stack: Any, at: Any,
    inputs: Any, outputs: Any, bias_node: Any, cyclic: Any,
) -> None:  # fmt: skip
    """Decode the genomes of the parts from `first` to `last`; scratch space is [parts, ...]."""
    bias = inputs + outputs if bias_node else -1
    fixed = inputs + outputs + bias_node
    for part in range(first, last):
        for genome in range(part * PART, min(part * PART + PART, nodes.shape[0])):
            n, links = np.int64(nodes[genome]), np.int64(connections[genome])
            for k in range(links):
                targets[part, k] = -1
                if enabled[genome, k]:
                    targets[part, k] = place_of(target[genome, k], node[genome], fixed, n)
                    places[part, k] = place_of(source[genome, k], node[genome], fixed, n)
            group(rows[part], targets[part], grouped[part], n, links)
            highest = levelled(
                outputs, inputs, bias, cyclic, rows[part], grouped[part], places[part], level[part], stack[part],
                at[part], n,
            )  # fmt: skip
            # nodes by level, in the order of their places: counted, then put
            for each in range(highest + 2):
                at[part, each] = 0
            for i in range(inputs, n):
                if level[part, i] > 0:
                    at[part, level[part, i] + 1] += 1
            for each in range(highest + 1):
                at[part, each + 1] += at[part, each]
            count = np.int64(at[part, highest + 1])
            for i in range(inputs, n):
                if level[part, i] > 0:
                    order[genome, at[part, level[part, i]]] = i
                    at[part, level[part, i]] += 1
            evaluated[genome] = count
            used = np.int64(0)
            for row in range(count):
                i = order[genome, row]
                for k in range(rows[part, i - 1], rows[part, i]):
                    link[genome, used] = grouped[part, k]
                    from_place[genome, used] = places[part, grouped[part, k]]
                    used += 1
                ends[genome, row] = used
            for row in range(count, order.shape[1]):
                order[genome, row] = 0
                ends[genome, row] = 0
            for k in range(used, link.shape[1]):
                link[genome, k] = 0
                from_place[genome, k] = 0
