# SPDX-License-Identifier: MIT OR Apache-2.0
"""Joining tensors along an axis that they have, or along a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vynapse_autodiff.eager.blame import at_line, described
from vynapse_autodiff.eager.record import applied
from vynapse_autodiff.eager.tensor import Tensor
from vynapse_core import GraphError

if TYPE_CHECKING:
    from collections.abc import Sequence


def concatenate(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Return tensors, which differ along `axis` alone, joined along it. Raises GraphError where they do not fit."""
    if not tensors:
        raise GraphError(at_line("there is no tensor to join"))
    return applied("concat", tuple(tensors), {"axis": axis})


def stack(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Return tensors of one shape, joined along a new axis. Raises GraphError where they do not fit."""
    for tensor in tensors:
        if tensor.shape != tensors[0].shape or not -tensor.ndim <= axis + (axis < 0) <= tensor.ndim:
            raise GraphError(
                at_line(f"{described(tensor)} is not stacked on {described(tensors[0])} along axis {axis}")
            )
    rank = tensors[0].ndim + 1 if tensors else 1
    place = axis % rank
    wide = [tensor.reshape(*tensor.shape[:place], 1, *tensor.shape[place:]) for tensor in tensors]
    return concatenate(wide, place)
