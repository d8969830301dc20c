# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a node costs: floating-point operations, bytes moved, bytes of its value.

An element-wise function counts as one operation an element, whatever it is, and a product's inner step as two. What
moves numbers counts none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from math import prod

import numpy as np

from vynapse_core import Graph, Node, Op, concrete

VIEWS = frozenset({"transpose", "reshape", "slice", "stop_gradient", "window"})
"""Ops whose results may be their operands' numbers, in place."""
MOVES = VIEWS | {"expand_like", "pad", "concat", "gather", "cast", "size"}
"""Ops that compute nothing."""
OF_OPERAND = {"sum": 0, "max": 0, "argmax": 0, "sum_like": 0, "fold": 0, "scatter_add": 2}
"""{op: the operand each of whose elements is counted once}."""

Sizes = Mapping[str, int]


def elements(node: Node, sizes: Sizes) -> int:
    """Return how many elements a node's value has."""
    return prod(concrete(node.shape, sizes))


def value_bytes(node: Node, sizes: Sizes) -> int:
    """Return how many bytes a node's value takes."""
    return elements(node, sizes) * np.dtype(node.dtype).itemsize


def flops(graph: Graph, place: int, sizes: Sizes) -> int:
    """Return how many operations a node takes; an op that is unknown counts one an element of its result."""
    node = graph.nodes[place]
    if not node.operands or node.op in MOVES:
        return 0
    if node.op == "matmul":
        inner = graph.nodes[node.operands[0]].shape[-1:]
        return 2 * elements(node, sizes) * concrete(inner, sizes)[0]
    if node.op in OF_OPERAND:
        return elements(graph.nodes[node.operands[OF_OPERAND[node.op]]], sizes)
    return elements(node, sizes)


def bytes_moved(graph: Graph, place: int, sizes: Sizes, ops: Mapping[str, Op]) -> int:
    """Return how many bytes a node reads and writes; an operand of which only the shape counts is not read."""
    node = graph.nodes[place]
    if not node.operands or node.op in VIEWS or node.op == "size":
        return 0
    only_shape = ops[node.op].shape_only
    read = sum(
        value_bytes(graph.nodes[operand], sizes) for at, operand in enumerate(node.operands) if at not in only_shape
    )
    return read + value_bytes(node, sizes)


def region_bytes(graph: Graph, places: Sequence[int], sizes: Sizes, ops: Mapping[str, Op], kept: Set[int]) -> int:
    """Return how many bytes nodes that are one step read and write.

    What passes between them counts only where it is `kept`, for others to read.
    """
    if len(places) == 1:
        return bytes_moved(graph, places[0], sizes, ops)
    mine = set(places)
    read = {
        operand
        for place in places
        for at, operand in enumerate(graph.nodes[place].operands)
        if at not in ops[graph.nodes[place].op].shape_only and operand not in mine
    }
    return sum(value_bytes(graph.nodes[place], sizes) for place in (*read, *(mine & kept)))


def total_flops(graph: Graph, sizes: Sizes) -> int:
    """Return how many operations a graph takes for one network."""
    return sum(flops(graph, place, sizes) for place in range(len(graph.nodes)))
