# SPDX-License-Identifier: MIT OR Apache-2.0
"""A graph compiled for lanes: what stands between a call from Python and the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vynapse_core import Program
from vynapse_numba.lanes.layout import Layout, address_of
from vynapse_numba.lanes.scan import batched, can_stay
from vynapse_numba.threads import workers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vynapse_core import Arguments, Array
    from vynapse_numba.lanes.kernel import Text
    from vynapse_numba.lanes.machine import Machine
    from vynapse_numba.lanes.stages import Stages

SMALL = 2_000_000
"""Operations below which a call is sooner done by one thread than shared out: about 100 µs."""
PARTS = 8
"""Parts a thread: one that comes late finds something left to do."""


class LanesProgram(Program):
    """Computes all networks in one call of a kernel, a block of networks at a time.

    A network's bits depend on nothing but itself. Outputs agree with the reference device to the rounding of float32:
    sums are taken in another order, and functions are a few ulp off as `functions` states.
    """

    repeats = True

    def __init__(
        self, arguments: Arguments, stages: Stages, text: Text, machine: Machine, lanes: int, threads: int
    ) -> None:
        self.graph = arguments.graph
        self.per_network = arguments.per_network
        self._arguments = arguments
        self._stages = stages
        self._text = text
        self._machine = machine
        self._lanes = lanes
        self._threads = threads
        self._layout: Layout | None = None

    def __call__(self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the graph's outputs, {name: [P, ...]}, for `arrays` {parameter: [P, ...]} and `inputs`.

        Raises ValueError for an array that is missing, unknown, or not of the shape and dtype the graph says.
        """
        layout = self._layout
        if layout is None or not layout.fits(arrays, inputs):
            self._layout = layout = self._laid_out(arrays, inputs)
        given = {**arrays, **inputs}
        own = _leaves(layout, given)
        shared = layout.shared([(slot, np.asarray(given[name])) for slot, name in layout.inputs])
        outputs = [np.empty((layout.rows, *shape), dtype) for _, shape, dtype in layout.outputs]
        table = [layout.networks, layout.samples, 1]
        for array in own:
            table += (address_of(array), array.strides[0])
        for address in layout.addresses(shared):
            table += (address, 0)
        for array in outputs:
            table += (address_of(array), array.strides[0], 0)
        self._compute(table)
        results = {name: array[: layout.networks] for (name, _, _), array in zip(layout.outputs, outputs, strict=True)}
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
        if not steps or not can_stay(self._arguments, self._stages, batches, carry):
            return super().scan(arrays, inputs, batches, carry, steps)
        first = {**inputs, **{name: inputs[name][rows[0]] for name, rows in batches.items()}}
        layout = self._laid_out(arrays, first)
        given = {**arrays, **first}
        state, seen = {}, {}
        for name, shape, dtype in layout.outputs:
            if name in carry:
                state[carry[name]] = held = np.empty((layout.rows, *shape), dtype)
                held[: layout.networks] = arrays[carry[name]]
            else:
                seen[name] = np.empty((steps, layout.rows, *shape), dtype)
        own = [state.get(name, array) for name, array in zip(layout.own, _leaves(layout, given), strict=True)]
        for start, count, shared in batched(self._arguments, self._text, layout, inputs, batches, steps):
            table = [layout.networks, layout.samples, count]
            for array in own:
                table += (address_of(array), array.strides[0])
            for array in shared:
                table += (address_of(array), array.strides[0])
            for name, _, _ in layout.outputs:
                held = state[carry[name]] if name in carry else seen[name][start]
                table += (address_of(held), held.strides[0], 0 if name in carry else seen[name].strides[0])
            self._compute(table)
        after = {name: array[: layout.networks] for name, array in state.items()}
        return {**arrays, **after}, {name: array[:, : layout.networks] for name, array in seen.items()}

    def _laid_out(self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]) -> Layout:
        return Layout(self._arguments, self._stages, self._text, self._lanes, arrays, inputs)

    def _compute(self, table: list[int]) -> None:
        """Run the kernel on its table; blocks of networks are shared out among the threads."""
        numbers = np.array(table, np.int64)
        kernel, address = self._machine.kernel, address_of(numbers)
        networks, samples, steps = table[:3]
        blocks = -(-networks // self._lanes)
        if self._threads == 1 or blocks * self._text.work * max(samples, 1) * steps < SMALL:
            kernel(address, 0, networks)
            return
        share = -(-blocks // (PARTS * self._threads)) * self._lanes
        workers(self._threads).run(
            lambda part: kernel(address, part * share, min((part + 1) * share, networks)), -(-networks // share)
        )


def _leaves(layout: Layout, given: Mapping[str, Array]) -> list[Array]:
    """Return the leaves that the kernel reads, each network's numbers one after the other."""
    if layout.in_rows:
        return [given[name] for name in layout.own]
    arrays = [np.asarray(given[name]) for name in layout.own]
    return [np.ascontiguousarray(array, array.dtype.newbyteorder("=")) for array in arrays]
