# SPDX-License-Identifier: MIT OR Apache-2.0
"""Between tensors and graphs: what was recorded as a graph of the kernel, and a graph computed op by op on tensors."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vynapse_autodiff.eager.blame import at_line, described
from vynapse_autodiff.eager.calls import FREED, call_of
from vynapse_autodiff.eager.modes import MODE, mode
from vynapse_autodiff.eager.record import computed
from vynapse_autodiff.eager.tensor import Tensor, constant
from vynapse_core import Builder, Graph, GraphError, Value, constant_array, installed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vynapse_autodiff.eager.calls import Call

LARGEST = 65_536
"""Most elements of an array that becomes a constant of a graph."""


def trace(f: Callable[..., Any], *examples: Any) -> Graph:
    """Return the graph of what `f` does with tensors of the examples' shapes and dtypes.

    The inputs have the names of `f`'s parameters. Leaves from elsewhere that require a gradient become parameters, by
    their names or `p0`, `p1`, ...; other leaves become constants, as they are. A result that is one tensor is the
    output `y`; several are `y0`, `y1`, ..., or have the keys of the mapping that `f` returns. Raises GraphError where
    `f` does what no graph can express, such as a branch on a value.
    """
    names = _names(f, len(examples))
    inputs = [
        Tensor(_array(given), getattr(given, "requires_grad", False), name)
        for name, given in zip(names, examples, strict=True)
    ]
    with mode(replace(MODE.get(), everything=True)):
        made = f(*inputs)
    if isinstance(made, Tensor):
        outputs = {"y": made}
    elif isinstance(made, dict):
        outputs = made
    else:
        outputs = {f"y{i}": output for i, output in enumerate(made)}
    if odd := [name for name, output in outputs.items() if not isinstance(output, Tensor)]:
        raise GraphError(at_line(f"trace: the result {odd[0]!r} is no tensor"))
    return graph_of(outputs, {id(x): name for x, name in zip(inputs, names, strict=True)}, inputs)


def graph_of(outputs: Mapping[str, Tensor], names: Mapping[int, str] | None = None, inputs: Any = ()) -> Graph:
    """Return the graph of what was recorded on the way to `outputs`.

    Leaves that require a gradient become parameters, numbers constants, the others inputs; with `names` {id of a leaf:
    name} these are the inputs and the others constants. Raises GraphError where a backward pass has let go of what is
    needed.
    """
    builder = Builder(_ops())
    values: dict[int, Value] = {}
    taken = set(names.values()) if names else set()
    for x in inputs:
        values[id(x)] = builder.input(x.name, x.shape, x.dtype)
    pending = [(output, False) for output in outputs.values()]
    while pending:
        x, ready = pending.pop()
        if id(x) in values:
            continue
        if x._call is FREED:
            raise GraphError(at_line(f"what led to {described(x)} was let go of by a backward pass"))
        if ready:
            operands = [values[id(operand)] for operand in x._operands]
            call = x._call
            if call is None:
                raise GraphError(f"{described(x)} was made by no op")
            values[id(x)] = builder.apply(call.op.name, *operands, **call.attributes)
        elif x._operands:
            pending.append((x, True))
            pending.extend((operand, False) for operand in reversed(x._operands))
        else:
            values[id(x)] = _leaf(builder, x, taken, constants=names is not None)
    return builder.graph({name: values[id(output)] for name, output in outputs.items()})


def _leaf(builder: Builder, x: Tensor, taken: set[str], constants: bool) -> Value:
    if x._call is not None:
        return builder.constant(x._call.attributes["value"], x.dtype)
    if not x.requires_grad and (constants or (x.shape == () and not x.name)):
        if x.size > LARGEST:
            raise GraphError(at_line(f"{described(x)} is too large for a constant; pass it as an argument"))
        return builder.constant(x.data, x.dtype)
    prefix = "p" if x.requires_grad else "x"
    name = x.name or next(name for i in range(len(taken) + 1) if (name := f"{prefix}{i}") not in taken)
    if name in taken:
        raise GraphError(at_line(f"two leaves are called {name!r}; give them names of their own"))
    taken.add(name)
    return (builder.parameter if x.requires_grad else builder.input)(name, x.shape, x.dtype)


def _names(f: Callable[..., Any], count: int) -> list[str]:
    """Return a name for each argument: those of the parameters, and `x0`, `x1`, ... where there are none."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        known = [name for name, told in inspect.signature(f).parameters.items() if told.kind in kinds]
    except (TypeError, ValueError):
        known = []
    return [known[i] if i < len(known) else f"x{i}" for i in range(count)]


def _array(given: Any) -> Any:
    return given.data if isinstance(given, Tensor) else given


def _ops() -> Any:
    return {**Builder().ops, **installed().ops}


class Replay:
    """A graph, computed node by node on tensors, so that what it computes has gradients as any tensor has."""

    def __init__(self, graph: Graph) -> None:
        """Take a graph that is well-formed."""
        self.graph = graph.live()
        self._leaves = {**self.graph.parameters, **self.graph.inputs}
        self._constants = [
            (place, Tensor(constant_array(node)))
            if node.shape
            else (place, constant(node.attributes["value"], node.dtype))
            for place, node in enumerate(self.graph.nodes)
            if node.op == "constant"
        ]
        self._plans: dict[tuple[tuple[str, int], ...], list[tuple[Call, int, tuple[int, ...]]]] = {}

    def __call__(self, leaves: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the outputs for tensors by the names of parameters and inputs; names it does not need may be there.

        Raises GraphError for a leaf that is missing, or not of the shape and dtype that the graph says.
        """
        slots: list[Any] = [None] * len(self.graph.nodes)
        sizes: dict[str, int] = {}
        for name, place in self._leaves.items():
            node = self.graph.nodes[place]
            if name not in leaves:
                raise GraphError(at_line(f"{node.op} {name!r} is missing; given: {', '.join(leaves) or 'none'}"))
            x = slots[place] = leaves[name]
            fits = x.dtype == node.dtype and len(x.shape) == len(node.shape)
            if not fits or any(
                (sizes.setdefault(dim, size) if isinstance(dim, str) else dim) != size
                for dim, size in zip(node.shape, x.shape, strict=True)
            ):
                raise GraphError(at_line(f"{node.op} {name!r}: expected {node.type}, got {described(x)}"))
        for place, x in self._constants:
            slots[place] = x
        key = tuple(sizes.items())
        if key not in self._plans:
            self._plans[key] = self._planned(sizes)
        for call, place, operands in self._plans[key]:
            slots[place] = computed(call, tuple([slots[operand] for operand in operands]))
        return {name: slots[place] for name, place in self.graph.outputs.items()}

    def _planned(self, sizes: Mapping[str, int]) -> list[tuple[Call, int, tuple[int, ...]]]:
        plan = []
        for place, node in enumerate(self.graph.nodes):
            if node.operands:
                attributes = dict(node.attributes)
                if node.op == "reshape":
                    attributes["shape"] = tuple(sizes.get(dim, dim) for dim in attributes["shape"])
                plan.append((call_of(node.op, len(node.operands), tuple(attributes.items())), place, node.operands))
        return plan


def run(graph: Graph, leaves: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the outputs of a graph, computed op by op; `Replay(graph)` does it again and again for less."""
    return Replay(graph)(leaves)
