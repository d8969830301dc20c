# SPDX-License-Identifier: MIT OR Apache-2.0
"""Elementary functions of float32 numbers, for routines.

They are made of additions, products and bits alone, so that a compiler makes vector instructions of a loop over them
and Python gets the same bits. Polynomials: Moshier's Cephes library (single precision); errors are below 2 units in the
last place where nothing else is said.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vynapse_core import routine_part

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)

LEAST, MOST = np.float32(-87.0), np.float32(88.0)
LOG2_E = np.float32(1.44269504088896341)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
ROUND = np.float32(12582912.0)
"""1.5 · 2^23: adding and subtracting it rounds a float32."""
E0, E1, E2 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
E3, E4, E5 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(5.0000001201e-1)

T0, T1, T2 = np.float32(-5.70498872745e-3), np.float32(2.06390887954e-2), np.float32(-5.37397155531e-2)
T3, T4 = np.float32(1.33314422036e-1), np.float32(-3.33332819422e-1)
BENT = np.float32(0.625)

L0, L1, L2 = np.float32(7.0376836292e-2), np.float32(-1.1514610310e-1), np.float32(1.1676998740e-1)
L3, L4, L5 = np.float32(-1.2420140846e-1), np.float32(1.4249322787e-1), np.float32(-1.6668057665e-1)
L6, L7, L8 = np.float32(2.0000714765e-1), np.float32(-2.4999993993e-1), np.float32(3.3333331174e-1)
SQRT_HALF = np.float32(0.707106781186547524)

PER_PI = np.float64(0.31830988618379067)
PI_HIGH, PI_LOW = np.float64(3.141592653589793), np.float64(1.2246467991473532e-16)
ROUND_DOUBLE = np.float64(6755399441055744.0)
"""1.5 · 2^52."""
S3, S5, S7 = np.float64(-1 / 6), np.float64(1 / 120), np.float64(-1 / 5040)
S9, S11, S13 = np.float64(1 / 362880), np.float64(-1 / 39916800), np.float64(1 / 6227020800)


@routine_part
def exp(x: Any) -> Any:
    """Return e^x for x held within -87 and 88, where float32 has normal numbers."""
    x = LEAST if x < LEAST else x
    x = MOST if x > MOST else x
    k = (x * LOG2_E + ROUND) - ROUND
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    # in pairs, as a chain of dependent products would be waited for
    z = r * r
    p = (((E0 * r + E1) * z + (E2 * r + E3)) * z + (E4 * r + E5)) * z + (r + ONE)
    return p * np.int32((np.int32(k) + 127) << 23).view(np.float32)


@routine_part
def log(x: Any) -> Any:
    """Return the natural logarithm of a positive normal number."""
    bits = np.int64(np.float32(x).view(np.int32))
    m = np.int32((bits & 0x007FFFFF) | 0x3F000000).view(np.float32)
    small = m < SQRT_HALF
    e = np.float32((bits >> 23) - (127 if small else 126))
    m = (m + m if small else m) - ONE
    z = m * m
    y = ((((((((L0 * m + L1) * m + L2) * m + L3) * m + L4) * m + L5) * m + L6) * m + L7) * m + L8) * m * z
    return (m + ((y + LN2_LOW * e) - HALF * z)) + LN2_HIGH * e


@routine_part
def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent."""
    magnitude = -x if x < ZERO else x
    far = ONE - TWO / (exp(magnitude + magnitude) + ONE)
    z = x * x
    near = ((((T0 * z + T1) * z + T2) * z + T3) * z + T4) * z * x + x
    return near if magnitude < BENT else (-far if x < ZERO else far)


@routine_part
def sin(x: Any) -> Any:
    """Return the sine of x in radians; the error stays below 1e-7 up to a magnitude of 1e8."""
    wide = np.float64(x)
    k = (wide * PER_PI + ROUND_DOUBLE) - ROUND_DOUBLE
    r = (wide - k * PI_HIGH) - k * PI_LOW
    half = k * np.float64(0.5)
    odd = half - ((half + ROUND_DOUBLE) - ROUND_DOUBLE)
    z = r * r
    p = ((((((S13 * z + S11) * z + S9) * z + S7) * z + S5) * z + S3) * z) * r + r
    return np.float32(p * (np.float64(1.0) - np.float64(8.0) * odd * odd))


@routine_part
def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + e^-x)."""
    return ONE / (ONE + exp(-x))


@routine_part
def held(x: Any, limit: Any) -> Any:
    """Return x held within -limit and limit."""
    x = -limit if x < -limit else x
    return limit if x > limit else x
