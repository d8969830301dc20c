# SPDX-License-Identifier: MIT OR Apache-2.0
"""A kernel's machine code: how wide it is on this processor, how it is compiled, and how it is called."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

from vynapse_numba.llvm import loaded, object_code, processor

Kernel = Callable[[int, int, int], None]
"""`kernel(table, first, last)`: compute networks first to last; `table` is an address. Frees the interpreter's lock."""

_ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


@cache
def lanes() -> int:
    """Return how many float32 one register of this processor holds."""
    features = processor()[1].split(",")
    return 16 if "+avx512f" in features and "+avx512dq" in features else 8 if "+avx" in features else 4


def compiled(text: str) -> bytes:
    """Return the object code of a kernel's text, which is in vectors already."""
    return object_code(text, speed=1, vectorise=False)


class Machine:
    """Object code in memory, to be called as long as this object lives."""

    def __init__(self, code: bytes) -> None:
        self._engine = loaded(code)
        self.kernel: Kernel = _ENTRY(self._engine.get_function_address("kernel"))
