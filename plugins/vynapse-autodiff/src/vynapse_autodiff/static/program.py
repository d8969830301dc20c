# SPDX-License-Identifier: MIT OR Apache-2.0
"""A graph computed by NumPy in planned memory: one arena, made once for a size of batch, and no temporaries.

Networks come one after the other and use the same arena. It is what memory plans, schedules and profiles are tried on;
devices have memory and threads of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter_ns
from typing import Any

import numpy as np

from vynapse_autodiff.gradient import known_ops
from vynapse_autodiff.passes.fusion import Region
from vynapse_autodiff.static.blocks import blocked
from vynapse_autodiff.static.kernels import writer
from vynapse_autodiff.static.memory import ALIGNMENT, MemoryPlan, plan_memory
from vynapse_autodiff.static.memory_order import memory_order
from vynapse_autodiff.static.schedule import Schedule, parallel, sequential
from vynapse_core import Arguments, Array, Graph, GraphError, Op, Program, concrete

Step = Callable[[list[Any]], None]
Steps = Sequence[tuple[Region, Step]]
Clocked = Callable[[Region, int, int, int], None]
"""`clocked(region, thread, start, end)`, in nanoseconds."""


@dataclass(frozen=True)
class Bound:
    """A program for one size of batch."""

    plan: MemoryPlan
    arrays: tuple[Any, ...]
    """The array of each node that is known before a call; None for the others."""
    stages: tuple[tuple[tuple[Region, Step], ...], ...]

    @cached_property
    def steps(self) -> Steps:
        """All regions, in order."""
        return tuple(each for stage in self.stages for each in stage)


class PlannedProgram(Program):
    """A graph's regions, computed in planned memory."""

    engine = "planned"

    def __init__(
        self,
        graph: Graph,
        regions: Sequence[Region],
        per_network: tuple[str, ...] = (),
        ops: Mapping[str, Op] | None = None,
        threads: int = 1,
        reorder: bool = True,
    ) -> None:
        """`regions` are those of `optimize` or `singles`; `reorder` lets them be computed in an order of less memory.

        With 2 threads or more, long regions that do not wait for each other are computed at the same time.
        """
        self._ops = known_ops(graph) if ops is None else ops
        self._arguments = Arguments(graph, per_network, self._ops)
        if len(self._arguments.live.nodes) != len(graph.nodes):
            raise GraphError("the graph has dead nodes; its regions are those of graph.live(leaves=True)")
        self.graph, self.per_network = graph, per_network
        self._regions, self._threads, self._reorder = tuple(regions), threads, reorder
        self._bound: dict[tuple[tuple[str, int], ...], Bound] = {}
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def __call__(
        self, arrays: Mapping[str, Array], inputs: Mapping[str, Array], clocked: Clocked | None = None
    ) -> dict[str, Array]:
        """Return the graph's outputs, {name: [P, ...]}; `clocked` is told when each region began and ended.

        Raises ValueError for an array that is missing, unknown, or not of the shape and dtype the graph says.
        """
        given = self._arguments.check(arrays, inputs)
        bound = self.bind(given.sizes)
        nodes = self.graph.nodes
        outputs = {
            name: np.empty((given.networks, *concrete(nodes[place].shape, given.sizes)), nodes[place].dtype)
            for name, place in self.graph.outputs.items()
        }
        direct: dict[int, str] = {}
        for name, place in self.graph.outputs.items():
            if self._written(bound, place):
                direct.setdefault(place, name)
        slots = list(bound.arrays)
        for place, array in given.shared:
            slots[place] = _straight(array)
        with np.errstate(all="ignore"):
            for network in range(given.networks):
                for place, array in given.own:
                    slots[place] = _straight(array[network, ...])
                for place, name in direct.items():
                    slots[place] = outputs[name][network, ...]
                self._compute(bound, slots, clocked)
                for name, place in self.graph.outputs.items():
                    if direct.get(place) != name:
                        outputs[name][network] = slots[place]
        return outputs

    def bind(self, sizes: Mapping[str, int]) -> Bound:
        """Return the program for sizes {symbol: size}, made at the first call with them."""
        key = tuple(sorted(sizes.items()))
        if key not in self._bound:
            self._bound[key] = self._made(dict(sizes))
        return self._bound[key]

    def sizes(self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]) -> Mapping[str, int]:
        """Return what the symbols stand for in a call with these arrays. Raises ValueError as a call does."""
        return self._arguments.check(arrays, inputs).sizes

    def schedule(self, sizes: Mapping[str, int]) -> Schedule:
        """Return in which order the regions are computed."""
        if self._threads > 1:
            return parallel(self.graph, self._regions, sizes, self._ops, self._threads)
        plain = sequential(self._regions)
        if not self._reorder:
            return plain
        other = sequential(memory_order(self.graph, self._regions, sizes, self._ops))
        plans = [plan_memory(self.graph, each, sizes, self._ops) for each in (plain, other)]
        return min(plans, key=lambda plan: plan.arena).schedule

    def _written(self, bound: Bound, place: int) -> bool:
        """Whether an output is computed straight into the caller's array."""
        return bool(self.graph.nodes[place].operands) and place not in bound.plan.views | bound.plan.fixed

    def _compute(self, bound: Bound, slots: list[Any], clocked: Clocked | None) -> None:
        if clocked is None and self._pool is None:
            self._run(bound.steps, slots)
            return
        for stage in bound.stages:
            if len(stage) == 1 or self._pool is None:
                self._clocked(stage, slots, clocked, 0)
                continue
            others = [
                self._pool.submit(self._clocked, (each,), slots, clocked, thread)
                for thread, each in enumerate(stage[1:], start=1)
            ]
            self._clocked(stage[:1], slots, clocked, 0)
            for other in others:
                other.result()

    def _clocked(self, steps: Steps, slots: list[Any], clocked: Clocked | None, thread: int) -> None:
        # NumPy's error state is each thread's own
        with np.errstate(all="ignore"):
            for each in steps:
                start = perf_counter_ns()
                self._run((each,), slots)
                if clocked:
                    clocked(each[0], thread, start, perf_counter_ns())

    def _run(self, steps: Steps, slots: list[Any]) -> None:
        done = 0
        try:
            for _, step in steps:
                step(slots)
                done += 1
        except Exception as error:
            node = self.graph.nodes[steps[done][0].nodes[-1]]
            raise GraphError(f"{node.op} {node.type} failed: {error}") from error

    def _made(self, sizes: dict[str, int]) -> Bound:
        plan = plan_memory(self.graph, self.schedule(sizes), sizes, self._ops)
        slots: list[Any] = [None] * len(self.graph.nodes)
        for place, array in self._arguments.constants:
            slots[place] = array
        arena = _arena(plan.arena)
        rows = {place: count for region, count in plan.rows.items() for place in region.nodes if place in plan.inside}
        for life, offset in zip(plan.lives, plan.offsets, strict=True):
            for place in life.nodes:
                node = self.graph.nodes[place]
                shape = concrete(node.shape, sizes)
                shape = (rows[place], *shape[1:]) if place in rows else shape
                slots[place] = _view(arena, offset, shape, node.dtype)
        for place in sorted(plan.fixed):
            node = self.graph.nodes[place]
            likes = [_like(self.graph, operand, sizes) for operand in node.operands]
            slots[place] = np.asarray(self._ops[node.op].bind(node.attributes, sizes)(*likes))
        for place in sorted(plan.views):
            node = self.graph.nodes[place]
            source = slots[node.operands[0]]
            if source is not None:
                slots[place] = self._ops[node.op].bind(node.attributes, sizes)(source)
        stages = tuple(
            tuple((region, step) for region in stage if (step := self._step(region, plan, slots, sizes)) is not None)
            for stage in plan.schedule.stages
        )
        return Bound(plan, tuple(slots), tuple(stage for stage in stages if stage))

    def _step(self, region: Region, plan: MemoryPlan, slots: list[Any], sizes: Mapping[str, int]) -> Step | None:
        """Return the function that computes a region; None where there is nothing to do in a call."""
        if region in plan.rows:
            return blocked(self.graph, region, plan.rows[region], plan.inside, sizes, self._ops)
        steps = [
            self._node_step(place, plan, sizes)
            for place in region.nodes
            if place not in plan.fixed and not (place in plan.views and slots[place] is not None)
        ]
        if len(steps) < 2:
            return steps[0] if steps else None

        def compute(slots: list[Any]) -> None:
            for step in steps:
                step(slots)

        return compute

    def _node_step(self, place: int, plan: MemoryPlan, sizes: Mapping[str, int]) -> Step:
        node = self.graph.nodes[place]
        op = self._ops[node.op]
        if place in plan.views:
            look, source = op.bind(node.attributes, sizes), node.operands[0]

            def view(slots: list[Any]) -> None:
                slots[place] = look(slots[source])

            return view
        write, operands = writer(op, node, sizes), node.operands
        likes = {at: _like(self.graph, operands[at], sizes) for at in op.shape_only}
        if likes:

            def with_shapes(slots: list[Any]) -> None:
                given = [likes[at] if at in likes else slots[each] for at, each in enumerate(operands)]
                write(*given, slots[place])

            return with_shapes
        if len(operands) == 1:
            (only,) = operands
            return lambda slots: write(slots[only], slots[place])
        if len(operands) == 2:
            first, second = operands
            return lambda slots: write(slots[first], slots[second], slots[place])
        return lambda slots: write(*[slots[each] for each in operands], slots[place])


def _straight(array: Array) -> Array:
    """Return an array in C order: itself where it is."""
    return array if array.flags.c_contiguous else array.copy()


def _arena(count: int) -> Array:
    """Return bytes that begin at a cache line."""
    room = np.empty(count + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    return room[start : start + count]


def _view(arena: Array, offset: int, shape: tuple[int, ...], dtype: str) -> Array:
    kind = np.dtype(dtype)
    count = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    return arena[offset : offset + count].view(kind).reshape(shape)


def _like(graph: Graph, place: int, sizes: Mapping[str, int]) -> Array:
    """Return zeros that take no memory, of a node's shape and dtype."""
    node = graph.nodes[place]
    return np.broadcast_to(np.zeros((), node.dtype), concrete(node.shape, sizes))
