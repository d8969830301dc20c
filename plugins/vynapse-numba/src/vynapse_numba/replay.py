# SPDX-License-Identifier: MIT OR Apache-2.0
"""Calls that are like one before, in machine code: look at the arrays, put their addresses into tables, call kernels.

To get from a call's arrays to kernels and their tables takes Python ten times as long as small kernels take. A trainer
makes the same call again and again; only the arrays lie elsewhere. So what follows from their shapes is written down
once: what each array must be, where its address goes, and which kernels are called.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from vynapse_core import Array
from vynapse_numba.addresses import ARRAY, PLAIN
from vynapse_numba.convention import UNNAMED, addresses, as_python
from vynapse_numba.replay_code import ANY, HEAD, NOBODY, engine
from vynapse_numba.team import team_at

ALIGNED = 0x100
"""The flag of an array whose numbers lie where the processor reads them at once."""
Replay = Callable[..., bool]
"""replay(*arrays): do it and return True; or where the arrays are not alike return False, having done nothing."""


@dataclass(frozen=True)
class Like:
    """What an array must be: aligned, of a dtype and a shape."""

    dtype: np.dtype[Any]
    shape: tuple[int | tuple[int, int], ...]
    """An axis has a size, or that of (array, axis), one before it; or itself, where any size will do."""
    strides: tuple[int, ...] | None = None
    """In bytes; None where it must be C-contiguous."""

    @classmethod
    def of(cls, like: Array) -> Like:
        """Return what is true of an array."""
        return cls(like.dtype, like.shape, None if like.flags.c_contiguous else like.strides)

    def look(self) -> tuple[int, ...]:
        """Return what `replay_code.LOOK` says."""
        flags = PLAIN if self.strides is None else ALIGNED
        return self.dtype.num, ord(self.dtype.byteorder), len(self.shape), flags

    def axes(self) -> list[tuple[int, ...]]:
        """Return what `replay_code.AXIS` says of each axis."""
        strides = self.strides or (ANY,) * len(self.shape)
        sizes = (size if isinstance(size, tuple) else (NOBODY, size) for size in self.shape)
        return [(*size, stride) for size, stride in zip(sizes, strides, strict=True)]


@dataclass(frozen=True)
class Patch:
    """What is put into a table before kernels are called."""

    table: array[int]
    entry: int
    array: int
    """Whose address it is; NOBODY where it is a number."""
    offset: int = 0
    """What is added to the address, in bytes; or the number."""


@dataclass(frozen=True)
class Job:
    """A kernel to be called."""

    function: int
    """Its address."""
    table: array[int]
    rows: int = 0
    """Rows that the members of a team share; none where the kernel is called once, with its table alone."""
    grain: int = 0


def replay(likes: Sequence[Like], patches: Sequence[Patch], jobs: Sequence[Job], held: object, threads: int) -> Replay:
    """Return what calls kernels with arrays like these; `held` is what their tables point to.

    Two threads may not call it at once. Jobs with rows are done by the process's team of so many threads; where there
    is none yet, nothing is done.
    """
    counts = {"looks": len(likes), "patches": len(patches), "jobs": len(jobs)}
    objects = {"arrays": ARRAY, "yes": id(True), "no": id(False)}
    head = {**addresses(), **objects, **counts, "team": team_at(threads) if any(job.rows for job in jobs) else 0}
    lines = chain(
        ([head[name] for name in HEAD],),
        (like.look() for like in likes),
        ((patch.table.buffer_info()[0] + 8 * patch.entry, patch.array, patch.offset) for patch in patches),
        ((job.function, job.table.buffer_info()[0], job.rows, job.grain) for job in jobs),
        chain.from_iterable(like.axes() for like in likes),
    )
    sheet = array("q", chain.from_iterable(lines)).tobytes()
    code = engine()
    made: Replay = as_python("replay", code.get_function_address("replay"), UNNAMED, sheet, code, patches, jobs, held)
    return made
