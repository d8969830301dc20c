# SPDX-License-Identifier: MIT OR Apache-2.0
"""What of a graph depends on parameters alone: computed once, where the rest is computed at every time step."""

from __future__ import annotations

from collections.abc import Mapping

from vynapse_core.builder import Builder, Value
from vynapse_core.graph import Graph, Node
from vynapse_core.ops import OPS, Op

VIEWS = frozenset({"transpose", "reshape", "slice"})
"""Ops that cost nothing, so that doing them early gains nothing and hides from devices what they know of weights."""


def parted(graph: Graph, ops: Mapping[str, Op] = OPS) -> tuple[Graph | None, Graph]:
    """Return the graph of what depends on parameters alone, and the graph of the rest.

    The outputs of the first, named `once` and a number, are parameters of the second, in place of those parameters that
    it no longer needs. The first is None where there is nothing worth it.
    """
    once, costs = _once(graph.nodes)
    read = {operand for i, node in enumerate(graph.nodes) if not once[i] for operand in node.operands}
    early = [i for i in sorted(read | set(graph.outputs.values())) if once[i] and costs[i]]
    if not early:
        return None, graph
    names: dict[int, str] = {}
    for i in early:
        names[i] = f"once{len(names)}"
        while names[i] in graph.parameters or names[i] in graph.inputs:
            names[i] += "'"
    first = Graph(graph.nodes, {name: i for i, name in names.items()}).live()
    builder = Builder(ops)
    for name, place in graph.inputs.items():
        builder.input(name, graph.nodes[place].shape, graph.nodes[place].dtype)
    values: dict[int, Value] = {}
    needed = _needed(graph, set(early))
    for i, node in enumerate(graph.nodes):
        if i in names:
            values[i] = builder.parameter(names[i], node.shape, node.dtype)
        elif i in needed:
            values[i] = _copied(builder, node, values)
    return first, builder.graph({name: values[place] for name, place in graph.outputs.items()})


def _once(nodes: tuple[Node, ...]) -> tuple[list[bool], list[bool]]:
    """Return of each node whether it depends on parameters and on no input, and whether computing it costs anything."""
    once: list[bool] = []
    costs: list[bool] = []
    on_input: list[bool] = []
    for node in nodes:
        on_input.append(node.op == "input" or any(on_input[i] for i in node.operands))
        once.append(not on_input[-1] and (node.op == "parameter" or any(once[i] for i in node.operands)))
        costs.append(any(costs[i] for i in node.operands) or (bool(node.operands) and node.op not in VIEWS))
    return once, costs


def _needed(graph: Graph, given: set[int]) -> set[int]:
    """Return the nodes that the outputs need where those `given` need nothing."""
    needed = set(graph.outputs.values()) | given
    for i in range(len(graph.nodes) - 1, -1, -1):
        if i in needed and i not in given:
            needed.update(graph.nodes[i].operands)
    return needed


def _copied(builder: Builder, node: Node, values: Mapping[int, Value]) -> Value:
    if node.op == "input":
        return builder.input(node.attributes["name"], node.shape, node.dtype)
    if node.op == "parameter":
        return builder.parameter(node.attributes["name"], node.shape, node.dtype)
    if node.op == "constant":
        return builder.constant(node.attributes["value"], node.dtype)
    return builder.apply(node.op, *[values[i] for i in node.operands], **node.attributes)
