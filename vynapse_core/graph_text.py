# SPDX-License-Identifier: MIT OR Apache-2.0
"""Graphs as text: JSON that reads back to the bit, from strangers too, and DOT for pictures.

A file states the shapes of leaves only; all others are inferred when it is read, so that a file cannot lie about them.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from vynapse_core.errors import GraphError
from vynapse_core.graph import LEAVES, Graph, Node, check_names, placed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vynapse_core.ops import Op

FORMAT = "vynapse-graph"
VERSION = 1
MAX_NODES = 100_000
MAX_TEXT = 64 * 2**20
"""Most characters of a stored graph."""


def json_text(graph: Graph) -> str:
    """Return the graph as JSON, one node a line."""
    lines = [json.dumps(_stored(node), sort_keys=True, allow_nan=False) for node in graph.nodes]
    head = f'{{"format": "{FORMAT}", "version": {VERSION}, "nodes": [\n'
    outputs = json.dumps(graph.outputs, sort_keys=True)
    return head + ",\n".join(lines) + f'\n], "outputs": {outputs}}}\n'


def dot_text(graph: Graph) -> str:
    """Return the graph in Graphviz's DOT language."""
    lines = ["digraph {", "  rankdir=BT;", "  node [shape=box];"]
    for i, node in enumerate(graph.nodes):
        name = node.attributes.get("name") if node.op in LEAVES else None
        told = {key: value for key, value in node.attributes.items() if key != "name"}
        details = ", ".join(f"{key}={_short(value)}" for key, value in told.items())
        title = f"{node.op} {name}" if name else node.op
        label = "\\n".join(_escaped(part) for part in (title, details, node.type) if part)
        style = ", style=filled, fillcolor=lightgrey" if node.op in LEAVES else ""
        lines.append(f'  n{i} [label="{label}"{style}];')
        lines += [f"  n{operand} -> n{i};" for operand in node.operands]
    for place, (name, output) in enumerate(graph.outputs.items()):
        lines.append(f'  o{place} [label="{_escaped(name)}", shape=ellipse];')
        lines.append(f"  n{output} -> o{place};")
    return "\n".join([*lines, "}"]) + "\n"


def _stored(node: Node) -> dict[str, Any]:
    stored: dict[str, Any] = {"op": node.op}
    if node.operands:
        stored["operands"] = node.operands
    if node.attributes:
        stored["attributes"] = {name: _writable(value) for name, value in node.attributes.items()}
    if node.op in LEAVES:
        stored["dtype"] = node.dtype
        if node.op != "constant":
            stored["shape"] = node.shape
    return stored


def _writable(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_writable(item) for item in value]
    # JSON has no names for these three
    return {"float": repr(value)} if isinstance(value, float) and not math.isfinite(value) else value


def _readable(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_readable(item) for item in value)
    if isinstance(value, dict):
        if list(value) != ["float"] or value["float"] not in ("nan", "inf", "-inf"):
            raise GraphError(f"{value!r} is no attribute value"[:300])
        return float(value["float"])
    return value


def read_json(text: str, ops: Mapping[str, Op]) -> Graph:
    """Return the graph that `json_text` wrote. Raises GraphError that names the node, for anything else."""
    if len(text) > MAX_TEXT:
        raise GraphError(f"a graph of {len(text)} characters; at most {MAX_TEXT} are read")
    try:
        tree = json.loads(text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_unique)
        return _rebuilt(_fields(tree, "the file", {"format": str, "version": int, "nodes": list, "outputs": dict}), ops)
    except RecursionError:
        raise GraphError("not a graph: lists are nested too deeply") from None
    except ValueError as error:
        raise GraphError(f"not a graph: {error}"[:300]) from None


def _rebuilt(tree: Mapping[str, Any], ops: Mapping[str, Op]) -> Graph:
    if tree["format"] != FORMAT or tree["version"] != VERSION:
        found = f"{tree['format']!r} version {tree['version']}"
        raise GraphError(f"expected {FORMAT!r} version {VERSION}, found {found}"[:300])
    if len(tree["nodes"]) > MAX_NODES:
        raise GraphError(f"{len(tree['nodes'])} nodes; at most {MAX_NODES} are allowed")
    nodes: list[Node] = []
    optional = {"operands": list, "attributes": dict, "dtype": str, "shape": list}
    for i, item in enumerate(tree["nodes"]):
        stored = _fields(item, f"node {i}", {"op": str}, optional)
        if stored["op"] not in LEAVES and ("dtype" in stored or "shape" in stored):
            raise GraphError(f"node {i} ({stored['op']}): shape and dtype are inferred; only leaves state them")
        try:
            attributes = {name: _readable(value) for name, value in stored.get("attributes", {}).items()}
        except GraphError as error:
            raise GraphError(f"node {i}: {error}") from None
        shape, dtype = tuple(stored.get("shape", ())), stored.get("dtype", "")
        nodes.append(placed(nodes, i, stored["op"], stored.get("operands", ()), attributes, shape, dtype, ops))
    graph = Graph(tuple(nodes), tree["outputs"])
    check_names(graph)
    return graph


def _fields(
    tree: Any, where: str, required: Mapping[str, type], optional: Mapping[str, type] | None = None
) -> Mapping[str, Any]:
    if not isinstance(tree, dict):
        raise GraphError(f"{where}: expected an object, found {tree!r}"[:300])
    known = {**required, **(optional or {})}
    for name, value in tree.items():
        if type(value) is not known.get(name):
            wanted = f"expected {known[name].__name__}" if name in known else f"known: {', '.join(known)}"
            raise GraphError(f"{where}: unexpected {name!r} = {value!r}"[:200] + f"; {wanted}")
    if missing := [name for name in required if name not in tree]:
        raise GraphError(f"{where}: {missing[0]!r} is missing")
    return tree


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) < len(pairs):
        raise GraphError(f"a key stands twice among {sorted(name for name, _ in pairs)}"[:300])
    return tree


def _no_constant(name: str) -> Any:
    raise GraphError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise GraphError(f"{digits} is too large a number"[:300])
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
