# SPDX-License-Identifier: MIT OR Apache-2.0
"""Training inside the kernel: which programs allow it, and the batches of many steps laid side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vynapse_core import Arguments, Array
    from vynapse_numba.lanes.kernel import Text
    from vynapse_numba.lanes.layout import Layout
    from vynapse_numba.lanes.stages import Stages

BATCH_BYTES = 2**24
"""Bytes of batches that are laid out at a time."""


def can_stay(arguments: Arguments, stages: Stages, batches: Mapping[str, Array], carry: Mapping[str, str]) -> bool:
    """Return whether the steps of a scan can follow one another within the kernel.

    What is carried must differ by network, be as large as the parameter it becomes, and not be read sample by sample,
    since it is written where it was read; and each step takes samples of inputs that all networks share. What is of
    unknown size must be carried, to a parameter that is read.
    """
    live = arguments.live
    if not set(batches) <= set(live.inputs) - set(arguments.per_network):
        return False
    if not set(carry) <= set(live.outputs) or not set(carry.values()) <= set(live.parameters):
        return False
    if len(set(carry.values())) < len(carry) or not all(arguments.varying[i] for i in live.outputs.values()):
        return False
    if any(i in stages.apart and name not in carry for name, i in live.outputs.items()):
        return False
    if any(
        live.outputs[name] in stages.apart and live.parameters[to] not in stages.needed for name, to in carry.items()
    ):
        return False
    pairs = [(live.nodes[live.outputs[name]], live.nodes[live.parameters[to]]) for name, to in carry.items()]
    return all(
        (out.shape, out.dtype) == (into.shape, into.dtype) and stages.symbol not in out.shape for out, into in pairs
    )


def batched(
    arguments: Arguments,
    text: Text,
    layout: Layout,
    inputs: Mapping[str, Array],
    batches: Mapping[str, Array],
    steps: int,
) -> Iterator[tuple[int, int, list[Array]]]:
    """Yield (first step, number of steps, values [steps, ...] of what the kernel reads), a part of all steps at a time.

    A value that is the same in each step has a step of no bytes.
    """
    if not batches:
        shared = layout.shared([(i, np.asarray(inputs[name])) for i, name in layout.inputs])
        yield 0, steps, [np.broadcast_to(value, (steps, *value.shape)) for value in shared]
        return
    moving, names = _moving(arguments, batches), dict(layout.inputs)
    dtypes = [arguments.live.nodes[i].dtype for i in text.shared]
    leaves = all(i in names or i not in moving for i in text.shared)
    largest = max((inputs[name][rows[0]].nbytes for name, rows in batches.items()), default=0)
    most = max(1, BATCH_BYTES // max(1, largest))
    for start in range(0, steps, most):
        count = min(most, steps - start)
        taken = {name: inputs[name][rows[start : start + count]] for name, rows in batches.items()}
        # where the kernel reads the batches themselves, one step tells all that is not a batch
        turns = [
            layout.shared([(i, np.asarray(taken[n][turn] if n in taken else inputs[n])) for i, n in layout.inputs])
            for turn in range(1 if leaves else count)
        ]
        yield start, count, [
            np.broadcast_to(turns[0][at], (count, *turns[0][at].shape)) if i not in moving
            else np.ascontiguousarray(taken[names[i]], dtypes[at]) if leaves
            else np.stack([turn[at] for turn in turns])
            for at, i in enumerate(text.shared)
        ]  # fmt: skip


def _moving(arguments: Arguments, batches: Mapping[str, Array]) -> set[int]:
    """Return the nodes whose values follow from the batches, not from their number alone."""
    live = arguments.live
    moving = {live.inputs[name] for name in batches}
    for i, node in enumerate(live.nodes):
        only_shape = arguments.ops[node.op].shape_only if node.operands else ()
        if any(o in moving for at, o in enumerate(node.operands) if at not in only_shape):
            moving.add(i)
    return moving
