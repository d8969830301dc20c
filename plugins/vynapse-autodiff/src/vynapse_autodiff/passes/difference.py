# SPDX-License-Identifier: MIT OR Apache-2.0
"""Two graphs in one picture: what passes took out and what they put in.

Nodes are the same where op, attributes and everything they are computed from are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from vynapse_core import Graph, Node

REMOVED, ADDED = "lightcoral", "palegreen"


def dot_difference(before: Graph, after: Graph) -> str:
    """Return both graphs in Graphviz's DOT language: removed nodes are red, added ones green, the others white."""
    old, new = _keys(before), _keys(after)
    lines = ["digraph {", "  rankdir=BT;", "  node [shape=box, style=filled, fillcolor=white];"]
    lines += _nodes(after, new, {key: "" if key in set(old) else ADDED for key in new})
    lines += _nodes(before, old, {key: REMOVED for key in old if key not in set(new)})
    for graph, keys, colour in ((before, old, REMOVED), (after, new, ADDED)):
        other = new if graph is before else old
        for name, output in graph.outputs.items():
            kept = name in before.outputs and name in after.outputs
            settled = kept and old[before.outputs[name]] == new[after.outputs[name]]
            if settled and graph is before:
                continue
            style = "" if settled else f", fillcolor={colour}"
            label = name.replace("\\", "\\\\").replace('"', '\\"')
            ends = f"out_{len(other)}_{keys[output]}_{len(lines)}"
            lines.append(f'  {ends} [label="{label}", shape=ellipse{style}];')
            lines.append(f"  {keys[output]} -> {ends};")
    return "\n".join([*lines, "}"]) + "\n"


def removed_and_added(before: Graph, after: Graph) -> tuple[list[Node], list[Node]]:
    """Return the nodes that only the first graph has, and those that only the second has."""
    old, new = _keys(before), _keys(after)
    known, found = set(old), set(new)
    removed = [node for key, node in zip(old, before.nodes, strict=True) if key not in found]
    return removed, [node for key, node in zip(new, after.nodes, strict=True) if key not in known]


def _nodes(graph: Graph, keys: Sequence[str], colours: dict[str, str]) -> list[str]:
    """Return the lines of those nodes that have a colour; "" leaves white."""
    lines = []
    for node, key in zip(graph.nodes, keys, strict=True):
        if key not in colours:
            continue
        name = node.attributes.get("name", "")
        label = "\\n".join(part for part in (f"{node.op} {name}".strip().replace('"', "'"), node.type) if part)
        fill = f", fillcolor={colours[key]}" if colours[key] else ""
        lines.append(f'  {key} [label="{label}"{fill}];')
        lines += [f"  {keys[operand]} -> {key};" for operand in node.operands]
    return lines


def _keys(graph: Graph) -> list[str]:
    """Return for each node a name that says what it computes."""
    keys: list[str] = []
    for node in graph.nodes:
        told = (node.op, [keys[operand] for operand in node.operands], sorted(node.attributes.items()), node.type)
        keys.append("n" + hashlib.sha256(repr(told).encode()).hexdigest()[:16])
    return keys
