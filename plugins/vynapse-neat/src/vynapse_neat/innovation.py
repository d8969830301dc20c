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
    distinct, which = np.unique(keys, return_inverse=True)
    nodes = int(np.searchsorted(distinct, CONNECTION))
    after = Counters(counters.node + nodes, counters.innovation + nodes + len(distinct))
    if max(after.node, after.innovation) > ENDPOINT:
        raise RunError(
            f"innovation numbers are used up: a run has {ENDPOINT} of them, and this generation would need up to "
            f"{max(after.node, after.innovation)}; lower the rates at which nodes and connections are added"
        )
    numbers = np.zeros((len(distinct), 2), np.int32)
    place = np.arange(len(distinct))
    numbers[:nodes, 0] = place[:nodes] + counters.node
    # each added node comes with two connections
    numbers[:, 1] = place + np.minimum(place, nodes) + counters.innovation
    return numbers[which], after
