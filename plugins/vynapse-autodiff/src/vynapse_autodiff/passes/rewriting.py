# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rewriting: a graph copied node by node, a rule giving something simpler in the place of some of them.

The copy goes through a builder, so that equal nodes are built once and what nothing needs is left out. Inputs and
parameters stay, needed or not: what calls a graph names all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from vynapse_autodiff.gradient import known_ops
from vynapse_core import Builder, Graph, Node, Op, Value

Rule = Callable[[Node, Sequence[Value]], Value | None]
"""`rule(node, operands)` is given a node and its operands in the copy; it returns what stands for it there, or None."""
Rules = Mapping[str, Sequence[tuple[str, Rule]]]
"""{op: (name, rule) in the order in which they are tried}."""


@dataclass(frozen=True)
class PassReport:
    """What a pass did to a graph."""

    name: str
    """The pass."""
    before: int
    """Nodes of the graph that it was given."""
    after: int
    """Nodes of the graph that it gave."""
    changes: Mapping[str, int] = field(default_factory=dict)
    """How often it did what, by name."""

    def __str__(self) -> str:
        told = ", ".join(f"{name} {count}" for name, count in self.changes.items())
        return f"{self.name}: {self.before} to {self.after} nodes" + (f" ({told})" if told else "")


def rewritten(
    name: str, graph: Graph, rules: Rules, ops: Mapping[str, Op] | None = None, rounds: int = 1
) -> tuple[Graph, PassReport]:
    """Return the graph after `rules`, applied until nothing changes or `rounds` times, and the report.

    A rule's value of another shape or dtype than the node is not taken, so that a rule need not look at broadcasting.
    """
    known = known_ops(graph) if ops is None else ops
    changes: Counter[str] = Counter()
    after = graph
    for _ in range(rounds):
        after, done = _copied(after, rules, known)
        changes += done
        if not done:
            break
    return after, PassReport(name, len(graph.nodes), len(after.nodes), dict(sorted(changes.items())))


def _copied(graph: Graph, rules: Rules, ops: Mapping[str, Op]) -> tuple[Graph, Counter[str]]:
    builder = Builder(ops)
    values: list[Value] = []
    changes: Counter[str] = Counter()
    for node in graph.nodes:
        operands = [values[operand] for operand in node.operands]
        value = _replacement(node, operands, rules, changes)
        values.append(copied(builder, node, operands) if value is None else value)
    return builder.graph({name: values[output] for name, output in graph.outputs.items()}), changes


def _replacement(node: Node, operands: Sequence[Value], rules: Rules, changes: Counter[str]) -> Value | None:
    for name, rule in rules.get(node.op, ()):
        value = rule(node, operands)
        if value is not None and (value.shape, value.dtype) == (node.shape, node.dtype):
            changes[name] += 1
            return value
    return None


def copied(builder: Builder, node: Node, operands: Sequence[Value]) -> Value:
    """Return the copy of a node in `builder`, on operands there."""
    if node.op == "input":
        return builder.input(node.attributes["name"], node.shape, node.dtype)
    if node.op == "parameter":
        return builder.parameter(node.attributes["name"], node.shape, node.dtype)
    if node.op == "constant":
        return builder.constant(node.attributes["value"], node.dtype)
    return builder.apply(node.op, *operands, **node.attributes)


def made_by(value: Value, op: str) -> list[Value] | None:
    """Return the operands of a value that `op` made; None for one that something else made."""
    node = value.builder.nodes[value.place]
    return [Value(value.builder, operand) for operand in node.operands] if node.op == op else None


def attributes_of(value: Value) -> Mapping[str, object]:
    """Return the attributes of the node that made a value."""
    return value.builder.nodes[value.place].attributes


def same(a: Value, b: Value) -> bool:
    """Whether two values of a builder are one."""
    return a.place == b.place
