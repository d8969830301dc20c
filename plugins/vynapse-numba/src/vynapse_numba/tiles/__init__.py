# SPDX-License-Identifier: MIT OR Apache-2.0
"""The engine for dense and for general graphs: a few networks at a time, in the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vynapse_core import Arguments, Kernel, Program


def plan(arguments: Arguments, kernels: Mapping[str, Kernel], threads: int) -> Program:
    """Return the program of any graph; `kernels` are {op: kernel} for the device numba."""
    from vynapse_numba.tiles.program import Tiles

    return Tiles(arguments, kernels, threads)
