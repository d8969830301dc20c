# SPDX-License-Identifier: MIT OR Apache-2.0
"""Where the nodes of a network stand in its picture: layers from left to right, and places within a layer.

A layer is the length of the longest path from the inputs, over the links that are left when cycles are cut where it
takes few cuts. A link that passes through layers has a waypoint in each, and waypoints are placed like nodes, so that
links pass between nodes and not over them. Reference: Sugiyama, Tagawa & Toda 1981, "Methods for visual understanding
of hierarchical system structures".
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vynapse_core import Array

MOST_WAYPOINTS = 4000
"""Beyond this many, links that pass through layers take no notice of what stands there."""
LEAST_ROOM, MOST_ROOM = 0.05, 0.35
"""Room of a waypoint, in units of a node's: the more of them, the less."""
SWEEPS = 12
"""How often layers are ordered, and then placed, by their neighbours."""


@dataclass(frozen=True)
class Arrangement:
    """Places of n nodes and ways of m links."""

    layer: Array
    """int64 [n], from 0."""
    height: Array
    """float64 [n], in units of the distance of two nodes; upwards, the middle of the picture is 0."""
    ways: tuple[tuple[int, ...], ...]
    """For each link that leads to the right the places that it passes, its ends included; nothing for all others."""
    waypoint_layer: Array
    """int64 [n + w], the layers of nodes and waypoints."""
    waypoint_height: Array
    """float64 [n + w], their heights."""


def arranged(n: int, source: Sequence[int], target: Sequence[int], first: Array, last: Array) -> Arrangement:
    """Return where n nodes stand; links lead from place `source` to place `target`.

    `first` and `last` are the places of inputs and outputs: they stand at the borders, in this order from the top.
    """
    layer = layers(n, source, target, first, last)
    ways, layer_of = _ways(layer, source, target)
    members: list[list[int]] = [[] for _ in range(int(layer.max()) + 1)]
    members[0], members[-1] = first.tolist(), last.tolist()
    for place, at in enumerate(layer_of.tolist()):
        if 0 < at < len(members) - 1:
            members[at].append(place)
    before: list[list[int]] = [[] for _ in layer_of]
    after: list[list[int]] = [[] for _ in layer_of]
    for way in ways:
        for one, next_one in pairwise(way):
            after[one].append(next_one)
            before[next_one].append(one)
    _order(members, before, after)
    height = _placed(members, before, after, n)
    return Arrangement(layer, height[:n], ways, layer_of, height)


def layers(n: int, source: Sequence[int], target: Sequence[int], first: Array, last: Array) -> Array:
    """Return the layers int64 [n]: 0 for inputs, the greatest for outputs, between them the longest path's length."""
    inputs, fixed = set(first.tolist()), {*first.tolist(), *last.tolist()}
    heads: list[list[int]] = [[] for _ in range(n)]
    tails: list[list[int]] = [[] for _ in range(n)]
    for start, end in zip(source, target, strict=True):
        if end not in fixed and start not in fixed - inputs and start != end:
            heads[start].append(end)
            tails[end].append(start)
    layer, passed = [0] * n, [False] * n
    for place in _acyclic_order(heads, tails):
        if place not in fixed:
            layer[place] = 1 + max((layer[tail] for tail in tails[place] if passed[tail]), default=0)
        passed[place] = True
    found = np.array(layer, np.int64)
    found[last] = found.max() + 1
    return found


def _acyclic_order(heads: list[list[int]], tails: list[list[int]]) -> list[int]:
    """Return all places in an order that few links lead back in, and none where there is no cycle.

    Reference: Eades, Lin & Smyth 1993, "A fast and effective heuristic for the feedback arc set problem".
    """
    outs, ins = [len(each) for each in heads], [len(each) for each in tails]
    front: list[int] = []
    back: list[int] = []
    done, entered = [False] * len(heads), [False] * len(heads)

    def rank(place: int) -> tuple[int, int, bool, int]:
        # what nothing leads to, then what leads nowhere, then what leads to more than leads to it, where one comes in
        free = 0 if not ins[place] else 1 if not outs[place] else 2
        return free, ins[place] - outs[place] if free == 2 else 0, not entered[place], place

    queue = [rank(place) for place in range(len(heads))]
    heapq.heapify(queue)
    while queue:
        entry = heapq.heappop(queue)
        place = entry[-1]
        if done[place] or entry != rank(place):
            continue
        done[place] = True
        (back if entry[0] == 1 else front).append(place)
        for others, counts in ((heads[place], ins), (tails[place], outs)):
            for other in others:
                counts[other] -= 1
                entered[other] |= counts is ins
                if not done[other]:
                    heapq.heappush(queue, rank(other))
    return front + back[::-1]


def _ways(layer: Array, source: Sequence[int], target: Sequence[int]) -> tuple[tuple[tuple[int, ...], ...], Array]:
    """Return the places that each link passes, and the layers of nodes and waypoints."""
    spans = [int(layer[end] - layer[start]) for start, end in zip(source, target, strict=True)]
    stop = sum(span - 1 for span in spans if span > 1) <= MOST_WAYPOINTS
    layer_of = layer.tolist()
    ways: list[tuple[int, ...]] = []
    for start, end, span in zip(source, target, spans, strict=True):
        if span <= 0:
            ways.append(())
            continue
        passed = range(len(layer_of), len(layer_of) + span - 1) if stop else range(0)
        layer_of += [int(layer[start]) + i for i in range(1, len(passed) + 1)]
        ways.append((start, *passed, end))
    return tuple(ways), np.array(layer_of, np.int64)


def _order(members: list[list[int]], before: list[list[int]], after: list[list[int]]) -> None:
    """Order all layers but the first and the last, in place, by the mean position of neighbours, to and fro."""
    position: dict[int, float] = {}
    for places in members:
        _number(places, position)
    for sweep in range(SWEEPS):
        neighbours = before if sweep % 2 == 0 else after
        inner = range(1, len(members) - 1)
        for index in inner if sweep % 2 == 0 else reversed(inner):
            places = members[index]
            mean = {
                place: sum(position[other] for other in neighbours[place]) / len(neighbours[place])
                if neighbours[place]
                else position[place]
                for place in places
            }
            places.sort(key=mean.__getitem__)
            _number(places, position)


def _number(places: list[int], position: dict[int, float]) -> None:
    """Number places from the top, the middle being 0, so that layers of any size compare."""
    for index, place in enumerate(places):
        position[place] = index - (len(places) - 1) / 2


def _placed(members: list[list[int]], before: list[list[int]], after: list[list[int]], n: int) -> Array:
    """Return heights: each near the mean of its neighbours', and far enough from those above and below."""
    nodes = [sum(place < n for place in places) for places in members]
    passing = max(len(places) - own for places, own in zip(members, nodes, strict=True))
    room = min(MOST_ROOM, max(LEAST_ROOM, 1.2 * max(nodes) / max(passing, 1)))
    gaps = []
    for places in members:
        size = np.array([1.0 if place < n else room for place in places])
        gaps.append(np.concatenate([[0.0], np.cumsum((size[1:] + size[:-1]) / 2)]) if places else size)
    height = [0.0] * len(before)

    def place_at(places: list[int], heights: Array) -> None:
        for place, at in zip(places, heights.tolist(), strict=True):
            height[place] = at

    for places, gap in zip(members, gaps, strict=True):
        place_at(places, gap.max(initial=0.0) / 2 - gap)
    for sweep in range(2 * SWEEPS):
        for index in range(len(members)) if sweep % 2 == 0 else reversed(range(len(members))):
            places, gap = members[index], gaps[index]
            wanted = np.array([_wanted(place, before, after, height) for place in places])
            place_at(places, -(_rising(-wanted - gap) + gap))
    found: Array = np.array(height)
    found -= (found.max() + found.min()) / 2
    return found


def _wanted(place: int, before: list[list[int]], after: list[list[int]], height: list[float]) -> float:
    sides = [sum(height[other] for other in side) / len(side) for side in (before[place], after[place]) if side]
    return sum(sides) / len(sides) if sides else height[place]


def _rising(wanted: Array) -> Array:
    """Return the numbers nearest to `wanted` that never fall (pool adjacent violators, Ayer et al. 1955)."""
    means: list[float] = []
    counts: list[int] = []
    for value in wanted.tolist():
        means.append(value)
        counts.append(1)
        while len(means) > 1 and means[-2] > means[-1]:
            last, number = means.pop(), counts.pop()
            means[-1] = (means[-1] * counts[-1] + last * number) / (counts[-1] + number)
            counts[-1] += number
    rising: Array = np.repeat(means, counts)
    return rising
