# SPDX-License-Identifier: MIT OR Apache-2.0
"""Builder and Value: graphs written as ordinary arithmetic.

Equal nodes are built once, so a gradient may repeat expressions of the forward pass at no cost. Shapes are
inferred as nodes are added: a misfit is reported on the line that wrote it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core.errors import GraphError
from vynapse_core.graph import Graph, make_node
from vynapse_core.ops import OPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vynapse_core.graph import Node
    from vynapse_core.ops import Array, Dim, Op, Shape

Number = int | float | bool


class Builder:
    """Collects nodes; `ops` may hold more than the kernel's."""

    def __init__(self, ops: Mapping[str, Op] = OPS) -> None:
        self.ops = ops
        self.nodes: list[Node] = []
        self._places: dict[tuple[Any, ...], int] = {}
        self._leaves: dict[str, int] = {}

    def input(self, name: str, shape: Sequence[Dim], dtype: str = "float32") -> Value:
        """Return the input `name`: data, shared by all networks unless a device is told otherwise."""
        return self._named("input", name, shape, dtype)

    def parameter(self, name: str, shape: Sequence[Dim], dtype: str = "float32") -> Value:
        """Return the parameter `name`: what each network has of its own."""
        return self._named("parameter", name, shape, dtype)

    def constant(self, value: Any, dtype: str = "") -> Value:
        """Return a constant from a number, sequence or array: float32, int64 or bool unless told."""
        kinds = {"b": "bool", "i": "int64", "u": "uint64", "f": "float32"}
        try:
            array = np.asarray(value)
        except ValueError as error:
            raise GraphError(f"constant: {error}") from None
        chosen = dtype or kinds.get(array.dtype.kind, str(array.dtype))
        return self._add("constant", (), {"value": array.tolist()}, (), chosen)

    def apply(self, op: str, *operands: Value | Number | Array, **attributes: Any) -> Value:
        """Return `op` of the operands; numbers take the dtype of the first operand that is not bool."""
        dtypes = [operand.dtype for operand in operands if isinstance(operand, Value)]
        dtype = next((found for found in dtypes if found != "bool"), dtypes[0] if dtypes else "")
        values = [self._value(operand, dtype) for operand in operands]
        return self._add(op, tuple(value.place for value in values), attributes)

    def extend(self, graph: Graph, prefix: str = "", bind: Mapping[str, Value] | None = None) -> dict[str, Value]:
        """Copy a graph in and return its outputs as values.

        Leaves named in `bind` are replaced by these values. The others get `prefix` before their names and
        are shared with leaves of the same name; one of another shape or dtype raises GraphError.
        """
        bound = bind or {}
        copied: list[Value] = []
        for node in graph.nodes:
            name = node.attributes.get("name", "") if node.op in ("input", "parameter") else ""
            if name in bound:
                copied.append(self._bound(name, node, bound[name]))
            elif name:
                copied.append(self._named(node.op, prefix + name, node.shape, node.dtype))
            else:
                places = tuple(copied[operand].place for operand in node.operands)
                copied.append(self._add(node.op, places, node.attributes, node.shape, node.dtype))
        return {name: copied[output] for name, output in graph.outputs.items()}

    def graph(self, outputs: Mapping[str, Value]) -> Graph:
        """Return the graph of these outputs: all inputs and parameters, and what else the outputs need."""
        places = {name: self._value(value, value.dtype).place for name, value in outputs.items()}
        return Graph(tuple(self.nodes), places).live(leaves=True)

    def _named(self, op: str, name: str, shape: Sequence[Dim], dtype: str) -> Value:
        node = make_node(self.nodes, op, (), {"name": name}, tuple(shape), dtype, self.ops)
        if name in self._leaves:
            known = self.nodes[self._leaves[name]]
            if known != node:
                raise GraphError(f"{op} {name!r} {node.type} contradicts the {known.op} {name!r} {known.type}")
            return Value(self, self._leaves[name])
        self._leaves[name] = len(self.nodes)
        self.nodes.append(node)
        return Value(self, self._leaves[name])

    def _add(
        self,
        op: str,
        operands: tuple[int, ...],
        attributes: Mapping[str, Any],
        shape: Shape = (),
        dtype: str = "",
    ) -> Value:
        node = make_node(self.nodes, op, operands, attributes, shape, dtype, self.ops)
        # repr tells 0.0 from -0.0 and 1 from True, which are equal as keys
        key = (op, operands, repr(sorted(node.attributes.items())), node.dtype)
        if key not in self._places:
            self._places[key] = len(self.nodes)
            self.nodes.append(node)
        return Value(self, self._places[key])

    def _bound(self, name: str, node: Node, value: Value) -> Value:
        value = self._value(value, "")
        if (value.shape, value.dtype) != (node.shape, node.dtype):
            found = self.nodes[value.place].type
            raise GraphError(f"cannot bind {name!r}: expected {node.type}, got {found}")
        return value

    def _value(self, operand: Value | Number | Array, dtype: str) -> Value:
        if not isinstance(operand, Value):
            return self.constant(operand, dtype)
        if operand.builder is not self:
            raise GraphError(f"{operand} belongs to another builder; copy its graph in with extend")
        return operand


@dataclass(frozen=True, eq=False)
class Value:
    """One value of a graph in the making: arithmetic on it adds nodes. Compare with `less` and `equal`."""

    builder: Builder
    place: int
    """The number of its node."""

    # lets `array * value` reach __rmul__ instead of NumPy's own loop over elements
    __array_ufunc__ = None

    @property
    def shape(self) -> Shape:
        """Dimensions: integers and symbols."""
        return self.builder.nodes[self.place].shape

    @property
    def dtype(self) -> str:
        """Name of the dtype, such as `float32`."""
        return self.builder.nodes[self.place].dtype

    def __repr__(self) -> str:
        node = self.builder.nodes[self.place]
        return f"<{node.op} {node.type}>"

    def __add__(self, other: Value | Number | Array) -> Value:
        return self.builder.apply("add", self, other)

    def __radd__(self, other: Number | Array) -> Value:
        return self.builder.apply("add", other, self)

    def __sub__(self, other: Value | Number | Array) -> Value:
        return self.builder.apply("sub", self, other)

    def __rsub__(self, other: Number | Array) -> Value:
        return self.builder.apply("sub", other, self)

    def __mul__(self, other: Value | Number | Array) -> Value:
        return self.builder.apply("mul", self, other)

    def __rmul__(self, other: Number | Array) -> Value:
        return self.builder.apply("mul", other, self)

    def __truediv__(self, other: Value | Number | Array) -> Value:
        return self.builder.apply("div", self, other)

    def __rtruediv__(self, other: Number | Array) -> Value:
        return self.builder.apply("div", other, self)

    def __pow__(self, other: Value | Number | Array) -> Value:
        # a product is many times faster than a power, and squares are in every loss
        squared = isinstance(other, int | float) and other == 2
        return self * self if squared else self.builder.apply("pow", self, other)

    def __rpow__(self, other: Number | Array) -> Value:
        return self.builder.apply("pow", other, self)

    def __matmul__(self, other: Value | Array) -> Value:
        return self.builder.apply("matmul", self, other)

    def __rmatmul__(self, other: Array) -> Value:
        return self.builder.apply("matmul", other, self)

    def __neg__(self) -> Value:
        return self.builder.apply("neg", self)

    def less(self, other: Value | Number | Array) -> Value:
        """Return self < other as bool."""
        return self.builder.apply("less", self, other)

    def greater(self, other: Value | Number | Array) -> Value:
        """Return self > other as bool."""
        return self.builder.apply("less", other, self)

    def equal(self, other: Value | Number | Array) -> Value:
        """Return self = other as bool, element by element."""
        return self.builder.apply("equal", self, other)

    def cast(self, dtype: str) -> Value:
        """Return self in another dtype; itself where that is its own."""
        return self if dtype == self.dtype else self.builder.apply("cast", self, dtype=dtype)

    def sum(self, axes: int | Sequence[int] | None = None, keepdims: bool = False) -> Value:
        """Return the sum over axes; None for all."""
        return self.builder.apply("sum", self, axes=self._axes(axes), keepdims=keepdims)

    def mean(self, axes: int | Sequence[int] | None = None, keepdims: bool = False) -> Value:
        """Return the mean over axes; None for all."""
        return self.sum(axes, keepdims) / self.builder.apply("size", self, axes=self._axes(axes))

    def max(self, axes: int | Sequence[int] | None = None, keepdims: bool = False) -> Value:
        """Return the maximum over axes; None for all."""
        return self.builder.apply("max", self, axes=self._axes(axes), keepdims=keepdims)

    def argmax(self, axis: int = -1, keepdims: bool = False) -> Value:
        """Return the int64 index of the first maximum along an axis."""
        return self.builder.apply("argmax", self, axis=axis, keepdims=keepdims)

    def reshape(self, shape: Sequence[Dim]) -> Value:
        """Return the same elements in another shape of integers, symbols, and at most one -1."""
        return self.builder.apply("reshape", self, shape=tuple(shape))

    def transpose(self, axes: Sequence[int] | None = None) -> Value:
        """Return the axes in another order; None reverses them."""
        order = range(len(self.shape))[::-1] if axes is None else axes
        return self.builder.apply("transpose", self, axes=tuple(order))

    @property
    def T(self) -> Value:  # noqa: N802 (NumPy's name)
        """The axes reversed."""
        return self.transpose()

    def __getitem__(self, index: Any) -> Value:
        """Slice as NumPy does, by integers, slices of step 1, and at most one `...`."""
        parts = index if isinstance(index, tuple) else (index,)
        dots = [i for i, part in enumerate(parts) if isinstance(part, EllipsisType)]
        given = len(parts) - len(dots)
        if given > len(self.shape) or len(dots) > 1:
            raise GraphError(f"index {index!r} does not fit the {len(self.shape)} axes of {self}")
        at = dots[0] if dots else len(parts)
        parts = (*parts[:at], *[slice(None)] * (len(self.shape) - given), *parts[at + 1 :])
        value, kept = self, []
        for axis, part in enumerate(parts):
            value = _sliced(value, axis, part)
            if isinstance(part, slice):
                kept.append(value.shape[axis])
        return value if len(kept) == len(parts) else value.reshape(kept)

    def _axes(self, axes: int | Sequence[int] | None) -> tuple[int, ...]:
        if axes is None:
            return tuple(range(len(self.shape)))
        return (axes,) if isinstance(axes, int) else tuple(axes)


def _sliced(value: Value, axis: int, part: Any) -> Value:
    if part == slice(None):
        return value
    size = value.shape[axis]
    if not isinstance(size, int):
        raise GraphError(f"{value}: axis {axis} has the symbolic size {size!r}, so it cannot be indexed")
    if isinstance(part, slice) and part.step in (None, 1):
        start, stop, _ = part.indices(size)
        return value.builder.apply("slice", value, axis=axis, start=start, stop=max(start, stop))
    if isinstance(part, int) and not isinstance(part, bool) and -size <= part < size:
        start = part % size
        return value.builder.apply("slice", value, axis=axis, start=start, stop=start + 1)
    raise GraphError(f"{value}: cannot index axis {axis} of size {size} by {part!r}; expected an integer or a slice")


def where(condition: Value, a: Value | Number, b: Value | Number) -> Value:
    """Return `a` where the condition holds and `b` elsewhere."""
    return condition.builder.apply("where", condition, a, b)


def one_hot(ids: Value, depth: int, dtype: str = "float32") -> Value:
    """Return [.., depth] with 1 at each id of `ids` [..] and 0 elsewhere; all 0 for an id out of range."""
    classes = ids.builder.constant(np.arange(depth), ids.dtype)
    return ids.reshape((*ids.shape, 1)).equal(classes).cast(dtype)


def log_softmax(x: Value, axis: int = -1) -> Value:
    """Return x - log(sum(exp(x))) along an axis, shifted by the maximum so that nothing overflows."""
    # the shift cancels, so it needs no gradient
    shifted = x - x.builder.apply("stop_gradient", x.max(axis, keepdims=True))
    return shifted - shifted.builder.apply("log", x.builder.apply("exp", shifted).sum(axis, keepdims=True))


def softmax(x: Value, axis: int = -1) -> Value:
    """Return exp(x) / sum(exp(x)) along an axis, shifted by the maximum so that nothing overflows."""
    shifted = x - x.builder.apply("stop_gradient", x.max(axis, keepdims=True))
    weights = x.builder.apply("exp", shifted)
    return weights / weights.sum(axis, keepdims=True)
