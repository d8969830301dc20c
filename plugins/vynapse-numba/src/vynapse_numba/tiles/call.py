# SPDX-License-Identifier: MIT OR Apache-2.0
"""One call of a program: what all networks share is computed first, then tile by tile, block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from vynapse_core import Array, Given
from vynapse_numba.threads import Workers
from vynapse_numba.tiles.asked import Asked, failed
from vynapse_numba.tiles.bind import Write, concrete
from vynapse_numba.tiles.lift import lifted
from vynapse_numba.tiles.memory import Arena, Bound, Layout
from vynapse_numba.tiles.plans import Plan, Step
from vynapse_numba.tiles.product import Panels, innermost, matmul, pack, ready
from vynapse_numba.tiles.split import Stage
from vynapse_numba.tiles.tape import NOW, Tape

T = TypeVar("T")

KEPT = 2**26
"""Most bytes of packed samples that a program keeps for the next call."""

Packs = dict[tuple[int, int], Array]
"""{(slot, block): packed samples}."""


class Sized:
    """What a program keeps from call to call of the same sizes; calls at once each take what they find."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.arenas: list[Arena] = []
        self.packs: list[Packs] = []


class Call:
    """One call: what its tiles share."""

    def __init__(
        self,
        plan: Plan,
        given: Given,
        outputs: dict[str, Array],
        sized: Sized,
        workers: Workers,
        moving: frozenset[int] = frozenset(),
    ) -> None:
        """Take what a call is given; in a scan, `moving` are the shared nodes whose values change from step to step."""
        self.plan, self.arguments, self.given, self.outputs = plan, plan.arguments, given, outputs
        self.sized, self.layout, self.workers = sized, sized.layout, workers
        self.values: list[Any] = plan.known.copy()
        """Shared values by slot."""
        self.sliced: list[tuple[int, Sequence[Array | Panels]]] = []
        """(slot, its value for each block of samples) of the shared ones."""
        self.packs: Packs = (taken(sized.packs) if sized.packs else None) or {}
        self.moving = moving
        self._helping = 1
        """Threads that a kernel may share its work among."""
        self._rooms: dict[int, Array] = {}

    def run(self, bounds: Sequence[int]) -> None:
        """Compute what is shared, then tile by tile, and write the outputs; tiles lie between `bounds`."""
        self.share()
        if len(bounds) == 2:
            self._helping = self.workers.threads
            self._one(*bounds)
        else:
            self.workers.run(lambda tile: self._one(bounds[tile], bounds[tile + 1]), len(bounds) - 1)
        self.finish()

    def whole(self, arena: Arena, tape: Tape) -> None:
        """Compute all networks as one tile, and write down how."""
        self._helping = self.workers.threads
        self.share(tape)
        self.tile(arena, 0, self.given.networks, tape)

    def _one(self, start: int, stop: int) -> None:
        arena = taken(self.sized.arenas) or Arena(self.plan, self.layout)
        self.tile(arena, start, stop)
        self.sized.arenas.append(arena)

    def finish(self) -> None:
        """Leave the room of packed samples to the next call."""
        if self.packs and sum(array.nbytes for array in self.packs.values()) <= KEPT:
            self.sized.packs.append(self.packs)

    def share(self, tape: Tape = NOW) -> None:
        """Compute what all networks share."""
        plan = self.plan
        for slot, array in self.given.shared:
            self.values[slot] = array
        self.sliced.clear()
        if plan.shares:
            with np.errstate(all="ignore"):
                self._share(tape)
                self._pack(tape)

    def tile(self, arena: Arena, start: int, stop: int, tape: Tape = NOW) -> None:
        """Compute the networks from `start` to `stop`."""
        plan, tile, values = self.plan, slice(start, stop), self.values.copy()
        with np.errstate(all="ignore"):
            if plan.split.symbol is not None:
                self._by_blocks(arena, tile, values, plan.split.symbol, tape)
            else:
                for slot, array in self.given.own:
                    values[slot] = array[tile]
                for name, slot in plan.direct.items():
                    values[slot] = self.outputs[name][tile]
                self._compute(arena.frame(stop - start, 0).once, values, self.given.sizes, tape)
            for name, i in plan.whole:
                self._put(name, i, values, (tile,), tape)

    def _share(self, tape: Tape) -> None:
        nodes, sizes, values = self.arguments.live.nodes, self.given.sizes, self.values
        for entry in self.plan.shared:
            i = entry if isinstance(entry, int) else entry.nodes[0]
            try:
                if isinstance(entry, int):
                    values[i] = self._shared_value(i, self._tape(i, tape))
                else:
                    self._shared_chain(entry, tape)
            except Exception as error:
                raise failed(nodes[i], error) from error
        for name, i in self.plan.common:
            self.arguments.check_value(name, values[i], self.outputs[name].shape[1:])
            self._tape(i, tape).copy(self.outputs[name], values[i])
        if self.plan.cut and self.plan.split.symbol is not None:
            self._cut(sizes[self.plan.split.symbol], tape)

    def _tape(self, i: int, tape: Tape) -> Tape:
        """Return where what computes a shared node is written down: nowhere if its value stays."""
        return tape if i in self.moving else NOW

    def _shared_chain(self, step: Step, tape: Tape) -> None:
        nodes, sizes = self.arguments.live.nodes, self.given.sizes
        for i in step.nodes:
            if i not in self._rooms:
                shape, inner = concrete(nodes[i].shape, sizes), self.plan.inner[i]
                lies = len(shape) - 1 if inner is None else inner
                stored = (*shape[:lies], *shape[lies + 1 :], *shape[lies : lies + 1])
                room = np.empty(stored, nodes[i].dtype)
                self._rooms[i] = np.moveaxis(room, -1, lies) if shape else room
            self.values[i] = self._rooms[i]
        moves = any(i in self.moving for i in step.nodes)
        outs, operands = [self.values[i] for i in step.nodes], [self.values[o] for o in step.operands]
        step.bind(1, sizes)(outs, *operands, tape=tape if moves else NOW)

    def _shared_value(self, i: int, tape: Tape) -> Array:
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
            matmul(a, b, out, tape=tape)
            first: Array = out[0]
            return first
        if node.op == "pad" and "pad" not in self.plan.kernels:
            room: Array = np.empty(concrete(node.shape, sizes), node.dtype)
            pad = lifted(node, [self.arguments.live.nodes[o] for o in node.operands], (True,), op, None)(1, sizes)
            pad(room[None], operands[0][None], tape=tape)
            return room
        return tape.value(partial(op.bind(node.attributes, sizes), *operands), operands)

    def _cut(self, samples: int, tape: Tape) -> None:
        """Cut the shared values that have samples into blocks, samples innermost for what is computed so."""
        for slot, axis in self.plan.cut:
            kept, value = self._tape(slot, tape), self.values[slot]
            blocks = [innermost(value[cut], axis, kept) for cut in self._cuts(axis, samples)]
            self.sliced.append((slot, blocks))

    def _cuts(self, axis: int, samples: int) -> list[tuple[slice, ...]]:
        block, lead = self.layout.block, (slice(None),) * axis
        return [(*lead, slice(at * block, min((at + 1) * block, samples))) for at in range(self.layout.blocks)]

    def _pack(self, tape: Tape) -> None:
        """Pack the shared operands of products, blocks of samples on all threads."""
        axes, symbol = self.plan.split.axes, self.plan.split.symbol
        work: list[tuple[int, int, Array, bool]] = []
        plain: dict[int, Array] = {}
        for packed in self.plan.packed:
            value, axis = self.values[packed.node], axes[packed.node]
            cuts = [] if symbol is None or axis is None else self._cuts(axis, self.given.sizes[symbol])
            blocks = [value[cut] for cut in cuts] or [value]
            blocks = [block.T if packed.turned else block for block in blocks]
            if len(blocks) == 1 and ready(blocks[0]):
                plain[packed.slot] = blocks[0][None]
                continue
            moves = packed.node in self.moving
            work += [(packed.slot, at, block, moves) for at, block in enumerate(blocks)]

        def part(at: int) -> None:
            slot, block, matrix, moves = work[at]
            held = self.packs.get((slot, block))
            self.packs[slot, block] = pack(matrix, held, tape if moves else NOW)

        if tape.records:
            # what is written down has an order
            for at in range(len(work)):
                part(at)
        else:
            self.workers.run(part, len(work))
        for packed in self.plan.packed:
            if packed.slot in plain:
                self.values[packed.slot] = plain[packed.slot]
            elif symbol is None or axes[packed.node] is None:
                self.values[packed.slot] = Panels(self.packs[packed.slot, 0])
            else:
                panels = [Panels(self.packs[packed.slot, at]) for at in range(self.layout.blocks)]
                self.sliced.append((packed.slot, panels))

    def _by_blocks(self, arena: Arena, tile: slice, values: list[Any], symbol: str, tape: Tape) -> None:
        """Compute a tile a block of samples at a time."""
        plan, given, layout = self.plan, self.given, self.layout
        axes, stages, count = plan.split.axes, plan.split.stages, tile.stop - tile.start
        sampled: list[tuple[int, int, Array]] = []
        for slot, array in given.own:
            axis = axes[slot]
            if axis is None:
                values[slot] = array[tile]
            else:
                sampled.append((slot, axis, array[tile]))
        for name, slot in plan.direct.items():
            i, target = self.arguments.live.outputs[name], self.outputs[name][tile]
            if stages[i] is Stage.EACH:
                sampled.append((slot, axes[i] or 0, target))
            else:
                values[slot] = target
        samples = given.sizes[symbol]
        frame = arena.frame(count, min(layout.block, samples))
        self._compute(frame.once, values, given.sizes, tape)
        for at in range(layout.blocks):
            low, high = at * layout.block, min((at + 1) * layout.block, samples)
            frame = arena.frame(count, high - low)
            for slot, axis, array in sampled:
                values[slot] = array[(slice(None),) * (axis + 1) + (slice(low, high),)]
            for slot, parts in self.sliced:
                values[slot] = parts[at]
            self._compute(frame.more if at else frame.first, values, {**given.sizes, symbol: high - low}, tape)
            for name, i, axis in plan.blockwise:
                self._put(name, i, values, (tile, *(slice(None),) * axis, slice(low, high)), tape)
        self._compute(frame.after, values, given.sizes, tape)

    def _put(self, name: str, i: int, values: list[Any], place: tuple[slice, ...], tape: Tape) -> None:
        """Write a value to its place in an output."""
        target, value = self.outputs[name][place], values[i]
        if value.shape != target.shape or value.dtype != target.dtype:
            self.arguments.check_value(name, value[0], target.shape[1:])
        tape.copy(target, value)

    def _compute(self, steps: list[Bound], values: list[Any], sizes: Mapping[str, int], tape: Tape) -> None:
        node = -1
        try:
            for bound in steps:
                node, write = bound.nodes[0], bound.write
                outs: Sequence[Array | None] = bound.outs
                if bound.slots:
                    outs = [out if slot < 0 else values[slot] for out, slot in zip(outs, bound.slots, strict=True)]
                operands = map(values.__getitem__, bound.operands)
                if bound.chain:
                    write(outs, *operands, tape=tape)
                    for i, out in zip(bound.nodes, outs, strict=True):
                        values[i] = out
                elif bound.native:
                    values[node] = write(outs[0], *operands, tape=tape)
                else:
                    if bound.by_kernel:
                        asked = Asked(self.arguments.live.nodes[node], write, tuple(operands), self._helping, sizes)
                        values[node] = tape.value(asked) if tape.records else asked()
                    elif tape.records:
                        given = tuple(operands)
                        again = partial(self._written, node, write, outs[0], given)
                        values[node] = tape.value(again, given if bound.view else ())
                    else:
                        values[node] = write(outs[0], *operands)
        except Exception as error:
            raise failed(self.arguments.live.nodes[node], error) from error

    def _written(self, node: int, write: Write, out: Array | None, operands: Sequence[Array]) -> Array:
        try:
            value: Array = write(out, *operands)
        except Exception as error:
            raise failed(self.arguments.live.nodes[node], error) from error
        return value


def taken(pool: list[T]) -> T | None:
    """Return one of the pool and take it out, or None; threads may ask at once."""
    try:
        return pool.pop()
    except IndexError:
        return None
