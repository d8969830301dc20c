# SPDX-License-Identifier: MIT OR Apache-2.0
"""Functions with a gradient of their own: custom rules, and checkpoints, which compute again what they did not keep.

Such a function is one op of the recorded graph, whose first operand is the Python function itself. So its gradient is
one more op, and the structure of a step is the same whichever function object stands there.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_autodiff.eager.backward import grad
from vynapse_autodiff.eager.blame import at_line, described
from vynapse_autodiff.eager.calls import OWN, call_of
from vynapse_autodiff.eager.derive import RULES
from vynapse_autodiff.eager.modes import MODE, PLAIN, RECORDING, Mode, mode
from vynapse_autodiff.eager.record import recorded
from vynapse_autodiff.eager.tensor import Tensor
from vynapse_core import GraphError, Op, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from vynapse_core import Array

    Function = Callable[..., Tensor]
    Rule = Callable[..., Tensor | Sequence[Tensor | None]]


@dataclass(frozen=True, eq=False)
class Pull:
    """What a function's gradient is; it takes the place of an array among the operands."""

    rule: Callable[[Tensor, Tensor, Sequence[Tensor]], Sequence[Tensor | None]]
    """(cotangent, output, inputs) -> cotangents of the inputs, None for 0."""
    ndim = 0
    shape = ()
    dtype = np.dtype(bool)

    def arrays(self, output: Array, cotangent: Array, *inputs: Array) -> list[Array]:
        """Return the cotangents as arrays, nothing recorded."""
        with mode(PLAIN):
            tensors = [Tensor(np.asarray(array)) for array in inputs]
            given = self.tensors(Tensor(np.asarray(output)), Tensor(np.asarray(cotangent)), tensors)
        return [slope.data for slope in given]

    def tensors(self, output: Tensor, cotangent: Tensor, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Return the cotangents, each of its input's shape and dtype. Raises GraphError where the rule gives others."""
        given = self.rule(cotangent, output, inputs)
        if len(given) != len(inputs):
            raise GraphError(f"a custom gradient gives {len(given)} cotangents for {len(inputs)} inputs")
        found = []
        for x, slope in zip(inputs, given, strict=True):
            if slope is None:
                slope = Tensor(np.zeros(x.shape, x.dtype))
            if (slope.shape, slope.dtype) != (x.shape, x.dtype):
                raise GraphError(f"a custom gradient gives {described(slope)} as the cotangent of {described(x)}")
            found.append(slope)
        return found


def custom_gradient(f: Function, rule: Rule) -> Function:
    """Return `f`, a function of tensors to one tensor, with another gradient.

    `rule(cotangent, output, *inputs)` gives the cotangents of the inputs, one tensor, or a sequence with None for 0.
    Where it is made of ops, its own gradient follows from them.
    """

    def pull(cotangent: Tensor, output: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
        given = rule(cotangent, output, *inputs)
        return (given,) if isinstance(given, Tensor) else given

    def wrapped(*inputs: Tensor) -> Tensor:
        with mode(_silent()):
            output = f(*inputs)
        return _recorded(Pull(pull), output, inputs)

    return wrapped


def checkpoint(f: Function, *inputs: Tensor) -> Tensor:
    """Return `f(*inputs)` without keeping what lies between: a backward pass computes it again.

    What `f` gives must depend on its inputs, and on leaves such as the weights of a layer, alone. Raises GraphError
    where it uses another tensor that an op made: pass it as an input.
    """
    watching = Mode(recording=False, anomaly=MODE.get().anomaly, watched=[])
    with mode(watching):
        output = f(*inputs)
    known = {id(x) for x in inputs}
    leaves: dict[int, Tensor] = {id(x): x for x in watching.watched or () if id(x) not in known}
    for x in leaves.values():
        if not x.is_leaf:
            raise GraphError(
                at_line(f"checkpoint: the function uses {described(x)}, which an op made; pass it as input")
            )
    own = len(inputs)

    def pull(cotangent: Tensor, _: Tensor, given: Sequence[Tensor]) -> Sequence[Tensor | None]:
        again = MODE.get() is not PLAIN
        with mode(RECORDING):
            arguments = [_apart(x) if again else Tensor(x.data, x.dtype.startswith("float")) for x in given[:own]]
            output = f(*arguments)
        # the leaves are met as themselves
        met = [*arguments, *leaves.values()]
        wanted = [x for x in met if x.requires_grad]
        if not output.requires_grad:
            return [None] * len(given)
        with _as_leaves(arguments):
            slopes = iter(grad(output, wanted, cotangent, create_graph=again))
        return [next(slopes) if x.requires_grad else None for x in met]

    return _recorded(Pull(pull), output, (*inputs, *leaves.values()))


def _silent() -> Mode:
    """Return the mode in which nothing is recorded, and what is looked for is looked for still."""
    return Mode(recording=False, anomaly=True) if MODE.get().anomaly else PLAIN


def _apart(x: Tensor) -> Tensor:
    """Return the same numbers as a tensor that nothing else uses, whose gradient passes to `x`."""
    return x.reshape(x.shape) if x.requires_grad else x


@contextmanager
def _as_leaves(tensors: Sequence[Tensor]) -> Iterator[None]:
    """Hide how tensors were made, so that a gradient is that of what follows them alone."""
    made = [(x, x._call, x._operands) for x in tensors]
    for x in tensors:
        x._call, x._operands = None, ()
    try:
        yield
    finally:
        for x, call, operands in made:
            x._call, x._operands = call, operands


def stop_gradient(x: Tensor) -> Tensor:
    """Return the same numbers, which no gradient passes through."""
    return x.detach()


def _recorded(pull: Pull, output: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    attributes = (("dtype", output.dtype), ("shape", output.shape))
    if MODE.get().everything:
        raise GraphError(
            at_line("a function with a gradient of its own is Python, which cannot be traced into a graph")
        )
    operands = (_held(pull), *inputs)
    return recorded(call_of("custom", len(operands), attributes), operands, output._data)


def _held(pull: Pull) -> Tensor:
    made = Tensor(np.zeros((), bool))
    made._data = pull
    return made


def _slopes(v: Sequence[Value], y: Value, g: Value, at: Mapping[str, Any]) -> Sequence[Value | None]:
    pulled = g.builder.apply("custom_vjp", v[0], y, g, *v[1:])
    return [
        None,
        *(
            g.builder.apply("picked", pulled, index=i, dtype=x.dtype, shape=x.shape)
            if x.dtype.startswith("float")
            else None
            for i, x in enumerate(v[1:])
        ),
    ]


def _told(shapes: Any, dtypes: Any, attributes: Mapping[str, Any]) -> tuple[tuple[int | str, ...], str]:
    return attributes["shape"], attributes["dtype"]


def _pulled(x: Sequence[Any], at: Mapping[str, Any], sizes: Mapping[str, int]) -> Any:
    return x[0].arrays(*x[1:])


_TYPE = {"dtype": (str, ...), "shape": (tuple, ...)}
OWN["custom"] = Op("custom", "a Python function", 1, _told, lambda x, at, sizes: x[0], attributes=_TYPE, variadic=True)
OWN["custom_vjp"] = Op(
    "custom_vjp",
    "the cotangents of a Python function's inputs, together",
    3,
    lambda shapes, dtypes, attributes: ((), "bool"),
    _pulled,
    variadic=True,
)
OWN["picked"] = Op(
    "picked",
    "one of several cotangents",
    1,
    _told,
    lambda x, at, sizes: x[0][at["index"]],
    attributes={**_TYPE, "index": (int, ...)},
)
RULES["custom"] = _slopes

ON_TENSORS: Mapping[str, Callable[[list[Any], Mapping[str, Any]], Any]] = {
    "custom_vjp": lambda v, at: v[0]._data.tensors(v[1], v[2], v[3:]),
    "picked": lambda v, at: v[0][at["index"]],
}
"""What these ops do where their results are to have gradients."""
