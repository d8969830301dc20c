# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tracing: a function of numbers, written with NumPy, is called once with stand-ins that build graph nodes.

So a task's equations stand in one place: called with arrays they step environments, traced they are part of a graph
that a device compiles. All is float32 here; a comparison is a bool, which counts as 0 or 1 in arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from traceback import walk_tb
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from vynapse_core.builder import Builder, Value, where
from vynapse_core.errors import GraphError

Rule = Callable[..., Value]

REAL = "float32"


def traced(function: Callable[..., Any], builder: Builder, *arguments: Any) -> Any:
    """Return what `function` makes of `arguments`: nested tuples of values of `builder` and of numbers.

    The result has the function's own nesting, as tuples, and a value (float32 or bool) for every number in it. Raises
    GraphError, with the function's name and line, where it does what no graph can express.
    """
    try:
        return _values(builder, function(*[_numbers(argument) for argument in arguments]))
    except Exception as error:
        known = isinstance(error, _UntraceableError | GraphError)
        reason = str(error) if known else f"{type(error).__name__}: {error}"
        raise GraphError(f"{_place(function, error)} cannot become a graph: {reason}") from error


class _UntraceableError(Exception):
    """What a function does with a number has no op."""


class _Number(NDArrayOperatorsMixin):
    """Stands for a number while a function is traced: operators and NumPy's functions on it add nodes."""

    def __init__(self, value: Value) -> None:
        self.value = value

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *operands: Any, **options: Any) -> _Number:
        name = f"np.{ufunc.__name__}"
        if "out" in options:
            raise _UntraceableError(f"{name} writes in place; write x = x + y, not x += y, and give no 'out'")
        if method != "__call__" or options:
            raise _UntraceableError(f"{name} is traced without options, got {method} {options or ''}".rstrip())
        if ufunc not in RULES:
            known = ", ".join(sorted({each.__name__ for each in RULES}))
            raise _UntraceableError(f"{name} is not among what is traced: {known}, clip, where")
        return _Number(RULES[ufunc](*[self._operand(name, operand) for operand in operands]))

    def __array_function__(self, function: Any, types: Any, operands: Any, options: Any) -> _Number:
        name = f"np.{function.__name__}"
        if function is np.where and len(operands) == 3:
            return _Number(_chosen(*[self._operand(name, operand) for operand in operands]))
        if function is np.clip and len(operands) == 3 and not options:
            value = self._operand(name, operands[0])
            for op, bound in zip(("maximum", "minimum"), operands[1:], strict=True):
                value = value if bound is None else _real(op)(value, self._operand(name, bound))
            return _Number(value)
        raise _UntraceableError(f"{name} is no function of single numbers that is traced")

    def _operand(self, name: str, operand: Any) -> Value:
        if not isinstance(operand, _Number) and not np.isscalar(operand) and np.shape(operand) != ():
            raise _UntraceableError(f"{name} got an array {np.shape(operand)}; expected numbers")
        value: Value = _values(self.value.builder, operand)
        return value

    def __bool__(self) -> NoReturn:
        raise _UntraceableError("a branch depends on a value; write a product with a comparison, or np.where")

    def __float__(self) -> NoReturn:
        raise _UntraceableError("a value was asked for as a plain number; take NumPy's functions, not math's")

    __int__ = __index__ = __float__

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise _UntraceableError("an array was made of a value; return tuples of numbers")


def _numbers(argument: Any) -> Any:
    if isinstance(argument, tuple):
        return tuple(_numbers(item) for item in argument)
    return _Number(argument) if isinstance(argument, Value) else argument


def _values(builder: Builder, found: Any) -> Any:
    if isinstance(found, tuple | list):
        return tuple(_values(builder, item) for item in found)
    if isinstance(found, _Number):
        return found.value
    if isinstance(found, bool | np.bool_):
        return builder.constant(bool(found))
    if isinstance(found, int | float | np.number | np.ndarray) and np.shape(found) == ():
        return builder.constant(float(found), REAL)
    raise _UntraceableError(f"expected a number, got {type(found).__name__}")


def _place(function: Callable[..., Any], error: Exception) -> str:
    """Return the function's name, and the last line of its file that the error came through."""
    code = getattr(function, "__code__", None)
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', repr(function))}".lstrip(".")
    lines = [
        line for frame, line in walk_tb(error.__traceback__) if code and frame.f_code.co_filename == code.co_filename
    ]
    return f"{name}, line {lines[-1]}," if lines else name


def _real(op: str) -> Rule:
    return lambda *operands: operands[0].builder.apply(op, *[operand.cast(REAL) for operand in operands])


def _both(op: str, of_bools: Callable[[Value, Value], Value]) -> Rule:
    """Return the rule of an op that NumPy gives another meaning where both operands are bool."""
    plain = _real(op)
    return lambda a, b: of_bools(a, b) if a.dtype == b.dtype == "bool" else plain(a, b)


def _bits(rule: Rule) -> Rule:
    def of_bools(*operands: Value) -> Value:
        if any(operand.dtype != "bool" for operand in operands):
            raise _UntraceableError("&, |, ^ and ~ are traced on comparisons only")
        return rule(*operands)

    return of_bools


def _and(a: Value, b: Value) -> Value:
    return where(a.cast("bool"), b.cast("bool"), False)


def _or(a: Value, b: Value) -> Value:
    return where(a.cast("bool"), True, b.cast("bool"))


def _not(a: Value) -> Value:
    return a.cast("bool").equal(False)


def _xor(a: Value, b: Value) -> Value:
    return _not(a.cast("bool").equal(b.cast("bool")))


def _less_equal(a: Value, b: Value) -> Value:
    # not "not b < a", which would hold for NaN
    return _or(_LESS(a, b), _EQUAL(a, b))


def _chosen(condition: Value, a: Value, b: Value) -> Value:
    kind = "bool" if a.dtype == b.dtype == "bool" else REAL
    return where(condition.cast("bool"), a.cast(kind), b.cast(kind))


def _power(a: Value, b: Value) -> Value:
    exponent = b.builder.nodes[b.place].attributes.get("value")
    a, b = a.cast(REAL), b.cast(REAL)
    if exponent == 0.5:
        return a.builder.apply("sqrt", a)
    return a * a if exponent == 2 else a**b


def _floor(a: Value) -> Value:
    return _real("floor")(a)


def _divided(a: Value, b: Value) -> Value:
    return _real("div")(a, b)


def _remainder(a: Value, b: Value) -> Value:
    return a.cast(REAL) - _floor(_divided(a, b)) * b.cast(REAL)


def _finite(a: Value) -> Value:
    return _LESS(_real("abs")(a), a.builder.constant(math.inf))


def _times(factor: float) -> Rule:
    return lambda a: a.cast(REAL) * factor


_LESS, _EQUAL = _real("less"), _real("equal")

RULES: Mapping[np.ufunc, Rule] = {
    np.add: _both("add", _or),
    np.subtract: _real("sub"),
    np.multiply: _both("mul", _and),
    np.divide: _divided,
    np.floor_divide: lambda a, b: _floor(_divided(a, b)),
    np.remainder: _remainder,
    np.power: _power,
    np.square: lambda a: a.cast(REAL) * a.cast(REAL),
    np.reciprocal: lambda a: 1.0 / a.cast(REAL),
    np.maximum: _both("maximum", _or),
    np.minimum: _both("minimum", _and),
    np.positive: lambda a: a,
    np.negative: _real("neg"),
    np.absolute: _real("abs"),
    np.fabs: _real("abs"),
    np.sign: _real("sign"),
    np.floor: _floor,
    np.ceil: lambda a: -_floor(-a.cast(REAL)),
    np.sqrt: _real("sqrt"),
    np.exp: _real("exp"),
    np.log: _real("log"),
    np.log1p: _real("log1p"),
    np.tanh: _real("tanh"),
    np.sin: _real("sin"),
    np.cos: _real("cos"),
    np.tan: lambda a: _divided(_real("sin")(a), _real("cos")(a)),
    np.radians: _times(math.pi / 180),
    np.deg2rad: _times(math.pi / 180),
    np.degrees: _times(180 / math.pi),
    np.rad2deg: _times(180 / math.pi),
    np.less: _LESS,
    np.less_equal: _less_equal,
    np.greater: lambda a, b: _LESS(b, a),
    np.greater_equal: lambda a, b: _less_equal(b, a),
    np.equal: _EQUAL,
    np.not_equal: lambda a, b: _not(_EQUAL(a, b)),
    np.logical_and: _and,
    np.logical_or: _or,
    np.logical_xor: _xor,
    np.logical_not: _not,
    np.bitwise_and: _bits(_and),
    np.bitwise_or: _bits(_or),
    np.bitwise_xor: _bits(_xor),
    np.invert: _bits(_not),
    np.isnan: lambda a: _not(_EQUAL(a, a)),
    np.isfinite: _finite,
}
"""What each of NumPy's element-wise functions is in ops."""
