# SPDX-License-Identifier: MIT OR Apache-2.0
"""How machine code waits for another thread: with a hint to the processor, and by offering the processor to others."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from vynapse_numba.addresses import function_address
from vynapse_numba.ir_text import Function, Value

_SPINS = 300
"""Looks at what is waited for before a thread offers its processor to others."""
_HINTS = {
    "x86_64": ("llvm.x86.sse2.pause", "", ""),
    "aarch64": ("llvm.aarch64.hint", "i32", "i32 1"),
    "arm64": ("llvm.aarch64.hint", "i32", "i32 1"),
}
"""How a processor is told that a loop only waits: an intrinsic function, its types, its arguments."""


def pause(machine: str) -> str:
    """Return the text of the function `pause`, which gives the processor's hint.

    `machine` is the first part of LLVM's name of the platform, such as `x86_64`; another one than those known has none.
    """
    name, kinds, given = _HINTS.get(machine, ("", "", ""))
    hint, declared = (f"call void @{name}({given})", f"declare void @{name}({kinds})\n") if name else ("", "")
    return f"\ndefine internal void @pause() alwaysinline {{\n  {hint}\n  ret void\n}}\n{declared}"


@contextmanager
def waiting(code: Function, function: Value) -> Iterator[str]:
    """Write a loop that waits: inside is written a look at what it waits for, which goes to the label where it is so.

    `function` is where the address of the function `give_way` lies.
    """
    spins = code.variable(1)
    with code.repeated() as loop:
        yield loop.behind
        code.call("void", "@pause")
        spun = spins.load()
        with code.when(spun > _SPINS):
            giving_way(code, function)
        spins.store(spun + 1)


def giving_way(code: Function, function: Value) -> None:
    """Write the call of the function `give_way`, whose address lies at `function`, if there is one."""
    found = function.load("ptr")
    with code.when(found.exists()):
        code.call("i32", found)


@cache
def give_way() -> int:
    """Return the address of the function by which a thread offers its processor to others, 0 where there is none."""
    try:
        function = ctypes.CDLL(None).sched_yield
    except (AttributeError, OSError, TypeError):
        return 0
    return function_address(function)
