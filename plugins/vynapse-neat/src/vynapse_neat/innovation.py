# SPDX-License-Identifier: MIT OR Apache-2.0
"""Innovation numbers: which changes of structure are the same change.

Children propose changes in parallel; all proposals of a generation are then numbered in one sorted pass. So the same
change in one generation has the same numbers in all children (Stanley & Miikkulainen 2002, section 3.2), and what a
change is called depends neither on the order of children nor on the number of threads.

A proposal is a key, an int64. To add a node is the innovation of the connection that it splits. To add a connection is
CONNECTION + source * 2^31 + target, both ids of nodes. ABSENT is no proposal. In the order of keys, nodes come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import RunError, routine
from vynapse_neat.radix import ascending

if TYPE_CHECKING:
    from vynapse_core import Array

ABSENT = -1
CONNECTION = 1 << 62
"""Keys from here on add connections."""
ENDPOINT = 1 << 31
"""Ids of nodes and innovations are below this: genes hold them as int32."""
NEXT_NODE, NEXT_INNOVATION, PROPOSED, MOST_NODES, MOST_CONNECTIONS = range(5)
"""Places in the facts of a generation: the next numbers, how many proposals there are, the largest child's genes."""
FACTS = 5
NONE, FIRST_CONNECTION = np.uint64(2**64 - 1), np.uint64(CONNECTION)


@dataclass(frozen=True)
class Counters:
    """The next numbers of a run, which are part of its state."""

    node: int
    """Id of the next hidden node; above the ids of all fixed nodes."""
    innovation: int
    """The next innovation."""

    @classmethod
    def after(cls, facts: Array) -> Counters:
        """Return the next numbers by the facts of a generation.

        Raises RunError where the numbers of a run are used up.
        """
        counters = cls(int(facts[NEXT_NODE]), int(facts[NEXT_INNOVATION]))
        if max(counters.node, counters.innovation) > ENDPOINT:
            raise RunError(
                f"innovation numbers are used up: a run has {ENDPOINT} of them, and this generation would need "
                f"{max(counters.node, counters.innovation)}; lower the rates at which nodes and connections are added"
            )
        return counters


@routine("uint64[:], int32[:], int32[:], int64[:], int64[:], int32[:, :], int64[:], int32[:, :]", distinct=True)
def numbered(
    first: int, last: int, keys: Any, nodes: Any, connections: Any, order: Any, space: Any, counts: Any, facts: Any,
    numbers: Any,
) -> None:  # fmt: skip
    """Number the proposals of P children, a single row.

    `keys` [2 P] has for each child a node and a connection; `nodes` and `connections` [P] are the genes that it has.
    `numbers` [2 P, 2] are for a node its id and the innovation of the connection into it, the one out of it having the
    next; for a connection 0 and its innovation; where nothing is proposed, anything. Equal keys have equal numbers, and
    numbers ascend with keys. `facts` have the next numbers, and are given those after and all else.
    """
    count, most_nodes, most_connections = np.int64(0), np.int64(0), np.int64(0)
    for row in range(len(nodes)):
        splits, joins = np.int64(keys[2 * row] != NONE), np.int64(keys[2 * row + 1] != NONE)
        order[count] = 2 * row
        count += splits
        order[count] = 2 * row + 1
        count += joins
        most_nodes = max(most_nodes, nodes[row] + splits)
        most_connections = max(most_connections, connections[row] + 2 * splits + joins)
    facts[PROPOSED] = count
    facts[MOST_NODES] = most_nodes
    facts[MOST_CONNECTIONS] = most_connections
    ascending(keys, order, count, space, counts)
    node, innovation, before = facts[NEXT_NODE], facts[NEXT_INNOVATION], NONE
    for i in range(count):
        at = order[i]
        key = keys[at]
        if key != before:
            before = key
            splits = np.int64(key < FIRST_CONNECTION)
            node += splits
            innovation += 1 + splits
        # past the last number there is nothing to write: the run ends
        if max(node, innovation) <= ENDPOINT:
            numbers[at, 0] = (node - 1) * splits
            numbers[at, 1] = innovation - 1 - splits
    facts[NEXT_NODE] = node
    facts[NEXT_INNOVATION] = innovation
