# SPDX-License-Identifier: MIT OR Apache-2.0
"""Profiles: how long each op of a graph takes, how many operations it does, and how many bytes it moves.

The graph is computed node by node in planned memory, or a fused region at a time, by NumPy: this is where its work is.
A device that compiles the whole takes another time for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vynapse_autodiff.gradient import known_ops
from vynapse_autodiff.passes.costs import flops, region_bytes
from vynapse_autodiff.passes.fusion import Region, kept_values
from vynapse_autodiff.passes.optimize import Optimized
from vynapse_autodiff.static.memory import MemoryPlan
from vynapse_autodiff.static.program import PlannedProgram
from vynapse_core import Array, Graph, Op

MOST_NAMED = 4
"""Ops of a region that are named; the others are counted."""


@dataclass(frozen=True)
class Event:
    """One region, computed once."""

    name: str
    what: str
    """Shape and dtype of the last value."""
    thread: int
    start: int
    """Nanoseconds since the first event began."""
    stop: int


@dataclass(frozen=True)
class Row:
    """All regions of the same ops."""

    name: str
    calls: int
    """How often it is computed in one call of the graph."""
    seconds: float
    """Time that it takes in one call of the graph."""
    flops: int
    bytes: int


@dataclass(frozen=True)
class Profile:
    """Where the time of a graph is."""

    rows: tuple[Row, ...]
    """By ops, the longest time first."""
    events: tuple[Event, ...]
    """The fastest call, event by event."""
    plan: MemoryPlan
    sizes: Mapping[str, int]
    """What the symbols of the graph stood for."""

    @property
    def seconds(self) -> float:
        """Time of all ops in one call of the graph."""
        return sum(row.seconds for row in self.rows)


def profile(
    found: Optimized,
    arrays: Mapping[str, Array],
    inputs: Mapping[str, Array],
    per_network: tuple[str, ...] = (),
    repeats: int = 10,
    ops: Mapping[str, Op] | None = None,
    threads: int = 1,
) -> Profile:
    """Return the profile of a graph on these arrays: that of the fastest of `repeats` calls, after one to warm up."""
    known = known_ops(found.graph) if ops is None else ops
    program = PlannedProgram(found.graph, found.regions, per_network, known, threads)
    program(arrays, inputs)
    best: list[tuple[Region, int, int, int]] = []
    for _ in range(max(1, repeats)):
        seen: list[tuple[Region, int, int, int]] = []
        program(arrays, inputs, lambda *event, into=seen: into.append(event))
        if not best or _busy(seen) < _busy(best):
            best = seen
    sizes = program.sizes(arrays, inputs)
    return Profile(_rows(found.graph, best, sizes, known), _events(found.graph, best), program.bind(sizes).plan, sizes)


def region_name(graph: Graph, region: Region) -> str:
    """Return the ops of a region: `matmul+add+tanh`."""
    ops = [graph.nodes[place].op for place in region.nodes]
    rest = len(ops) - MOST_NAMED
    return "+".join(ops[:MOST_NAMED]) + (f"+{rest} more" if rest > 0 else "")


def table(found: Profile) -> list[str]:
    """Return a profile as the lines of a Markdown table."""
    total = found.seconds or 1.0
    lines = ["| op | calls | time, µs | share | GFLOP/s | GB/s |", "|---|---:|---:|---:|---:|---:|"]
    for row in found.rows:
        speed = row.flops / row.seconds / 1e9 if row.seconds and row.flops else 0.0
        moved = row.bytes / row.seconds / 1e9 if row.seconds and row.bytes else 0.0
        numbers = [f"{row.seconds * 1e6:,.1f}", f"{row.seconds / total:.1%}", f"{speed:.2f}", f"{moved:.2f}"]
        lines.append(f"| {row.name} | {row.calls:,} | {' | '.join(numbers)} |")
    flop, moved_bytes = sum(row.flops for row in found.rows), sum(row.bytes for row in found.rows)
    calls = sum(row.calls for row in found.rows)
    speeds = f"{flop / total / 1e9:.2f} | {moved_bytes / total / 1e9:.2f}"
    lines.append(f"| all | {calls:,} | {found.seconds * 1e6:,.1f} | 100.0% | {speeds} |")
    return lines


def trace_events(found: Profile, name: str) -> dict[str, object]:
    """Return a profile in Chrome's trace-event format, to be written as JSON: chrome://tracing and Perfetto read it."""
    events: list[dict[str, object]] = [
        {
            "name": event.name,
            "cat": "op",
            "ph": "X",
            "pid": 1,
            "tid": event.thread,
            "ts": event.start / 1e3,
            "dur": (event.stop - event.start) / 1e3,
            "args": {"value": event.what},
        }
        for event in found.events
    ]
    events.append({"name": "process_name", "ph": "M", "pid": 1, "tid": 0, "args": {"name": name}})
    return {"traceEvents": events, "displayTimeUnit": "ns"}


def _busy(seen: Sequence[tuple[Region, int, int, int]]) -> int:
    return sum(stop - start for _, _, start, stop in seen)


def _events(graph: Graph, seen: Sequence[tuple[Region, int, int, int]]) -> tuple[Event, ...]:
    first = min((start for _, _, start, _ in seen), default=0)
    return tuple(
        Event(region_name(graph, region), graph.nodes[region.nodes[-1]].type, thread, start - first, stop - first)
        for region, thread, start, stop in seen
    )


def _rows(
    graph: Graph, seen: Sequence[tuple[Region, int, int, int]], sizes: Mapping[str, int], ops: Mapping[str, Op]
) -> tuple[Row, ...]:
    sums: dict[str, list[float]] = {}
    for region, _, start, stop in seen:
        row = sums.setdefault(region_name(graph, region), [0, 0.0, 0, 0])
        row[0] += 1
        row[1] += (stop - start) / 1e9
        row[2] += sum(flops(graph, place, sizes) for place in region.nodes)
        row[3] += region_bytes(graph, region.nodes, sizes, ops, kept_values(graph, region))
    rows = [Row(name, int(calls), time, int(flop), int(moved)) for name, (calls, time, flop, moved) in sums.items()]
    return tuple(sorted(rows, key=lambda row: -row.seconds))
