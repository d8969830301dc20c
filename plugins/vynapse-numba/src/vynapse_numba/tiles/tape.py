# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a call does, as a list of actions on arrays that stay where they are: to do it again costs the actions alone.

In a scan, every second step reads and writes the same places. So the choices that lead from a graph to calls of
kernels are made twice, not in each step.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from vynapse_core import Array

Action = Callable[[], object]


class Tape:
    """Does what it is given at once; one that records can do it all again."""

    def __init__(self, records: bool = True) -> None:
        self.records = records
        self._actions: list[Action] = []

    def do(self, action: Action) -> None:
        """Do it."""
        action()
        if self.records:
            self._actions.append(action)

    def kernel(self, function: Callable[[int], None], table: array[int], *arrays: Array | None) -> None:
        """Call a kernel with its table; `arrays` are those whose addresses it holds."""
        self.do(partial(_call, function, table, arrays))

    def copy(self, out: Array, x: Array) -> None:
        """Write x to `out`."""
        self.do(partial(np.copyto, out, x))

    def value(self, compute: Callable[[], Array], seen: Sequence[Array] = ()) -> Array:
        """Return what `compute` returns. Unless that is a view of one of `seen`, it is to be computed again."""
        value = np.asarray(compute())
        if self.records and not any(np.may_share_memory(value, x) for x in seen):
            self._actions.append(partial(_again, value, compute))
        return value

    def again(self) -> None:
        """Do all actions again, in order."""
        for action in self._actions:
            action()


NOW = Tape(records=False)
"""Records nothing."""


def _call(function: Callable[[int], None], table: array[int], arrays: tuple[Array | None, ...]) -> None:
    function(table.buffer_info()[0])


def _again(value: Array, compute: Callable[[], Array]) -> None:
    found = compute()
    if found is not value:
        np.copyto(value, found)
