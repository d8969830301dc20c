# SPDX-License-Identifier: MIT OR Apache-2.0
"""From a graph to a program, by level of optimization; equal graphs are compiled once.

0: node by node by the ops' meanings, as written. 1: after the passes of level 1, node by node in planned memory.
2 and 3: after all passes, by the device; one that compiles nothing leaves it to planned memory, a fused region a step.
"""

from __future__ import annotations

from collections.abc import Mapping

from vynapse_autodiff.passes.optimize import Optimized, optimize
from vynapse_autodiff.static.program import PlannedProgram
from vynapse_core import Device, Graph, Op, Program, installed


class Compiler:
    """Compiles graphs for a device at a level. What it has compiled it keeps, by what the graph says."""

    def __init__(self, device: Device, level: int = 3, ops: Mapping[str, Op] | None = None) -> None:
        self._device, self._level, self._ops = device, level, ops
        self._optimized: dict[str, Optimized] = {}
        self._programs: dict[tuple[str, tuple[str, ...]], Program] = {}

    def optimized(self, graph: Graph) -> Optimized:
        """Return the graph after the passes of the level. Raises GraphError for a level that there is not."""
        key = graph.digest()
        if key not in self._optimized:
            self._optimized[key] = optimize(graph.live(leaves=True), self._level, self._ops)
        return self._optimized[key]

    def compile(self, graph: Graph, per_network: tuple[str, ...] = ()) -> Program:
        """Return the program of a graph; graphs that passes make equal share one."""
        found = self.optimized(graph)
        key = (found.graph.digest(), per_network)
        if key not in self._programs:
            self._programs[key] = self._compiled(found, per_network)
        return self._programs[key]

    def _compiled(self, found: Optimized, per_network: tuple[str, ...]) -> Program:
        if self._level == 0:
            return installed().build(Device, {"type": "vynapse:reference"}).compile(found.graph, per_network)
        if self._level == 1 or not self._device.compiles:
            return PlannedProgram(found.graph, found.regions, per_network, self._ops)
        return self._device.compile(found.graph, per_network)
