# SPDX-License-Identifier: MIT OR Apache-2.0
"""The values that all networks share: computed in NumPy, once a call; what needs no input, once for all calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import GraphError, concrete

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from vynapse_core import Arguments, Array


class Shared:
    """The shared values `wanted`, for one set of sizes. Raises GraphError where one that needs no input fails."""

    def __init__(self, arguments: Arguments, wanted: Iterable[int], sizes: Mapping[str, int]) -> None:
        self._wanted = tuple(wanted)
        self._nodes = arguments.live.nodes
        self._slots: list[Any] = [None] * len(self._nodes)
        for slot, array in arguments.constants:
            self._slots[slot] = array
        needed = set(self._wanted)
        for i in range(len(self._nodes) - 1, -1, -1):
            if i in needed:
                only_shape = arguments.ops[self._nodes[i].op].shape_only if self._nodes[i].operands else ()
                needed |= {o for at, o in enumerate(self._nodes[i].operands) if at not in only_shape}
        self._steps: list[tuple[int, Callable[..., Array], list[int]]] = []
        fixed: set[int] = {slot for slot, _ in arguments.constants}
        first: list[tuple[int, Callable[..., Array], list[int]]] = []
        for i in sorted(needed):
            node = self._nodes[i]
            if not node.operands:
                continue
            op, operands = arguments.ops[node.op], list(node.operands)
            for position in op.shape_only:
                # an operand of which only the shape counts is replaced by zeros that take no memory
                like = self._nodes[operands[position]]
                zeros = np.broadcast_to(np.zeros((), like.dtype), concrete(like.shape, sizes))
                operands[position] = len(self._slots)
                self._slots.append(zeros)
                fixed.add(operands[position])
            step = (i, op.bind(node.attributes, sizes), operands)
            if fixed.issuperset(operands):
                fixed.add(i)
                first.append(step)
            else:
                self._steps.append(step)
        self._run(first, self._slots)
        self.settled = {i: self._given_out(i, self._slots) for i in self._wanted if i in fixed}
        """{node: value} of those wanted that need no input."""

    def __call__(self, given: Iterable[tuple[int, Array]]) -> list[Array]:
        """Return the values for the shared inputs `given`, as contiguous arrays."""
        slots = self._slots.copy()
        for slot, array in given:
            slots[slot] = array
        self._run(self._steps, slots)
        return [self._given_out(i, slots) for i in self._wanted]

    def _given_out(self, i: int, slots: Sequence[Any]) -> Array:
        return np.asarray(slots[i], self._nodes[i].dtype, order="C")

    def _run(self, steps: Sequence[tuple[int, Callable[..., Array], list[int]]], slots: list[Any]) -> None:
        if not steps:
            return
        with np.errstate(all="ignore"):
            for i, function, operands in steps:
                try:
                    slots[i] = function(*[slots[operand] for operand in operands])
                except Exception as error:
                    raise GraphError(f"{self._nodes[i].op} {self._nodes[i].type} failed: {error}") from error
