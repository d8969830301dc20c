# SPDX-License-Identifier: MIT OR Apache-2.0
"""One call of a program: what all networks share is computed first, then tile by tile, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import ceil
from typing import Any, TypeVar

import numpy as np

from vynapse_core import Array, Given, GraphError, Node
from vynapse_numba.threads import Workers
from vynapse_numba.tiles.bind import Write, concrete
from vynapse_numba.tiles.lift import lifted
from vynapse_numba.tiles.memory import Arena, Bound, Layout
from vynapse_numba.tiles.product import Panels, innermost, matmul, pack, ready
from vynapse_numba.tiles.split import Stage
from vynapse_numba.tiles.steps import Plan, Step
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
        self.values: list[Any] = [None] * self.plan.slots
        """Shared values by slot."""
        self.sliced: list[tuple[int, Sequence[Array | Panels]]] = []
        """(slot, its value for each block of samples) of the shared ones."""
        self.packs: Packs = taken(sized.packs) or {}
        self.moving = moving
        self._rooms: dict[int, Array] = {}

    def run(self) -> None:
        """Compute what is shared, then tile by tile, and write the outputs."""
        self.share()
        bounds = borders(self.given.networks, self.layout, self.workers.threads)

        def part(tile: int) -> None:
            arena = taken(self.sized.arenas) or Arena(self.plan, self.layout)
            self.tile(arena, bounds[tile], bounds[tile + 1])
            self.sized.arenas.append(arena)

        self.workers.run(part, len(bounds) - 1)
        self.finish()

    def finish(self) -> None:
        """Leave the room of packed samples to the next call."""
        if sum(array.nbytes for array in self.packs.values()) <= KEPT:
            self.sized.packs.append(self.packs)

    def share(self, tape: Tape = NOW) -> None:
        """Compute what all networks share."""
        self.sliced.clear()
        with np.errstate(all="ignore"):
            self._share(tape)
            self._pack(tape)

    def tile(self, arena: Arena, start: int, stop: int, tape: Tape = NOW) -> None:
        """Compute the networks from `start` to `stop`."""
        with np.errstate(all="ignore"):
            self._tile(arena, start, stop, tape)

    def _share(self, tape: Tape) -> None:
        nodes, sizes, values = self.arguments.live.nodes, self.given.sizes, self.values
        for slot, array in (*self.arguments.constants, *self.given.shared):
            values[slot] = array
        for entry in self.plan.shared:
            i = entry if isinstance(entry, int) else entry.nodes[0]
            try:
                if isinstance(entry, int):
                    values[i] = self._shared_value(i, self._tape(i, tape))
                else:
                    self._shared_chain(entry, tape)
            except Exception as error:
                raise _failed(nodes[i], error) from error
        for name, i in self.arguments.live.outputs.items():
            if not self.arguments.varying[i]:
                self.arguments.check_value(name, values[i], self.outputs[name].shape[1:])
                self._tape(i, tape).copy(self.outputs[name], values[i])
        if self.plan.split.symbol is not None:
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
        axes = self.plan.split.axes
        read = {o for step in self.plan.steps for o in step.operands if o < len(axes)}
        read -= {packed.node for packed in self.plan.packed} - read
        for slot in sorted(read):
            axis = axes[slot]
            if axis is None or self.arguments.varying[slot]:
                continue
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

    def _tile(self, arena: Arena, start: int, stop: int, tape: Tape) -> None:
        symbol, axes = self.plan.split.symbol, self.plan.split.axes
        values = self.values.copy()
        sampled: list[tuple[int, int, Array]] = []
        for slot, array in self.given.own:
            axis = None if symbol is None else axes[slot]
            if axis is None:
                values[slot] = array[start:stop]
            else:
                sampled.append((slot, axis, array[start:stop]))
        targets = [(slot, self.arguments.live.outputs[name], name) for name, slot in self.plan.direct.items()]
        blockwise = []
        for slot, i, name in targets:
            target = self.outputs[name][start:stop]
            if self.plan.split.stages[i] is Stage.EACH:
                blockwise.append((slot, axes[i] or 0, target))
            else:
                values[slot] = target
        sampled += blockwise
        block, samples = self.layout.block, 0 if symbol is None else self.given.sizes[symbol]
        frame = arena.frame(stop - start, min(block, samples))
        self._compute(frame.once, values, tape)
        for at in range(self.layout.blocks):
            low, high = at * block, min((at + 1) * block, samples)
            frame = arena.frame(stop - start, high - low)
            for slot, axis, array in sampled:
                values[slot] = array[(slice(None),) * (axis + 1) + (slice(low, high),)]
            for slot, parts in self.sliced:
                values[slot] = parts[at]
            self._compute(frame.more if at else frame.first, values, tape)
            self._put(Stage.EACH, values, start, stop, slice(low, high), tape)
        self._compute(frame.after, values, tape)
        self._put(None, values, start, stop, slice(None), tape)

    def _put(self, stage: Stage | None, values: list[Any], start: int, stop: int, samples: slice, tape: Tape) -> None:
        """Write the outputs of a block, or those that are whole."""
        stages, axes = self.plan.split.stages, self.plan.split.axes
        for name, i in self.arguments.live.outputs.items():
            if (
                name in self.plan.direct
                or stages[i] is Stage.SHARED
                or (stages[i] is Stage.EACH) != (stage is Stage.EACH)
            ):
                continue
            target, value = self.outputs[name][start:stop], values[i]
            if stage is Stage.EACH:
                target = target[(slice(None),) * ((axes[i] or 0) + 1) + (samples,)]
            if value.shape != target.shape or value.dtype != target.dtype:
                self.arguments.check_value(name, value[0], target.shape[1:])
            tape.copy(target, value)

    def _compute(self, steps: list[Bound], values: list[Any], tape: Tape) -> None:
        node = -1
        try:
            for bound in steps:
                node, outs = bound.nodes[0], bound.outs
                if bound.slots:
                    outs = tuple(out if slot < 0 else values[slot] for out, slot in zip(outs, bound.slots, strict=True))
                operands = [values[o] for o in bound.operands]
                if bound.chain:
                    bound.write(outs, *operands, tape=tape)
                    for i, out in zip(bound.nodes, outs, strict=True):
                        values[i] = out
                elif bound.native:
                    values[node] = bound.write(outs[0], *operands, tape=tape)
                elif tape.records:
                    write = partial(self._written, node, bound.write, outs[0], operands)
                    values[node] = tape.value(write, operands if bound.view else ())
                else:
                    values[node] = bound.write(outs[0], *operands)
        except Exception as error:
            raise _failed(self.arguments.live.nodes[node], error) from error

    def _written(self, node: int, write: Write, out: Array | None, operands: list[Array]) -> Array:
        try:
            value: Array = write(out, *operands)
        except Exception as error:
            raise _failed(self.arguments.live.nodes[node], error) from error
        return value


def borders(networks: int, layout: Layout, threads: int) -> list[int]:
    """Return where tiles begin, and where the last ends: as many for each thread that is worth its waking up."""
    tiles = ceil(networks / layout.networks)
    if networks > layout.light:
        tiles = min(ceil(tiles / threads) * threads, networks)
    return [networks * tile // tiles for tile in range(tiles + 1)]


def taken(pool: list[T]) -> T | None:
    """Return one of the pool and take it out, or None; threads may ask at once."""
    try:
        return pool.pop()
    except IndexError:
        return None


def _failed(node: Node, error: Exception) -> GraphError:
    return GraphError(f"{node.op} {node.type} failed: {error}")
