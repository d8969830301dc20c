# SPDX-License-Identifier: MIT OR Apache-2.0
"""Polynomials on lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vynapse_numba.lanes.code import Code, Scalar


def polynomial(code: Code, x: Scalar, coefficients: Sequence[float], dtype: str = "float32") -> Scalar:
    """Write the value at x of a polynomial, the least power first, by Horner's rule."""
    value: Scalar = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        value = code.fma(value, x, coefficient, dtype)
    return value
