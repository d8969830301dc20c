# SPDX-License-Identifier: MIT OR Apache-2.0
"""The program of the engine `tiles`: a few networks at a time, a block of samples at a time, threads over tiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import ceil

import numpy as np

from vynapse_core import Arguments, Array, Given, Kernel, Program
from vynapse_numba.replays import Replays
from vynapse_numba.threads import workers
from vynapse_numba.tiles.bind import concrete
from vynapse_numba.tiles.call import Call, Sized
from vynapse_numba.tiles.memory import HEAVY, Layout, kernels_work, layout
from vynapse_numba.tiles.outputs import Outputs
from vynapse_numba.tiles.plans import Plan
from vynapse_numba.tiles.replaying import answering
from vynapse_numba.tiles.scan import carried, repeated
from vynapse_numba.tiles.steps import plan

KNOWN = 64
"""Most combinations of shapes for which a program keeps what follows from them."""


@dataclass(frozen=True)
class _Ready:
    """What follows from the shapes of a call's arrays."""

    told: Mapping[str, int]
    """The sizes, the object that `Arguments.check` tells for such shapes: while it is kept, no other has its id."""
    sized: Sized
    outputs: tuple[tuple[str, tuple[int, ...], np.dtype[np.generic]], ...]
    """(name, shape, dtype)."""
    bounds: list[int]
    """Where tiles begin, and where the last ends."""


class Tiles(Program):
    """A graph computed in tiles. Networks get the same bits in any company, on any number of threads."""

    def __init__(self, arguments: Arguments, kernels: Mapping[str, Kernel], threads: int) -> None:
        self.graph = arguments.graph
        self.per_network = arguments.per_network
        self._arguments = arguments
        self._threads = threads
        self._plan = plan(arguments, kernels)
        self._sized: Sized | None = None
        self._ready: dict[int, _Ready] = {}
        """By the id of the sizes."""
        self._outputs = Outputs()
        self._replays = Replays(arguments)

    def __call__(self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the graph's outputs, {name: [P, ...]}, for `arrays` {parameter: [P, ...]} and `inputs`.

        Raises ValueError for an array that is missing, unknown, or not of the shape and dtype the graph says.
        """
        found = self._replays.answer(arrays, inputs)
        if found is not None:
            return found
        given = self._arguments.check(arrays, inputs)
        ready = self._for(given)
        outputs = {name: self._outputs.array(shape, dtype) for name, shape, dtype in ready.outputs}
        if given.networks:
            helping = workers(self._threads)
            Call(self._plan, given, outputs, ready.sized, helping).run(ready.bounds)
            if len(ready.bounds) == 2 and ready.sized.layout.blocks == 1:
                self._replays.learn(arrays, inputs, partial(answering, self._plan, given, ready.sized, helping))
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
        ready = self._for(given)
        return repeated(self._plan, given, samples, carry, count, ready.sized, ready.bounds, workers(self._threads))

    def _for(self, given: Given) -> _Ready:
        """Return what is kept for arrays of such shapes."""
        ready = self._ready.get(id(given.sizes))
        if ready is None:
            live, sizes = self._arguments.live, {dim: given.sizes[dim] for dim in self._plan.symbols}
            sized = self._sized
            if sized is None or sized.layout.sizes != sizes:
                self._sized = sized = Sized(layout(self._plan, sizes))
                # what belongs to other buffers goes with them
                self._ready = {}
            if len(self._ready) >= KNOWN:
                self._ready.clear()
            outputs = tuple(
                (name, (given.networks, *concrete(live.nodes[i].shape, given.sizes)), np.dtype(live.nodes[i].dtype))
                for name, i in live.outputs.items()
            )
            bounds = borders(self._plan, given, sized.layout, self._threads)
            self._ready[id(given.sizes)] = ready = _Ready(given.sizes, sized, outputs, bounds)
        return ready


def borders(plan: Plan, given: Given, layout: Layout, threads: int) -> list[int]:
    """Return where tiles begin, and where the last ends: as many for each thread that is worth its waking up."""
    networks = given.networks
    tiles = max(1, ceil(networks / layout.networks))
    if networks > layout.light or networks * kernels_work(plan, given.sizes) > HEAVY:
        tiles = min(ceil(tiles / threads) * threads, networks)
    return [networks * tile // tiles for tile in range(tiles + 1)]
