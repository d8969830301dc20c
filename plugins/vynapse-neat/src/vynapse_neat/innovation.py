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
from typing import TYPE_CHECKING

import numpy as np

from vynapse_core import RunError

if TYPE_CHECKING:
    from vynapse_core import Array

ABSENT = -1
CONNECTION = 1 << 62
"""Keys from here on add connections."""
ENDPOINT = 1 << 31
"""Ids of nodes and innovations are below this: genes hold them as int32."""


@dataclass(frozen=True)
class Counters:
    """The next numbers of a run, which are part of its state."""

    node: int
    """Id of the next hidden node; above the ids of all fixed nodes."""
    innovation: int
    """The next innovation."""


def numbered(keys: Array, counters: Counters) -> tuple[Array, Counters]:
    """Return the numbers of proposals `keys` int64 [n], in no order and none of them ABSENT, and the next counters.

    The numbers are int32 [n, 2]: id of the node and innovation of the connection into it, the one out of it having
    the next; or 0 and the innovation of the connection. Equal keys have equal numbers, and numbers ascend with keys.
    Raises RunError where the numbers of a run are used up.
    """
    order = np.argsort(keys)
    ordered = keys[order]
    new = np.empty(len(keys), np.bool_)
    new[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    # place of each key among the distinct ones; those that add nodes come first
    place = np.cumsum(new) - 1
    distinct = int(place[-1]) + 1 if len(place) else 0
    splits = int(np.searchsorted(ordered, CONNECTION))
    nodes = int(place[splits - 1]) + 1 if splits else 0
    after = Counters(counters.node + nodes, counters.innovation + nodes + distinct)
    if max(after.node, after.innovation) > ENDPOINT:
        raise RunError(
            f"innovation numbers are used up: a run has {ENDPOINT} of them, and this generation would need up to "
            f"{max(after.node, after.innovation)}; lower the rates at which nodes and connections are added"
        )
    numbers = np.zeros((len(keys), 2), np.int32)
    numbers[order[:splits], 0] = place[:splits] + counters.node
    # each added node comes with two connections
    numbers[order, 1] = place + np.minimum(place, nodes) + counters.innovation
    return numbers, after
