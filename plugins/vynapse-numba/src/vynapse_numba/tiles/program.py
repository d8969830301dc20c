# SPDX-License-Identifier: MIT OR Apache-2.0
"""The program of the engine `tiles`: a few networks at a time, a block of samples at a time, threads over tiles."""

from __future__ import annotations

from collections.abc import Mapping

from vynapse_core import Arguments, Array, Given, Kernel, Program
from vynapse_numba.threads import workers
from vynapse_numba.tiles.bind import concrete
from vynapse_numba.tiles.call import Call, Sized
from vynapse_numba.tiles.memory import layout
from vynapse_numba.tiles.outputs import Outputs
from vynapse_numba.tiles.scan import carried, repeated
from vynapse_numba.tiles.steps import plan


class Tiles(Program):
    """A graph computed in tiles. Networks get the same bits in any company, on any number of threads."""

    def __init__(self, arguments: Arguments, kernels: Mapping[str, Kernel], threads: int) -> None:
        self.graph = arguments.graph
        self.per_network = arguments.per_network
        self._arguments = arguments
        self._threads = threads
        self._plan = plan(arguments, kernels)
        self._sized: Sized | None = None
        self._outputs = Outputs()

    def __call__(self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the graph's outputs, {name: [P, ...]}, for `arrays` {parameter: [P, ...]} and `inputs`.

        Raises ValueError for an array that is missing, unknown, or not of the shape and dtype the graph says.
        """
        given = self._arguments.check(arrays, inputs)
        sized = self._for(given)
        nodes = self._arguments.live.nodes
        outputs = {
            name: self._outputs.array((given.networks, *concrete(nodes[i].shape, given.sizes)), nodes[i].dtype)
            for name, i in self._arguments.live.outputs.items()
        }
        if given.networks:
            Call(self._plan, given, outputs, sized, workers(self._threads)).run()
        return outputs

    def scan(
        self,
        arrays: Mapping[str, Array],
        inputs: Mapping[str, Array],
        batches: Mapping[str, Array],
        carry: Mapping[str, str],
        steps: int | None = None,
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Repeat the program; see `Program.scan`. A tile of networks goes through all steps before the next does."""
        count = self.count_steps(batches, steps)
        if not count or not carried(self._arguments, carry) or set(batches) & set(self.per_network):
            return super().scan(arrays, inputs, batches, carry, steps)
        first = {**inputs, **{name: inputs[name][rows[0]] for name, rows in batches.items()}}
        given = self._arguments.check(arrays, first)
        if not given.networks:
            return super().scan(arrays, inputs, batches, carry, steps)
        samples = {name: (inputs[name], rows) for name, rows in batches.items()}
        return repeated(self._plan, given, samples, carry, count, self._for(given), workers(self._threads))

    def _for(self, given: Given) -> Sized:
        """Return what is kept for arrays of such sizes."""
        sized = self._sized
        if sized is None or sized.layout.sizes != given.sizes:
            self._sized = sized = Sized(layout(self._plan, given.sizes))
        return sized
