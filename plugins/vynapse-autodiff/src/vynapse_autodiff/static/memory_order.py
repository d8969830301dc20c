# SPDX-License-Identifier: MIT OR Apache-2.0
"""An order of computation that keeps little alive.

An output for which little is left to do, and which then leaves no more alive than before, is finished at once: so an
optimiser updates a layer as soon as its gradient is known, and not after all gradients. Else that region comes next,
of those that are ready, which adds least to what is alive.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from vynapse_autodiff.passes.costs import VIEWS, value_bytes
from vynapse_autodiff.passes.fusion import Region
from vynapse_autodiff.static.schedule import topological, waits
from vynapse_core import Graph, Op

LITTLE = 24
"""Regions at most that are left to do for an output that is finished at once."""

Sizes = Mapping[str, int]


def memory_order(graph: Graph, regions: Sequence[Region], sizes: Sizes, ops: Mapping[str, Op]) -> tuple[Region, ...]:
    """Return the regions in an order that keeps little alive."""
    draft = _Order(graph, regions, sizes, ops)
    while draft.waiting:
        for number in draft.little_left() or [min(draft.ready(), key=lambda each: (draft.growth({each}), each))]:
            draft.take(number)
    return tuple(regions[number] for number in draft.order)


class _Order:
    """Regions in an order that grows, and who still reads what."""

    def __init__(self, graph: Graph, regions: Sequence[Region], sizes: Sizes, ops: Mapping[str, Op]) -> None:
        root = list(range(len(graph.nodes)))
        for place, node in enumerate(graph.nodes):
            if node.op in VIEWS:
                root[place] = root[node.operands[0]]
        outputs = {root[output] for output in graph.outputs.values()}
        self._needs = waits(graph, regions)
        self._maker = {place: number for number, region in enumerate(regions) for place in region.nodes}
        self._weight = {
            place: value_bytes(graph.nodes[place], sizes)
            for place in self._maker
            if root[place] == place and place not in outputs
        }
        self._made = [[place for place in region.nodes if place in self._weight] for region in regions]
        self._reads: list[set[int]] = [set() for _ in regions]
        self._readers: dict[int, set[int]] = {place: set() for place in self._weight}
        for number, region in enumerate(regions):
            for place in region.nodes:
                only_shape = ops[graph.nodes[place].op].shape_only
                for at, operand in enumerate(graph.nodes[place].operands):
                    if at not in only_shape and root[operand] in self._weight:
                        self._reads[number].add(root[operand])
                        self._readers[root[operand]].add(number)
        self._before = self._all_before()
        sinks = {self._maker[output] for output in graph.outputs.values() if output in self._maker}
        self._sinks = sorted(sinks)
        self._refused: dict[int, int] = {}
        self._done = 0
        self.order: list[int] = []
        self.waiting = dict.fromkeys(range(len(regions)))

    def ready(self) -> list[int]:
        """Return the regions that wait for none."""
        return [number for number in self.waiting if self._needs[number].isdisjoint(self.waiting)]

    def growth(self, chosen: Collection[int]) -> int:
        """Return by how many bytes more is alive after these regions than before."""
        made = sum(
            self._weight[place]
            for number in chosen
            for place in self._made[number]
            if not self._readers[place] <= set(chosen)
        )
        read = {place for number in chosen for place in self._reads[number] if self._maker[place] not in chosen}
        freed = sum(self._weight[place] for place in read if self._readers[place] <= set(chosen))
        return made - freed

    def little_left(self) -> list[int]:
        """Return what is left to do for an output that can be finished at once, in order; nothing if there is none."""
        lefts = [(self._before[sink] & ~self._done, sink) for sink in self._sinks]
        little = [(left.bit_count(), sink, left) for left, sink in lefts if 0 < left.bit_count() <= LITTLE]
        # the least first: what one of them needs another may wait for
        for _, sink, left in sorted(little):
            if self._refused.get(sink) == left:
                continue
            numbers = _numbers(left)
            if self.growth(numbers) <= 0:
                return [numbers[at] for at in topological([self._within(number, numbers) for number in numbers])]
            self._refused[sink] = left
        return []

    def take(self, number: int) -> None:
        """Put a region next."""
        self.order.append(number)
        self._done |= 1 << number
        del self.waiting[number]
        for place in self._reads[number]:
            self._readers[place].discard(number)
            # what reads it less may now be freed by another
            self._refused.clear()

    def _within(self, number: int, numbers: Sequence[int]) -> set[int]:
        return {at for at, other in enumerate(numbers) if other in self._needs[number]}

    def _all_before(self) -> list[int]:
        """Return for each region the set, as bits, of itself and all it waits for."""
        found = [0] * len(self._needs)
        for number in topological(self._needs):
            found[number] = 1 << number
            for each in self._needs[number]:
                found[number] |= found[each]
        return found


def _numbers(bits: int) -> list[int]:
    """Return the numbers of the bits that are set."""
    return [number for number in range(bits.bit_length()) if bits >> number & 1]


def reordered(graph: Graph, regions: Sequence[Region]) -> Graph:
    """Return the graph with its nodes in the order of the regions, the leaves first."""
    leaves = [place for place, node in enumerate(graph.nodes) if not node.operands]
    order = [*leaves, *(place for region in regions for place in region.nodes)]
    places = {old: new for new, old in enumerate(order)}
    nodes = (graph.nodes[old] for old in order)
    moved = tuple(replace(node, operands=tuple(places[operand] for operand in node.operands)) for node in nodes)
    return Graph(moved, {name: places[output] for name, output in graph.outputs.items()})
