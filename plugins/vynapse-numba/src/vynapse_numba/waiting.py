# SPDX-License-Identifier: MIT OR Apache-2.0
"""How machine code waits for another thread: with a hint to the processor, and by offering the processor to others."""

from __future__ import annotations

import ctypes
from functools import cache

_HINTS = {
    "x86_64": ("llvm.x86.sse2.pause", "", ""),
    "aarch64": ("llvm.aarch64.hint", "i32", "i32 1"),
    "arm64": ("llvm.aarch64.hint", "i32", "i32 1"),
}
"""How a processor is told that a loop only waits: an intrinsic function, its types, its arguments."""


def with_pauses(text: str, machine: str) -> str:
    """Return a module's text with the processor's hint wherever PAUSE stands.

    `machine` is the first part of LLVM's name of the platform, such as `x86_64`; another one than those known has none.
    """
    name, kinds, given = _HINTS.get(machine, ("", "", ""))
    pause = f"call void @{name}({given})" if name else ""
    declared = f"declare void @{name}({kinds})" if name else ""
    return f"{text.replace('PAUSE', pause)}\n{declared}\n"


@cache
def give_way() -> int:
    """Return the address of the function by which a thread offers its processor to others, 0 where there is none."""
    try:
        function = ctypes.CDLL(None).sched_yield
    except (AttributeError, OSError, TypeError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0
