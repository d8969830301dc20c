# SPDX-License-Identifier: MIT OR Apache-2.0
"""Memory for outputs: what a caller has let go of is given out again.

Fresh memory costs more than it takes to fill: the system hands it over page by page, each zeroed before.
"""

from __future__ import annotations

import weakref
from math import prod

import numpy as np

from vynapse_core import Array
from vynapse_numba.addresses import address_of
from vynapse_numba.tiles.product import aligned

LEAST = 2**20
"""Bytes of an output from which its memory is kept; the allocator keeps smaller pieces by itself."""
MOST = 2**28
"""Most bytes that lie unused."""


class Outputs:
    """Arrays for a program's outputs; threads may ask at once."""

    def __init__(self) -> None:
        self._unused: list[Array] = []

    def array(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
        """Return an array that nobody else has; its contents are of no meaning."""
        size = prod(shape) * dtype.itemsize
        if size < LEAST:
            return np.empty(shape, dtype)
        owner = _Owner(self._taken(size), shape, dtype)
        weakref.finalize(owner, _given_back, self._unused, owner.memory).atexit = False
        return np.asarray(owner)

    def _taken(self, size: int) -> Array:
        while True:
            try:
                memory = self._unused.pop()
            except IndexError:
                return aligned(size)
            if memory.nbytes == size:
                return memory


def _given_back(unused: list[Array], memory: Array) -> None:
    if sum(other.nbytes for other in unused) + memory.nbytes <= MOST:
        unused.append(memory)


class _Owner:
    """What an output and all views of it hold on to: when it goes, nobody can see the memory any more."""

    def __init__(self, memory: Array, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
        self.memory = memory
        self.__array_interface__ = {
            "version": 3, "data": (address_of(memory), False), "shape": shape, "typestr": dtype.str,
        }  # fmt: skip
