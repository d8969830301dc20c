# SPDX-License-Identifier: MIT OR Apache-2.0
"""A kernel's machine code: how wide it is on this processor, how it is compiled, and how it is called."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from vynapse_numba.cache import kept
from vynapse_numba.llvm import loaded, object_code, processor

if TYPE_CHECKING:
    from vynapse_numba.lanes.kernel import Text

Kernel = Callable[[int], None]
"""`kernel(table)`, the address of its numbers: compute what nobody has taken yet. Frees the interpreter's lock."""

_ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@cache
def lanes() -> int:
    """Return how many float32 one register of this processor holds."""
    features = processor()[1].split(",")
    return 16 if "+avx512f" in features and "+avx512dq" in features else 8 if "+avx" in features else 4


class Machine:
    """A kernel's machine code in memory, from the disk where it lies there; to be called as long as this lives."""

    def __init__(self, text: Text) -> None:
        self.text = text
        # the text is in vectors already
        code = kept("lanes", (text.text, *processor()), lambda: object_code(text.text, speed=1, vectorise=False))
        self._engine = loaded(code)
        self.kernel: Kernel = _ENTRY(self._engine.get_function_address("kernel"))
