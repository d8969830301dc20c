# SPDX-License-Identifier: MIT OR Apache-2.0
"""The functions of one variable on lanes of float32, written out: a call a lane would cost more than the network.

Polynomials, and for erf a quotient of two, fitted for the least relative error (Lawson's iteration on Chebyshev nodes).
Where float32 saturates the result is exact; NaN passes through all of them. Largest errors,
over all magnitudes, that `test_lanes_functions.py` holds, in units of the last place (ulp), and for tanh and sigmoid as
an absolute error of at most 2e-7 too:

    tanh 3   sigmoid 3   exp 2   log 2   log1p 3   erf 6   sin 2   cos 2
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vynapse_numba.lanes.code import Code, Lane, Scalar

F = "float32"
INT = "int32"
D = "float64"

# x p(x²) / q(x²), the least power first; q has 1 as its first
_ERF = (
    (1.1283791065216064, 0.1905941218137741, 0.05276934430003166, 0.003772565396502614, 0.0002848438161890954,
     2.0460238374653272e-06),
    (1.0, 0.502242386341095, 0.11418287456035614, 0.014983228407800198, 0.001163861365057528, 3.804775042226538e-05),
)  # fmt: skip
_ERF_END = 3.925
# (exp(r) - 1 - r) / r², |r| up to log(2) / 2
_EXP = (0.4999999403953552, 0.1666652113199234, 0.04166838899254799, 0.008368710055947304, 0.001381461275741458)
# (log(1 + f) - f + f²/2) / f³, 1 + f from sqrt(1/2) to sqrt(2)
_EXP2X = tuple(value * 2.0 ** (power + 2) for power, value in enumerate(_EXP))
_LOG = (0.3333333134651184, -0.2500081956386566, 0.20001226663589478, -0.16623356938362122, 0.14201758801937103,
        -0.13160182535648346, 0.12761574983596802, -0.07634492963552475)  # fmt: skip
# (sin(r) - r) / r³ and (cos(r) - 1 + r²/2) / r⁴ in r², |r| up to pi / 4
_SIN = (-0.16666655242443085, 0.00833216030150652, -0.00019515282474458218)
_COS = (0.04166664555668831, -0.0013887316454201937, 2.44331567955669e-05)

_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440054690583e-4
_ROUNDING = 12582912.0
"""3 * 2^22: added to a small number, it leaves the nearest whole number in the low bits."""
_LEAST_NORMAL = 2.0**-126


def tanh(code: Code, x: Lane) -> Lane:
    """Hyperbolic tangent, as -m / (m + 2) with m = exp(-2|x|) - 1, which keeps the digits of a small x."""
    size = _least(code, code.call("fabs", F, x), 9.1)
    shifted = code.fma(size, -2.0 * math.log2(math.e), _ROUNDING)
    whole = code.sub(shifted, _ROUNDING)
    # one constant for log 2 will do: what it lacks is multiplied by 2^n, n < 0
    r = code.fma(whole, -math.log(2.0) / 2, code.binary("fsub", -0.0, size, F))
    scale = code.convert(
        "bitcast", code.add(code.binary("shl", code.convert("bitcast", shifted, F, INT), 23, INT), 127 << 23), INT, F
    )
    m = code.fma(scale, code.fma(code.mul(r, r), polynomial(code, r, _EXP2X), code.add(r, r)), code.sub(scale, 1.0))
    value = quotient(code, m, code.sub(-2.0, m))
    return code.call("copysign", F, value, x)


def erf(code: Code, x: Lane) -> Lane:
    """The error function; exactly ±1 beyond 3.925."""
    return clamped(code, odd_quotient(code, x, _ERF, _ERF_END), 1.0)


def sigmoid(code: Code, x: Lane) -> Lane:
    """1 / (1 + exp(-x)), from exp(-|x|), so that small results keep their digits."""
    power = _exp_normal(code, code.binary("fsub", -0.0, code.call("fabs", F, x), F))
    positive = code.compare("fcmp oge", x, 0.0, F)
    return quotient(code, code.select(positive, 1.0, power, F), code.add(power, 1.0))


def exp(code: Code, x: Lane) -> Lane:
    """Exponential, down to the least subnormal number and up to inf."""
    x = _least(code, _most(code, x, -104.0), 89.0)
    whole, _, value = _exp_parts(code, x)
    steps = code.convert("fptosi", whole, F, INT)
    # in two factors, since one alone may be no float
    half = code.binary("ashr", steps, 1, INT)
    for part in (half, code.sub(steps, half)):
        bits = code.binary("shl", code.add(part, 127), 23, INT)
        value = code.mul(value, code.convert("bitcast", bits, INT, F))
    # NaN must not depend on what a conversion to integers makes of it
    return code.select(code.compare("fcmp uno", x, x, F), x, value, F)


def log(code: Code, x: Lane) -> Lane:
    """Natural logarithm; -inf at 0, NaN below."""
    small = code.compare("fcmp olt", x, _LEAST_NORMAL, F)
    bits = code.convert("bitcast", code.select(small, code.mul(x, 2.0**23), x, F), F, INT)
    from_root = code.sub(bits, 0x3F3504F3)
    steps = code.sub(code.binary("ashr", from_root, 23, INT), code.select(small, 23, 0, INT))
    exponent = code.convert("sitofp", steps, INT, F)
    mantissa = code.add(code.binary("and", from_root, 0x7FFFFF, INT), 0x3F3504F3)
    f = code.sub(code.convert("bitcast", mantissa, INT, F), 1.0)
    square = code.mul(f, f)
    tail = code.fma(code.mul(square, f), polynomial(code, f, _LOG), code.mul(exponent, _LN2_LOW))
    value = code.add(code.fma(square, -0.5, tail), f)
    value = code.fma(exponent, _LN2_HIGH, value)
    value = code.select(code.compare("fcmp oeq", x, 0.0, F), -math.inf, value, F)
    value = code.select(code.compare("fcmp olt", x, 0.0, F), math.nan, value, F)
    # inf and NaN as they are
    return code.select(code.compare("fcmp olt", x, math.inf, F), value, x, F)


def log1p(code: Code, x: Lane) -> Lane:
    """log(1 + x), with what 1 + x lost in rounding put back."""
    u = code.add(x, 1.0)
    lost = code.sub(x, code.sub(u, 1.0))
    value = code.add(log(code, u), code.binary("fdiv", lost, u, F))
    value = code.select(code.compare("fcmp oeq", u, 0.0, F), -math.inf, value, F)
    # where x is its own logarithm: -0, inf
    same = code.compare("fcmp oeq", code.call("fabs", F, x), math.inf, F)
    return code.select(same, log(code, u), value, F)


def sin(code: Code, x: Lane) -> Lane:
    """Sine of x in radians, of any size; NaN for inf."""
    return _circular(code, x, 0)


def cos(code: Code, x: Lane) -> Lane:
    """Cosine of x in radians, of any size; NaN for inf."""
    return _circular(code, x, 1)


FUNCTIONS: Mapping[str, Callable[[Code, Lane], Lane]] = {
    "tanh": tanh, "erf": erf, "sigmoid": sigmoid, "exp": exp, "log": log, "log1p": log1p, "sin": sin, "cos": cos,
}  # fmt: skip
"""The functions by the names of their ops."""


def polynomial(code: Code, x: Scalar, coefficients: Sequence[float], dtype: str = F) -> Scalar:
    """Write the value at x of a polynomial, the least power first, by Horner's rule."""
    value: Scalar = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        value = code.fma(value, x, coefficient, dtype)
    return value


def odd_quotient(code: Code, x: Lane, parts: tuple[Sequence[float], Sequence[float]], end: float) -> Lane:
    """Write x p(x²) / q(x²), x held within ±end."""
    x = clamped(code, x, end)
    square = code.mul(x, x)
    top = code.mul(x, polynomial(code, square, parts[0]))
    return quotient(code, top, code.lane(polynomial(code, square, parts[1]), F))


def quotient(code: Code, a: Scalar, b: Lane) -> Lane:
    """Write a / b to one ulp, for b from 1 to 2^20: a division keeps the processor three times as long.

    The first guess, the bits of b from a constant, is 5% wrong; one step cubes the error and one squares it.
    """
    bits = code.convert("bitcast", b, F, INT)
    inverse = code.convert("bitcast", code.sub(0x7EF311C3, bits), INT, F)
    negated = code.binary("fsub", -0.0, b, F)
    wrong = code.fma(negated, inverse, 1.0)
    inverse = code.fma(inverse, code.fma(wrong, wrong, wrong), inverse)
    inverse = code.fma(inverse, code.fma(negated, inverse, 1.0), inverse)
    near = code.mul(inverse, a)
    return code.fma(code.fma(negated, near, a), inverse, near)


def clamped(code: Code, x: Lane, end: float) -> Lane:
    """Write x held within ±end, NaN as it is."""
    return _most(code, _least(code, x, end), -end)


def _least(code: Code, x: Lane, bound: float) -> Lane:
    # in this order of operands the processor's own minimum keeps a NaN of x
    return code.select(code.compare("fcmp olt", bound, x, F), bound, x, F)


def _most(code: Code, x: Lane, bound: float) -> Lane:
    return code.select(code.compare("fcmp ogt", bound, x, F), bound, x, F)


def _exp_parts(code: Code, x: Lane) -> tuple[Lane, Lane, Lane]:
    """Return n as a float, n in the low bits of a float, and exp(x - n log 2), for n = x / log 2 rounded."""
    shifted = code.fma(x, math.log2(math.e), _ROUNDING)
    whole = code.sub(shifted, _ROUNDING)
    r = code.fma(whole, -_LN2_LOW, code.fma(whole, -_LN2_HIGH, x))
    value = code.fma(code.mul(r, r), polynomial(code, r, _EXP), r)
    return whole, shifted, code.add(value, 1.0)


def _exp_normal(code: Code, x: Lane) -> Lane:
    """Write exp(x) for x not above 0; 0 below -87, where normal numbers end."""
    _, shifted, value = _exp_parts(code, x)
    steps = code.binary("shl", code.convert("bitcast", shifted, F, INT), 23, INT)
    scale = code.convert("bitcast", code.add(steps, 127 << 23), INT, F)
    return code.select(code.compare("fcmp olt", x, -87.0, F), 0.0, code.mul(value, scale), F)


def _circular(code: Code, x: Lane, quarter: int) -> Lane:
    """Write sin(x + quarter pi / 2).

    The angle is mantissa * 2^e, and 2^e is replaced by what it leaves beyond whole turns, from a table in two doubles
    whose first times a mantissa is exact: the remainder is right for every float32.
    """
    bits = code.convert("bitcast", code.call("fabs", F, x), F, INT)
    exponent = code.binary("lshr", bits, 23, INT)
    mantissa = code.binary("or", code.binary("and", bits, 0x7FFFFF, INT), 0x800000, INT)
    m = code.convert("sitofp", mantissa, INT, D)
    first, rest = turns()
    high = code.binary("fmul", m, code.looked_up("turns", first, exponent), D)
    low = code.binary("fmul", m, code.looked_up("turns_rest", rest, exponent), D)
    quarters = code.call("rint", D, code.mul(code.add(high, low), 2 / math.pi))
    negated = code.binary("fsub", -0.0, quarters, D)
    left = code.fma(negated, _HALF_PI, high)
    r = code.convert("fptrunc", code.add(left, code.fma(negated, _HALF_PI_REST, low)), D, F)
    # so small an angle is its own remainder, and a subnormal one has no mantissa
    size = code.call("fabs", F, x)
    r = code.select(code.compare("fcmp olt", size, 2.0**-20, F), size, r, F)
    # sin is odd
    n = code.call("fptosi.sat", INT, quarters, source=D)
    square = code.mul(r, r)
    sine = code.fma(code.mul(square, r), polynomial(code, square, _SIN), r)
    cosine = code.fma(code.mul(square, square), polynomial(code, square, _COS), code.fma(square, -0.5, 1.0))
    n = code.add(n, quarter)
    is_cosine = code.compare("icmp ne", code.binary("and", n, 1, INT), 0, INT)
    value = code.select(is_cosine, cosine, sine, F)
    sign = code.binary("shl", n, 30, INT)
    if quarter == 0:
        sign = code.binary("xor", sign, code.convert("bitcast", x, F, INT), INT)
    sign = code.binary("and", sign, -(2**31), INT)
    flipped = code.binary("xor", code.convert("bitcast", value, F, INT), sign, INT)
    return code.convert("bitcast", flipped, INT, F)


_HALF_PI = math.pi / 2
_HALF_PI_REST = 6.123233995736766e-17


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
