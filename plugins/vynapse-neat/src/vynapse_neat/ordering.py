# SPDX-License-Identifier: MIT OR Apache-2.0
"""Parts of decoding: which nodes of a network are computed, and in which order.

A node comes after all that it takes numbers from: by how many links lie at most before it, then by place. With cycles
there is no such order, and places alone count. Nodes that no output depends on are left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vynapse_core import routine_part

MOST_BITS = 63
"""So many nodes at most are ordered as bits of a number; one more stands for no node."""
BIT = np.int64(1)


@routine_part
def ordered_few(order: Any, into: Any, inputs: Any, outputs: Any, bias: Any, cyclic: Any, nodes: Any) -> Any:
    """Write to `order` the places of nodes that an output needs; return how many. There are at most MOST_BITS nodes.

    `into` int64 [nodes] has for each node the bits of those that it takes numbers from. A node is next where all of
    these have been: nothing here branches on one node, as that would be predicted wrongly.
    """
    given = (BIT << inputs) - 1
    if bias >= 0:
        given |= BIT << bias
    needed, before = ((BIT << outputs) - 1) << inputs, np.int64(0)
    while needed != before:
        before = needed
        for v in range(inputs, nodes):
            needed |= into[v] & ((needed << (MOST_BITS - v)) >> MOST_BITS)
    waiting, count, free = needed & ~given, np.int64(0), np.int64(cyclic)
    while waiting != 0:
        left = waiting
        for v in range(inputs, nodes):
            now = ((waiting >> v) & 1) & (free | np.int64((into[v] & waiting) == 0))
            order[count] = v
            count += now
            left ^= now << v
        # where none is next, those that are left lie on cycles, as in no sound genome
        free |= np.int64(left == waiting)
        waiting = left
    return count


@routine_part
def ordered_many(
    order: Any, counts: Any, targets: Any, sources: Any, grouped: Any, ends: Any, level: Any, stack: Any, at: Any,
    inputs: Any, outputs: Any, bias: Any, cyclic: Any, nodes: Any, links: Any,
) -> Any:  # fmt: skip
    """Do the same for any number of nodes. All arrays but the numbers of links, `counts`, and places are scratch."""
    ends[0] = 0
    for i in range(nodes):
        ends[i + 1] = ends[i] + counts[i]
    # ends[i] is where row i starts, until all its links are there
    for k in range(links):
        if targets[k] < nodes:
            grouped[ends[targets[k]]] = k
            ends[targets[k]] += 1
    highest = levelled(outputs, inputs, bias, cyclic, ends, grouped, sources, level, stack, at, nodes)
    for each in range(highest + 2):
        at[each] = 0
    for i in range(inputs, nodes):
        if level[i] > 0:
            at[level[i] + 1] += 1
    for each in range(highest + 1):
        at[each + 1] += at[each]
    count = np.int64(at[highest + 1])
    for i in range(inputs, nodes):
        if level[i] > 0:
            order[at[level[i]]] = i
            at[level[i]] += 1
    return count


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
