# SPDX-License-Identifier: MIT OR Apache-2.0
"""Graph: what one network computes, as nodes in topological order.

A graph knows nothing of the population: the axis P is the device's business. It is plain data with a content
hash: it can be sent to workers, stored beside weights, and be the key of a kernel cache.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core.errors import GraphError, nearest
from vynapse_core.ops import DTYPES, FLOAT, OPS, check_shape, described, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vynapse_core.ops import Array, Op, Shape

LEAVES = ("input", "parameter", "constant")

MAX_CONSTANT = 65_536
"""Most elements of a constant: anything larger is a parameter or an input."""
MAX_NAME = 200

_RANGES: Mapping[str, tuple[type, Any, Any]] = {
    "bool": (bool, False, True),
    **{name: (int, np.iinfo(name).min, np.iinfo(name).max) for name in ("int32", "int64", "uint64")},
    **{name: (float, float(np.finfo(name).min), float(np.finfo(name).max)) for name in FLOAT},
}


@dataclass(frozen=True)
class Node:
    """One value. Leaves are `input` and `parameter` (attribute `name`) and `constant` (attribute `value`)."""

    op: str
    operands: tuple[int, ...]
    attributes: Mapping[str, Any]
    """int, float, str, bool, or (nested) tuples of them; defaults are written out."""
    shape: Shape
    dtype: str

    @property
    def type(self) -> str:
        """Shape and dtype as text: `float32 [B, 4]`."""
        return described(self.shape, self.dtype)


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order and the outputs by name; built with `Builder` or read with `from_json`."""

    nodes: tuple[Node, ...]
    outputs: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def inputs(self) -> Mapping[str, int]:
        """{name: node} of the inputs, in order."""
        return {node.attributes["name"]: i for i, node in enumerate(self.nodes) if node.op == "input"}

    @cached_property
    def parameters(self) -> Mapping[str, int]:
        """{name: node} of the parameters, in order."""
        return {node.attributes["name"]: i for i, node in enumerate(self.nodes) if node.op == "parameter"}

    def validate(self, ops: Mapping[str, Op] = OPS) -> None:
        """Raise GraphError, naming the node, unless ops are known and shapes and dtypes as inferred."""
        nodes: list[Node] = []
        for i, node in enumerate(self.nodes):
            again = placed(nodes, i, node.op, node.operands, node.attributes, node.shape, node.dtype, ops)
            if (again.shape, again.dtype) != (node.shape, node.dtype):
                raise GraphError(f"node {i} ({node.op}): says {node.type}, but is {again.type}")
            nodes.append(again)
        check_names(self)

    def live(self, leaves: bool = False) -> Graph:
        """Return the graph without the nodes that no output needs; `leaves` keeps inputs and parameters."""
        needed = [leaves and node.op in ("input", "parameter") for node in self.nodes]
        for output in self.outputs.values():
            needed[output] = True
        for i in range(len(self.nodes) - 1, -1, -1):
            if needed[i]:
                for operand in self.nodes[i].operands:
                    needed[operand] = True
        places = {old: new for new, old in enumerate(i for i, wanted in enumerate(needed) if wanted)}
        nodes = []
        for old in places:
            node = self.nodes[old]
            nodes.append(replace(node, operands=tuple(places[operand] for operand in node.operands)))
        return Graph(tuple(nodes), {name: places[output] for name, output in self.outputs.items()})

    def astype(self, dtype: str, ops: Mapping[str, Op] = OPS) -> Graph:
        """Return the graph in another float dtype: all float leaves and all casts to floats are changed."""
        if dtype not in FLOAT:
            raise GraphError(f"a graph is computed in {' or '.join(FLOAT)}, not in {dtype!r}")
        nodes: list[Node] = []
        for i, node in enumerate(self.nodes):
            attributes = dict(node.attributes)
            if attributes.get("dtype") in FLOAT:
                attributes["dtype"] = dtype
            leaf = dtype if node.dtype in FLOAT else node.dtype
            nodes.append(placed(nodes, i, node.op, node.operands, attributes, node.shape, leaf, ops))
        return Graph(tuple(nodes), dict(self.outputs))

    def to_json(self) -> str:
        """Return the graph as text, one node a line; `from_json` gives back the same graph to the bit."""
        from vynapse_core.graph_text import json_text

        return json_text(self)

    @staticmethod
    def from_json(text: str, ops: Mapping[str, Op] = OPS) -> Graph:
        """Read what `to_json` wrote. Anything else raises GraphError that names the node."""
        from vynapse_core.graph_text import read_json

        return read_json(text, ops)

    def digest(self) -> str:
        """Return a hash of the content: SHA-256, hexadecimal, the same in every process and machine."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_dot(self) -> str:
        """Return the graph in Graphviz's DOT language."""
        from vynapse_core.graph_text import dot_text

        return dot_text(self)


def make_node(
    nodes: Sequence[Node],
    op: str,
    operands: Sequence[int],
    attributes: Mapping[str, Any],
    shape: Any = (),
    dtype: Any = "",
    ops: Mapping[str, Op] = OPS,
) -> Node:
    """Return the node of `op` on earlier `nodes`: attributes completed, shape and dtype inferred.

    `shape` and `dtype` count for inputs and parameters, `dtype` for constants. Every node, built or read,
    passes here. Raises GraphError where anything does not fit.
    """
    if op in LEAVES:
        return _leaf(op, operands, attributes, shape, dtype)
    if op not in ops:
        hint = nearest(op, ops) or "is the plugin that offers it installed?"
        raise GraphError(f"unknown op {op!r}; {hint}"[:300])
    for operand in operands:
        if type(operand) is not int or not 0 <= operand < len(nodes):
            raise GraphError(f"{op}: operand {operand!r} is not an earlier node"[:300])
    shapes = [nodes[operand].shape for operand in operands]
    dtypes = [nodes[operand].dtype for operand in operands]
    completed = ops[op].complete(shapes, attributes)
    inferred, kind = ops[op].result(shapes, dtypes, completed)
    return Node(op, tuple(operands), completed, inferred, kind)


def constant_array(node: Node) -> Array:
    """Return the value of a constant as an array of its dtype."""
    return np.array(node.attributes["value"], dtype=node.dtype)


def _leaf(op: str, operands: Sequence[int], attributes: Mapping[str, Any], shape: Any, dtype: Any) -> Node:
    if operands:
        raise GraphError(f"{op}: a leaf has no operands")
    if dtype not in DTYPES:
        raise GraphError(f"{op}: unknown dtype {dtype!r}; expected one of {', '.join(DTYPES)}"[:300])
    wanted = "value" if op == "constant" else "name"
    if set(attributes) != {wanted}:
        raise GraphError(f"{op}: expected the attribute {wanted!r}, got {sorted(attributes)}"[:300])
    if op == "constant":
        value = plain(attributes["value"])
        shape = _nested_shape(value)
        return Node(op, (), {"value": _numbers(value, dtype)}, shape, dtype)
    name = attributes["name"]
    if not _is_name(name):
        raise GraphError(f"{op}: a name is text of 1 to {MAX_NAME} characters, got {name!r}"[:300])
    return Node(op, (), {"name": name}, check_shape(shape), dtype)


def _nested_shape(value: Any) -> Shape:
    shape: list[int] = []
    level = [value]
    while level and any(isinstance(item, tuple) for item in level):
        sizes = {len(item) if isinstance(item, tuple) else -1 for item in level}
        if len(sizes) > 1:
            raise GraphError("constant: the rows differ in length")
        shape.append(sizes.pop())
        level = [inner for item in level for inner in item]
    if math.prod(shape) > MAX_CONSTANT:
        raise GraphError(f"constant: {math.prod(shape)} elements; at most {MAX_CONSTANT}, or make it a parameter")
    return check_shape(tuple(shape))


def _numbers(value: Any, dtype: str) -> Any:
    """Return the number, or nested tuple of numbers, as Python numbers of the kind of `dtype`."""
    if isinstance(value, tuple):
        return tuple(_numbers(item, dtype) for item in value)
    kind, least, most = _RANGES[dtype]
    if type(value) is int and kind is float and abs(value) <= most:
        return float(value)
    if type(value) is kind and (least <= value <= most or value in (-math.inf, math.inf) or value != value):
        return value
    raise GraphError(f"constant: expected {dtype}, got {value!r}"[:300])


def placed(
    nodes: Sequence[Node],
    place: int,
    op: str,
    operands: Sequence[int],
    attributes: Mapping[str, Any],
    shape: Any,
    dtype: Any,
    ops: Mapping[str, Op],
) -> Node:
    """Return `make_node` of these; what does not fit is told with the node's number, `place`."""
    try:
        return make_node(nodes, op, operands, attributes, shape, dtype, ops)
    except GraphError as error:
        raise GraphError(f"node {place}: {error}") from None


def check_names(graph: Graph) -> None:
    """Raise GraphError where leaves share a name, or where an output's name or node is none."""
    names = [node.attributes["name"] for node in graph.nodes if node.op in ("input", "parameter")]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise GraphError(f"the name {twice[0]!r} belongs to two leaves; inputs and parameters share one namespace")
    for name, output in graph.outputs.items():
        if not _is_name(name):
            raise GraphError(f"output {name!r}: a name is text of 1 to {MAX_NAME} characters"[:300])
        if type(output) is not int or not 0 <= output < len(graph.nodes):
            raise GraphError(f"output {name!r}: there is no node {output!r}; the graph has {len(graph.nodes)}"[:500])


def _is_name(name: Any) -> bool:
    """Whether files can hold `name`: text that is not too long, and no half of a surrogate pair."""
    return isinstance(name, str) and 0 < len(name) <= MAX_NAME and not any("\ud800" <= c <= "\udfff" for c in name)
