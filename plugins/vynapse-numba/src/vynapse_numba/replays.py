# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which replay a call of a program takes: one that was made of a call with as many networks and samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from vynapse_core import Arguments, Array

KNOWN = 16
"""Most kinds of calls for which a program keeps replays."""
Arrays: TypeAlias = Mapping[str, Array]
Answer = Callable[[list[Array]], dict[str, Array] | None]
"""answer(leaves): the outputs, or None where the arrays are not alike. Not for two threads at once."""


class Replays:
    """A program's replays; threads may ask at once, and who finds that another has a replay does without."""

    def __init__(self, arguments: Arguments) -> None:
        self._parameters, self._inputs = arguments.parameters, arguments.inputs
        self._counts = len(self._parameters), len(self._inputs)
        self._kept: dict[object, list[Answer]] = {}
        self._met: dict[object, int] = {}

    def answer(self, arrays: Arrays, inputs: Arrays) -> dict[str, Array] | None:
        """Return the outputs for arrays like those of a call before, or None where there is none like them."""
        leaves = self._leaves(arrays, inputs)
        kept = self._kept.get(_kind(leaves))
        if not kept:
            return None
        try:
            answer = kept.pop()
        except IndexError:
            return None
        try:
            return answer(leaves)
        finally:
            kept.append(answer)

    def learn(self, arrays: Arrays, inputs: Arrays, made: Callable[[], Answer | None]) -> None:
        """Keep what is `made` of such a call, at its second time; where that did not fit, at the fourth, the eighth."""
        leaves = self._leaves(arrays, inputs)
        if any(type(leaf) is not np.ndarray for leaf in leaves):
            # a replay takes nothing else
            return
        kind = _kind(leaves)
        if len(self._met) >= KNOWN and kind not in self._met:
            self._met.clear()
            self._kept.clear()
        met = self._met[kind] = self._met.get(kind, 0) + 1
        if met > 1 and met & (met - 1) == 0 and (answer := made()) is not None:
            self._kept[kind] = [answer]

    def _leaves(self, arrays: Arrays, inputs: Arrays) -> list[Any]:
        """Return a call's arrays in the order of the graph's leaves; none where they are not as many."""
        if (len(arrays), len(inputs)) != self._counts:
            return []
        return [*map(arrays.get, self._parameters), *map(inputs.get, self._inputs)]


def _kind(leaves: list[Any]) -> object:
    """Return what tells kinds of calls apart: mostly the number of networks, and that of samples."""
    try:
        return leaves[0].shape[:1], leaves[-1].shape[:1]
    except (AttributeError, IndexError):
        # a list, or nothing, is looked at by whoever is asked without a replay
        return None
