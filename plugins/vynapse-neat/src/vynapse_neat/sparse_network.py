# SPDX-License-Identifier: MIT OR Apache-2.0
"""The ops of evolved networks: a network whose structure is arrays, so that P different ones are one graph.

Operands of `sparse_network`: samples x [B, I]; then what `decoding` makes: values [W], and int32 order, ends [N],
link, source [C], activation, aggregation [N], evaluated []. The result has the outputs [B, O]. `sparse_network_step`
takes a memory [B, N] as its last operand: all nodes read it, at once, and the result is the memory after that.
The cotangents of `x`, `values` and `memory` are ops too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import GraphError, Op
from vynapse_neat.activations import ACTIVATIONS, AGGREGATIONS, known_names
from vynapse_neat.meanings import backward, forward

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vynapse_core import Array, Builder, Gradient, Value
    from vynapse_neat.layout import Layout

STRUCTURE = ("order", "ends", "link", "source", "activation", "aggregation", "evaluated")
"""Names of the parameters after `values`."""
SIZES: dict[str, tuple[str, ...]] = {
    "order": ("N",), "ends": ("N",), "link": ("C",), "source": ("C",), "activation": ("N",), "aggregation": ("N",),
    "evaluated": (),
}  # fmt: skip
GIVEN = 2 + len(STRUCTURE)
"""Number of operands without memory and cotangent."""
MEMORY = "memory"


def network(builder: Builder, x: Value, layout: Layout, steps: int) -> dict[str, Value]:
    """Return the outputs of a graph of networks of a layout: `y` [B, O], and `memory` [B, N] of recurrent ones.

    A recurrent network is updated `steps` times.
    """
    operands = [builder.parameter("values", ("W",))]
    operands += [builder.parameter(name, SIZES[name], "int32") for name in STRUCTURE]
    attributes: dict[str, Any] = {
        "outputs": layout.outputs,
        "bias_node": layout.bias_node,
        "response": layout.response,
        "activations": layout.activations,
        "aggregations": layout.aggregations,
    }
    if not layout.recurrent:
        return {"y": builder.apply("sparse_network", x, *operands, **attributes)}
    memory = builder.input(MEMORY, ("B", "N"))
    for _ in range(steps):
        memory = builder.apply("sparse_network_step", x, *operands, memory, **attributes)
    places = builder.constant(np.arange(layout.inputs, layout.inputs + layout.outputs))
    return {"y": builder.apply("gather", memory, places, axis=1), MEMORY: memory}


def _checked(shapes: Sequence[Any], dtypes: Sequence[str], attributes: Mapping[str, Any], memory: bool) -> Any:
    """Return the shapes of x, values, order and memory. Raises GraphError for operands that do not fit."""
    x, values, order, ends, link, source, activation, aggregation, evaluated = shapes[:GIVEN]
    state = shapes[GIVEN] if memory else (*x[:1], *order)
    one = dtypes[0] in ("float32", "float64") and len({*dtypes[:2], *dtypes[GIVEN:]}) == 1
    if not one or set(dtypes[2:GIVEN]) != {"int32"}:
        raise GraphError("expected x, values and memory of one float dtype, and a structure of int32")
    if len(x) != 2 or len(values) != 1 or len(order) != 1 or len(link) != 1 or len(evaluated):
        raise GraphError("expected x [B, I], values [W], order [N], link [C] and evaluated []")
    if any(shape != order for shape in (ends, activation, aggregation)) or source != link:
        raise GraphError("expected ends, activation and aggregation [N] like order, and source [C] like link")
    if not isinstance(x[1], int):
        raise GraphError(f"x has the symbolic width {x[1]!r}; expected a number of inputs")
    if state != (x[0], order[0]):
        raise GraphError("expected memory [B, N]")
    if attributes["outputs"] < 0:
        raise GraphError(f"attribute 'outputs' is {attributes['outputs']}; expected a number of outputs")
    known_names(attributes["activations"], ACTIVATIONS, "activation")
    known_names(attributes["aggregations"], AGGREGATIONS, "aggregation")
    return x, values, order, state


def _infer(shapes: Sequence[Any], dtypes: Sequence[str], attributes: Mapping[str, Any]) -> tuple[Any, str]:
    x, *_ = _checked(shapes, dtypes, attributes, False)
    return (x[0], attributes["outputs"]), dtypes[0]


def _infer_step(shapes: Sequence[Any], dtypes: Sequence[str], attributes: Mapping[str, Any]) -> tuple[Any, str]:
    return _checked(shapes, dtypes, attributes, True)[3], dtypes[0]


def _infer_vjp(memory: bool) -> Any:
    def infer(shapes: Sequence[Any], dtypes: Sequence[str], attributes: Mapping[str, Any]) -> tuple[Any, str]:
        x, values, _, state = _checked(shapes[1:], dtypes[1:], attributes, memory)
        if shapes[0] != (state if memory else (x[0], attributes["outputs"])) or dtypes[0] != dtypes[1]:
            raise GraphError("expected a cotangent of the network's result")
        of = {"x": x, "values": values, **({MEMORY: state} if memory else {})}
        if attributes["of"] not in of:
            raise GraphError(f"attribute 'of' is {attributes['of']!r}; expected one of {', '.join(of)}")
        return of[attributes["of"]], dtypes[0]

    return infer


def _meaning(arrays: Sequence[Array], attributes: Mapping[str, Any], sizes: Mapping[str, int]) -> Array:
    x, *rest = arrays
    after = forward(x, rest, attributes, None)
    return np.ascontiguousarray(after[x.shape[1] : x.shape[1] + attributes["outputs"]].T)


def _meaning_step(arrays: Sequence[Array], attributes: Mapping[str, Any], sizes: Mapping[str, int]) -> Array:
    x, *rest, memory = arrays
    return np.ascontiguousarray(forward(x, rest, attributes, memory).T)


def _meaning_vjp(arrays: Sequence[Array], attributes: Mapping[str, Any], sizes: Mapping[str, int]) -> Array:
    cotangent, x, *rest = arrays
    inputs = x.shape[1]
    of_nodes = np.zeros((len(rest[1]), len(x)), x.dtype)
    of_nodes[inputs : inputs + attributes["outputs"]] = cotangent.T
    return np.ascontiguousarray(backward(of_nodes, x, rest, attributes, None)[attributes["of"]])


def _meaning_step_vjp(arrays: Sequence[Array], attributes: Mapping[str, Any], sizes: Mapping[str, int]) -> Array:
    cotangent, x, *rest, memory = arrays
    return np.ascontiguousarray(backward(cotangent.T, x, rest, attributes, memory)[attributes["of"]])


_ATTRIBUTES: dict[str, tuple[type, object]] = {
    "outputs": (int, ...),
    "bias_node": (bool, False),
    "response": (bool, False),
    "activations": (tuple, ...),
    "aggregations": (tuple, ("sum",)),
}
_OF = {**_ATTRIBUTES, "of": (str, ...)}

NETWORK_OPS = {
    op.name: op
    for op in (
        Op("sparse_network", "an evolved network's outputs [B, O]", GIVEN, _infer, _meaning, _ATTRIBUTES),
        Op("sparse_network_step", "a recurrent network's memory [B, N] after a time step", GIVEN + 1, _infer_step,
           _meaning_step, _ATTRIBUTES),
        Op("sparse_network_vjp", "cotangent of an operand of sparse_network", GIVEN + 1, _infer_vjp(False),
           _meaning_vjp, _OF),
        Op("sparse_network_step_vjp", "cotangent of an operand of sparse_network_step", GIVEN + 2, _infer_vjp(True),
           _meaning_step_vjp, _OF),
    )
}  # fmt: skip
"""{name: op}, for the hook `vynapse_ops`."""


def _gradient(op: str, memory: bool) -> Gradient:
    def gradient(
        operands: Sequence[Value], output: Value, cotangent: Value, attributes: Mapping[str, Any]
    ) -> Sequence[Value | None]:
        apply = output.builder.apply
        of = {0: "x", 1: "values", **({GIVEN: MEMORY} if memory else {})}
        return [
            apply(op, cotangent, *operands, of=of[at], **attributes) if at in of else None
            for at in range(len(operands))
        ]

    return gradient


NETWORK_GRADIENTS: dict[str, Gradient] = {
    "sparse_network": _gradient("sparse_network_vjp", False),
    "sparse_network_step": _gradient("sparse_network_step_vjp", True),
}
"""{op: gradient}, for the hook `vynapse_gradients`."""
