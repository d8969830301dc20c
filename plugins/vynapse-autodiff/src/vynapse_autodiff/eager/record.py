# SPDX-License-Identifier: MIT OR Apache-2.0
"""Recording: an op of tensors becomes a tensor, which holds the call that made it and its operands where they matter.

The ops of every training step take the two short ways; `applied` is the long one, on which an op's own rule is asked
where shapes are new, and on which all that is special happens: traces, anomalies, watching.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_autodiff.eager.blame import at_line, described, refusal, user_line
from vynapse_autodiff.eager.calls import Call, call_of, checked_call
from vynapse_autodiff.eager.modes import MODE, PLAIN, RECORDING, Mode
from vynapse_core import GraphError

if TYPE_CHECKING:
    from vynapse_autodiff.eager.tensor import Tensor

DTYPES = ("float32", "float64", "int32", "int64", "uint64", "bool")
NAMES = {np.dtype(name): name for name in DTYPES}
"""Their names; NumPy takes longer to say them than to add."""

_mode = MODE.get
_new = object.__new__


class Note:
    """What few tensors have."""

    __slots__ = ("line", "name", "retain")

    def __init__(self, name: str = "", line: str = "", retain: bool = False) -> None:
        self.name = name
        self.line = line
        self.retain = retain


class _Tick:
    """Counts the changes of tensors in place, so that a backward pass can tell what changed since it was recorded."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = 0


TICK = _Tick()


def result_of_one(call: Call, operand: Tensor, data: Any, mode: Mode) -> Tensor:
    """Return the tensor of a float result, as `recorded` does where the mode is RECORDING or PLAIN."""
    made = _new(type(operand))
    made._data = data
    made.grad = made._note = None
    if operand._key and mode is RECORDING:
        made._call = call
        made._operands = (operand,)
        made._key = hash((call.code, operand._key)) | 1
        made._time = TICK.now
    else:
        made._call = None
        made._operands = ()
        made._key = made._time = 0
    return made


def result_of_two(call: Call, a: Tensor, b: Tensor, data: Any, mode: Mode) -> Tensor:
    """Return the tensor of a float result of two operands, as `recorded` does where the mode is RECORDING or PLAIN."""
    made = _new(type(a))
    made._data = data
    made.grad = made._note = None
    if (a._key or b._key) and mode is RECORDING:
        made._call = call
        made._operands = (a, b)
        made._key = hash((call.code, a._key, b._key)) | 1
        made._time = TICK.now
    else:
        made._call = None
        made._operands = ()
        made._key = made._time = 0
    return made


def applied(op: str, operands: tuple[Tensor, ...], attributes: dict[str, Any]) -> Tensor:
    """Return an op of tensors, checked by its rule where shapes and dtypes are new to it."""
    try:
        call = checked_call(
            op,
            tuple(attributes.items()),
            tuple([x._data.shape for x in operands]),
            tuple([x._data.dtype for x in operands]),
        )
    except GraphError as error:
        named = f"; operands: {', '.join(map(described, operands))}" if any(x.name for x in operands) else ""
        raise GraphError(at_line(f"{error}{named}")) from None
    return computed(call, operands)


def computed(call: Call, operands: tuple[Tensor, ...]) -> Tensor:
    """Return a call of tensors that fit it."""
    try:
        data = call.function(*[x._data for x in operands])
    except (GraphError, ValueError, IndexError) as error:
        raise refusal(call, operands, error) from None
    return recorded(call, operands, data)


def recorded(call: Call, operands: tuple[Tensor, ...], data: Any) -> Tensor:
    """Return the tensor of a result, recorded where the mode and its operands want it."""
    made = _new(type(operands[0]))
    made._data = data
    made.grad = made._note = made._call = None
    made._operands = ()
    made._key = made._time = 0
    mode = _mode()
    if mode is not PLAIN:
        keys = [x._key for x in operands]
        varies = mode.recording and any(keys) and data.dtype.kind == "f"
        if varies or mode.everything:
            made._call = call
            made._operands = operands
            made._time = TICK.now
            made._key = hash((call.code, *keys)) | 1 if varies else 0
        if mode.anomaly:
            _examine(made, call, operands)
        if mode.watched is not None:
            mode.watched.extend(x for x in operands if x._key)
        if mode.everything and not mode.recording and data.dtype.kind == "f" and call.op.name != "stop_gradient":
            # a trace of what has no gradient has none either
            return recorded(call_of("stop_gradient", 1), (made,), data)
    return made


def _examine(made: Tensor, call: Call, operands: tuple[Tensor, ...]) -> None:
    """Note the line that made a tensor; raise GraphError where it is not finite."""
    line = user_line()
    made._note = Note(line=line)
    if made._data.dtype.kind == "f" and not np.isfinite(made._data).all():
        what = "a NaN" if np.isnan(made._data).any() else "an infinity"
        given = ", ".join(map(described, operands))
        sick = [x for x in operands if x._data.dtype.kind == "f" and not np.isfinite(x._data).all()]
        cause = f"; it was there before, in {described(sick[0])}" if sick else ""
        raise GraphError(at_line(f"{call.op.name}({given}) makes {what}{cause}"))
