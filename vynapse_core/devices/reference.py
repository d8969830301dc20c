# SPDX-License-Identifier: MIT OR Apache-2.0
"""The reference device: NumPy, one network after the other.  Slow, obviously right, the oracle of all others.

What does not depend on the network is computed once a call and shared; what depends on shapes alone needs no
values at all. The rest is a flat list of functions and slots, so that the loop over networks does nothing but
arithmetic.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from vynapse_core.contracts.device import Device, Program
from vynapse_core.errors import GraphError, nearest
from vynapse_core.graph import Graph, constant_array
from vynapse_core.ops import OPS, Array, Op, Shape, described

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
        known = _known(graph) if ops is None else ops
        graph.validate(known)
        for name in per_network:
            if name not in graph.inputs:
                hint = nearest(name, graph.inputs) or f"inputs: {', '.join(graph.inputs) or 'none'}"
                raise GraphError(f"per_network names {name!r}, which is no input of the graph; {hint}")
        return ReferenceProgram(graph, per_network, known)


class ReferenceProgram(Program):
    """A graph as lists of steps: those that are shared, and those that are done for each network."""

    def __init__(self, graph: Graph, per_network: tuple[str, ...], ops: Mapping[str, Op]) -> None:
        self.graph = graph
        self.per_network = per_network
        self._ops = ops
        self._live = graph.live(leaves=True)
        self._varying = _varying(self._live, per_network, ops)
        self._constants = [
            (i, constant_array(node)) for i, node in enumerate(self._live.nodes) if node.op == "constant"
        ]
        self._bound: tuple[dict[str, int], list[Any], list[Step], list[Step]] | None = None

    def __call__(self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the graph's outputs, {name: [P, ...]}, for `arrays` {parameter: [P, ...]} and `inputs`.

        Raises ValueError for an array that is missing, unknown, or not of the shape and dtype the graph says.
        """
        sizes: dict[str, int] = {}
        shared, own, networks = self._checked(arrays, inputs, sizes)
        bound = self._bound
        if bound is None or bound[0] != sizes:
            self._bound = bound = (sizes, *self._bind(sizes))
        slots, once, each = bound[1].copy(), bound[2], bound[3]
        for slot, array in shared:
            slots[slot] = array
        outputs = {
            name: np.empty((networks, *_concrete(node.shape, sizes)), node.dtype)
            for name, node in ((name, self._live.nodes[i]) for name, i in self._live.outputs.items())
        }
        with np.errstate(all="ignore"):
            if networks:
                self._run(once, slots)
                self._check_outputs(slots, outputs, varying=False)
            for network in range(networks):
                for slot, array in own:
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
        for slot, array in self._constants:
            slots[slot] = array
        once: list[Step] = []
        each: list[Step] = []
        for i, node in enumerate(self._live.nodes):
            if not node.operands:
                continue
            op = self._ops[node.op]
            operands = list(node.operands)
            for position in op.shape_only:
                # an operand of which only the shape counts is replaced by zeros that take no memory
                like = self._live.nodes[operands[position]]
                if not self._varying[i] and self._varying[operands[position]]:
                    operands[position] = len(slots)
                    slots.append(np.broadcast_to(np.zeros((), like.dtype), _concrete(like.shape, sizes)))
            function = op.bind(node.attributes, sizes)
            second = operands[1] if len(operands) == 2 else -1
            more = tuple(operands) if len(operands) > 2 else ()
            (each if self._varying[i] else once).append((function, i, operands[0], second, more))
        return slots, once, each

    def _checked(
        self, arrays: Mapping[str, Array], inputs: Mapping[str, Array], sizes: dict[str, int]
    ) -> tuple[list[tuple[int, Array]], list[tuple[int, Array]], int]:
        """Return (slot, array) of shared leaves and of each network's own, and P; symbols go into `sizes`."""
        _check_names("parameter", arrays, self.graph.parameters)
        _check_names("input", inputs, self.graph.inputs)
        shared: list[tuple[int, Array]] = []
        own: list[tuple[int, Array]] = []
        bound: dict[str, tuple[int, str]] = {}
        for kind, given, slot, name in self._leaves(arrays, inputs):
            node = self._live.nodes[slot]
            varies = kind == "parameter" or name in self.per_network
            shape: Shape = ("P", *node.shape) if varies else node.shape
            array = np.asarray(given)
            if array.dtype.name != node.dtype or not _fits(array.shape, shape):
                expected, found = described(shape, node.dtype), described(array.shape, array.dtype.name)
                raise ValueError(f"{kind} {name!r}: expected {expected}, got {found}")
            # the axis P and a symbol that a graph calls P are two things
            named = [("the number of networks", array.shape[0])] if varies else []
            named += [
                (dim, size)
                for dim, size in zip(node.shape, array.shape[1:] if varies else array.shape, strict=True)
                if isinstance(dim, str)
            ]
            for dim, size in named:
                before, where = bound.setdefault(dim, (size, f"{kind} {name!r}"))
                if before != size:
                    raise ValueError(f"{kind} {name!r}: {dim} is {size}, but {before} in {where}")
            (own if varies else shared).append((slot, array))
        if "the number of networks" not in bound:
            raise ValueError("the graph has no parameter and no input per network that tells how many there are")
        sizes.update({dim: size for dim, (size, _) in bound.items() if dim != "the number of networks"})
        return shared, own, bound["the number of networks"][0]

    def _leaves(
        self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]
    ) -> Iterator[tuple[str, Array, int, str]]:
        for name, slot in self._live.parameters.items():
            yield "parameter", arrays[name], slot, name
        for name, slot in self._live.inputs.items():
            yield "input", inputs[name], slot, name

    def _check_outputs(self, slots: list[Any], outputs: Mapping[str, Array], varying: bool) -> None:
        """Refuse a value that is not what the op's shape rule said: a plugin's op may contradict itself."""
        for name, slot in self._live.outputs.items():
            if self._varying[slot] is varying:
                value, expected = np.asarray(slots[slot]), outputs[name]
                if value.shape != expected.shape[1:] or value.dtype != expected.dtype:
                    node = self._live.nodes[slot]
                    found = described(value.shape, value.dtype.name)
                    raise GraphError(f"output {name!r} ({node.op}): the op says {node.type} but gives {found}")


def _known(graph: Graph) -> Mapping[str, Op]:
    if all(node.op in OPS or not node.operands for node in graph.nodes):
        return OPS
    from vynapse_core.catalogue import installed

    return {**OPS, **installed().ops}


def _varying(graph: Graph, per_network: tuple[str, ...], ops: Mapping[str, Op]) -> list[bool]:
    """Return for each node whether its value differs from network to network."""
    varying: list[bool] = []
    for node in graph.nodes:
        if node.operands:
            only_shape = ops[node.op].shape_only
            varying.append(any(varying[o] for at, o in enumerate(node.operands) if at not in only_shape))
        else:
            varying.append(node.op == "parameter" or node.attributes.get("name") in per_network)
    return varying


def _fits(actual: tuple[int, ...], expected: Shape) -> bool:
    return len(actual) == len(expected) and all(
        isinstance(dim, str) or dim == size for dim, size in zip(expected, actual, strict=True)
    )


def _concrete(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(sizes[dim] if isinstance(dim, str) else dim for dim in shape)


def _check_names(kind: str, given: Mapping[str, Array], known: Mapping[str, int]) -> None:
    for name in given:
        if name not in known:
            hint = nearest(name, known) or f"known: {', '.join(known) or 'none'}"
            raise ValueError(f"unknown {kind} {name!r}; {hint}")
    for name in known:
        if name not in given:
            raise ValueError(f"{kind} {name!r} is missing; given: {', '.join(given) or 'none'}")
