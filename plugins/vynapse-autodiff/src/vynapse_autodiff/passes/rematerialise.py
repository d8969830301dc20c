# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rematerialisation: values computed again where they are needed late, in place of being kept.

The gradient of a deep network reads what each layer gave long after it was computed, so that all of it is alive at
once. Of these values every n-th is kept, and those between are computed a second time from the one kept before them,
when the first of them is read: memory against operations.  Reference: Chen et al. 2016, "Training deep nets with
sublinear memory cost", section 4; n is the one that gives the lowest peak among those that can be paid for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from vynapse_autodiff.gradient import known_ops
from vynapse_autodiff.passes.costs import VIEWS, flops, total_flops, value_bytes
from vynapse_autodiff.passes.rewriting import PassReport
from vynapse_core import Graph, Node, Op

Sizes = Mapping[str, int]

LARGE = 0.1
"""A value counts that has at least this share of the bytes of the largest one."""
WORTH = 0.95
"""The peak must fall to this share of itself, or nothing is computed again."""


@dataclass(frozen=True)
class Again:
    """A graph in which some values are computed twice."""

    graph: Graph
    report: PassReport
    flops_before: int
    flops_after: int
    peak_before: int
    """Bytes alive at most, in the graph's order, without inputs, parameters and outputs."""
    peak_after: int

    def __str__(self) -> str:
        more = self.flops_after / self.flops_before - 1 if self.flops_before else 0.0
        return (
            f"{self.report}: peak {self.peak_before:,} to {self.peak_after:,} bytes, "
            f"{self.flops_before:,} to {self.flops_after:,} operations ({more:+.1%})"
        )


@dataclass(frozen=True)
class Segment:
    """Values that are computed again together."""

    dropped: frozenset[int]
    chain: tuple[int, ...]
    """All nodes that takes, in order."""
    late: int
    """The node before which they are computed again."""


def rematerialise(graph: Graph, sizes: Sizes, most: float = 0.5, ops: Mapping[str, Op] | None = None) -> Again:
    """Return the graph with values computed again where that lowers the peak of memory.

    It takes at most the share `most` of operations more. The nodes are in the order in which they are to be computed: a
    pass that shares equal values undoes it, and so may another order. It is therefore the last one.
    """
    known = known_ops(graph) if ops is None else ops
    lives = _Lives(graph, sizes, known)
    total = total_flops(graph, sizes)
    best, peak, cost, count = graph, lives.peak, 0, 0
    held = lives.held()
    for every in range(2, len(held) + 1):
        segments = lives.segments(held, every)
        extra = sum(flops(graph, place, sizes) for segment in segments for place in segment.chain)
        if not segments or extra > most * total:
            continue
        candidate = lives.repeated(segments)
        found = _Lives(candidate, sizes, known).peak
        if found < min(peak, WORTH * lives.peak):
            best, peak, cost = candidate, found, extra
            count = sum(len(segment.chain) for segment in segments)
    changes = {"computed again": count} if count else {}
    report = PassReport("rematerialisation", len(graph.nodes), len(best.nodes), changes)
    return Again(best, report, total, total + cost, lives.peak, peak)


class _Lives:
    """From when to when each value of a graph is needed, its nodes being computed in order."""

    def __init__(self, graph: Graph, sizes: Sizes, ops: Mapping[str, Op]) -> None:
        nodes = graph.nodes
        self._graph, self._ops = graph, ops
        self._root = list(range(len(nodes)))
        for place, node in enumerate(nodes):
            if node.op in VIEWS:
                self._root[place] = self._root[node.operands[0]]
        self._reads: list[list[int]] = [[] for _ in nodes]
        for place in range(len(nodes)):
            for operand in self._read_by(place):
                self._reads[self._root[operand]].append(place)
        outputs = {self._root[output] for output in graph.outputs.values()}
        self._weight = [
            value_bytes(node, sizes) if node.operands and self._root[place] == place and place not in outputs else 0
            for place, node in enumerate(nodes)
        ]
        self.peak, self._at = self._highest()

    def held(self) -> list[int]:
        """Return the large values that are kept over the peak to be read after it, in order."""
        over = [
            place
            for place, weight in enumerate(self._weight)
            if weight and place < self._at and self._last(place) > self._at and self._at not in self._reads[place]
        ]
        largest = max((self._weight[place] for place in over), default=0)
        return [place for place in over if self._weight[place] >= LARGE * largest]

    def segments(self, held: Sequence[int], every: int) -> list[Segment]:
        """Return what is computed again where each `every`-th of the values `held` is kept."""
        groups = [held[start + 1 : start + every] for start in range(0, len(held), every)]
        dropped = {place for group in groups for place in group}
        found = []
        for group in groups:
            late = min((user for place in group for user in self._reads[place] if user > self._at), default=0)
            chain = self._chain(group, late, dropped)
            if group and chain:
                found.append(Segment(frozenset(group), chain, late))
        return found

    def repeated(self, segments: Sequence[Segment]) -> Graph:
        """Return the graph with the chain of each segment once more, for what reads its values from then on."""
        nodes: list[Node] = []
        places: list[int] = []
        latest: dict[int, int] = {}
        starts: dict[int, list[Segment]] = {}
        for segment in segments:
            starts.setdefault(segment.late, []).append(segment)

        def placed(node: Node, again: Mapping[int, int]) -> None:
            operands = tuple(again.get(operand, places[operand]) for operand in node.operands)
            nodes.append(replace(node, operands=operands))

        for old, node in enumerate(self._graph.nodes):
            for segment in starts.get(old, ()):
                again = dict(latest)
                for place in segment.chain:
                    placed(self._graph.nodes[place], again)
                    again[place] = len(nodes) - 1
                for place in range(old):
                    if self._root[place] in segment.dropped and self._root[place] != place and place not in again:
                        placed(self._graph.nodes[place], again)
                        again[place] = len(nodes) - 1
                latest |= {place: new for place, new in again.items() if self._root[place] in segment.dropped}
            placed(node, latest)
            places.append(len(nodes) - 1)
        outputs = {name: places[output] for name, output in self._graph.outputs.items()}
        return Graph(tuple(nodes), outputs).live(leaves=True)

    def _chain(self, wanted: Sequence[int], late: int, dropped: Collection[int]) -> tuple[int, ...]:
        """Return the nodes from which values can be computed at `late` out of what is alive there anyway."""
        chain: set[int] = set()
        left = list(wanted)
        while left:
            place = left.pop()
            if place in chain:
                continue
            chain.add(place)
            for operand in self._read_by(place):
                root = self._root[operand]
                given = not self._graph.nodes[root].operands
                alive = given or (root not in dropped and (self._last(root) >= late or not self._weight[root]))
                # a view is made again, of what is alive; it costs nothing
                if not alive or (root != operand and not given):
                    left.append(operand)
        return tuple(sorted(chain))

    def _read_by(self, place: int) -> list[int]:
        node = self._graph.nodes[place]
        only_shape = self._ops[node.op].shape_only if node.operands else ()
        return [operand for at, operand in enumerate(node.operands) if at not in only_shape]

    def _last(self, place: int) -> int:
        return max([place, *self._reads[place]])

    def _highest(self) -> tuple[int, int]:
        """Return the most bytes alive, and at which node first."""
        change = [0] * (len(self._graph.nodes) + 1)
        for place, weight in enumerate(self._weight):
            change[place] += weight
            change[self._last(place) + 1] -= weight
        most, at, alive = 0, 0, 0
        for place, more in enumerate(change):
            alive += more
            if alive > most:
                most, at = alive, place
        return most, at
