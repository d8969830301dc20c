# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fusion: nodes that are computed together, block by block, so that what passes between them stays in the cache.

A region is a product of matrices, if it begins with one, what is computed element by element of it, and what sums that
up. All of its values have one shape but the sums. The graph stays as it is: a region says which nodes are one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vynapse_autodiff.passes.layout import ELEMENTWISE
from vynapse_autodiff.passes.rewriting import PassReport
from vynapse_core import Graph, Node

FUSED = frozenset(ELEMENTWISE) - {"stop_gradient"} | {"expand_like"}
"""Ops that are computed element by element."""
NEAR = 8
"""Nodes at most between a group and what joins it: what is computed too early is kept too long."""


@dataclass(frozen=True)
class Region:
    """Nodes that are one step."""

    nodes: tuple[int, ...]
    """Their places in the graph, in its order."""
    kind: str
    """What it is: `product`, `chain`, `reduction`, or `single` for a node of its own."""


def fuse(graph: Graph) -> tuple[tuple[Region, ...], PassReport]:
    """Return the regions of a graph in an order in which they can be computed, leaves left out, and the report."""
    groups = _Groups(graph)
    for place, node in enumerate(graph.nodes):
        if node.operands:
            groups.place(place, node)
    regions = [_region(graph, members) for members in groups.ordered()]
    changes: dict[str, int] = {}
    for region in regions:
        if len(region.nodes) > 1:
            changes[region.kind] = changes.get(region.kind, 0) + 1
    saved = sum(len(region.nodes) - 1 for region in regions)
    if saved:
        changes["nodes in another's step"] = saved
    return tuple(regions), PassReport("fusion", len(graph.nodes), len(graph.nodes), changes)


class _Groups:
    """Nodes in groups, each knowing by a set of bits which other groups it waits for."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._of: dict[int, int] = {}
        self._members: list[list[int]] = []
        self._waits: list[int] = []
        self._open: list[bool] = []

    def place(self, place: int, node: Node) -> None:
        """Put a node into the group of one of its operands where it fits, else into a new one."""
        mine = [self._of[operand] for operand in node.operands if operand in self._of]
        for group in sorted(set(mine), reverse=True):
            near = place - self._members[group][-1] <= NEAR
            if near and self._fits(group, node) and not self._cycle(group, mine):
                self._join(group, place, node, mine)
                for other in sorted(set(mine) - {group}, reverse=True):
                    if self._merges(group, other, place):
                        self._merge(group, other)
                return
        self._of[place] = len(self._members)
        waits = 0
        for group in mine:
            waits |= self._waits[group] | 1 << group
        self._members.append([place])
        self._waits.append(waits)
        self._open.append(bool(node.shape) and (node.op in FUSED or (node.op == "matmul" and len(node.shape) == 2)))

    def _fits(self, group: int, node: Node) -> bool:
        if not self._open[group]:
            return False
        # a sum is known only after the last block
        if any(self._of.get(each) == group and self._graph.nodes[each].op == "sum" for each in node.operands):
            return False
        shape = self._graph.nodes[self._members[group][0]].shape
        if node.op == "sum":
            operand = node.operands[0]
            return self._of.get(operand) == group and self._graph.nodes[operand].shape == shape
        return node.op in FUSED and node.shape == shape

    def _cycle(self, group: int, needed: Sequence[int]) -> bool:
        """Whether another group that a node needs waits for this one."""
        return any(other != group and self._waits[other] >> group & 1 for other in needed)

    def _join(self, group: int, place: int, node: Node, needed: Sequence[int]) -> None:
        self._members[group].append(place)
        self._of[place] = group
        more = self._waits[group]
        for other in needed:
            if other != group:
                more |= self._waits[other] | 1 << other
        if more != self._waits[group]:
            self._waits[group] = more
            for other, waits in enumerate(self._waits):
                if waits >> group & 1:
                    self._waits[other] = waits | more

    def _merges(self, group: int, other: int, place: int) -> bool:
        """Whether two groups, of which the first reads the second, can be one."""
        nodes = self._graph.nodes
        mine, more = self._members[group], self._members[other]
        if not (self._open[group] and self._open[other]) or place - more[-1] > NEAR:
            return False
        ops = [nodes[each].op for each in (*mine, *more)]
        # a product comes first, and nothing waits for a sum but other groups
        alike = nodes[mine[0]].shape == nodes[more[0]].shape
        if not alike or "sum" in ops or "matmul" in [nodes[each].op for each in more]:
            return False
        read = {operand for each in mine if nodes[each].op == "matmul" for operand in nodes[each].operands}
        if read & set(more):
            return False
        between = self._waits[group] & ~(1 << other)
        return not any(between >> each & 1 and waits >> other & 1 for each, waits in enumerate(self._waits))

    def _merge(self, group: int, other: int) -> None:
        for place in self._members[other]:
            self._of[place] = group
        self._members[group] = sorted((*self._members[group], *self._members[other]))
        self._members[other], self._open[other] = [], False
        gone, kept = 1 << other, 1 << group
        waits = (self._waits[group] | self._waits[other]) & ~gone
        self._waits[group], self._waits[other] = waits, 0
        for each, before in enumerate(self._waits):
            if before & (gone | kept):
                self._waits[each] = (before & ~gone) | kept | waits

    def ordered(self) -> list[tuple[int, ...]]:
        """Return the groups so that each comes after those it waits for, else in the order of their last nodes."""
        left = sorted(
            (group for group, members in enumerate(self._members) if members),
            key=lambda group: self._members[group][-1],
        )
        done = 0
        order: list[tuple[int, ...]] = []
        while left:
            ready = [group for group in left if self._waits[group] & ~done == 0]
            for group in ready:
                order.append(tuple(sorted(self._members[group])))
                done |= 1 << group
            taken = set(ready)
            left = [group for group in left if group not in taken]
        return order


def _region(graph: Graph, members: Sequence[int]) -> Region:
    ops = [graph.nodes[place].op for place in members]
    if len(members) == 1:
        kind = "single"
    elif "matmul" in ops:
        kind = "product"
    else:
        kind = "reduction" if "sum" in ops else "chain"
    return Region(tuple(members), kind)


def singles(graph: Graph) -> tuple[Region, ...]:
    """Return each node that is no leaf as a region of its own, in the graph's order."""
    return tuple(Region((place,), "single") for place, node in enumerate(graph.nodes) if node.operands)


def kept_values(graph: Graph, region: Region) -> set[int]:
    """Return the nodes of a region whose values something outside of it needs."""
    mine = set(region.nodes)
    outer = set(graph.outputs.values())
    for place, node in enumerate(graph.nodes):
        if place not in mine:
            outer.update(node.operands)
    return mine & outer
