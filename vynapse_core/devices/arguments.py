# SPDX-License-Identifier: MIT OR Apache-2.0
"""What every device does alike: admit a graph, know which values differ by network, check the arrays of a call.

It stands here so that all devices refuse the same things in the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np

from vynapse_core.contracts.device import Kernel
from vynapse_core.errors import GraphError, nearest
from vynapse_core.graph import Graph, constant_array
from vynapse_core.ops import OPS, Array, Op, Shape, described

NETWORKS = "the number of networks"
"""The symbol of the axis P; no graph can have it."""
KNOWN = 64
"""Most combinations of shapes that are remembered."""
_SHAPE, _DTYPE = attrgetter("shape"), attrgetter("dtype")


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
    """What the symbols of the graph stand for; mostly the same object where shapes are the same."""


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A parameter or an input, and what its array must be."""

    kind: str
    name: str
    slot: int
    dtype: np.dtype[Any]
    varies: bool
    shape: Shape
    rank: int
    whole: tuple[tuple[int, int], ...]
    """(axis, size) where the size is given."""
    symbols: tuple[tuple[int, str], ...]
    """(axis, symbol) of the others."""

    @property
    def described(self) -> str:
        return f"{self.kind} {self.name!r}"


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
        inputs = sorted(self.live.inputs, key=lambda name: name not in per_network)
        self._leaves = [
            *(self._leaf("parameter", name, slot, True) for name, slot in self.live.parameters.items()),
            *(self._leaf("input", name, self.live.inputs[name], name in per_network) for name in inputs),
        ]
        self.parameters, self.inputs = tuple(self.live.parameters), tuple(inputs)
        """The names of the leaves, in the order in which they are checked: those per network first."""
        self._own = [leaf.slot for leaf in self._leaves if leaf.varies]
        self._shared = [leaf.slot for leaf in self._leaves if not leaf.varies]
        self._types: list[type[Any]] = [np.ndarray] * len(self._leaves)
        self._dtypes = [leaf.dtype for leaf in self._leaves]
        self._known: dict[tuple[tuple[int, ...], ...], tuple[int, dict[str, int]]] = {}
        """{shapes of all leaves: (P, the sizes)} of those that fit."""

    def check(self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]) -> Given:
        """Return the arrays by node, P, and the sizes.

        Raises ValueError for an array that is missing, unknown, or not of the shape and dtype the graph says.
        """
        if arrays.keys() != self.graph.parameters.keys() or inputs.keys() != self.graph.inputs.keys():
            _check_names("parameter", arrays, self.graph.parameters)
            _check_names("input", inputs, self.graph.inputs)
        found = [arrays[name] for name in self.parameters]
        found += [inputs[name] for name in self.inputs]
        if list(map(type, found)) != self._types:
            found = list(map(np.asarray, found))
        plain = list(map(_DTYPE, found)) == self._dtypes
        known = self._known.get(tuple(map(_SHAPE, found))) if plain else None
        if known is None:
            found = list(map(_native, found))
            known = self._fitting(found)
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[tuple(map(_SHAPE, found))] = known
        own = list(zip(self._own, found, strict=False))
        shared = list(zip(self._shared, found[len(own) :], strict=True))
        return Given(shared, own, *known)

    def _fitting(self, given: list[Array]) -> tuple[int, dict[str, int]]:
        """Return P and the sizes that arrays tell, one for each leaf. Raises ValueError where they do not fit."""
        sizes: dict[str, int] = {}
        told: dict[str, _Leaf] = {}
        for leaf, array in zip(self._leaves, given, strict=True):
            shape, dtype = array.shape, array.dtype
            fits = dtype == leaf.dtype and len(shape) == leaf.rank
            if not fits or any(shape[axis] != size for axis, size in leaf.whole):
                expected = described(leaf.shape, leaf.dtype.name)
                raise ValueError(f"{leaf.described}: expected {expected}, got {described(shape, dtype.name)}")
            for axis, dim in leaf.symbols:
                size = shape[axis]
                if sizes.setdefault(dim, size) != size:
                    before = f"{sizes[dim]} in {told[dim].described}"
                    raise ValueError(f"{leaf.described}: {dim} is {size}, but {before}")
                told.setdefault(dim, leaf)
        if NETWORKS not in sizes:
            raise ValueError("the graph has no parameter and no input per network that tells how many there are")
        return sizes.pop(NETWORKS), sizes

    def check_value(self, name: str, value: Array, shape: tuple[int, ...]) -> None:
        """Raise GraphError for a network's output that is not of `shape` and of the dtype that the op's rule said."""
        node = self.live.nodes[self.live.outputs[name]]
        if value.shape != shape or value.dtype != node.dtype:
            found = described(value.shape, value.dtype.name)
            raise GraphError(f"output {name!r} ({node.op}): the op says {node.type} but gives {found}")

    def _leaf(self, kind: str, name: str, slot: int, varies: bool) -> _Leaf:
        node = self.live.nodes[slot]
        shape: Shape = ("P", *node.shape) if varies else node.shape
        # the axis P and a symbol that a graph calls P are two things
        dims: Shape = (NETWORKS, *node.shape) if varies else node.shape
        return _Leaf(
            kind,
            name,
            slot,
            np.dtype(node.dtype),
            varies,
            shape,
            len(shape),
            tuple((axis, dim) for axis, dim in enumerate(dims) if isinstance(dim, int)),
            tuple((axis, dim) for axis, dim in enumerate(dims) if isinstance(dim, str)),
        )


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


def _native(array: Array) -> Array:
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _check_names(kind: str, given: Mapping[str, Array], known: Mapping[str, int]) -> None:
    if given.keys() == known.keys():
        return
    for name in given:
        if name not in known:
            hint = nearest(name, known) or f"known: {', '.join(known) or 'none'}"
            raise ValueError(f"unknown {kind} {name!r}; {hint}")
    for name in known:
        if name not in given:
            raise ValueError(f"{kind} {name!r} is missing; given: {', '.join(given) or 'none'}")
