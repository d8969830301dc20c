# SPDX-License-Identifier: MIT OR Apache-2.0
"""The functions of one variable on lanes of float32, written out: a call a lane would cost more than the network.

Polynomials, and for erf a quotient of two, fitted for the least relative error (Lawson's iteration on Chebyshev nodes).
Where float32 saturates the result is exact; NaN passes through all of them. Largest errors,
over all magnitudes, that `test_lanes_functions.py` holds, in units of the last place (ulp), and for tanh and sigmoid as
an absolute error of at most 3e-7 too:

    tanh 5   sigmoid 3   exp 2   log 2   log1p 3   erf 6   sin 3   cos 3
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from vynapse_numba.lanes.circular import cos, sin
from vynapse_numba.lanes.polynomial import polynomial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vynapse_numba.lanes.code import Code, Lane, Scalar

F = "float32"
INT = "int32"

# x p(x²) / q(x²), the least power first; q has 1 as its first
_TANH = (
    (1.0, 0.13448204100131989, 0.003576071700081229, 2.1972327886032872e-05, 1.534939464420404e-08),
    (1.0, 0.4678153097629547, 0.026181265711784363, 0.0003418764390517026, 8.568492262384098e-07),
)
_TANH_END = 7.94**2
_ERF = (
    (1.1283791065216064, 0.1905941218137741, 0.05276934430003166, 0.003772565396502614, 0.0002848438161890954,
     2.0460238374653272e-06),
    (1.0, 0.502242386341095, 0.11418287456035614, 0.014983228407800198, 0.001163861365057528, 3.804775042226538e-05),
)  # fmt: skip
_ERF_END = 3.925
# (exp(r) - 1 - r) / r², |r| up to log(2) / 2
_EXP = (0.4999999403953552, 0.1666652113199234, 0.04166838899254799, 0.008368710055947304, 0.001381461275741458)
# (log(1 + f) - f + f²/2) / f³, 1 + f from sqrt(1/2) to sqrt(2)
_LOG = (0.3333333134651184, -0.2500081956386566, 0.20001226663589478, -0.16623356938362122, 0.14201758801937103,
        -0.13160182535648346, 0.12761574983596802, -0.07634492963552475)  # fmt: skip

_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440054690583e-4
_ROUNDING = 12582912.0
"""3 * 2^22: added to a small number, it leaves the nearest whole number in the low bits."""
_LEAST_NORMAL = 2.0**-126


def tanh(code: Code, x: Lane) -> Lane:
    """Hyperbolic tangent, as x p(x²) / q(x²), x² held below 63; beyond, the quotient passes 1 and is cut."""
    square = _least(code, code.mul(x, x), _TANH_END)
    top = code.mul(x, polynomial(code, square, _TANH[0]))
    return clamped(code, code.mul(top, inverse(code, code.lane(polynomial(code, square, _TANH[1]), F))), 1.0)


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


FUNCTIONS: Mapping[str, Callable[[Code, Lane], Lane]] = {
    "tanh": tanh, "erf": erf, "sigmoid": sigmoid, "exp": exp, "log": log, "log1p": log1p, "sin": sin, "cos": cos,
}  # fmt: skip
"""The functions by the names of their ops."""
BRANCHING = frozenset({"sin", "cos"})
"""Those that take a branch for rare arguments."""


def odd_quotient(code: Code, x: Lane, parts: tuple[Sequence[float], Sequence[float]], end: float) -> Lane:
    """Write x p(x²) / q(x²), x held within ±end."""
    x = clamped(code, x, end)
    square = code.mul(x, x)
    top = code.mul(x, polynomial(code, square, parts[0]))
    return quotient(code, top, code.lane(polynomial(code, square, parts[1]), F))


def quotient(code: Code, a: Scalar, b: Lane) -> Lane:
    """Write a / b to one ulp, for b from 1 to 2^20: a division keeps the processor three times as long."""
    guess, negated = _inverted(code, b)
    near = code.mul(guess, a)
    return code.fma(code.fma(negated, near, a), guess, near)


def inverse(code: Code, b: Lane) -> Lane:
    """Write 1 / b to one ulp, for b from 1 to 2^20."""
    guess, negated = _inverted(code, b)
    return code.fma(guess, code.fma(negated, guess, 1.0), guess)


def _inverted(code: Code, b: Lane) -> tuple[Lane, Lane]:
    """Write 1 / b, wrong by up to 1.3e-4, and -b.

    The first guess, the bits of b from a constant, is 5% wrong; one step cubes the error.
    """
    bits = code.convert("bitcast", b, F, INT)
    guess = code.convert("bitcast", code.sub(0x7EF311C3, bits), INT, F)
    negated = code.binary("fsub", -0.0, b, F)
    wrong = code.fma(negated, guess, 1.0)
    return code.fma(guess, code.fma(wrong, wrong, wrong), guess), negated


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
