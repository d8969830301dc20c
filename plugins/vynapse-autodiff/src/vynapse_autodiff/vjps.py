# SPDX-License-Identifier: MIT OR Apache-2.0
"""The vector-Jacobian product of each kernel op, as one table written in graph ops.

Being graphs, they run on every device and can be differentiated again. A rule takes the operands `v`, the result
`y`, the cotangent `g` of `y`, which has its shape and dtype, and the attributes `at`; it gives a cotangent for each
operand, of that operand's shape and dtype, or None where no gradient passes. What nothing needs of it is dropped
when the graph is made. Why these rules: docs/decisions/0003-ops.md.
"""

from __future__ import annotations

from itertools import accumulate
from math import pi, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import Value, where

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vynapse_core import Gradient

    Values = Sequence[Value]
    Cotangents = Sequence[Value | None]
    Attributes = Mapping[str, Any]

FLOAT = ("float32", "float64")
"""The dtypes that have gradients."""


def op(name: str, x: Value, *rest: Value | float, **attributes: Any) -> Value:
    """Return the op `name` of `x` and the rest."""
    return x.builder.apply(name, x, *rest, **attributes)


def like(g: Value, x: Value) -> Value:
    """Return `g` summed down to the shape of `x`, which was broadcast to that of `g`."""
    return g if g.shape == x.shape else op("sum_like", g, x)


def expanded(g: Value, x: Value) -> Value:
    """Return `g` broadcast to the shape of `x`."""
    return g if g.shape == x.shape else op("expand_like", g, x)


def shaped(g: Value, shape: Sequence[int | str]) -> Value:
    """Return `g` in another shape of as many elements."""
    return g if g.shape == tuple(shape) else g.reshape(shape)


def _none(v: Values, y: Value, g: Value, at: Attributes) -> Cotangents:
    return [None] * len(v)


def _power(v: Values, y: Value, g: Value, at: Attributes) -> Cotangents:
    a, b = v
    exponent = b.builder.nodes[b.place].attributes.get("value")
    if isinstance(exponent, float) and exponent != 0.0:
        slope = a if exponent == 2.0 else a ** (exponent - 1.0)
    else:
        # 0 to the power -1 may not make NaN where the exponent 0 makes the derivative 0
        slope = a ** (where(b.equal(0.0), 1.0, b) - 1.0)
    return [like(g * b * slope, a), like(g * y * op("log", where(a.equal(0.0), 1.0, a)), b)]


def _extreme(v: Values, g: Value, first: Value, second: Value) -> Cotangents:
    """Give `g` to the operand chosen, `first` and `second` saying where that is strictly so; equal operands share it.

    An operand equal to a constant gets nothing: so relu has the slope 0 at 0, as is usual.
    """
    equal = 0.0 if any(x.builder.nodes[x.place].op == "constant" for x in v) else where(v[0].equal(v[1]), g * 0.5, 0.0)
    return [like(where(chosen, g, equal), x) for chosen, x in zip((first, second), v, strict=True)]


def _largest(v: Values, y: Value, g: Value, at: Attributes) -> Cotangents:
    x, axes = v[0], at["axes"]
    chosen = x.equal(_facing(y, x, axes))
    share = _facing(g, x, axes) / _facing(chosen.cast(g.dtype).sum(axes), x, axes)
    return [where(chosen, share, 0.0)]


def _facing(reduced: Value, x: Value, axes: Sequence[int]) -> Value:
    """Return a reduction of `x` over `axes` in a shape that broadcasts to `x`; leading axes broadcast as they are."""
    if sorted(axes) == list(range(len(axes))):
        return reduced
    return shaped(reduced, [1 if axis in axes else size for axis, size in enumerate(x.shape)])


def _sliced(v: Values, y: Value, g: Value, at: Attributes) -> Cotangents:
    after = _size(v[0], at["axis"]) - at["start"] - _size(y, at["axis"])
    return [op("pad", g, axis=at["axis"], before=at["start"], after=after)]


def _padded(v: Values, y: Value, g: Value, at: Attributes) -> Cotangents:
    stop = at["before"] + _size(v[0], at["axis"])
    return [op("slice", g, axis=at["axis"], start=at["before"], stop=stop)]


def _joined(v: Values, y: Value, g: Value, at: Attributes) -> Cotangents:
    sizes = [_size(x, at["axis"]) for x in v]
    ends = accumulate(sizes)
    return [op("slice", g, axis=at["axis"], start=n - size, stop=n) for n, size in zip(ends, sizes, strict=True)]


def _size(x: Value, axis: int) -> int:
    """Return the size of an axis that the op's shape rule wants to be an integer."""
    return int(x.shape[axis])


def _turned(x: Value) -> Value:
    """Return `x` with its last two axes swapped; where `x` is such a swap, what was swapped."""
    *lead, n, m = range(len(x.shape))
    node = x.builder.nodes[x.place]
    swap = (*lead, m, n)
    back = node.op == "transpose" and node.attributes["axes"] == swap
    return Value(x.builder, node.operands[0]) if back else x.transpose(swap)


def _transposed(v: Values, y: Value, g: Value, at: Attributes) -> Cotangents:
    node, last = g.builder.nodes[g.place], len(g.shape) - 1
    if node.op == "matmul" and at["axes"] == (*range(last - 1), last, last - 1):
        # the product of the weights' gradient in the other order, in place of a transposed copy of it
        a, b = (Value(g.builder, operand) for operand in node.operands)
        return [_turned(b) @ _turned(a)]
    return [g.transpose([int(axis) for axis in np.argsort(at["axes"])])]


# fmt: off
VJPS: Mapping[str, Gradient] = {
    # element by element: what was broadcast is summed
    "add":           lambda v, y, g, at: [like(g, v[0]), like(g, v[1])],
    "sub":           lambda v, y, g, at: [like(g, v[0]), like(-g, v[1])],
    "mul":           lambda v, y, g, at: [like(g * v[1], v[0]), like(g * v[0], v[1])],
    "div":           lambda v, y, g, at: [like(g / v[1], v[0]), like(-(g / v[1] * y), v[1])],
    "pow":           _power,
    "maximum":       lambda v, y, g, at: _extreme(v, g, v[1].less(v[0]), v[0].less(v[1])),
    "minimum":       lambda v, y, g, at: _extreme(v, g, v[0].less(v[1]), v[1].less(v[0])),
    "neg":           lambda v, y, g, at: [-g],
    "abs":           lambda v, y, g, at: [g * op("sign", v[0])],
    "sign":          _none,
    "exp":           lambda v, y, g, at: [g * y],
    "log":           lambda v, y, g, at: [g / v[0]],
    "log1p":         lambda v, y, g, at: [g / (1.0 + v[0])],
    "sqrt":          lambda v, y, g, at: [g * 0.5 / y],
    "tanh":          lambda v, y, g, at: [g * (1.0 - y * y)],
    "sigmoid":       lambda v, y, g, at: [g * (y * (1.0 - y))],
    "erf":           lambda v, y, g, at: [g * (2.0 / sqrt(pi) * op("exp", -(v[0] * v[0])))],
    "sin":           lambda v, y, g, at: [g * op("cos", v[0])],
    "cos":           lambda v, y, g, at: [-(g * op("sin", v[0]))],
    "floor":         _none,
    "less":          _none,
    "equal":         _none,
    "where":         lambda v, y, g, at: [None, like(where(v[0], g, 0.0), v[1]), like(where(v[0], 0.0, g), v[2])],
    "cast":          lambda v, y, g, at: [g.cast(v[0].dtype) if {v[0].dtype, y.dtype} <= {*FLOAT} else None],
    "stop_gradient": _none,
    # reductions
    "sum":           lambda v, y, g, at: [expanded(_facing(g, v[0], at["axes"]), v[0])],
    "max":           _largest,
    "argmax":        _none,
    "size":          _none,
    # shape
    "reshape":       lambda v, y, g, at: [g.reshape(v[0].shape)],
    "transpose":     _transposed,
    "expand_like":   lambda v, y, g, at: [like(g, v[0]), None],
    "sum_like":      lambda v, y, g, at: [expanded(g, v[0]), None],
    "slice":         _sliced,
    "pad":           _padded,
    "concat":        _joined,
    # products, indices, patches
    "matmul":        lambda v, y, g, at: [like(g @ _turned(v[1]), v[0]), like(_turned(v[0]) @ g, v[1])],
    "gather":        lambda v, y, g, at: [op("scatter_add", v[0], v[1], g, axis=at["axis"]), None],
    "scatter_add":   lambda v, y, g, at: [None, None, op("gather", g, v[1], axis=at["axis"])],
    "window":        lambda v, y, g, at: [op("fold", g, v[0], **at)],
    "fold":          lambda v, y, g, at: [op("window", g, **at), None],
    # random numbers
    "uniform":       _none,
}
"""{op: gradient}, for the hook `vynapse_gradients`."""
