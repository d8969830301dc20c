# SPDX-License-Identifier: MIT OR Apache-2.0
"""The engine's machine code: compiled once on a machine, kept on disk, called without the interpreter's lock."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np

from vynapse_numba.cache import kept
from vynapse_numba.llvm import FIRST_USE, loaded, object_code, processor

FLOATS = {"float32": 4, "float64": 8}


class Machine:
    """Functions in machine code, by name; they live as long as this object."""

    def __init__(self) -> None:
        text = _written()
        code = kept("tiles", (text, *processor()), lambda: object_code(text, speed=2, vectorise=True))
        self._engine = loaded(code)
        self.product = {np.dtype(dtype).char: self._function(f"product_{dtype}", 1) for dtype in FLOATS}
        """{character of the dtype: function of the address of a table of `loops.ARGUMENTS`}."""
        self.turn = {np.dtype(dtype).char: self._function(f"turn_{dtype}", 1) for dtype in FLOATS}
        """The same, of `turning.ARGUMENTS`."""

    def _function(self, name: str, arguments: int) -> Callable[..., None]:
        kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * arguments)
        made: Callable[..., None] = kind(self._engine.get_function_address(name))
        return made


def machine() -> Machine:
    """Return this process's functions. Threads that ask at once get the same, or one would be freed in use."""
    return _made() if _made.cache_info().currsize else _guarded()


def _guarded() -> Machine:
    with FIRST_USE:
        return _made()


@cache
def _made() -> Machine:
    return Machine()


def _written() -> str:
    from llvmlite import ir

    from vynapse_numba.tiles.loops import product
    from vynapse_numba.tiles.micro import registers
    from vynapse_numba.tiles.turning import turning

    module, chosen = ir.Module("tiles"), registers()
    for dtype, size in FLOATS.items():
        product(module, f"product_{dtype}", size, chosen)
    # declarations come once
    return "\n".join([str(module), *[turning(f"turn_{dtype}", size, chosen.bytes) for dtype, size in FLOATS.items()]])
