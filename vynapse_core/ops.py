# SPDX-License-Identifier: MIT OR Apache-2.0
"""The ops of the graph language: name, shape rule and NumPy meaning of each, as one table.

The set is small and closed under its own gradients: the vector-Jacobian product of every op can be written in
these ops again, so a gradient is a graph like any other and a device that runs the set runs all derivatives.
Why each op is there: docs/decisions/0003-ops.md. Shape rules are in `shapes`, meanings in `meanings`; the language
stands here, on one page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vynapse_core import meanings, shapes as rules
from vynapse_core.errors import GraphError, nearest
from vynapse_core.meanings import Array, Sizes
from vynapse_core.shapes import (
    DTYPES,
    FLOAT,
    INTEGER,
    MAX_ELEMENTS,
    MAX_RANK,
    NUMBER,
    SIGNED,
    Attributes,
    Dim,
    Infer,
    Shape,
    Shapes,
    broadcast,
    check_shape,
    described,
    window_steps,
)

__all__ = [
    "DTYPES",
    "FLOAT",
    "INTEGER",
    "MAX_ELEMENTS",
    "MAX_RANK",
    "NUMBER",
    "OPS",
    "SIGNED",
    "Array",
    "Attributes",
    "Dim",
    "Infer",
    "Meaning",
    "Op",
    "Prepare",
    "Shape",
    "Shapes",
    "Sizes",
    "broadcast",
    "check_shape",
    "described",
    "plain",
    "window_steps",
]

Meaning = Callable[[Sequence[Array], Attributes, Sizes], Array]
Prepare = Callable[[Attributes, Sizes], Callable[..., Array]]

_TYPE_NAMES = {int: "an int", float: "a number", str: "a str", bool: "a bool", tuple: "a tuple of scalars"}


@dataclass(frozen=True)
class Op:
    """One op of the language: what it takes, the shape it gives, and what it means in NumPy."""

    name: str
    doc: str
    """One line for documentation and error messages."""
    arity: int
    """Number of operands, or the least number when `variadic`."""
    infer: Infer
    """`infer(shapes, dtypes, attributes) -> (shape, dtype)`; raises GraphError with the reason."""
    meaning: Meaning
    """`meaning(arrays, attributes, sizes) -> array`: the value for one network; `sizes` binds the symbols."""
    attributes: Mapping[str, tuple[type, object]] = field(default_factory=dict)
    """Name -> (type, default): int, float, str, bool or tuple; the default `...` marks a required attribute.
    `axis` and `axes` always count the axes of the first operand; negative ones are made positive."""
    variadic: bool = False
    shape_only: tuple[int, ...] = ()
    """Positions of operands of which only shape and dtype matter: devices need not compute their values."""
    prepare: Prepare | None = None
    """`prepare(attributes, sizes)` gives a function of the operands alone, for loops; may be left out."""

    def bind(self, attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
        """Return the op's meaning as a function of its operands, attributes and sizes already applied."""
        if self.prepare is not None:
            return self.prepare(attributes, sizes)
        return lambda *arrays: self.meaning(arrays, attributes, sizes)

    def result(self, shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
        """Return shape and dtype of the op on such operands; `attributes` come from `complete`.

        Raises GraphError that names the op, what it was given, and what was expected.
        """
        given = ", ".join(described(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True))
        try:
            if len(shapes) < self.arity or (len(shapes) > self.arity and not self.variadic):
                least = "at least " if self.variadic else ""
                raise GraphError(f"expected {least}{self.arity} operands, got {len(shapes)}")
            shape, dtype = self.infer(shapes, dtypes, attributes)
            elements = math.prod(max(dim, 1) for dim in shape if isinstance(dim, int))
            if elements > MAX_ELEMENTS:
                raise GraphError(f"the result has {elements} elements; at most {MAX_ELEMENTS} are allowed")
            if new := {d for d in shape if isinstance(d, str)} - {d for given in shapes for d in given}:
                raise GraphError(f"the result has the symbol {new.pop()!r}, which no operand has")
            if len(shape) > MAX_RANK:
                raise GraphError(f"the result has {len(shape)} axes; at most {MAX_RANK} are allowed")
        except GraphError as error:
            raise GraphError(f"{self.name}({given}): {error}") from None
        return shape, dtype

    def complete(self, shapes: Shapes, attributes: Attributes) -> dict[str, Any]:
        """Return the attributes checked: defaults written out, lists as tuples, axes counted from 0."""
        for name in attributes:
            if name not in self.attributes:
                known = ", ".join(self.attributes) or "none"
                hint = nearest(name, self.attributes)
                raise GraphError(f"{self.name}: unknown attribute {name!r}; known: {known}; {hint}".rstrip("; "))
        completed: dict[str, Any] = {}
        for name, (kind, default) in sorted(self.attributes.items()):
            value: Any = attributes.get(name, default)
            if value is ...:
                raise GraphError(f"{self.name}: attribute {name!r} is missing; expected {_TYPE_NAMES[kind]}")
            value = _typed(f"{self.name}: attribute {name!r}", value, kind)
            if name in ("axis", "axes") and shapes:
                value = _counted(self.name, value, len(shapes[0]))
            completed[name] = value
        return completed


def plain(value: Any) -> Any:
    """Return NumPy scalars as Python numbers and sequences as nested tuples; anything else as it is."""
    if isinstance(value, np.generic):
        return value.item()
    return tuple(plain(item) for item in value) if isinstance(value, list | tuple) else value


def _typed(where: str, value: Any, kind: type) -> Any:
    value = plain(value)
    items = value if type(value) is tuple else (value,)
    if any(isinstance(item, int) and abs(item) >= 2**63 for item in items):
        raise GraphError(f"{where}: expected integers of at most 63 bits")
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind or not all(type(item) in (int, float, str, bool) for item in items):
        raise GraphError(f"{where}: expected {_TYPE_NAMES[kind]}, got {value!r}"[:300])
    return value


def _counted(op: str, axes: Any, rank: int) -> Any:
    """Return one axis or a tuple of them, counted from 0."""
    for axis in axes if isinstance(axes, tuple) else (axes,):
        if type(axis) is not int or not -rank <= axis < rank:
            raise GraphError(f"{op}: axis {axis!r} does not exist; the first operand has {rank} axes")
    return tuple(axis % rank for axis in axes) if isinstance(axes, tuple) else axes % rank


def _op(name: str, arity: int, infer: Infer, prepare: Prepare, doc: str, **rest: Any) -> Op:
    def meaning(arrays: Sequence[Array], attributes: Attributes, sizes: Sizes) -> Array:
        return prepare(attributes, sizes)(*arrays)

    return Op(name, doc, arity, infer, meaning, prepare=prepare, **rest)


def _same(function: Callable[..., Array]) -> Prepare:
    return lambda attributes, sizes: function


_AXES = {"axes": (tuple, ...)}
_AXIS = {"axis": (int, 0)}
_ALONG = {"axis": (int, ...)}
_REDUCE = {"axes": (tuple, ...), "keepdims": (bool, False)}
_ARGMAX = {"axis": (int, ...), "keepdims": (bool, False)}
_SHAPE = {"shape": (tuple, ...)}
_DTYPE = {"dtype": (str, ...)}
_SPAN = {"axis": (int, ...), "start": (int, ...), "stop": (int, ...)}
_PAD = {"axis": (int, ...), "before": (int, 0), "after": (int, 0), "value": (float, 0.0)}
_WINDOW = {"size": (tuple, ...), "stride": (tuple, ()), "dilation": (tuple, ())}
_STREAM = {"stream": (int, 0)}
_FLOATS, _SIGNEDS, _NUMBERS, _ANY = (rules.elementwise(allowed) for allowed in (FLOAT, SIGNED, NUMBER, DTYPES))

# fmt: off
_TABLE = (
    # element by element, with NumPy's broadcasting
    _op("add", 2, _NUMBERS, _same(np.add), "a + b"),
    _op("sub", 2, _NUMBERS, _same(np.subtract), "a - b"),
    _op("mul", 2, _NUMBERS, _same(np.multiply), "a * b"),
    _op("div", 2, _FLOATS, _same(np.divide), "a / b, of floats"),
    _op("pow", 2, _FLOATS, _same(np.power), "a to the power b; NaN for a below 0 and b not whole"),
    _op("maximum", 2, _NUMBERS, _same(np.maximum), "the larger of a and b; NaN if either is"),
    _op("minimum", 2, _NUMBERS, _same(np.minimum), "the smaller of a and b; NaN if either is"),
    _op("neg", 1, _SIGNEDS, _same(np.negative), "-x"),
    _op("abs", 1, _SIGNEDS, _same(np.absolute), "the magnitude of x"),
    _op("sign", 1, _SIGNEDS, _same(np.sign), "-1, 0 or 1"),
    _op("exp", 1, _FLOATS, _same(np.exp), "e to the power x"),
    _op("log", 1, _FLOATS, _same(np.log), "natural logarithm; -inf at 0, NaN below"),
    _op("log1p", 1, _FLOATS, _same(np.log1p), "log(1 + x), exact near 0"),
    _op("sqrt", 1, _FLOATS, _same(np.sqrt), "square root; NaN below 0"),
    _op("tanh", 1, _FLOATS, _same(np.tanh), "hyperbolic tangent"),
    _op("sigmoid", 1, _FLOATS, _same(meanings.sigmoid), "1 / (1 + exp(-x)), without overflow"),
    _op("erf", 1, _FLOATS, _same(meanings.erf), "the error function"),
    _op("sin", 1, _FLOATS, _same(np.sin), "sine of x in radians"),
    _op("cos", 1, _FLOATS, _same(np.cos), "cosine of x in radians"),
    _op("floor", 1, _FLOATS, _same(np.floor), "the largest whole number that is not above x"),
    _op("less", 2, rules.comparison(NUMBER), _same(np.less), "a < b, as bool"),
    _op("equal", 2, rules.comparison(DTYPES), _same(np.equal), "a = b, as bool"),
    _op("where", 3, rules.infer_where, _same(np.where), "a where the condition holds, else b"),
    _op("cast", 1, rules.infer_cast, meanings.cast, "x as another dtype, truncated towards 0", attributes=_DTYPE),
    _op("stop_gradient", 1, _ANY, _same(lambda x: x), "x, whose gradient counts as 0"),
    # reductions
    _op("sum", 1, rules.reduction(NUMBER), meanings.total, "sum over axes", attributes=_REDUCE),
    _op("max", 1, rules.reduction(NUMBER, empty=False), meanings.largest, "maximum over axes", attributes=_REDUCE),
    _op("argmax", 1, rules.infer_argmax, meanings.argmax, "int64 index of the first maximum", attributes=_ARGMAX),
    _op("size", 1, rules.infer_size, meanings.count,
        "count of elements along axes", attributes=_AXES, shape_only=(0,)),
    # shape
    _op("reshape", 1, rules.infer_reshape, meanings.reshape, "the same elements in another shape", attributes=_SHAPE),
    _op("transpose", 1, rules.infer_transpose, meanings.transpose, "axes in another order", attributes=_AXES),
    _op("expand_like", 2, rules.infer_expand_like, _same(meanings.expand_like),
        "x, broadcast to like", shape_only=(1,)),
    _op("sum_like", 2, rules.infer_sum_like, _same(meanings.sum_like), "x, summed down to like", shape_only=(1,)),
    _op("slice", 1, rules.infer_slice, meanings.part,
        "part of an axis; stop < 0 counts from the end", attributes=_SPAN),
    _op("pad", 1, rules.infer_pad, meanings.pad, "an axis made longer with a value", attributes=_PAD),
    _op("concat", 1, rules.infer_concat, meanings.concat, "operands, joined", attributes=_ALONG, variadic=True),
    # products, indices, patches
    _op("matmul", 2, rules.infer_matmul, _same(np.matmul), "[.., n, k] times [.., k, m]; leading axes broadcast"),
    _op("gather", 2, rules.infer_gather, meanings.gather, "x at the indices along an axis", attributes=_AXIS),
    _op("scatter_add", 3, rules.infer_scatter_add, meanings.scatter_add,
        "zeros shaped as like, plus updates at indices", attributes=_AXIS, shape_only=(0,)),
    _op("window", 1, rules.infer_window, meanings.window, "patches [.., *size, *positions]", attributes=_WINDOW),
    _op("fold", 2, rules.infer_fold, meanings.fold, "patches, added up as like", attributes=_WINDOW, shape_only=(1,)),
    # random numbers
    _op("uniform", 2, rules.infer_uniform, meanings.uniform,
        "floats in [0, 1) in the shape of like, by key and stream", attributes=_STREAM, shape_only=(0,)),
)
# fmt: on

OPS: Mapping[str, Op] = {op.name: op for op in _TABLE}
"""The kernel's ops by name. Plugins add theirs through the hook `vynapse_ops`."""
