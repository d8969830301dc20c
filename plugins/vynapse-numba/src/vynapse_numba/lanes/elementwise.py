# SPDX-License-Identifier: MIT OR Apache-2.0
"""The ops on single elements, on lanes of any dtype; what NumPy says of NaN, zeros and integers holds here too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vynapse_numba.lanes.code import ELEMENT, Lane, Scalar
from vynapse_numba.lanes.functions import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vynapse_numba.lanes.code import Code

# fmt: off
ELEMENTWISE = frozenset((
    *FUNCTIONS, "add", "sub", "mul", "div", "pow", "maximum", "minimum", "neg", "abs", "sign", "sqrt", "floor", "less",
    "equal", "where", "cast", "stop_gradient",
))
# fmt: on
MOST_POWER = 16
"""The largest whole exponent that is written as products."""


class UnsupportedError(Exception):
    """The graph holds what lanes do not compute."""


def element(code: Code, op: str, values: Sequence[Scalar], dtypes: Sequence[str], to: str) -> Scalar:
    """Write an op on one element of each operand; `to` is the dtype of the result."""
    dtype = dtypes[-1]
    a = values[0]
    b = values[-1]
    if op in FUNCTIONS:
        if dtype != "float32":
            raise UnsupportedError(f"{op} of {dtype}")
        return FUNCTIONS[op](code, code.lane(a, dtype))
    if op in ("add", "sub", "mul"):
        return {"add": code.add, "sub": code.sub, "mul": code.mul}[op](a, b, dtype)
    if op == "div":
        return code.binary("fdiv", a, b, dtype)
    if op == "pow":
        return _power(code, code.lane(a, dtype), b, dtype)
    if op in ("maximum", "minimum"):
        return extreme(code, op == "maximum", a, b, dtype)
    if op in ("sqrt", "floor"):
        return code.call(op, dtype, a)
    if op in ("less", "equal"):
        return code.compare(_condition("lt" if op == "less" else "eq", dtype), a, b, dtype)
    if op == "where":
        return code.select(a, values[1], b, dtype)
    if op == "cast":
        return _cast(code, a, dtype, to)
    if op == "stop_gradient":
        return a
    return _signed(code, op, code.lane(a, dtype), dtype)


def extreme(code: Code, larger: bool, a: Scalar, b: Scalar, dtype: str) -> Lane:
    """Write the larger or the smaller of two; NaN if either is."""
    if not isinstance(a, Lane):
        a, b = b, a
    beats = code.compare(_condition("gt" if larger else "lt", dtype), a, b, dtype)
    if dtype.startswith("float"):
        absent = code.compare("fcmp uno", a, a, dtype)
        beats = code.binary("or", beats, absent, "bool")
    return code.select(beats, a, b, dtype)


def first_largest(code: Code, values: Sequence[Scalar], dtype: str) -> Scalar:
    """Write the int64 index of the first maximum; a NaN counts as one."""
    best, index = values[0], code.lane(0, "int64")
    for i, value in enumerate(values[1:], 1):
        if dtype.startswith("float"):
            larger = code.compare("fcmp ugt", value, best, dtype)
            larger = code.binary("and", larger, code.compare("fcmp ord", best, best, dtype), "bool")
        else:
            larger = code.compare(_condition("gt", dtype), value, best, dtype)
        best = code.select(larger, value, best, dtype)
        index = code.select(larger, i, index, "int64")
    return index


def _condition(name: str, dtype: str) -> str:
    if dtype.startswith("float"):
        return f"fcmp o{name}"
    if name == "eq":
        return "icmp eq"
    return f"icmp {'u' if dtype in ('uint64', 'bool') else 's'}{name}"


def _signed(code: Code, op: str, x: Lane, dtype: str) -> Scalar:
    floating = dtype.startswith("float")
    if op == "neg":
        return Lane(code, code.value(f"fneg {code.type(dtype)} {x.name}"), dtype) if floating else code.sub(0, x, dtype)
    if op == "abs":
        if floating:
            return code.call("fabs", dtype, x)
        return code.select(code.compare("icmp slt", x, 0, dtype), code.sub(0, x, dtype), x, dtype)
    if op == "sign":
        value = code.select(code.compare(_condition("gt", dtype), x, 0, dtype), 1, x, dtype)
        return code.select(code.compare(_condition("lt", dtype), x, 0, dtype), -1, value, dtype)
    raise UnsupportedError(op)


def _power(code: Code, x: Lane, exponent: Scalar, dtype: str) -> Scalar:
    if isinstance(exponent, Lane) or exponent != int(exponent) or not 1 <= abs(exponent) <= MOST_POWER:
        raise UnsupportedError("pow")
    value, square, left = None, x, abs(int(exponent))
    while left:
        if left % 2:
            value = square if value is None else code.mul(value, square)
        left //= 2
        square = code.mul(square, square) if left else square
    assert value is not None
    return value if exponent > 0 else code.binary("fdiv", 1.0, value, dtype)


def _cast(code: Code, x: Scalar, dtype: str, to: str) -> Scalar:
    if dtype == to:
        return x
    x = code.lane(x, dtype)
    floating, target = dtype.startswith("float"), to.startswith("float")
    unsigned = dtype in ("bool", "uint64")
    if to == "bool":
        return code.compare("fcmp une" if floating else "icmp ne", x, 0, dtype)
    if floating and target:
        return code.convert("fptrunc" if to == "float32" else "fpext", x, dtype, to)
    if floating:
        return code.call("fptoui.sat" if to == "uint64" else "fptosi.sat", to, x, source=dtype)
    if target:
        return code.convert("uitofp" if unsigned else "sitofp", x, dtype, to)
    if ELEMENT[dtype] == ELEMENT[to]:
        return Lane(code, x.name, to)
    if to == "int32":
        return code.convert("zext" if dtype == "bool" else "trunc", x, dtype, to)
    return code.convert("zext" if unsigned else "sext", x, dtype, to)
