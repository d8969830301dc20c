# SPDX-License-Identifier: MIT OR Apache-2.0
"""Activations of nodes: the table of their names, what each means in NumPy, and its slope.

A node's activation is a number in its genome, an index into the names its genome draws from. Families that differ by a
factor have a name for each factor in use: `steep_sigmoid` is the one of Stanley & Miikkulainen 2002, and `neat_...`
are those of neat-python, which scales its arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vynapse_core import GraphError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from vynapse_core import Array

    Function = Callable[[Array], Array]

LAMBDA, ALPHA = 1.0507009873554805, 1.6732632423543772
"""Constants of selu (Klambauer et al. 2017)."""
LEAST_LOG = 1e-7
"""Least argument of a logarithm."""


@dataclass(frozen=True)
class Activation:
    """An activation: its value and its slope, element by element."""

    code: int
    """What routines know it by."""
    doc: str
    value: Function
    slope: Function


def _sigmoid(x: Array) -> Array:
    falling = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, falling, 1) / (1 + falling))


def _family(gain: float, limit: float, value: Function, slope: Function) -> tuple[Function, Function]:
    """Return a function of the gained argument, held within a limit beyond which it is flat."""

    def held(x: Array) -> Array:
        return np.asarray(np.clip(x * x.dtype.type(gain), x.dtype.type(-limit), x.dtype.type(limit)))

    def inside(x: Array) -> Array:
        return np.asarray((np.abs(x * x.dtype.type(gain)) <= limit) * x.dtype.type(gain))

    return lambda x: value(held(x)), lambda x: slope(held(x)) * inside(x)


def _sigmoids(gain: float, limit: float = np.inf) -> tuple[Function, Function]:
    return _family(gain, limit, _sigmoid, lambda z: _sigmoid(z) * _sigmoid(-z))


def _tanhs(gain: float, limit: float = np.inf) -> tuple[Function, Function]:
    return _family(gain, limit, np.tanh, lambda z: 1 - np.tanh(z) ** 2)


def _sines(gain: float, limit: float = np.inf) -> tuple[Function, Function]:
    return _family(gain, limit, np.sin, np.cos)


def _gauss(rate: float, limit: float = np.inf) -> tuple[Function, Function]:
    return _family(1.0, limit, lambda z: np.exp(-rate * z * z), lambda z: -2 * rate * z * np.exp(-rate * z * z))


def _softplus(gain: float, limit: float = np.inf) -> tuple[Function, Function]:
    return _family(
        gain,
        limit,
        lambda z: (np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))) * z.dtype.type(1 / gain),
        lambda z: _sigmoid(z) * z.dtype.type(1 / gain),
    )


def _exponential(limit: float) -> tuple[Function, Function]:
    return _family(1.0, limit, np.exp, np.exp)


def _elu(x: Array) -> Array:
    return np.asarray(np.where(x > 0, x, np.expm1(np.minimum(x, 0))))


def _elu_slope(x: Array) -> Array:
    return np.asarray(np.exp(np.minimum(x, 0)))


def _above(x: Array) -> Array:
    return np.asarray(x > 0).astype(x.dtype)


def _inverse(x: Array) -> Array:
    return np.asarray(np.where(x == 0, 0, 1 / np.where(x == 0, 1, x))).astype(x.dtype)


_ROWS: tuple[tuple[str, str, tuple[Function, Function]], ...] = (
    ("identity", "x", (lambda x: x, np.ones_like)),
    ("sigmoid", "1 / (1 + e^(-x))", _sigmoids(1.0)),
    ("steep_sigmoid", "1 / (1 + e^(-4.9 x)), of Stanley & Miikkulainen 2002", _sigmoids(4.9)),
    ("neat_sigmoid", "1 / (1 + e^(-5 x)), 5 x within ±60", _sigmoids(5.0, 60.0)),
    ("tanh", "tanh x", _tanhs(1.0)),
    ("neat_tanh", "tanh 2.5 x, 2.5 x within ±60", _tanhs(2.5, 60.0)),
    ("sin", "sin x", _sines(1.0)),
    ("neat_sin", "sin 5 x, 5 x within ±60", _sines(5.0, 60.0)),
    ("gauss", "e^(-x²)", _gauss(1.0)),
    ("neat_gauss", "e^(-5 x²), x within ±3.4", _gauss(5.0, 3.4)),
    ("softplus", "log(1 + e^x)", _softplus(1.0)),
    ("neat_softplus", "log(1 + e^(5 x)) / 5, 5 x within ±60", _softplus(5.0, 60.0)),
    ("exp", "e^x, x within ±60", _exponential(60.0)),
    (
        "log",
        "log x, x at least 1e-7",
        (lambda x: np.log(np.maximum(x, LEAST_LOG)), lambda x: (x > LEAST_LOG) / np.maximum(x, LEAST_LOG)),
    ),
    ("relu", "max(x, 0)", (lambda x: np.maximum(x, 0), _above)),
    (
        "lelu",
        "x above 0, else 0.005 x",
        (
            lambda x: np.where(x > 0, x, x * x.dtype.type(0.005)),
            lambda x: np.where(x > 0, x.dtype.type(1), x.dtype.type(0.005)),
        ),
    ),
    ("elu", "x above 0, else e^x - 1", (_elu, _elu_slope)),
    (
        "selu",
        "1.0507 x above 0, else 1.7581 (e^x - 1)",
        (
            lambda x: np.where(x > 0, x, _elu(x) * x.dtype.type(ALPHA)) * x.dtype.type(LAMBDA),
            lambda x: np.where(x > 0, x.dtype.type(1), _elu_slope(x) * x.dtype.type(ALPHA)) * x.dtype.type(LAMBDA),
        ),
    ),
    ("clamped", "x within -1 and 1", (lambda x: np.clip(x, -1, 1), lambda x: (np.abs(x) < 1).astype(x.dtype))),
    ("inv", "1 / x, 0 at 0", (_inverse, lambda x: -(_inverse(x) ** 2))),
    ("abs", "|x|", (np.abs, np.sign)),
    (
        "hat",
        "max(1 - |x|, 0)",
        (
            lambda x: np.maximum(1 - np.abs(x), 0),
            lambda x: -np.sign(x) * (np.abs(x) < 1),
        ),
    ),
    ("square", "x²", (lambda x: x * x, lambda x: 2 * x)),
    ("cube", "x³", (lambda x: x * x * x, lambda x: 3 * x * x)),
    ("step", "1 above 0, else 0", (_above, np.zeros_like)),
)

ACTIVATIONS = {name: Activation(code, doc, *functions) for code, (name, doc, functions) in enumerate(_ROWS)}
"""{name: activation}; `activation_rows` has the same, by code, for routines."""

AGGREGATIONS = {name: code for code, name in enumerate(("sum", "product", "min", "max", "mean", "median", "maxabs"))}
"""{name: code} of what makes one number of a node's weighted inputs. Without inputs a product is 1, all others 0."""


def known_names(
    names: Iterable[str], table: Mapping[str, object], what: str, error: type[Exception] = GraphError
) -> None:
    """Raise an error for a name that the table does not have."""
    for name in names:
        if name not in table:
            raise error(f"unknown {what} {name[:60]!r}; {nearest(name[:60], table) or 'known: ' + ', '.join(table)}")


def codes_of_activations(names: Iterable[str]) -> Array:
    """Return what routines know activations by, int64 [k]. Raises GraphError for a name that there is not."""
    names = tuple(names)
    known_names(names, ACTIVATIONS, "activation")
    return np.array([ACTIVATIONS[name].code for name in names], np.int64)


def codes_of_aggregations(names: Iterable[str]) -> Array:
    """Return what routines know aggregations by, int64 [k]. Raises GraphError for a name that there is not."""
    names = tuple(names)
    known_names(names, AGGREGATIONS, "aggregation")
    return np.array([AGGREGATIONS[name] for name in names], np.int64)
