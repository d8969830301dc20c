# SPDX-License-Identifier: MIT OR Apache-2.0
"""The reference device: NumPy, one network after the other.  Slow, obviously right, the oracle of all others.

What does not depend on the network is computed once a call and shared; what depends on shapes alone needs no
values at all. The rest is a flat list of functions and slots, so that the loop over networks does nothing but
arithmetic.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vynapse_core.contracts.device import Device, Program
from vynapse_core.devices.arguments import Arguments, concrete
from vynapse_core.errors import GraphError
from vynapse_core.graph import Graph
from vynapse_core.ops import Array, Op

Step = tuple[Callable[..., Any], int, int, int, tuple[int, ...]]
"""Function; slots of result, first and second operand (-1 for none); all operands if more than two."""


class Reference(Device):
    """Compute networks one by one in NumPy: right, and fast enough for small work."""

    def compile(
        self, graph: Graph, per_network: tuple[str, ...] = (), ops: Mapping[str, Op] | None = None
    ) -> "ReferenceProgram":
        """Return the program of `graph`; the inputs named `per_network` have a leading axis P.

        `ops` are the ops to know; without them the kernel's and those of installed plugins. Raises GraphError
        for a graph that is not well-formed.
        """
        return ReferenceProgram(Arguments(graph, per_network, ops))

    @classmethod
    def describe_here(cls) -> Mapping[str, str]:
        """Return the version of NumPy."""
        return {"computes with": f"NumPy {np.__version__}, compiling nothing"}


class ReferenceProgram(Program):
    """A graph as lists of steps: those that are shared, and those that are done for each network."""

    def __init__(self, arguments: Arguments) -> None:
        self.graph = arguments.graph
        self.per_network = arguments.per_network
        self._arguments = arguments
        self._live = arguments.live
        self._varying = arguments.varying
        self._bound: tuple[dict[str, int], list[Any], list[Step], list[Step]] | None = None

    def __call__(self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the graph's outputs, {name: [P, ...]}, for `arrays` {parameter: [P, ...]} and `inputs`.

        Raises ValueError for an array that is missing, unknown, or not of the shape and dtype the graph says.
        """
        given = self._arguments.check(arrays, inputs)
        sizes, networks = given.sizes, given.networks
        bound = self._bound
        if bound is None or bound[0] != sizes:
            self._bound = bound = (sizes, *self._bind(sizes))
        slots, once, each = bound[1].copy(), bound[2], bound[3]
        for slot, array in given.shared:
            slots[slot] = array
        outputs = {
            name: np.empty((networks, *concrete(node.shape, sizes)), node.dtype)
            for name, node in ((name, self._live.nodes[i]) for name, i in self._live.outputs.items())
        }
        with np.errstate(all="ignore"):
            if networks:
                self._run(once, slots)
                self._check_outputs(slots, outputs, varying=False)
            for network in range(networks):
                for slot, array in given.own:
                    slots[slot] = array[network]
                self._run(each, slots)
                if network == 0:
                    self._check_outputs(slots, outputs, varying=True)
                for name, slot in self._live.outputs.items():
                    outputs[name][network] = slots[slot]
        return outputs

    def _run(self, steps: list[Step], slots: list[Any]) -> None:
        result = -1
        try:
            for function, result, first, second, more in steps:
                if more:
                    slots[result] = function(*[slots[slot] for slot in more])
                elif second < 0:
                    slots[result] = function(slots[first])
                else:
                    slots[result] = function(slots[first], slots[second])
        except Exception as error:
            node = self._live.nodes[result]
            raise GraphError(f"{node.op} {node.type} failed: {error}") from error

    def _bind(self, sizes: dict[str, int]) -> tuple[list[Any], list[Step], list[Step]]:
        """Return the slots, filled with what needs no arrays, the shared steps and those of each network."""
        slots: list[Any] = [None] * len(self._live.nodes)
        for slot, array in self._arguments.constants:
            slots[slot] = array
        once: list[Step] = []
        each: list[Step] = []
        for i, node in enumerate(self._live.nodes):
            if not node.operands:
                continue
            op = self._arguments.ops[node.op]
            operands = list(node.operands)
            for position in op.shape_only:
                # an operand of which only the shape counts is replaced by zeros that take no memory
                like = self._live.nodes[operands[position]]
                if not self._varying[i] and self._varying[operands[position]]:
                    operands[position] = len(slots)
                    slots.append(np.broadcast_to(np.zeros((), like.dtype), concrete(like.shape, sizes)))
            function = op.bind(node.attributes, sizes)
            second = operands[1] if len(operands) == 2 else -1
            more = tuple(operands) if len(operands) > 2 else ()
            (each if self._varying[i] else once).append((function, i, operands[0], second, more))
        return slots, once, each

    def _check_outputs(self, slots: list[Any], outputs: Mapping[str, Array], varying: bool) -> None:
        """Refuse a value that is not what the op's shape rule said: a plugin's op may contradict itself."""
        for name, slot in self._live.outputs.items():
            if self._varying[slot] is varying:
                self._arguments.check_value(name, np.asarray(slots[slot]), outputs[name].shape[1:])
