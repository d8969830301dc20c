# SPDX-License-Identifier: MIT OR Apache-2.0
"""Sine and cosine on lanes of float32, right for angles of any size.

An angle is r + n pi / 2 with r within pi / 4 of zero. Usual angles are reduced in float32; what is larger takes double
precision and a table, in a branch that is skipped where no lane needs it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vynapse_numba.lanes.polynomial import polynomial

if TYPE_CHECKING:
    from vynapse_numba.lanes.code import Code, Lane

F = "float32"
INT = "int32"
D = "float64"

# (sin(r) - r) / r³ and (cos(r) - 1 + r²/2) / r⁴ in r², |r| up to pi / 4
_SIN = (-0.16666655242443085, 0.00833216030150652, -0.00019515282474458218)
_COS = (0.04166664555668831, -0.0013887316454201937, 2.44331567955669e-05)

_ROUNDING = 12582912.0
"""3 * 2^22: added to a small number, it leaves the nearest whole number in the low bits."""
_ROUNDING_DOUBLE = 1.5 * 2.0**52
"""The same for doubles."""
_USUAL = 64.0
"""Up to here n, below 2^6, times one of the first two parts of pi / 2 is exact."""
_PARTS = (float.fromhex("0x1.921fp+0"), float.fromhex("0x1.6a88p-17"), float.fromhex("0x1.0b4612p-34"))
"""pi / 2 in three floats, of which the first two have 17 bits."""
_HALF_PI = math.pi / 2
_HALF_PI_REST = 6.123233995736766e-17


def sin(code: Code, x: Lane) -> Lane:
    """Sine of x in radians, of any size; NaN for inf."""
    r, n = _reduced(code, x)
    return _quarter(code, r, n)


def cos(code: Code, x: Lane) -> Lane:
    """Cosine of x in radians, of any size; NaN for inf."""
    r, n = _reduced(code, x)
    return _quarter(code, r, code.add(n, 1))


def _quarter(code: Code, r: Lane, n: Lane) -> Lane:
    """Write sin(r + n pi / 2)."""
    square = code.mul(r, r)
    sine = code.fma(code.mul(square, r), polynomial(code, square, _SIN), r)
    cosine = code.fma(code.mul(square, square), polynomial(code, square, _COS), code.fma(square, -0.5, 1.0))
    is_cosine = code.compare("icmp ne", code.binary("and", n, 1, INT), 0, INT)
    value = code.select(is_cosine, cosine, sine, F)
    sign = code.binary("and", code.binary("shl", n, 30, INT), -(2**31), INT)
    flipped = code.binary("xor", code.convert("bitcast", value, F, INT), sign, INT)
    return code.convert("bitcast", flipped, INT, F)


def _reduced(code: Code, x: Lane) -> tuple[Lane, Lane]:
    """Write r float32 and n int32 of x = r + n pi / 2; of n only the two lowest bits count."""
    shifted = code.fma(x, 2 / math.pi, _ROUNDING)
    negated = code.sub(_ROUNDING, shifted)
    r = x
    for part in _PARTS:
        r = code.fma(negated, part, r)
    n = code.convert("bitcast", shifted, F, INT)
    # "not at most" holds for NaN too
    large = code.compare("fcmp ugt", code.call("fabs", F, x), _USUAL, F)
    r, n = code.remembered(
        f"reduced {x.name}", lambda: code.rarely(large, [r, n], lambda: code.called("reduced", [x], _large))
    )
    return r, n


def _large(code: Code, x: Lane) -> list[Lane]:
    """Write r and n for x of any size.

    The angle is mantissa * 2^e, and 2^e is replaced by what it leaves beyond whole turns, from a table in two doubles
    whose first times a mantissa is exact: the remainder is right for every float32.
    """
    size = code.call("fabs", F, x)
    bits = code.convert("bitcast", size, F, INT)
    exponent = code.binary("lshr", bits, 23, INT)
    mantissa = code.binary("or", code.binary("and", bits, 0x7FFFFF, INT), 0x800000, INT)
    m = code.convert("sitofp", mantissa, INT, D)
    first, rest = turns()
    high = code.binary("fmul", m, code.looked_up("turns", first, exponent), D)
    low = code.binary("fmul", m, code.looked_up("turns_rest", rest, exponent), D)
    shifted = code.fma(code.add(high, low), 2 / math.pi, _ROUNDING_DOUBLE)
    negated = code.sub(_ROUNDING_DOUBLE, shifted)
    left = code.fma(negated, _HALF_PI, high)
    r = code.convert("fptrunc", code.add(left, code.fma(negated, _HALF_PI_REST, low)), D, F)
    n = code.convert("trunc", code.convert("bitcast", shifted, D, "int64"), "int64", INT)
    # a negative angle has the opposite remainder and number of quarters
    below = code.compare("fcmp olt", x, 0.0, F)
    opposite = code.binary("fsub", -0.0, r, F)
    return [code.select(below, opposite, r, F), code.select(below, code.sub(0, n), n, INT)]


def turns() -> tuple[list[float], list[float]]:
    """Return, for each exponent field of float32, 2^(field - 150) less whole turns, as 28 bits and the rest."""
    bits = 400
    turn = 2 * _pi(bits)
    first, rest = [], []
    for field in range(255):
        value = 1 << (bits + field - 150)
        value = (value + turn // 2) % turn - turn // 2
        head = _rounded(value, 28)
        first.append(math.ldexp(float(head), -bits) if head else 0.0)
        rest.append(_double(value - head, bits))
    return [*first, math.nan], [*rest, math.nan]


def _rounded(value: int, bits: int) -> int:
    drop = max(abs(value).bit_length() - bits, 0)
    return (value >> drop) << drop


def _double(value: int, scale: int) -> float:
    # a quotient of integers is rounded once, however long they are
    return value / (1 << scale)


def _pi(bits: int) -> int:
    """Return pi * 2^bits, by Machin's formula."""
    guard = bits + 16

    def arctan_inverse(n: int) -> int:
        total, term, k = 0, (1 << guard) // n, 1
        while term:
            total += term // k if k % 4 == 1 else -(term // k)
            term //= n * n
            k += 2
        return total

    return (16 * arctan_inverse(5) - 4 * arctan_inverse(239)) >> 16
