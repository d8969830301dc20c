# SPDX-License-Identifier: MIT OR Apache-2.0
"""Ops on single elements that no chain computes, such as functions of float64, by NumPy into arrays that exist."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from vynapse_core import Array

Write = Callable[..., Any]
"""write(out, *operands): everything broadcasts to `out`."""


def _ufunc(function: Any) -> Write:
    return lambda out, *operands: function(*operands, out=out)


def _sigmoid(out: Array, x: Array) -> None:
    # where exp overflows, 1 / inf is 0, as it should be
    np.negative(x, out=out)
    np.exp(out, out=out)
    np.add(out, 1, out=out)
    np.divide(1, out, out=out)


def _where(out: Array, condition: Array, a: Array, b: Array) -> None:
    np.copyto(out, b)
    np.copyto(out, a, where=condition)


def cast(out: Array, x: Array) -> None:
    """Write x in the dtype of `out`, truncated towards 0."""
    np.copyto(out, x, casting="unsafe")


def _erf(out: Array, x: Array) -> None:
    # element by element, by the standard library: what chains do not compute is float64
    np.copyto(out, _exact_erf(x), casting="unsafe")


_exact_erf = np.frompyfunc(math.erf, 1, 1)

WRITERS: dict[str, Write] = {
    "add": _ufunc(np.add),
    "sub": _ufunc(np.subtract),
    "mul": _ufunc(np.multiply),
    "div": _ufunc(np.divide),
    "pow": _ufunc(np.power),
    "maximum": _ufunc(np.maximum),
    "minimum": _ufunc(np.minimum),
    "neg": _ufunc(np.negative),
    "abs": _ufunc(np.absolute),
    "sign": _ufunc(np.sign),
    "exp": _ufunc(np.exp),
    "log": _ufunc(np.log),
    "log1p": _ufunc(np.log1p),
    "sqrt": _ufunc(np.sqrt),
    "tanh": _ufunc(np.tanh),
    "sigmoid": _sigmoid,
    "erf": _erf,
    "sin": _ufunc(np.sin),
    "cos": _ufunc(np.cos),
    "floor": _ufunc(np.floor),
    "less": _ufunc(np.less),
    "equal": _ufunc(np.equal),
    "where": _where,
    "cast": cast,
}
"""What writes each op's result."""

IN_PLACE = frozenset(WRITERS) - {"where", "cast", "less", "equal"}
"""Ops whose result may take the place of an operand of its shape and dtype."""
