# SPDX-License-Identifier: MIT OR Apache-2.0
"""Vectors taken apart and put together: what a transpose in registers is made of.

A processor moves elements within 16 bytes in one go, and joins vectors while it loads them. So rows are read 16 bytes
at a time, joined so that each 16 bytes hold one row's part, and only squares within them are transposed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vynapse_numba.lanes.code import Code


def transposed(code: Code, vectors: Sequence[str], element: str) -> list[str]:
    """Write the transposes of squares that lie side by side: vector i of n = 1, 2 or 4 holds row i of each.

    Vector j of the result holds column j of each.
    """
    if len(vectors) == 1:
        return list(vectors)
    pairs = [
        [_dealt(code, a, b, len(vectors), 1, half, element) for half in (0, 1)]
        for a, b in zip(vectors[::2], vectors[1::2], strict=True)
    ]
    if len(pairs) == 1:
        return pairs[0]
    return [_dealt(code, a, b, 4, 2, half, element) for a, b in zip(pairs[0], pairs[1], strict=True) for half in (0, 1)]


def _dealt(code: Code, a: str, b: str, square: int, unit: int, half: int, element: str) -> str:
    """Write one half of each square of a and of b, a's and b's in turn, `unit` elements at a time."""
    order = [
        start + half * square // 2 + at + source * code.lanes
        for start in range(0, code.lanes, square)
        for first in range(0, square // 2, unit)
        for source in (0, 1)
        for at in range(first, first + unit)
    ]
    kind = f"<{code.lanes} x {element}>"
    return code.value(f"shufflevector {kind} {a}, {kind} {b}, {_mask(order)}")


def joined(code: Code, parts: Sequence[str], width: int, element: str) -> str:
    """Write vectors of `width` elements, 2^k of them, one after the other, as one."""
    parts = list(parts)
    while len(parts) > 1:
        kind = f"<{width} x {element}>"
        width *= 2
        parts = [
            code.value(f"shufflevector {kind} {a}, {kind} {b}, {_mask(range(width))}")
            for a, b in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]


def part(code: Code, vector: str, start: int, size: int, element: str) -> str:
    """Write a slice of a vector that is as wide as there are lanes."""
    if size == code.lanes:
        return vector
    kind = f"<{code.lanes} x {element}>"
    return code.value(f"shufflevector {kind} {vector}, {kind} poison, {_mask(range(start, start + size))}")


def _mask(order: Sequence[int]) -> str:
    return f"<{len(order)} x i32> <{', '.join(f'i32 {at}' for at in order)}>"
