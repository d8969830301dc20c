# SPDX-License-Identifier: MIT OR Apache-2.0
"""Arrays to work in: written before they are read, and of no meaning afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Scratch(Generic[T]):
    """Arrays that `made(*sizes)` makes, kept for the next call of these sizes; threads may ask at once.

    To make a dozen takes as long as a small routine does. Whoever takes some gives them back.
    """

    def __init__(self, made: Callable[..., T]) -> None:
        self._made = made
        self._kept: list[tuple[tuple[int, ...], T]] = []

    def take(self, *sizes: int) -> T:
        """Return arrays of these sizes, for nobody else."""
        try:
            kept, arrays = self._kept.pop()
        except IndexError:
            return self._made(*sizes)
        return arrays if kept == sizes else self._made(*sizes)

    def give(self, arrays: T, *sizes: int) -> None:
        """Let the next call have the arrays."""
        self._kept.append((sizes, arrays))
