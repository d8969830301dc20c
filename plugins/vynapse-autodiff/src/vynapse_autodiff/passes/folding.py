# SPDX-License-Identifier: MIT OR Apache-2.0
"""Constant folding: what depends on constants alone is computed once, by the ops' meanings in NumPy.

A result larger than what it is made of stays an op: a constant is stored in the graph, number by number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from vynapse_autodiff.gradient import known_ops
from vynapse_autodiff.passes.rewriting import PassReport, rewritten
from vynapse_core import Graph, Node, Op, Value, constant_array

SMALL = 64
"""Elements that a folded constant may have whatever it is made of."""


def fold_constants(graph: Graph, ops: Mapping[str, Op] | None = None) -> tuple[Graph, PassReport]:
    """Return the graph with constants in the place of what depends on constants and on known shapes alone."""
    known = known_ops(graph) if ops is None else ops

    def folded(node: Node, operands: Sequence[Value]) -> Value | None:
        return _folded(known[node.op], node, operands)

    rules = dict.fromkeys(known, (("folded", folded),))
    return rewritten("constant folding", graph, rules, known)


def _folded(op: Op, node: Node, operands: Sequence[Value]) -> Value | None:
    if not operands or any(isinstance(dim, str) for dim in node.shape):
        return None
    arrays = []
    room = SMALL
    for at, value in enumerate(operands):
        made = value.builder.nodes[value.place]
        if at in op.shape_only:
            read = made.shape if node.op != "size" else [made.shape[axis] for axis in node.attributes["axes"]]
            if any(isinstance(dim, str) for dim in read):
                return None
            shape = [dim if isinstance(dim, int) else 1 for dim in made.shape]
            arrays.append(np.broadcast_to(np.zeros((), made.dtype), shape))
        elif made.op == "constant":
            arrays.append(constant_array(made))
            room = max(room, arrays[-1].size)
        else:
            return None
    if prod(int(dim) for dim in node.shape) > room:
        return None
    with np.errstate(all="ignore"):
        result = np.asarray(op.bind(node.attributes, {})(*arrays))
    return operands[0].builder.constant(result, node.dtype)
