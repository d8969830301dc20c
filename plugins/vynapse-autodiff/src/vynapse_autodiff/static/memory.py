# SPDX-License-Identifier: MIT OR Apache-2.0
"""Memory planning: where in one arena each value of a graph lies, values that live at different times sharing bytes.

Inputs, parameters and constants are given; outputs are the caller's. Of the rest a value may be a view of another, may
be written over an operand that nothing needs any more, or gets bytes of the arena from when it is computed to when it
was last read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vynapse_autodiff.passes.costs import VIEWS, value_bytes
from vynapse_autodiff.passes.fusion import Region, kept_values
from vynapse_autodiff.static.kernels import IN_PLACE
from vynapse_autodiff.static.schedule import Schedule
from vynapse_core import Graph, Op, concrete

ALIGNMENT = 64
"""Each value begins at a multiple of this many bytes: a cache line."""
BLOCK = 256 * 1024
"""Bytes of each value that a fused region computes at a time."""
PRODUCT_ROWS = 64
"""Least rows of a product computed at a time, as fewer are slow."""

Sizes = Mapping[str, int]


@dataclass(frozen=True)
class Life:
    """The bytes of the arena that one or more values take, one after the other."""

    nodes: tuple[int, ...]
    bytes: int
    first: int
    """When the first one is computed, in nodes computed before."""
    last: int
    """When the last one is read for the last time."""


@dataclass(frozen=True)
class MemoryPlan:
    """Where values lie."""

    schedule: Schedule
    lives: tuple[Life, ...]
    offsets: tuple[int, ...]
    """Where in the arena the bytes of each life begin."""
    arena: int
    """Bytes of the arena: the peak of what is neither given nor an output."""
    apart: int
    """Bytes that the same values take where each has its own."""
    least: int
    """Most bytes that are alive at one time, which no arena can be below."""
    fixed: frozenset[int]
    """Nodes whose values depend on shapes alone."""
    views: frozenset[int]
    """Nodes that look at the numbers of their first operand."""
    inside: frozenset[int]
    """Nodes that nothing outside their region needs, where it has several blocks: a block is all there is of them."""
    rows: Mapping[Region, int]
    """Rows that each region of several blocks computes at a time."""

    def __str__(self) -> str:
        share = self.arena / self.apart if self.apart else 1.0
        return f"memory: {self.apart:,} bytes apart, {self.arena:,} planned ({share:.0%}), {self.least:,} alive at most"


def plan_memory(graph: Graph, schedule: Schedule, sizes: Sizes, ops: Mapping[str, Op]) -> MemoryPlan:
    """Return where the values of a graph lie under a schedule, for sizes {symbol: size}."""
    rows = {region: n for region in schedule.regions if (n := block_rows(graph, region, sizes)) is not None}
    planner = _Planner(graph, schedule, sizes, ops, rows)
    lives = planner.lives()
    offsets = _placed(lives)
    moments = sorted({life.first for life in lives})
    return MemoryPlan(
        schedule,
        lives,
        offsets,
        max((offset + life.bytes for offset, life in zip(offsets, lives, strict=True)), default=0),
        sum(_aligned(value_bytes(graph.nodes[place], sizes)) for place in planner.owned),
        max((sum(life.bytes for life in lives if life.first <= t <= life.last) for t in moments), default=0),
        planner.fixed,
        planner.views,
        planner.inside,
        rows,
    )


def block_rows(graph: Graph, region: Region, sizes: Sizes) -> int | None:
    """Return how many rows a region computes at a time; None where one block is all of it."""
    node = graph.nodes[region.nodes[0]]
    if len(region.nodes) == 1 or not node.shape:
        return None
    size = concrete(node.shape, sizes)[0]
    row = max(1, value_bytes(node, sizes) // max(1, size))
    rows = max(1, BLOCK // row, PRODUCT_ROWS if node.op == "matmul" else 1)
    return rows if rows < size else None


class _Planner:
    """What is known of each node: whether it has memory of its own, and when."""

    def __init__(
        self, graph: Graph, schedule: Schedule, sizes: Sizes, ops: Mapping[str, Op], rows: Mapping[Region, int]
    ) -> None:
        self._graph, self._sizes = graph, sizes
        nodes = graph.nodes
        self._outputs = set(graph.outputs.values())
        self.fixed = frozenset(
            place
            for place, node in enumerate(nodes)
            if node.operands and len(ops[node.op].shape_only) == len(node.operands)
        )
        self.views, self._root = _views(graph, self.fixed)
        self.inside = frozenset(place for region in rows for place in set(region.nodes) - kept_values(graph, region))
        self._rows = {place: count for region, count in rows.items() for place in region.nodes}
        self._span = _spans(schedule, rows)
        self._at = {place: at for at, place in enumerate(p for r in schedule.regions for p in r.nodes)}
        self._alone = {place for stage in schedule.stages if len(stage) == 1 for place in stage[0].nodes}
        given = {place for place, node in enumerate(nodes) if not node.operands} | self.fixed | self._outputs
        self.owned = [place for place in self._at if self._root[place] == place and place not in given]
        self._last = self._read_last(ops)

    def _read_last(self, ops: Mapping[str, Op]) -> dict[int, int]:
        """Return when each value that is no view was last read, or computed where nothing reads it."""
        last = {place: self._time(place, place)[1] for place in self._at}
        for place in self._at:
            only_shape = ops[self._graph.nodes[place].op].shape_only
            for at, operand in enumerate(self._graph.nodes[place].operands):
                root = self._root[operand]
                if at not in only_shape and root in last:
                    last[root] = max(last[root], self._time(place, root)[1])
        for output in self._outputs:
            if self._root[output] in last:
                last[self._root[output]] = len(self._at)
        return last

    def _time(self, place: int, value: int) -> tuple[int, int]:
        """Return when a node computes or reads a value; what stays within a region of blocks has that node's time."""
        if value in self.inside and place in self._alone:
            return self._at[place], self._at[place]
        return self._span[place]

    def lives(self) -> tuple[Life, ...]:
        """Return the lives of all values that have memory of their own."""
        mine: dict[int, Life] = {}
        heirs: dict[int, int] = {}
        for place in self.owned:
            first = self._time(place, place)[0]
            before = self._replaced(place)
            if before is not None:
                head = heirs[before]
                old = mine[head]
                mine[head] = Life((*old.nodes, place), old.bytes, old.first, self._last[place])
                heirs[place] = head
            else:
                mine[place] = Life((place,), self._bytes(place), first, self._last[place])
                heirs[place] = place
        return tuple(mine.values())

    def _replaced(self, place: int) -> int | None:
        """Return the operand over which a node's value may be written."""
        node = self._graph.nodes[place]
        plain = self._span[place] == (self._at[place], self._at[place])
        if not (plain or (place in self.inside and place in self._alone)):
            return None
        for at in IN_PLACE.get(node.op, ())[: len(node.operands)]:
            old = node.operands[at]
            if old not in self._last or self._root[old] != old or old in self._outputs or old in self.fixed:
                continue
            like = self._graph.nodes[old]
            alike = like.dtype == node.dtype and concrete(like.shape, self._sizes) == concrete(node.shape, self._sizes)
            # a view of it, turned another way, would be read after it is written
            looks = any(self._root[each] == old and each != old for each in node.operands)
            within = (old in self.inside) == (place in self.inside)
            if alike and within and not looks and self._last[old] == self._at[place]:
                return old
        return None

    def _bytes(self, place: int) -> int:
        node = self._graph.nodes[place]
        whole = value_bytes(node, self._sizes)
        if place in self.inside:
            whole = whole // concrete(node.shape, self._sizes)[0] * self._rows[place]
        return _aligned(whole)


def _spans(schedule: Schedule, rows: Mapping[Region, int]) -> dict[int, tuple[int, int]]:
    """Return for each node from when to when it reads what is outside of its region, and writes."""
    spans: dict[int, tuple[int, int]] = {}
    now = 0
    for stage in schedule.stages:
        count = sum(len(region.nodes) for region in stage)
        together = len(stage) > 1
        for region in stage:
            for at, place in enumerate(region.nodes, start=now):
                spans[place] = (now, now + count - 1) if together or region in rows else (at, at)
        now += count
    return spans


def _views(graph: Graph, fixed: frozenset[int]) -> tuple[frozenset[int], list[int]]:
    """Return which nodes look at their first operand's numbers, and for each node whose numbers it has."""
    views: set[int] = set()
    root: list[int] = []
    straight: list[bool] = []
    for place, node in enumerate(graph.nodes):
        source = node.operands[0] if node.operands else place
        is_view = place not in fixed and node.op in VIEWS and (node.op != "reshape" or straight[source])
        if is_view:
            views.add(place)
        root.append(root[source] if is_view else place)
        keeps = node.op in ("reshape", "stop_gradient") or (node.op == "slice" and node.attributes["axis"] == 0)
        straight.append(not is_view or (keeps and straight[source]))
    return frozenset(views), root


def _aligned(count: int) -> int:
    return -(-count // ALIGNMENT) * ALIGNMENT


def _placed(lives: Sequence[Life]) -> tuple[int, ...]:
    """Return offsets: the largest first, each as low as what lies there at its time allows."""
    offsets: dict[int, int] = {}
    for number in sorted(range(len(lives)), key=lambda each: (-lives[each].bytes, lives[each].first)):
        life = lives[number]
        taken = sorted(
            (offset, offset + lives[other].bytes)
            for other, offset in offsets.items()
            if lives[other].first <= life.last and life.first <= lives[other].last
        )
        at = 0
        for start, stop in taken:
            if at + life.bytes <= start:
                break
            at = max(at, stop)
        offsets[number] = at
    return tuple(offsets[number] for number in range(len(lives)))
