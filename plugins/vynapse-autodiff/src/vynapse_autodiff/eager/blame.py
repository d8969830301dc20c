# SPDX-License-Identifier: MIT OR Apache-2.0
"""Whose line it was: errors that name the tensors, their shapes, and the line of the user's program."""

from __future__ import annotations

import sys
from os import sep
from pathlib import Path
from typing import TYPE_CHECKING

import vynapse_core
from vynapse_core import GraphError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vynapse_autodiff.eager.calls import Call
    from vynapse_autodiff.eager.tensor import Tensor

_RUN = str(Path(vynapse_core.__file__).parent / "run.py")
"""What a recipe is run by: beyond it there is no line of the user's."""
_OURS = tuple(f"{folder}{sep}" for folder in (Path(__file__).parents[1], Path(vynapse_core.__file__).parent))


def user_line() -> str:
    """Return `file.py:12`, the innermost line of the stack that is not this project's; empty where there is none.

    What a recipe runs has none, unless the line is in what it calls, such as another's plugin.
    """
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith((*_OURS, "<")) or "contextlib" in frame.f_code.co_filename:
        if frame.f_back is None or frame.f_code.co_filename == _RUN:
            return ""
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def described(tensor: Tensor) -> str:
    """Return `'w1' float32 [2, 8]`: name, where it has one, dtype and shape."""
    name = f"{tensor.name!r} " if tensor.name else ""
    return f"{name}{tensor.dtype} {list(tensor.shape)}"


def listed(operands: Sequence[Tensor]) -> str:
    """Return the operands, described and parted by commas."""
    return ", ".join(map(described, operands))


def at_line(message: str) -> str:
    """Return the message with the user's line before it."""
    line = user_line()
    return f"{line}: {message}" if line else message


def refusal(call: Call, operands: Sequence[Tensor], cause: Exception) -> GraphError:
    """Return the error of an op that its operands do not fit: the op's own words, names, shapes and the line."""
    try:
        call.op.result([x.shape for x in operands], [x.dtype for x in operands], call.attributes)
        reason = f"{call.op.name}: {cause}"
    except GraphError as error:
        reason = str(error)
    named = f"; operands: {listed(operands)}" if any(x.name for x in operands) else ""
    return GraphError(at_line(f"{reason}{named}"))
