# SPDX-License-Identifier: MIT OR Apache-2.0
"""The values of a graph as NumPy arrays of lanes.

An op that only moves elements is NumPy's own on such an array, so that a transpose or a slice costs no instruction; an
op that computes writes one operation an element. The axis of samples has size 1: the loop around the text walks it.
"""

from __future__ import annotations

from functools import partial, reduce
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import constant_array
from vynapse_numba.lanes.elementwise import ELEMENTWISE, UnsupportedError, element, extreme, first_largest
from vynapse_numba.lanes.functions import BRANCHING, FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vynapse_core import Arguments, Array, Node
    from vynapse_numba.lanes.code import Code, Scalar

# fmt: off
MOVES = frozenset((
    "reshape", "transpose", "expand_like", "slice", "pad", "concat", "gather", "scatter_add", "window", "fold",
))
# fmt: on
"""Ops whose meaning serves as it stands: they move elements, or add them."""

TOGETHER = 4
"""Elements of a value on which a function of many operations is computed side by side."""


def empty(shape: Sequence[int | str]) -> Array:
    """Return an array for the lanes of a value of that shape, for one sample."""
    return np.empty([1 if isinstance(dim, str) else dim for dim in shape], object)


def filled(shape: Sequence[int | str], elements: Sequence[Scalar]) -> Array:
    """Return the elements, in C order, as an array."""
    array = empty(shape)
    for i, value in enumerate(elements):
        array.reshape(-1)[i] = value
    return array


def constant(arguments: Arguments, i: int) -> Array:
    """Return the numbers of a constant, or of what is constant by its shape."""
    return constant_array(arguments.live.nodes[i]).astype(object)


def value(code: Code, arguments: Arguments, i: int, values: Mapping[int, Array]) -> Array:
    """Write node i and return its lanes; `values` holds those of its operands."""
    node, nodes = arguments.live.nodes[i], arguments.live.nodes
    given = [values[o] if o in values else empty(nodes[o].shape) for o in node.operands]
    dtypes = [nodes[o].dtype for o in node.operands]
    if node.op in FUNCTIONS and node.op not in BRANCHING:
        return _interleaved(code, given[0], lambda scalar: element(code, node.op, [scalar], dtypes, node.dtype))
    if node.op in ELEMENTWISE:
        return _mapped(given, lambda *scalars: element(code, node.op, scalars, dtypes, node.dtype))
    if node.op in MOVES:
        return _moved(arguments, node, given)
    if node.op == "matmul":
        return _product(code, given[0], given[1], node.dtype)
    if node.op == "argmax":
        return _first_largest(code, given[0], node.attributes["axis"], node.attributes["keepdims"], dtypes[0])
    axes, shape = _axes(node.op, node.attributes, given)
    if node.op == "max":
        return _folded(given[0], axes, shape, lambda a, b: extreme(code, True, a, b, dtypes[0]))
    return _folded(given[0], axes, shape, lambda a, b: code.add(a, b, dtypes[0]))


def _moved(arguments: Arguments, node: Node, given: list[Array]) -> Array:
    operands = [arguments.live.nodes[o] for o in node.operands]
    if node.op in ("gather", "scatter_add"):
        if operands[1].op != "constant":
            raise UnsupportedError(f"{node.op} by indices not known before")
        given[1] = constant_array(operands[1])
    sizes = {dim: 1 for other in (node, *operands) for dim in other.shape if isinstance(dim, str)}
    return arguments.ops[node.op].bind(node.attributes, sizes)(*given)


def _first_largest(code: Code, x: Array, axis: int, keepdims: bool, dtype: str) -> Array:
    rows = np.moveaxis(x, axis, -1)
    places = [first_largest(code, list(row), dtype) for row in rows.reshape(-1, rows.shape[-1])]
    result = filled(rows.shape[:-1], places)
    return np.expand_dims(result, axis) if keepdims else result


def _axes(op: str, attributes: Mapping[str, Any], given: Sequence[Array]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the axes that a sum or maximum folds, and the shape of the result."""
    x = given[0]
    if op == "sum_like":
        shape = given[1].shape
        wide = (1,) * (x.ndim - len(shape)) + shape
        return tuple(axis for axis, size in enumerate(wide) if size == 1), shape
    axes = attributes["axes"]
    sizes = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
    return axes, tuple(size for axis, size in enumerate(sizes) if attributes["keepdims"] or axis not in axes)


def _folded(x: Array, axes: tuple[int, ...], shape: tuple[int, ...], two: Callable[..., Scalar]) -> Array:
    """Fold the axes of x, in C order, and return the result in `shape`; nothing folds to 0."""
    if not x.size:
        return filled(shape, [0] * prod(shape))
    rest = [axis for axis in range(x.ndim) if axis not in axes]
    rows = x.transpose([*rest, *axes]).reshape(prod(x.shape[axis] for axis in rest), -1)
    return filled(shape, [reduce(two, row) for row in rows])


def _mapped(given: Sequence[Array], function: Callable[..., Scalar]) -> Array:
    wide = np.broadcast_arrays(*given)
    return filled(wide[0].shape, [function(*scalars) for scalars in zip(*[array.flat for array in wide], strict=True)])


def _interleaved(code: Code, x: Array, function: Callable[[Scalar], Scalar]) -> Array:
    scalars, results = list(x.flat), []
    for start in range(0, len(scalars), TOGETHER):
        together = scalars[start : start + TOGETHER]
        results += code.interleaved([partial(function, scalar) for scalar in together])
    return filled(x.shape, results)


def _product(code: Code, a: Array, b: Array, dtype: str) -> Array:
    """Matrix product, each element one chain of multiply-adds in the order of the inner axis."""
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, (*lead, *a.shape[-2:])), np.broadcast_to(b, (*lead, *b.shape[-2:]))
    result = empty((*lead, a.shape[-2], b.shape[-1]))
    for place in np.ndindex(result.shape):
        row, column = a[(*place[:-2], place[-2])], b[(*place[:-2], slice(None), place[-1])]
        total: Scalar = code.mul(row[0], column[0], dtype) if len(row) else 0.0
        for left, right in zip(row[1:], column[1:], strict=True):
            total = code.fma(left, right, total, dtype)
        result[place] = total
    return result
