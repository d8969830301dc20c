# SPDX-License-Identifier: MIT OR Apache-2.0
"""Common subexpressions: what is computed twice is computed once.

Sums and products count as equal in either order of their operands. An operand of which only the shape matters is
replaced by an input or parameter of that shape where there is one, so that nothing is kept, or computed, for its shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vynapse_autodiff.gradient import known_ops
from vynapse_autodiff.passes.rewriting import PassReport, Rules, rewritten
from vynapse_core import Graph, Node, Op, Value

COMMUTATIVE = ("add", "mul", "equal")
"""Ops of which both orders give the same bits."""
DTYPE_COUNTS = ("size", "uniform")
"""Ops that take their dtype from the operand whose shape counts."""


def common_subexpressions(graph: Graph, ops: Mapping[str, Op] | None = None) -> tuple[Graph, PassReport]:
    """Return the graph with equal values computed once, and shapes taken from where they cost nothing."""
    known = known_ops(graph) if ops is None else ops
    seen: dict[tuple[str, int, int], Value] = {}
    leaves: dict[tuple[object, ...], int] = {}
    scanned = 0

    def either_order(node: Node, operands: Sequence[Value]) -> Value | None:
        low, high = sorted(value.place for value in operands)
        key = (node.op, low, high)
        if key in seen:
            mine = seen[key]
            # the same order is the builder's to find
            return mine if mine.builder.nodes[mine.place].operands != tuple(v.place for v in operands) else None
        seen[key] = operands[0].builder.apply(node.op, *operands, **node.attributes)
        return None

    def shape_from_leaf(node: Node, operands: Sequence[Value]) -> Value | None:
        nonlocal scanned
        builder = operands[0].builder
        for place in range(scanned, len(builder.nodes)):
            leaf = builder.nodes[place]
            if leaf.op in ("input", "parameter"):
                leaves.setdefault((leaf.shape, leaf.dtype), place)
                leaves.setdefault((leaf.shape,), place)
        scanned = len(builder.nodes)
        chosen = list(operands)
        for at in known[node.op].shape_only:
            like = operands[at]
            key = (like.shape, like.dtype) if node.op in DTYPE_COUNTS else (like.shape,)
            if builder.nodes[like.place].operands and key in leaves:
                chosen[at] = Value(builder, leaves[key])
        if all(new.place == old.place for new, old in zip(chosen, operands, strict=True)):
            return None
        return builder.apply(node.op, *chosen, **node.attributes)

    rules: Rules = {
        **dict.fromkeys(COMMUTATIVE, (("in either order", either_order),)),
        **{op.name: (("shape from a leaf", shape_from_leaf),) for op in known.values() if op.shape_only},
    }
    return rewritten("common subexpressions", graph, rules, known)
