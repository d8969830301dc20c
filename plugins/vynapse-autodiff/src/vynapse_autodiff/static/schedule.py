# SPDX-License-Identifier: MIT OR Apache-2.0
"""Schedules: in which order, and at what time, the regions of a graph are computed.

A stage is what may be computed at the same time. A sequential schedule has one region a stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vynapse_autodiff.passes.costs import bytes_moved, flops
from vynapse_autodiff.passes.fusion import Region
from vynapse_core import Graph, Op

Sizes = Mapping[str, int]

FLOPS_PER_BYTE = 5.0
"""How many operations take as long as the move of a byte, roughly: enough to tell long from short."""
LONG = 500_000.0
"""Operations, moves counted as such, from which on a region is worth a thread of its own: some 50 µs."""


@dataclass(frozen=True)
class Schedule:
    """Regions by stage, in order."""

    stages: tuple[tuple[Region, ...], ...]

    @property
    def regions(self) -> tuple[Region, ...]:
        """All regions, in order."""
        return tuple(region for stage in self.stages for region in stage)


def sequential(regions: Sequence[Region]) -> Schedule:
    """Return the schedule of one region after the other."""
    return Schedule(tuple((region,) for region in regions))


def waits(graph: Graph, regions: Sequence[Region]) -> list[set[int]]:
    """Return for each region which others, by number, must be computed before it."""
    maker = {place: number for number, region in enumerate(regions) for place in region.nodes}
    return [
        {maker[operand] for place in region.nodes for operand in graph.nodes[place].operands if operand in maker}
        - {number}
        for number, region in enumerate(regions)
    ]


def work(graph: Graph, region: Region, sizes: Sizes, ops: Mapping[str, Op]) -> float:
    """Return about how long a region takes, in operations."""
    return sum(
        flops(graph, place, sizes) + FLOPS_PER_BYTE * bytes_moved(graph, place, sizes, ops) for place in region.nodes
    )


def levels(graph: Graph, regions: Sequence[Region]) -> list[int]:
    """Return for each region the length of the longest chain of regions before it."""
    found: dict[int, int] = {}
    needs = waits(graph, regions)
    for number in topological(needs):
        found[number] = 1 + max((found[each] for each in needs[number]), default=-1)
    return [found[number] for number in range(len(regions))]


def critical_path(
    graph: Graph, regions: Sequence[Region], sizes: Sizes, ops: Mapping[str, Op]
) -> tuple[float, float, tuple[int, ...]]:
    """Return the work of the longest chain, the work of all, and the chain as numbers of regions.

    The second over the first is how many threads could be of use.
    """
    needs, costs = waits(graph, regions), [work(graph, region, sizes, ops) for region in regions]
    until: dict[int, float] = {}
    before: dict[int, int] = {}
    for number in topological(needs):
        last = max(needs[number], key=lambda each: until[each], default=-1)
        before[number] = last
        until[number] = costs[number] + (until[last] if last >= 0 else 0.0)
    if not until:
        return 0.0, 0.0, ()
    at = max(until, key=lambda number: until[number])
    longest, chain = until[at], []
    while at >= 0:
        chain.append(at)
        at = before[at]
    return longest, sum(costs), tuple(reversed(chain))


def parallel(
    graph: Graph,
    regions: Sequence[Region],
    sizes: Sizes,
    ops: Mapping[str, Op],
    threads: int = 2,
    least: float | None = None,
) -> Schedule:
    """Return a schedule whose stages hold up to `threads` long regions that do not wait for each other.

    Of the regions that are ready those with the most work after them come first. Those of less work than `least`, by
    default LONG, have a stage of their own.
    """
    least = LONG if least is None else least
    needs, costs = waits(graph, regions), [work(graph, region, sizes, ops) for region in regions]
    after: list[set[int]] = [set() for _ in regions]
    for number, needed in enumerate(needs):
        for each in needed:
            after[each].add(number)
    order = topological(needs)
    rest: dict[int, float] = {}
    for number in reversed(order):
        rest[number] = costs[number] + max((rest[each] for each in after[number]), default=0.0)
    left = [len(needed) for needed in needs]
    ready = [number for number in order if not left[number]]
    stages = []
    while ready:
        ready.sort(key=lambda number: -rest[number])
        chosen = ready[:1]
        if costs[chosen[0]] >= least:
            chosen += [number for number in ready[1:] if costs[number] >= least][: threads - 1]
        ready = [number for number in ready if number not in chosen]
        for number in chosen:
            for each in sorted(after[number]):
                left[each] -= 1
                if not left[each]:
                    ready.append(each)
        stages.append(tuple(regions[number] for number in chosen))
    return Schedule(tuple(stages))


def topological(needs: Sequence[set[int]]) -> list[int]:
    """Return numbers in an order in which each comes after those it waits for."""
    left = [len(needed) for needed in needs]
    after: list[list[int]] = [[] for _ in needs]
    for number, needed in enumerate(needs):
        for each in needed:
            after[each].append(number)
    order = [number for number, count in enumerate(left) if not count]
    for number in order:
        for each in after[number]:
            left[each] -= 1
            if not left[each]:
                order.append(each)
    return order
