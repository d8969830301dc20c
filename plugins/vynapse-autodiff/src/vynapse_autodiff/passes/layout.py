# SPDX-License-Identifier: MIT OR Apache-2.0
"""Layout: transposes moved to where they cost nothing.

A product reads a transposed operand as fast as a straight one, and everything else does not. So the transpose of a
product that nothing else needs becomes the product of its operands transposed, in the other order; and what is
computed element by element of values that are all transposed alike is computed before that, and transposed after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from vynapse_autodiff.passes.rewriting import PassReport, Rule, attributes_of, made_by, rewritten
from vynapse_core import Graph, Node, Op, Value

Values = Sequence[Value]

ELEMENTWISE = (
    "add", "sub", "mul", "div", "pow", "maximum", "minimum", "neg", "abs", "sign", "exp", "log", "log1p", "sqrt",
    "tanh", "sigmoid", "erf", "sin", "cos", "floor", "less", "equal", "where", "cast", "stop_gradient",
)  # fmt: skip
ROUNDS = 4


def layout(graph: Graph, ops: Mapping[str, Op] | None = None) -> tuple[Graph, PassReport]:
    """Return the graph with transposes in products' operands, or nearer to the outputs."""
    after, before = graph, len(graph.nodes)
    changes: Counter[str] = Counter()
    for _ in range(ROUNDS):
        rules = {
            "transpose": (("a product in the other order", _product_rule(after)), ("transposed twice", _undone)),
            **dict.fromkeys(ELEMENTWISE, (("transposed later", _later),)),
        }
        after, report = rewritten("layout", after, rules, ops)
        changes.update(report.changes)
        if not report.changes:
            break
    return after, PassReport("layout", before, len(after.nodes), dict(sorted(changes.items())))


def _product_rule(graph: Graph) -> Rule:
    uses = Counter(operand for node in graph.nodes for operand in node.operands)
    uses.update(graph.outputs.values())
    lone = [node.op == "matmul" and uses[place] == 1 for place, node in enumerate(graph.nodes)]
    turned = {id(node) for node in graph.nodes if node.op == "transpose" and lone[node.operands[0]]}

    def rule(node: Node, v: Values) -> Value | None:
        made = made_by(v[0], "matmul")
        if id(node) not in turned or made is None or not _swaps(node.attributes["axes"]):
            return None
        if any(len(operand.shape) != len(node.shape) for operand in made):
            return None
        return _swapped(made[1]) @ _swapped(made[0])

    return rule


def _swaps(axes: Sequence[int]) -> bool:
    """Whether axes are in order but for the last two."""
    last = len(axes) - 1
    return tuple(axes) == (*range(last - 1), last, last - 1)


def _swapped(x: Value) -> Value:
    *lead, n, m = range(len(x.shape))
    axes = (*lead, m, n)
    made = made_by(x, "transpose")
    return made[0] if made is not None and attributes_of(x)["axes"] == axes else x.transpose(axes)


def _undone(node: Node, v: Values) -> Value | None:
    made = made_by(v[0], "transpose")
    if made is None:
        return None
    inner = attributes_of(v[0])["axes"]
    assert isinstance(inner, tuple)
    axes = [inner[axis] for axis in node.attributes["axes"]]
    return made[0] if axes == sorted(axes) else made[0].transpose(axes)


def _later(node: Node, v: Values) -> Value | None:
    """F of values that are all transposed alike, or numbers, as f of them before, transposed."""
    found = [(made_by(value, "transpose"), value) for value in v]
    turned = [value for made, value in found if made is not None]
    if not turned or any(attributes_of(value)["axes"] != attributes_of(turned[0])["axes"] for value in turned):
        return None
    if any(made is None and value.shape != () for made, value in found):
        return None
    before = [value if made is None else made[0] for made, value in found]
    axes = attributes_of(turned[0])["axes"]
    assert isinstance(axes, tuple)
    return v[0].builder.apply(node.op, *before, **node.attributes).transpose(axes)
