# SPDX-License-Identifier: MIT OR Apache-2.0
"""Structure: which calls on which of each other's results lead to a tensor, whatever the numbers.

A training step records the same structure again and again. What was found out about it is kept, under the hash that
tensors carry along; a tensor that has this hash is compared with it call by call, which gathers the tensors as it goes.
So a step whose structure is known costs one short pass, and one that is not is walked in full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vynapse_autodiff.eager.blame import at_line, described
from vynapse_autodiff.eager.calls import FREED
from vynapse_core import GraphError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from vynapse_autodiff.eager.calls import Call
    from vynapse_autodiff.eager.derive import Pullback
    from vynapse_autodiff.eager.tensor import Tensor

    Codes = tuple[int, ...]
    Leaf = tuple[int, Call | None, tuple[int, ...], np.dtype, bool]

NEW = -1
"""In place of an operand's number: it is met for the first time."""
MOST = 256
"""Structures that are kept; the oldest one goes."""


class Structure:
    """Calls and leaves that lead to some tensors, each numbered as it is met, breadth first."""

    def __init__(self, roots: Sequence[Tensor]) -> None:
        """Walk back from `roots`. Raises GraphError where a backward pass has let go of what is needed."""
        found = list(roots)
        places = {id(tensor): i for i, tensor in enumerate(found)}
        self.calls: list[tuple[int, Call, int, int, tuple[int, ...]]] = []
        """(number, call, code of first and second operand, codes of the others); a code is a number or NEW."""
        self.leaves: list[Leaf] = []
        """(number, call of a constant, shape, dtype, whether a gradient is wanted)."""
        self.operands: dict[int, Codes] = {}
        """{number: the numbers of the operands}."""
        i = 0
        while i < len(found):
            tensor = found[i]
            call, data = tensor._call, tensor._data
            if call is None or not tensor._operands:
                if call is FREED:
                    raise GraphError(
                        at_line(
                            f"what led to {described(tensor)} was let go of by a backward pass; "
                            "say backward(retain_graph=True) there, or go on from detach()"
                        )
                    )
                self.leaves.append((i, call, data.shape, data.dtype, tensor._key != 0))
            else:
                codes = []
                for operand in tensor._operands:
                    known = places.setdefault(id(operand), len(found))
                    if known == len(found):
                        found.append(operand)
                        codes.append(NEW)
                    else:
                        codes.append(known)
                self.operands[i] = tuple(places[id(operand)] for operand in tensor._operands)
                second = codes[1] if len(codes) > 1 else -2
                self.calls.append((i, call, codes[0], second, tuple(codes[2:])))
            i += 1
        own = {number for number, constant, *_ in self.leaves if constant is None}
        self.uses = [
            (consumer, number)
            for consumer, numbers in self.operands.items()
            for number in dict.fromkeys(numbers)
            if number in own
        ]
        """(number of a call, number of a leaf that it takes, which is no constant)."""
        self.count = len(found)
        self.programs: dict[tuple[object, ...], Pullback] = {}
        """What computes gradients, by what was asked for."""

    def matched(self, roots: Sequence[Tensor]) -> list[Tensor] | None:
        """Return the tensors by number, if this is how `roots` were made; else None."""
        found = list(roots)
        append = found.append
        for i, call, first, second, rest in self.calls:
            tensor = found[i]
            if tensor._call is not call:
                return None
            operands = tensor._operands
            if first < 0:
                append(operands[0])
            elif found[first] is not operands[0]:
                return None
            if second == NEW:
                append(operands[1])
            elif second >= 0 and found[second] is not operands[1]:
                return None
            for at, code in enumerate(rest, 2):
                if code < 0:
                    append(operands[at])
                elif found[code] is not operands[at]:
                    return None
        for i, constant, shape, dtype, varies in self.leaves:
            tensor = found[i]
            data = tensor._data
            if tensor._call is not constant or data.shape != shape or data.dtype is not dtype:
                return None
            if (tensor._key != 0) is not varies:
                return None
        return found

    def order(self) -> list[int]:
        """Return the numbers of the calls, operands before what takes them."""
        done: dict[int, None] = {}
        pending = [(i, False) for i in range(self.count - 1, -1, -1)]
        while pending:
            i, ready = pending.pop()
            if ready:
                done.setdefault(i)
            elif i not in done and i in self.operands:
                pending.append((i, True))
                pending.extend((operand, False) for operand in self.operands[i])
        return list(done)


_known: dict[int, list[Structure]] = {}


def located(roots: tuple[Tensor, ...], apart: bool = False) -> tuple[Structure, list[Tensor]]:
    """Return the structure that made `roots`, and its tensors by number.

    `apart` says that tensors of two numbers must be two; else one that is met twice may have two numbers. Raises
    GraphError where a backward pass has let go of what is needed, and where a leaf was changed in place since.
    """
    key = roots[0]._key if len(roots) == 1 else hash(tuple([root._key for root in roots]))
    for structure in _known.get(key, ()):
        found = structure.matched(roots)
        if found is not None and not (apart and len({id(tensor) for tensor in found}) < len(found)):
            break
    else:
        structure = Structure(roots)
        found = structure.matched(roots)
        if found is None:
            raise GraphError("a structure differs from itself: a tensor was changed while it was walked")
        if len(_known) >= MOST:
            # another thread may have been quicker
            _known.pop(next(iter(_known)), None)
        _known[key] = [structure, *_known.get(key, ())[:7]]
    for consumer, leaf in structure.uses:
        if found[leaf]._time > found[consumer]._time:
            raise GraphError(
                at_line(
                    f"{described(found[leaf])} was changed in place after it was used here, so the gradient would be "
                    "wrong; compute again what depends on it"
                )
            )
    return structure, found
