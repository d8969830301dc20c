# SPDX-License-Identifier: MIT OR Apache-2.0
"""A graph compiled for lanes: what stands between a call from Python and the kernel."""

from __future__ import annotations

from array import array
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from vynapse_core import Program, concrete
from vynapse_numba.addresses import address_of
from vynapse_numba.lanes.kernel import Repeat, write
from vynapse_numba.lanes.layout import Layout
from vynapse_numba.lanes.machine import Machine
from vynapse_numba.lanes.replaying import answering
from vynapse_numba.lanes.scan import batched, can_stay
from vynapse_numba.lanes.work import SHARE, Work
from vynapse_numba.llvm import FIRST_USE
from vynapse_numba.replays import Replays
from vynapse_numba.team import worth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vynapse_core import Arguments, Array, Kernel
    from vynapse_numba.lanes.kernel import Text
    from vynapse_numba.lanes.stages import Stages

GRAIN = 250_000
"""Operations that are worth a thread's while: about 10 µs."""
SHARES = 32
"""Shares a thread, at least: one that comes late finds something left to do."""
LAYOUTS = 8
"""Layouts kept: episodes come back to the whole population after calls for those still played."""
ONCE = Repeat()


class LanesProgram(Program):
    """Computes all networks in one call of a kernel, a block of networks at a time.

    A network's bits depend on nothing but itself. Outputs agree with the reference device to the rounding of float32:
    sums are taken in another order, and functions are a few ulp off as `functions` states.
    """

    repeats = True

    def __init__(
        self, arguments: Arguments, stages: Stages, text: Text, lanes: int, threads: int, kernels: Mapping[str, Kernel]
    ) -> None:
        self.graph = arguments.graph
        self.per_network = arguments.per_network
        self._arguments = arguments
        self._stages = stages
        self._text = text
        self._kernels = kernels
        self._machines: dict[Repeat, Machine] = {}
        self._lanes = lanes
        self._threads = threads
        self._layouts: tuple[Layout, ...] = ()
        self._names = (*arguments.parameters, *arguments.inputs)
        self._replays = Replays(arguments)
        self._staying: dict[tuple[tuple[str, ...], tuple[tuple[str, str], ...]], bool] = {}

    def __call__(self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the graph's outputs, {name: [P, ...]}, for `arrays` {parameter: [P, ...]} and `inputs`.

        Raises ValueError for an array that is missing, unknown, or not of the shape and dtype the graph says.
        """
        found = self._replays.answer(arrays, inputs)
        if found is not None:
            return found
        layout = self._laid_out(arrays, inputs)
        given = {**arrays, **inputs}
        own = _leaves(layout, given)
        if layout.direct is not None:
            shared = [given[each] if isinstance(each, str) else each for each in layout.direct]
        else:
            shared = layout.shared([(slot, np.asarray(given[name])) for slot, name in layout.inputs])
        outputs = [np.empty((layout.rows, *shape), dtype) for _, shape, dtype in layout.outputs]
        work = self._work(ONCE, layout, _table(layout, own, shared[: len(self._text.shared)], outputs))
        work.do(self._threads)
        if layout.in_rows and layout.direct is not None:
            leaves = {name: given[name] for name in self._names}
            self._replays.learn(arrays, inputs, partial(answering, layout, work, leaves, outputs, self._threads))
        results = {
            name: output[: layout.networks] for (name, _, _), output in zip(layout.outputs, outputs, strict=True)
        }
        if not layout.common:
            return results
        for name, value in zip(layout.common, shared[len(self._text.shared) :], strict=True):
            results[name] = np.broadcast_to(value, (layout.networks, *value.shape)).copy()
        return {name: results[name] for name in self.graph.outputs}

    def scan(
        self,
        arrays: Mapping[str, Array],
        inputs: Mapping[str, Array],
        batches: Mapping[str, Array],
        carry: Mapping[str, str],
        steps: int | None = None,
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Repeat the program as `Program.scan` says, all steps of a block of networks within the kernel."""
        steps = self.count_steps(batches, steps)
        kind = tuple(batches), tuple(carry.items())
        if kind not in self._staying:
            self._staying[kind] = can_stay(self._arguments, self._stages, batches, carry)
        if not steps or not self._staying[kind]:
            return super().scan(arrays, inputs, batches, carry, steps)
        first = {**inputs, **{name: inputs[name][rows[0]] for name, rows in batches.items()}} if batches else inputs
        layout = self._laid_out(arrays, first)
        leaves = _leaves(layout, {**arrays, **first})
        held, seen = {}, {}
        for name, shape, dtype in layout.outputs:
            if name in carry:
                held[carry[name]] = np.empty((layout.rows, *shape), dtype)
            else:
                seen[name] = np.empty((steps, layout.rows, *shape), dtype)
        repeat = Repeat(kind[1], rests=not batches and not seen)
        for start, count, shared in batched(self._arguments, self._text, layout, inputs, batches, steps):
            table = [layout.networks, layout.samples, count, 0, 0]
            for name, leaf in zip(layout.own, leaves, strict=True):
                # what is carried lies, after the first steps, where they left it
                read = held.get(name, leaf) if start else leaf
                table += (address_of(read), read.strides[0])
            for value in shared:
                table += (address_of(value), value.strides[0])
            for name, _, _ in layout.outputs:
                written = held[carry[name]] if name in carry else seen[name][start]
                table += (address_of(written), written.strides[0], 0 if name in carry else seen[name].strides[0])
            self._work(repeat, layout, table).do(self._threads)
        after = {name: value[: layout.networks] for name, value in held.items()}
        return {**arrays, **after}, {name: value[:, : layout.networks] for name, value in seen.items()}

    def _laid_out(self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]) -> Layout:
        """Return how a call's arrays lie. Raises ValueError where they do not fit the graph."""
        for layout in self._layouts:
            if layout.fits(arrays, inputs):
                return layout
        layout = Layout(self._arguments, self._stages, self._text, self._lanes, arrays, inputs)
        self._layouts = (layout, *self._layouts[: LAYOUTS - 1])
        return layout

    def _machine(self, repeat: Repeat) -> Machine:
        """Return the kernel for steps that follow one another so, compiled when first needed."""
        machine = self._machines.get(repeat)
        if machine is None:
            with FIRST_USE:
                if repeat not in self._machines:
                    text = self._text
                    if repeat.carry:
                        text = write(self._arguments, self._stages, self._lanes, repeat, self._kernels)
                    self._machines[repeat] = Machine(text)
                machine = self._machines[repeat]
        return machine

    def _work(self, repeat: Repeat, layout: Layout, table: list[int]) -> Work:
        """Return a call of a kernel, its table complete."""
        machine = self._machine(repeat)
        table += [layout.sizes[dim] for dim in machine.text.symbols]
        room = [np.empty((layout.rows, *concrete(shape, layout.sizes)), dtype) for shape, dtype in machine.text.room]
        for space in room:
            table += (address_of(space), space.strides[0])
        networks, samples, steps = table[:3]
        blocks = -(-networks // self._lanes)
        operations = blocks * machine.text.work * max(samples, 1) * steps
        shared = blocks > 1 and worth(self._threads, operations, GRAIN)
        table[SHARE] = max(1, blocks // (SHARES * self._threads)) * self._lanes if shared else networks
        return Work(machine, array("q", table), room, operations if shared else 0, GRAIN)


def _table(layout: Layout, own: list[Array], shared: list[Array], outputs: list[Array]) -> list[int]:
    """Return the table of a call of one step, but for what depends on the kernel alone."""
    table = [layout.networks, layout.samples, 1, 0, 0]
    for leaf in own:
        table += (address_of(leaf), leaf.strides[0])
    for value in shared:
        table += (address_of(value), 0)
    for output in outputs:
        table += (address_of(output), output.strides[0], 0)
    return table


def _leaves(layout: Layout, given: Mapping[str, Array]) -> list[Array]:
    """Return the leaves that the kernel reads, each network's numbers one after the other."""
    if layout.in_rows:
        return [given[name] for name in layout.own]
    leaves = [np.asarray(given[name]) for name in layout.own]
    return [np.ascontiguousarray(leaf, leaf.dtype.newbyteorder("=")) for leaf in leaves]
