# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reverse mode: the gradient of a graph is a graph.

Cotangents flow from the outputs back through the nodes, last first, each op's rule adding nodes to the same builder.
What comes out are values like any other: they can be differentiated again, and equal expressions are built once. Only
nodes between what is differentiated and what it is differentiated by are visited, so an op without a rule elsewhere
does no harm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vynapse_autodiff.vjps import FLOAT, VJPS, expanded
from vynapse_core import Builder, GraphError, Value, installed, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vynapse_core import Gradient, Graph, Op

    Rules = Mapping[str, Gradient]


def gradient(
    graph: Graph,
    output: str = "loss",
    wrt: Sequence[str] | None = None,
    prefix: str = "d_",
    ops: Mapping[str, Op] | None = None,
    rules: Rules | None = None,
) -> Graph:
    """Return `graph` with more outputs: the gradient of a scalar output by each leaf in `wrt`, named `prefix` + leaf.

    `wrt` names parameters and inputs of float dtype; None stands for all parameters of float dtype. A gradient has the
    shape and dtype of its leaf, and is 0 where the output does not depend on it. `ops` are the ops to know, by default
    the kernel's and those of installed plugins; `rules` {op: gradient} come before those that plugins offer. Raises
    GraphError for an output that is unknown or no scalar, a leaf that is unknown or has no gradient, an output that is
    there already, and an op without a rule.
    """
    builder = Builder(known_ops(graph) if ops is None else ops)
    outputs = builder.extend(graph)
    if output not in outputs:
        raise GraphError(f"cannot differentiate the output {output!r}: {_unknown(output, graph.outputs, 'output')}")
    leaves = _leaves(graph, builder)
    names = [name for name in graph.parameters if leaves[name].dtype in FLOAT] if wrt is None else list(wrt)
    for name in names:
        if name not in leaves:
            raise GraphError(f"cannot differentiate by {name!r}: {_unknown(name, leaves, 'parameter or input')}")
        if prefix + name in outputs:
            raise GraphError(f"the graph has an output {prefix + name!r} already; choose another prefix")
    try:
        found = grad(outputs[output], [leaves[name] for name in names], rules)
    except GraphError as error:
        raise GraphError(f"gradient of the output {output!r}: {error}") from None
    return builder.graph({**outputs, **{prefix + name: value for name, value in zip(names, found, strict=True)}})


def grad(output: Value, wrt: Sequence[Value], rules: Rules | None = None) -> list[Value]:
    """Return the gradient of a scalar by each value in `wrt`, of its shape and dtype: values of the same builder.

    Raises GraphError as `vjp` does, and for an output that is no scalar.
    """
    if output.shape != ():
        raise GraphError(
            f"a gradient is that of a scalar, but the output is {output}; take its sum or mean, or use vjp or jacobian"
        )
    _need_float(output, "differentiated")
    return vjp([output], wrt, [output.builder.constant(1.0, output.dtype)], rules)


def value_and_grad(output: Value, wrt: Sequence[Value], rules: Rules | None = None) -> tuple[Value, list[Value]]:
    """Return a scalar and its `grad`, which share all nodes that they have in common."""
    return output, grad(output, wrt, rules)


def vjp(
    outputs: Sequence[Value], wrt: Sequence[Value], cotangents: Sequence[Value], rules: Rules | None = None
) -> list[Value]:
    """Return the vector-Jacobian product: for each value in `wrt`, the sum over outputs of cotangent times Jacobian.

    A cotangent has the shape and dtype of its output. A value in `wrt` may be any float value, one computed from
    another of them too: each result is its total derivative. Raises GraphError for what is no float, a cotangent that
    does not fit, and an op on the way without a rule.
    """
    if len(outputs) != len(cotangents):
        raise GraphError(f"vjp: {len(outputs)} outputs and {len(cotangents)} cotangents; expected one for each")
    for value in wrt:
        _need_float(value, "differentiated by")
    if not outputs or not wrt:
        return [zeros_like(value) for value in wrt]
    builder = wrt[0].builder
    for value in (*outputs, *wrt, *cotangents):
        if value.builder is not builder:
            raise GraphError(f"vjp: {value} belongs to another builder than {wrt[0]}")
    varies = _varying(builder, {value.place for value in wrt})
    found: dict[int, Value] = {}
    for output, cotangent in zip(outputs, cotangents, strict=True):
        _need_float(output, "differentiated")
        if (output.shape, output.dtype) != (cotangent.shape, cotangent.dtype):
            raise GraphError(f"vjp: the cotangent {cotangent} of {output} does not fit; expected its shape and dtype")
        _add(found, output, cotangent)
    for place in range(max(found), -1, -1):
        node = builder.nodes[place]
        if place not in found or not varies[place] or not any(varies[operand] for operand in node.operands):
            continue
        operands = [Value(builder, operand) for operand in node.operands]
        rule = _rule(node.op, rules)
        parts = rule(operands, Value(builder, place), found[place], node.attributes)
        if len(parts) != len(operands):
            raise GraphError(f"the gradient of {node.op!r} gives {len(parts)} cotangents for {len(operands)} operands")
        for operand, part in zip(operands, parts, strict=True):
            if part is None or not varies[operand.place]:
                continue
            if (part.shape, part.dtype) != (operand.shape, operand.dtype):
                raise GraphError(f"the gradient of {node.op!r} gives {part} as the cotangent of {operand}")
            _add(found, operand, part)
    return [found[value.place] if value.place in found else zeros_like(value) for value in wrt]


def zeros_like(value: Value) -> Value:
    """Return zeros of the shape and dtype of a float value."""
    return expanded(value.builder.constant(0.0, value.dtype), value)


def _varying(builder: Builder, wanted: set[int]) -> list[bool]:
    """Return for each node whether its value, a float, depends on one of the wanted nodes; a shape does not."""
    varies: list[bool] = []
    for place, node in enumerate(builder.nodes):
        shape_only = builder.ops[node.op].shape_only if node.operands else ()
        operands = [operand for at, operand in enumerate(node.operands) if at not in shape_only]
        varies.append(place in wanted or (node.dtype in FLOAT and any(varies[operand] for operand in operands)))
    return varies


def _add(found: dict[int, Value], value: Value, cotangent: Value) -> None:
    found[value.place] = found[value.place] + cotangent if value.place in found else cotangent


def _rule(op: str, rules: Rules | None) -> Gradient:
    if rules and op in rules:
        return rules[op]
    if op in VJPS:
        return VJPS[op]
    offered = installed().gradients
    if op not in offered:
        raise GraphError(
            f"the op {op!r} has no gradient: a plugin offers one by the hook vynapse_gradients; "
            "stop_gradient before it leaves it out"
        )
    return offered[op]


def _need_float(value: Value, what: str) -> None:
    if value.dtype not in FLOAT:
        raise GraphError(f"{value} cannot be {what}; expected {' or '.join(FLOAT)}")


def known_ops(graph: Graph) -> Mapping[str, Op]:
    """Return the kernel's ops, and those of installed plugins if the graph needs more."""
    kernel = Builder().ops
    if all(node.op in kernel for node in graph.nodes if node.operands):
        return kernel
    return {**kernel, **installed().ops}


def _leaves(graph: Graph, builder: Builder) -> dict[str, Value]:
    """Return the inputs and parameters of a graph that `builder` holds a copy of."""
    leaves = {}
    for kind, places in (("parameter", graph.parameters), ("input", graph.inputs)):
        for name, place in places.items():
            node = graph.nodes[place]
            leaves[name] = getattr(builder, kind)(name, node.shape, node.dtype)
    return leaves


def _unknown(name: str, known: Mapping[str, object], what: str) -> str:
    hint = nearest(name, known) or f"known: {', '.join(known) or 'none'}"
    return f"the graph has no {what} of this name; {hint}"
