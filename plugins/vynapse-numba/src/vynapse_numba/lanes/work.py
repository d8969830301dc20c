# SPDX-License-Identifier: MIT OR Apache-2.0
"""One call of a kernel: its table, and the threads that take blocks of networks until there are none."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from vynapse_core import Array
from vynapse_numba.lanes.machine import Machine
from vynapse_numba.team import team

SHARE, TAKEN = 3, 4
"""Entries of the table: how many networks a thread takes at a time, and how many are taken already."""
LEAVES = 5
"""Where the entries of leaves begin, two each; those of shared values follow, and three for each output."""


@dataclass(frozen=True)
class Work:
    """A call of a kernel, ready to be made once."""

    machine: Machine
    table: array[int]
    room: list[Array]
    """Space that the kernel writes to and nobody reads after."""
    operations: int
    """How much there is to do, if that is worth a team of threads; else 0."""
    grain: int
    """Operations that are worth a thread's while."""

    def do(self, threads: int) -> None:
        """Run the kernel."""
        address, _ = self.table.buffer_info()
        if self.operations:
            team(threads).call(self.machine.turn, address, self.operations, self.grain)
        else:
            self.machine.kernel(address)
