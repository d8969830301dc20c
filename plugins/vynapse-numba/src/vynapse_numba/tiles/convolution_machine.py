# SPDX-License-Identifier: MIT OR Apache-2.0
"""The machine code of convolutions, compiled when a graph first has one, kept on disk."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

from vynapse_numba.cache import kept
from vynapse_numba.llvm import FIRST_USE, loaded, object_code, processor
from vynapse_numba.tiles.machine import FLOATS


class Machine:
    """The functions for one dtype; they live as long as this object."""

    def __init__(self, dtype: str) -> None:
        text = _written(dtype)
        self._engine = loaded(
            kept("convolution", (text, *processor()), lambda: object_code(text, speed=2, vectorise=False))
        )
        self.listed = self._function("listed")
        """Function of the address of a table of `convolution_code.LISTED`."""
        self.dots = self._function("dots")
        """The same, of `convolution_code.DOTS`."""
        self.sums = self._function("sums")
        """The same, of `convolution_code.SUMS`."""

    def _function(self, name: str) -> Callable[[int], None]:
        made: Callable[[int], None] = ctypes.CFUNCTYPE(None, ctypes.c_int64)(self._engine.get_function_address(name))
        return made


def machine(dtype: str) -> Machine:
    """Return this process's functions for float32 or float64; threads that ask at once get the same."""
    with FIRST_USE:
        return _made(dtype)


@cache
def _made(dtype: str) -> Machine:
    return Machine(dtype)


def _written(dtype: str) -> str:
    from llvmlite import ir

    from vynapse_numba.tiles.convolution_code import dots, listed, sums
    from vynapse_numba.tiles.micro import registers

    module, chosen = ir.Module("convolution"), registers()
    listed(module, "listed", FLOATS[dtype], chosen)
    dots(module, "dots", FLOATS[dtype], chosen)
    sums(module, "sums", FLOATS[dtype], chosen)
    return str(module)
