# SPDX-License-Identifier: MIT OR Apache-2.0
"""Activations for routines: each a loop over one row of samples, which a compiler turns into vector instructions."""

from __future__ import annotations

from typing import Any

import numpy as np

from vynapse_core import routine_part
from vynapse_neat.scalars import ONE, ZERO, exp, held, log, sigmoid, sin, tanh

STEEP, FIVE, TWO_AND_HALF = np.float32(4.9), np.float32(5.0), np.float32(2.5)
ENDLESS, FAR = np.float32(np.inf), np.float32(60.0)
FIFTH, SLOPE, LEAST = np.float32(0.2), np.float32(0.005), np.float32(1e-7)
LAMBDA, LAMBDA_ALPHA = np.float32(1.0507009873554805), np.float32(1.7580993408473766)


@routine_part
def softplus(x: Any) -> Any:
    """Return log(1 + e^x)."""
    magnitude = -x if x < ZERO else x
    return (x if x > ZERO else ZERO) + log(ONE + exp(-magnitude))


@routine_part
def activate(code: Any, row: Any, width: Any) -> None:
    """Replace the first `width` numbers of `row` by their activation; `code` is that of `ACTIVATIONS`."""
    if code == 0:
        return
    if code <= 3:
        # limits that lie where float32 sees a plateau need no holding
        gain = STEEP if code == 2 else (FIVE if code == 3 else ONE)
        for i in range(width):
            row[i] = sigmoid(row[i] * gain)
    elif code <= 5:
        gain = TWO_AND_HALF if code == 5 else ONE
        for i in range(width):
            row[i] = tanh(row[i] * gain)
    elif code <= 7:
        gain, limit = (FIVE, FAR) if code == 7 else (ONE, ENDLESS)
        for i in range(width):
            row[i] = sin(held(row[i] * gain, limit))
    elif code <= 9:
        rate = FIVE if code == 9 else ONE
        for i in range(width):
            row[i] = exp(-rate * row[i] * row[i])
    elif code <= 11:
        gain, limit = (FIVE, FAR) if code == 11 else (ONE, ENDLESS)
        factor = FIFTH if code == 11 else ONE
        for i in range(width):
            row[i] = softplus(held(row[i] * gain, limit)) * factor
    elif code == 12:
        for i in range(width):
            row[i] = exp(held(row[i], FAR))
    elif code == 13:
        for i in range(width):
            row[i] = log(row[i] if row[i] > LEAST else LEAST)
    elif code == 14:
        for i in range(width):
            row[i] = ZERO if row[i] < ZERO else row[i]
    else:
        bend(code, row, width)


@routine_part
def bend(code: Any, row: Any, width: Any) -> None:
    """Do what `activate` does, for the other activations made of pieces."""
    for i in range(width):
        x = row[i]
        if code == 15:
            y = x if x > ZERO else x * SLOPE
        elif code == 16:
            y = x if x > ZERO else exp(x) - ONE
        elif code == 17:
            y = x * LAMBDA if x > ZERO else LAMBDA_ALPHA * (exp(x) - ONE)
        elif code == 18:
            y = held(x, ONE)
        elif code == 19:
            y = ZERO if x == ZERO else ONE / x
        elif code == 20:
            y = -x if x < ZERO else x
        elif code == 21:
            y = ONE - (-x if x < ZERO else x)
            y = ZERO if y < ZERO else y
        elif code == 22:
            y = x * x
        elif code == 23:
            y = x * x * x
        else:
            y = ONE if x > ZERO else ZERO
        row[i] = y
