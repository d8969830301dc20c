# SPDX-License-Identifier: MIT OR Apache-2.0
"""What every device does alike: admit a graph, know which values differ by network, check the arrays of a call.

It stands here so that all devices refuse the same things in the same words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from vynapse_core.contracts.device import Kernel
from vynapse_core.errors import GraphError, nearest
from vynapse_core.graph import Graph, constant_array
from vynapse_core.ops import OPS, Array, Op, Shape, described


@dataclass(frozen=True)
class Given:
    """The arrays of one call, checked."""

    shared: list[tuple[int, Array]]
    """(node, array) of the inputs that all networks share."""
    own: list[tuple[int, Array]]
    """(node, array [P, ...]) of parameters and of inputs per network."""
    networks: int
    """P."""
    sizes: dict[str, int]
    """What the symbols of the graph stand for."""


class Arguments:
    """A graph that a device has admitted, and the check of what a call passes to it.

    `ops` are the ops to know; without them the kernel's and those of installed plugins. Raises GraphError for a graph
    that is not well-formed and for a name in `per_network` that is no input.
    """

    def __init__(self, graph: Graph, per_network: tuple[str, ...] = (), ops: Mapping[str, Op] | None = None) -> None:
        self.ops = _known(graph) if ops is None else ops
        graph.validate(self.ops)
        for name in per_network:
            if name not in graph.inputs:
                hint = nearest(name, graph.inputs) or f"inputs: {', '.join(graph.inputs) or 'none'}"
                raise GraphError(f"per_network names {name!r}, which is no input of the graph; {hint}")
        self.graph = graph
        self.per_network = per_network
        self.live = graph.live(leaves=True)
        """The graph without what no output needs; all leaves that a call names are kept."""
        self.varying = _varying(self.live, per_network, self.ops)
        """For each node of `live`, whether its value differs from network to network."""
        self.constants = [(i, constant_array(node)) for i, node in enumerate(self.live.nodes) if node.op == "constant"]
        """(node, array) of the constants."""

    def check(self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]) -> Given:
        """Return the arrays by node, P, and the sizes.

        Raises ValueError for an array that is missing, unknown, or not of the shape and dtype the graph says.
        """
        _check_names("parameter", arrays, self.graph.parameters)
        _check_names("input", inputs, self.graph.inputs)
        shared: list[tuple[int, Array]] = []
        own: list[tuple[int, Array]] = []
        bound: dict[str, tuple[int, str]] = {}
        for kind, given, slot, name in self._leaves(arrays, inputs):
            node = self.live.nodes[slot]
            varies = kind == "parameter" or name in self.per_network
            shape: Shape = ("P", *node.shape) if varies else node.shape
            array = np.asarray(given)
            if not array.dtype.isnative:
                array = array.astype(array.dtype.newbyteorder("="))
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
        sizes = {dim: size for dim, (size, _) in bound.items() if dim != "the number of networks"}
        return Given(shared, own, bound["the number of networks"][0], sizes)

    def check_value(self, name: str, value: Array, shape: tuple[int, ...]) -> None:
        """Raise GraphError for a network's output that is not of `shape` and of the dtype that the op's rule said."""
        node = self.live.nodes[self.live.outputs[name]]
        if value.shape != shape or value.dtype != node.dtype:
            found = described(value.shape, value.dtype.name)
            raise GraphError(f"output {name!r} ({node.op}): the op says {node.type} but gives {found}")

    def _leaves(
        self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]
    ) -> Iterator[tuple[str, Array, int, str]]:
        for name, slot in self.live.parameters.items():
            yield "parameter", arrays[name], slot, name
        for name, slot in self.live.inputs.items():
            yield "input", inputs[name], slot, name


def concrete(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Return `shape` with its symbols replaced by their sizes."""
    return tuple(sizes[dim] if isinstance(dim, str) else dim for dim in shape)


def kernels_for(device: str) -> dict[str, Kernel]:
    """Return {op: kernel} of what installed plugins offer for the device of that name."""
    from vynapse_core.catalogue import installed

    return {op: kernel for (name, op), kernel in installed().kernels.items() if name == device}


def _known(graph: Graph) -> Mapping[str, Op]:
    if all(node.op in OPS or not node.operands for node in graph.nodes):
        return OPS
    from vynapse_core.catalogue import installed

    return {**OPS, **installed().ops}


def _varying(graph: Graph, per_network: tuple[str, ...], ops: Mapping[str, Op]) -> list[bool]:
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


def _check_names(kind: str, given: Mapping[str, Array], known: Mapping[str, int]) -> None:
    for name in given:
        if name not in known:
            hint = nearest(name, known) or f"known: {', '.join(known) or 'none'}"
            raise ValueError(f"unknown {kind} {name!r}; {hint}")
    for name in known:
        if name not in given:
            raise ValueError(f"{kind} {name!r} is missing; given: {', '.join(given) or 'none'}")
