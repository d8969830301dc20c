# SPDX-License-Identifier: MIT OR Apache-2.0
"""The program of the engine `tiles`: a few networks at a time, a block of samples at a time, threads over tiles."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, TypeVar

import numpy as np

from vynapse_core import Arguments, Array, Given, GraphError, Kernel, Node, Program
from vynapse_numba.threads import Workers, workers
from vynapse_numba.tiles.bind import concrete
from vynapse_numba.tiles.elementwise import WRITERS
from vynapse_numba.tiles.memory import Arena, Bound, Layout, layout
from vynapse_numba.tiles.product import matmul, pack
from vynapse_numba.tiles.split import Stage
from vynapse_numba.tiles.steps import Plan, plan

T = TypeVar("T")


class Tiles(Program):
    """A graph computed in tiles. Networks get the same bits in any company, on any number of threads."""

    def __init__(self, arguments: Arguments, kernels: Mapping[str, Kernel], threads: int) -> None:
        self.graph = arguments.graph
        self.per_network = arguments.per_network
        self._arguments = arguments
        self._threads = threads
        self._plan = plan(arguments, kernels)
        self._sized: _Sized | None = None

    def __call__(self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the graph's outputs, {name: [P, ...]}, for `arrays` {parameter: [P, ...]} and `inputs`.

        Raises ValueError for an array that is missing, unknown, or not of the shape and dtype the graph says.
        """
        given = self._arguments.check(arrays, inputs)
        sized = self._sized
        if sized is None or sized.layout.sizes != given.sizes:
            self._sized = sized = _Sized(layout(self._plan, given.sizes))
        nodes = self._arguments.live.nodes
        outputs = {
            name: np.empty((given.networks, *concrete(nodes[i].shape, given.sizes)), nodes[i].dtype)
            for name, i in self._arguments.live.outputs.items()
        }
        if given.networks:
            _Call(self._plan, given, outputs, sized, workers(self._threads)).run()
        return outputs


KEPT = 2**26
"""Most bytes of packed samples that a program keeps for the next call."""

Packs = dict[tuple[int, int], Array]
"""{(slot, block): packed samples}."""


class _Sized:
    """What a program keeps from call to call of the same sizes; calls at once each take what they find."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.arenas: list[Arena] = []
        self.packs: list[Packs] = []


class _Call:
    """One call: what its tiles share."""

    def __init__(self, plan: Plan, given: Given, outputs: Mapping[str, Array], sized: _Sized, workers: Workers) -> None:
        self.plan, self.arguments, self.given, self.outputs = plan, plan.arguments, given, outputs
        self.sized, self.layout, self.workers = sized, sized.layout, workers
        self.values: list[Any] = [None] * self.plan.slots
        """Shared values by slot."""
        self.sliced: list[tuple[int, list[Array]]] = []
        """(slot, its value for each block of samples) of the shared ones."""
        self.packs: Packs = _taken(sized.packs) or {}

    def run(self) -> None:
        """Compute what is shared, then tile by tile, and write the outputs."""
        with np.errstate(all="ignore"):
            self._share()
        networks, threads = self.given.networks, self.workers.threads
        tiles = ceil(networks / self.layout.networks)
        # as many tiles for each thread, where there are networks enough
        tiles = min(ceil(tiles / threads) * threads, networks)
        bounds = [networks * tile // tiles for tile in range(tiles + 1)]

        def part(tile: int) -> None:
            arena = _taken(self.sized.arenas) or Arena(self.plan, self.layout)
            with np.errstate(all="ignore"):
                self._tile(arena, bounds[tile], bounds[tile + 1])
            self.sized.arenas.append(arena)

        self.workers.run(part, tiles)
        if sum(array.nbytes for array in self.packs.values()) <= KEPT:
            self.sized.packs.append(self.packs)

    def _share(self) -> None:
        nodes, sizes, values = self.arguments.live.nodes, self.given.sizes, self.values
        for slot, array in (*self.arguments.constants, *self.given.shared):
            values[slot] = array
        for i in self.plan.shared:
            if nodes[i].operands:
                try:
                    values[i] = self._shared_value(i)
                except Exception as error:
                    raise _failed(nodes[i], error) from error
        for name, i in self.arguments.live.outputs.items():
            if not self.arguments.varying[i]:
                self.arguments.check_value(name, np.asarray(values[i]), self.outputs[name].shape[1:])
                self.outputs[name][...] = values[i]
        if self.plan.split.symbol is not None:
            self._cut(sizes[self.plan.split.symbol])
        self._pack()

    def _shared_value(self, i: int) -> Array:
        node = self.arguments.live.nodes[i]
        op, sizes = self.arguments.ops[node.op], self.given.sizes
        operands = [
            np.broadcast_to(np.zeros((), other.dtype), concrete(other.shape, sizes))
            if at in op.shape_only
            else self.values[o]
            for at, o in enumerate(node.operands)
            for other in (self.arguments.live.nodes[o],)
        ]
        if node.op == "matmul":
            out = np.empty((1, *concrete(node.shape, sizes)), node.dtype)
            rank = out.ndim - 1
            a, b = (x[(None,) * (rank + 1 - x.ndim)] for x in operands)
            matmul(a, b, out)
            first: Array = out[0]
            return first
        if node.op == "erf":
            out = np.empty(concrete(node.shape, sizes), node.dtype)
            WRITERS["erf"](out, *operands)
            return out
        value: Array = op.bind(node.attributes, sizes)(*operands)
        return value

    def _cut(self, samples: int) -> None:
        """Cut the shared values that have samples into blocks, samples innermost for what is computed so."""
        axes = self.plan.split.axes
        read = {o for step in self.plan.steps for o in step.operands if o < len(axes)}
        read -= {packed.node for packed in self.plan.packed} - read
        for slot in sorted(read):
            axis = axes[slot]
            if axis is None or self.arguments.varying[slot]:
                continue
            value = self.values[slot]
            if axis < value.ndim - 1:
                value = np.moveaxis(np.ascontiguousarray(np.moveaxis(value, axis, -1)), -1, axis)
            self.sliced.append((slot, [value[cut] for cut in self._cuts(axis, samples)]))

    def _cuts(self, axis: int, samples: int) -> list[tuple[slice, ...]]:
        block, lead = self.layout.block, (slice(None),) * axis
        return [(*lead, slice(at * block, min((at + 1) * block, samples))) for at in range(self.layout.blocks)]

    def _pack(self) -> None:
        """Pack the shared operands of products, blocks of samples on all threads."""
        axes, symbol = self.plan.split.axes, self.plan.split.symbol
        work: list[tuple[int, int, Array]] = []
        for packed in self.plan.packed:
            value, axis = self.values[packed.node], axes[packed.node]
            cuts = [] if symbol is None or axis is None else self._cuts(axis, self.given.sizes[symbol])
            blocks = [value[cut] for cut in cuts] or [value]
            work += [(packed.slot, at, block.T if packed.turned else block) for at, block in enumerate(blocks)]

        def part(at: int) -> None:
            slot, block, matrix = work[at]
            self.packs[slot, block] = pack(matrix, self.packs.get((slot, block)))

        self.workers.run(part, len(work))
        for packed in self.plan.packed:
            if symbol is None or axes[packed.node] is None:
                self.values[packed.slot] = self.packs[packed.slot, 0]
            else:
                blocks = [self.packs[packed.slot, at] for at in range(self.layout.blocks)]
                self.sliced.append((packed.slot, blocks))

    def _tile(self, arena: Arena, start: int, stop: int) -> None:
        """Compute the networks from `start` to `stop`."""
        symbol, axes = self.plan.split.symbol, self.plan.split.axes
        values = self.values.copy()
        sampled: list[tuple[int, int, Array]] = []
        for slot, array in self.given.own:
            axis = None if symbol is None else axes[slot]
            if axis is None:
                values[slot] = array[start:stop]
            else:
                sampled.append((slot, axis, array[start:stop]))
        block, samples = self.layout.block, 0 if symbol is None else self.given.sizes[symbol]
        frame = arena.frame(stop - start, min(block, samples))
        self._compute(frame.once, values)
        for at in range(self.layout.blocks):
            low, high = at * block, min((at + 1) * block, samples)
            frame = arena.frame(stop - start, high - low)
            for slot, axis, array in sampled:
                values[slot] = array[(slice(None),) * (axis + 1) + (slice(low, high),)]
            for slot, parts in self.sliced:
                values[slot] = parts[at]
            self._compute(frame.more if at else frame.first, values)
            self._put(Stage.EACH, values, start, stop, slice(low, high))
        self._compute(frame.after, values)
        self._put(None, values, start, stop, slice(None))

    def _put(self, stage: Stage | None, values: list[Any], start: int, stop: int, samples: slice) -> None:
        """Write the outputs of a block, or those that are whole."""
        stages, axes = self.plan.split.stages, self.plan.split.axes
        for name, i in self.arguments.live.outputs.items():
            if stages[i] is Stage.SHARED or (stages[i] is Stage.EACH) != (stage is Stage.EACH):
                continue
            target, value = self.outputs[name][start:stop], values[i]
            if stage is Stage.EACH:
                target = target[(slice(None),) * ((axes[i] or 0) + 1) + (samples,)]
            if value.shape != target.shape or value.dtype != target.dtype:
                self.arguments.check_value(name, value[0], target.shape[1:])
            target[...] = value

    def _compute(self, steps: list[Bound], values: list[Any]) -> None:
        node = -1
        try:
            for write, node, out, operands in steps:
                values[node] = write(out, *[values[o] for o in operands])
        except Exception as error:
            raise _failed(self.arguments.live.nodes[node], error) from error


def _taken(pool: list[T]) -> T | None:
    """Return one of the pool and take it out, or None; threads may ask at once."""
    try:
        return pool.pop()
    except IndexError:
        return None


def _failed(node: Node, error: Exception) -> GraphError:
    return GraphError(f"{node.op} {node.type} failed: {error}")
