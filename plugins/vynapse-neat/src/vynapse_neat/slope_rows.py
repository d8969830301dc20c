# SPDX-License-Identifier: MIT OR Apache-2.0
"""Slopes of activations for routines: each a loop over one row of samples."""

from __future__ import annotations

from typing import Any

from vynapse_core import routine_part
from vynapse_neat.activation_rows import (
    ENDLESS,
    FAR,
    FIVE,
    LAMBDA,
    LAMBDA_ALPHA,
    LEAST,
    SLOPE,
    STEEP,
    TWO_AND_HALF,
)
from vynapse_neat.scalars import HALF, ONE, TWO, ZERO, exp, held, sigmoid, sin, tanh

THREE = ONE + TWO


@routine_part
def cosine(x: Any) -> Any:
    """Return the cosine of x in radians, as 1 - 2 sin²(x / 2)."""
    half = sin(x * HALF)
    return ONE - TWO * half * half


@routine_part
def slope(code: Any, row: Any, out: Any, width: Any) -> None:
    """Write to `out` the slopes at the first `width` arguments of `row`; `code` is that of `ACTIVATIONS`."""
    if code == 0:
        for i in range(width):
            out[i] = ONE
    elif code <= 3:
        gain = STEEP if code == 2 else (FIVE if code == 3 else ONE)
        for i in range(width):
            y = sigmoid(row[i] * gain)
            out[i] = y * (ONE - y) * gain
    elif code <= 5:
        gain = TWO_AND_HALF if code == 5 else ONE
        for i in range(width):
            y = tanh(row[i] * gain)
            out[i] = (ONE - y * y) * gain
    elif code <= 7:
        gain, limit = (FIVE, FAR) if code == 7 else (ONE, ENDLESS)
        for i in range(width):
            x = row[i] * gain
            out[i] = ZERO if abs(x) > limit else cosine(x) * gain
    elif code <= 9:
        rate = FIVE if code == 9 else ONE
        for i in range(width):
            out[i] = -TWO * rate * row[i] * exp(-rate * row[i] * row[i])
    elif code <= 11:
        gain, limit = (FIVE, FAR) if code == 11 else (ONE, ENDLESS)
        for i in range(width):
            x = row[i] * gain
            out[i] = ZERO if abs(x) > limit else sigmoid(x)
    else:
        slope_of_pieces(code, row, out, width)


@routine_part
def slope_of_pieces(code: Any, row: Any, out: Any, width: Any) -> None:
    """Do what `slope` does, for exponentials, logarithms and what is made of pieces."""
    for i in range(width):
        x = row[i]
        sign = ONE if x > ZERO else (-ONE if x < ZERO else ZERO)
        if code == 12:
            y = ZERO if abs(x) > FAR else exp(held(x, FAR))
        elif code == 13:
            y = ONE / x if x > LEAST else ZERO
        elif code == 14:
            y = ONE if x > ZERO else ZERO
        elif code == 15:
            y = ONE if x > ZERO else SLOPE
        elif code == 16:
            y = ONE if x > ZERO else exp(x)
        elif code == 17:
            y = LAMBDA if x > ZERO else LAMBDA_ALPHA * exp(x)
        elif code == 18:
            y = ONE if abs(x) < ONE else ZERO
        elif code == 19:
            y = ZERO if x == ZERO else -ONE / (x * x)
        elif code == 20:
            y = sign
        elif code == 21:
            y = -sign if abs(x) < ONE else ZERO
        elif code == 22:
            y = TWO * x
        elif code == 23:
            y = THREE * x * x
        else:
            y = ZERO
        out[i] = y
