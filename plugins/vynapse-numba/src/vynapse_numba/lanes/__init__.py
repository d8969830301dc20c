# SPDX-License-Identifier: MIT OR Apache-2.0
"""The engine for tiny networks: the population is the SIMD axis, a network a lane.

A graph becomes straight-line code on vectors, each scalar of a network one of them; a loop over samples around it, a
loop over blocks of networks around that. The text is written here and compiled by LLVM in tens of milliseconds, once:
machine code is kept on disk.
"""

from __future__ import annotations

from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vynapse_core import Arguments, Kernel, Program

MOST_WEIGHTS = 512
"""Numbers of a network's own, inputs apart: those of a block of networks fit the first-level cache."""
MOST_ELEMENTS = 4096
"""Numbers in any value, for one sample."""


def plan(
    arguments: Arguments,
    kernels: Mapping[str, Kernel],
    threads: int,
    samplewise: Mapping[str, Kernel] = MappingProxyType({}),
) -> Program | None:
    """Return the program of a graph, or None for one that is not for lanes.

    `kernels` and `samplewise` are those of plugins, the latter for one sample. A graph is not for lanes if it is too
    large, has parameters of unknown size, ops that lanes do not have or that have a kernel but none for one sample,
    more than one axis of unknown size, or an op that mixes samples otherwise than by sums and maxima over all of them.
    """
    nodes = arguments.live.nodes
    if any(prod(dim for dim in node.shape if isinstance(dim, int)) > MOST_ELEMENTS for node in nodes):
        return None
    weights = sum(
        prod(dim for dim in nodes[i].shape if isinstance(dim, int)) for i in arguments.live.parameters.values()
    )
    parted = {node.op for i, node in enumerate(nodes) if node.op in samplewise and arguments.varying[i]}
    # a row of unknown length may be long: its own numbers make better vectors than those of other networks
    endless = any(isinstance(dim, str) for i in arguments.live.parameters.values() for dim in nodes[i].shape)
    if weights > MOST_WEIGHTS or (endless and not parted) or any(node.op in {*kernels} - parted for node in nodes):
        return None
    from vynapse_numba.lanes.code import TooLongError
    from vynapse_numba.lanes.elementwise import UnsupportedError
    from vynapse_numba.lanes.kernel import write
    from vynapse_numba.lanes.machine import lanes
    from vynapse_numba.lanes.program import LanesProgram
    from vynapse_numba.lanes.stages import staged

    try:
        stages = staged(arguments, parted)
        text = write(arguments, stages, lanes(), kernels=samplewise)
    except (UnsupportedError, TooLongError):
        return None
    return LanesProgram(arguments, stages, text, lanes(), threads, samplewise)
