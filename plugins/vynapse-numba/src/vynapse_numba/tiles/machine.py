# SPDX-License-Identifier: MIT OR Apache-2.0
"""The engine's machine code: compiled once on a machine, kept on disk, called without the interpreter's lock."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from vynapse_numba.cache import kept
from vynapse_numba.llvm import FIRST_USE, loaded, object_code, processor

FLOATS = {"float32": 4, "float64": 8}

# erf(x) = x P(x²) / Q(x²) up to 3.92, from where float32 has 1: a fit to equal relative errors (2e-8)
ABOVE = (1.12837915, 0.190398325, 0.0527476476, 0.00376526717, 0.000284874847, 2.05015026e-06)
BELOW = (1.0, 0.502068865, 0.114105747, 0.0149685175, 0.00116245059, 3.80919544e-05)
END = 3.92


class Machine:
    """Functions in machine code, by name; they live as long as this object."""

    def __init__(self) -> None:
        text = str(_written())
        code = kept("tiles", (text, *processor()), lambda: object_code(text, speed=2, vectorise=True))
        self._engine = loaded(code)
        self.product = {np.dtype(dtype).char: self._function(f"product_{dtype}", 1) for dtype in FLOATS}
        """{character of the dtype: function of the address of a table of `loops.ARGUMENTS`}."""
        self.erf = self._function("erf_float32", 3)

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


def _written() -> Any:
    from llvmlite import ir

    from vynapse_numba.tiles.loops import fitted_erf, product
    from vynapse_numba.tiles.micro import registers

    module = ir.Module("tiles")
    for dtype, size in FLOATS.items():
        product(module, f"product_{dtype}", size, registers())
    fitted_erf(module, "erf_float32", ABOVE, BELOW, END)
    return module
