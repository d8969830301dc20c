# SPDX-License-Identifier: MIT OR Apache-2.0
"""A fused region as one step: its ops one after the other on a block of rows, then on the next block.

What passes between the ops is a block long and stays in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vynapse_autodiff.passes.fusion import Region
from vynapse_autodiff.static.kernels import writer
from vynapse_core import Array, Graph, Op, concrete

Step = Callable[[list[Any]], None]
Sizes = Mapping[str, int]


def blocked(
    graph: Graph, region: Region, rows: int, inside: frozenset[int], sizes: Sizes, ops: Mapping[str, Op]
) -> Step:
    """Return the function that computes a region, the arrays of all nodes given by place.

    A node of `inside` has an array of `rows` rows; all others are whole.
    """
    shape = concrete(graph.nodes[region.nodes[0]].shape, sizes)
    mine = set(region.nodes)
    cut: dict[int, bool] = {}
    calls = []
    for place in region.nodes:
        node = graph.nodes[place]
        for at, operand in enumerate(node.operands):
            by_row = operand in mine or _by_row(graph, node.op, at, operand, shape, sizes)
            # a value that one op takes row by row and another one whole stands twice
            key = operand if by_row else ~operand
            cut[key] = by_row
        adds = node.op == "sum" and 0 in node.attributes["axes"]
        cut[place if not adds else ~place] = not adds
        keys = tuple(
            operand if operand in mine or _by_row(graph, node.op, at, operand, shape, sizes) else ~operand
            for at, operand in enumerate(node.operands)
        )
        write = writer(ops[node.op], node, sizes)
        calls.append((_added(write) if adds else write, (*keys, ~place if adds else place), adds))
    borders = [(start, min(start + rows, shape[0])) for start in range(0, shape[0], rows)]

    def compute(slots: list[Any]) -> None:
        whole = {key: slots[key if key >= 0 else ~key] for key in cut}
        for start, stop in borders:
            local: dict[int, Array] = {}
            for key, by_row in cut.items():
                array = whole[key]
                if key >= 0 and key in inside:
                    array = array[: stop - start]
                elif by_row:
                    array = array[start:stop]
                local[key] = array
            for write, keys, adds in calls:
                given = [local[key] for key in keys]
                if adds:
                    write(*given, start)
                else:
                    write(*given)

    return compute


def _by_row(graph: Graph, op: str, at: int, operand: int, shape: tuple[int, ...], sizes: Sizes) -> bool:
    """Whether a block needs the same rows of an operand from outside the region."""
    if op == "matmul":
        return at == 0
    found = concrete(graph.nodes[operand].shape, sizes)
    return len(found) == len(shape) and found[0] == shape[0] and shape[0] > 1


def _added(write: Callable[..., None]) -> Callable[..., None]:
    """Return what adds up the sums of blocks, the first of which begins at row 0."""

    def add(x: Array, out: Array, start: int) -> None:
        if start == 0:
            write(x, out)
        else:
            part = np.empty_like(out)
            write(x, part)
            out += part

    return add
