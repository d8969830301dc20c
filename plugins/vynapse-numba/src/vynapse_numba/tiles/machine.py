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


class Machine:
    """Functions in machine code, by name; they live as long as this object."""

    def __init__(self) -> None:
        text = _written()
        code = kept("tiles", (text, *processor()), lambda: object_code(text, speed=2, vectorise=True))
        self._engine = loaded(code)
        self.product = {np.dtype(dtype).char: _function(self._engine, f"product_{dtype}") for dtype in FLOATS}
        """{character of the dtype: function of the address of a table of `loops.ARGUMENTS`}."""
        self.turn = {np.dtype(dtype).char: _function(self._engine, f"turn_{dtype}") for dtype in FLOATS}
        """The same, of `turning.ARGUMENTS`."""


class Movers:
    """What moves numbers, and what repeats a step; they live as long as this object."""

    def __init__(self) -> None:
        from llvmlite import binding

        from vynapse_numba.tiles.moves import moves
        from vynapse_numba.tiles.player import player

        text = moves() + player(binding.get_process_triple().split("-")[0])
        code = kept("movers", (text, *processor()), lambda: object_code(text, speed=2, vectorise=False))
        self._engine = loaded(code)
        self.gather = _function(self._engine, "gather")
        """Function of the address of a table of `moves.GATHER`."""
        self.copy = _function(self._engine, "copy")
        """The same, of `moves.COPY`."""
        self.play = _function(self._engine, "play", 5)
        """`player.play`."""


def _function(engine: Any, name: str, arguments: int = 1) -> Callable[..., None]:
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * arguments)
    made: Callable[..., None] = kind(engine.get_function_address(name))
    return made


def machine() -> Machine:
    """Return this process's functions. Threads that ask at once get the same, or one would be freed in use."""
    with FIRST_USE:
        return _made()


def movers() -> Movers:
    """Return this process's functions that move numbers, and the one that repeats a step."""
    with FIRST_USE:
        return _movers()


@cache
def _made() -> Machine:
    return Machine()


@cache
def _movers() -> Movers:
    return Movers()


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
