# SPDX-License-Identifier: MIT OR Apache-2.0
"""How a call of the engine `lanes` is made again, for arrays that its kernel reads where they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from vynapse_numba.lanes.work import LEAVES, TAKEN
from vynapse_numba.replay import Job, Like, Patch, replay
from vynapse_numba.replay_code import NOBODY

if TYPE_CHECKING:
    from vynapse_core import Array
    from vynapse_numba.lanes.layout import Layout
    from vynapse_numba.lanes.work import Work
    from vynapse_numba.replays import Answer

ROOM = 2**20
"""Most bytes that a replay may keep for its kernel."""


def answering(
    layout: Layout, work: Work, leaves: Mapping[str, Array], outputs: Sequence[Array], threads: int
) -> Answer | None:
    """Return what does `work` for leaves like these, in their order; None where it would hold too much memory."""
    if sum(room.nbytes for room in work.room) > ROOM or layout.direct is None:
        return None
    table, names = work.table[:], list(leaves)
    read = [*layout.own, *layout.direct]
    results = LEAVES + 2 * len(read)
    patches = [Patch(table, TAKEN, NOBODY, 0)]
    patches += [Patch(table, LEAVES + 2 * at, names.index(x)) for at, x in enumerate(read) if isinstance(x, str)]
    patches += [Patch(table, results + 3 * at, len(names) + at) for at in range(len(outputs))]
    address = work.machine.turn if work.operations else work.machine.address
    job = Job(address, table, work.operations, work.grain)
    likes = [Like.of(each) for each in (*leaves.values(), *outputs)]
    again = replay(likes, patches, [job], (work.machine, work.room, layout), threads)
    empty, networks = np.empty, layout.networks
    made = [(name, (layout.rows, *shape), np.dtype(dtype)) for name, shape, dtype in layout.outputs]
    order = [name for name, _, _ in made]
    cut = layout.rows != networks

    def answer(given: list[Array]) -> dict[str, Array] | None:
        results = [empty(shape, dtype) for _, shape, dtype in made]
        if not again(*given, *results):
            return None
        if cut:
            results = [result[:networks] for result in results]
        return dict(zip(order, results, strict=True))

    return answer
