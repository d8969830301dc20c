# SPDX-License-Identifier: MIT OR Apache-2.0
"""A kernel's machine code: how wide it is on this processor, how it is compiled, and how it is called."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING

from vynapse_numba.cache import kept
from vynapse_numba.entry import standing_alone
from vynapse_numba.llvm import loaded, object_code, processor
from vynapse_numba.routines import makers, source, translated

if TYPE_CHECKING:
    from vynapse_numba.lanes.kernel import Text
    from vynapse_numba.lanes.parts import Linked

Kernel = Callable[[int], None]
"""`kernel(table)`, the address of its numbers: compute what nobody has taken yet. Frees the interpreter's lock."""

_ANY = "vynapse.part"
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
        parts = [piece for each in text.linked for piece in _origin(each)]
        self._engine = loaded(kept("lanes", (text.text, *processor(), *parts), lambda: _made(text)))
        self.address: int = self._engine.get_function_address("kernel")
        self.kernel: Kernel = _ENTRY(self.address)
        self.turn: int = self._engine.get_function_address("turn")
        """The address of what each member of a team calls: the kernel, which takes no part of the rows."""


def _made(text: Text) -> bytes:
    """Return object code. The text itself is in vectors already; what it calls is loops over numbers."""
    # Numba takes longer than all else: what it makes of a part serves every text that calls it
    parts = [kept("part", (*_origin(each), *processor()), partial(_translated, each)) for each in text.linked]
    modules = [part.decode().replace(_ANY, f"part{at}") for at, part in enumerate(parts)]
    return object_code(text.text, speed=3 if modules else 1, vectorise=bool(modules), linked=modules)


def _origin(linked: Linked) -> tuple[str, ...]:
    return repr(linked.taken), *source(linked.part), *makers()


def _translated(linked: Linked) -> bytes:
    """Return the text of a module with the part, under a name that no other has."""
    text, name = translated(linked.part, linked.taken)
    return standing_alone(text, linked.part).replace(name, _ANY).encode()
