# SPDX-License-Identifier: MIT OR Apache-2.0
"""Derivatives made of vector-Jacobian products: forward mode, whole Jacobians, second derivatives.

All of them give values of the same builder, so they nest. A vector-Jacobian product is linear in its cotangent, and its
derivative by the cotangent is the Jacobian-vector product: forward mode needs no rules of its own. The cotangent only
stands for itself there: of its value nothing is left in the result.
"""

from __future__ import annotations

from itertools import count
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from vynapse_autodiff.gradient import grad, vjp
from vynapse_core import GraphError, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vynapse_autodiff.gradient import Rules

MAX_PRODUCTS = 4096
"""Most products that one Jacobian is put together from: each is a pass through the graph."""


def jvp(
    outputs: Sequence[Value], wrt: Sequence[Value], tangents: Sequence[Value], rules: Rules | None = None
) -> list[Value]:
    """Return the Jacobian-vector product: for each output, the sum over `wrt` of Jacobian times tangent.

    A tangent has the shape and dtype of its value in `wrt`. Raises GraphError as `vjp` does; the rules of the ops on
    the way must be made of ops that have rules.
    """
    if len(wrt) != len(tangents):
        raise GraphError(f"jvp: {len(wrt)} values and {len(tangents)} tangents; expected one for each")
    cotangents = [_fresh(output) for output in outputs]
    return vjp(vjp(outputs, wrt, cotangents, rules), cotangents, tangents, rules)


def hvp(output: Value, wrt: Sequence[Value], vectors: Sequence[Value], rules: Rules | None = None) -> list[Value]:
    """Return the Hessian of a scalar by all of `wrt`, times `vectors`, each of the shape and dtype of its value.

    The Hessian itself is not built. Raises GraphError as `grad` does, and for a vector that does not fit.
    """
    return vjp(grad(output, wrt, rules), wrt, vectors, rules)


def jacobian(output: Value, wrt: Value, rules: Rules | None = None) -> Value:
    """Return the Jacobian, of the shape of `output` followed by that of `wrt`, in the dtype of `wrt`.

    It is put together from a product for each element of the smaller of the two. Raises GraphError as `vjp` does, and
    where neither has a shape of integers whose product is from 1 to MAX_PRODUCTS.
    """
    rows, columns = _elements(output), _elements(wrt)
    products = min(rows, columns)
    if not 0 < products <= MAX_PRODUCTS:
        raise GraphError(
            f"the Jacobian of {output} by {wrt}: expected 1 to {MAX_PRODUCTS} elements in one of them, "
            "and integers for all its sizes; hvp, vjp and jvp need no such limit"
        )
    whole = (*output.shape, *wrt.shape)
    if rows == products:
        parts = [vjp([output], [wrt], [unit], rules)[0] for unit in _units(output, rows)]
        return _joined([part.reshape((1, *wrt.shape)) for part in parts], 0).reshape(whole)
    cotangent = _fresh(output)
    (through,) = vjp([output], [wrt], [cotangent], rules)
    parts = [vjp([through], [cotangent], [unit], rules)[0] for unit in _units(wrt, columns)]
    last = len(output.shape)
    return _joined([part.reshape((*output.shape, 1)) for part in parts], last).reshape(whole).cast(wrt.dtype)


def hessian(output: Value, wrt: Value, rules: Rules | None = None) -> Value:
    """Return the matrix of second derivatives of a scalar, of the shape of `wrt` twice.

    Raises GraphError as `grad` and `jacobian` do.
    """
    return jacobian(grad(output, [wrt], rules)[0], wrt, rules)


def _fresh(output: Value) -> Value:
    """Return a value of the shape and dtype of `output` on which nothing depends yet; its own value means nothing."""
    builder = output.builder
    before = len(builder.nodes)
    drawn = (builder.apply("expand_like", builder.constant(before + n + 0.5, output.dtype), output) for n in count())
    return next(value for value in drawn if value.place >= before)


def _elements(value: Value) -> float:
    """Return how many elements a value has: infinitely many where a size is a symbol."""
    return prod(dim if isinstance(dim, int) else float("inf") for dim in value.shape)


def _units(value: Value, elements: float) -> list[Value]:
    """Return for each element of `value` what is 1 there and 0 elsewhere."""
    places = np.arange(int(elements)).reshape(value.shape)  # type: ignore[arg-type]
    return [value.builder.constant((places == place).astype(np.float64), value.dtype) for place in range(int(elements))]


def _joined(parts: list[Value], axis: int) -> Value:
    return parts[0] if len(parts) == 1 else parts[0].builder.apply("concat", *parts, axis=axis)
