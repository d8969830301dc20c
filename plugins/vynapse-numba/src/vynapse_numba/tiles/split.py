# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which part of a graph can be computed a block of samples at a time, so that no value of all samples is ever held.

Values come in stages. ONCE: what depends on a network but on no sample. EACH: what has the axis of samples; computed
block by block. SUMS: sums and maxima over samples, added up from block to block. AFTER: what is made of them. Where a
value of each sample needs one of AFTER, or an op mixes samples, the graph is computed whole.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from math import prod
from typing import TYPE_CHECKING

from vynapse_numba.tiles.elementwise import WRITERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from vynapse_core import Arguments, Node

BLOCKWISE = frozenset(WRITERS) | {"stop_gradient", "transpose", "slice", "pad", "concat", "window", "fold"}
"""Ops that keep samples apart whatever their operands."""


class Stage(Enum):
    """When a value is computed."""

    SHARED = "once a call"
    ONCE = "once a tile"
    EACH = "for each block of samples"
    SUMS = "added up over blocks"
    AFTER = "after the last block"


@dataclass(frozen=True)
class Split:
    """The stage of each node, and where its axis of samples is."""

    symbol: str | None
    """The symbol of the axis of samples; None for a graph that is computed whole."""
    stages: tuple[Stage, ...]
    axes: tuple[int | None, ...]
    """The axis of samples of each node; of a graph computed whole, the axis that lies innermost."""


class _WholeError(Exception):
    """The graph cannot be split."""


def split(arguments: Arguments, valued: Callable[[Node], tuple[int, ...]]) -> Split:
    """Return how a graph is computed; `valued` gives the operands of a node whose values it needs."""
    nodes = arguments.live.nodes
    symbol = _symbol(arguments)
    if symbol is not None:
        axes = tuple(node.shape.index(symbol) if symbol in node.shape else None for node in nodes)
        try:
            return Split(symbol, _stages(arguments, valued, symbol, axes), axes)
        except _WholeError:
            pass
    stages = tuple(Stage.ONCE if varies else Stage.SHARED for varies in arguments.varying)
    symbols = [[axis for axis, dim in enumerate(node.shape) if isinstance(dim, str)] for node in nodes]
    return Split(None, stages, tuple(places[-1] if places else None for places in symbols))


def _symbol(arguments: Arguments) -> str | None:
    """Return the symbol that most inputs have."""
    nodes = arguments.live.nodes
    found = Counter(dim for i in arguments.live.inputs.values() for dim in nodes[i].shape if isinstance(dim, str))
    return found.most_common(1)[0][0] if found else None


def _stages(
    arguments: Arguments, valued: Callable[[Node], tuple[int, ...]], symbol: str, axes: tuple[int | None, ...]
) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    nodes = arguments.live.nodes
    for i, node in enumerate(nodes):
        if not arguments.varying[i]:
            stages.append(Stage.SHARED)
            continue
        operands = valued(node)
        sampled = axes[i] is not None or any(axes[o] is not None for o in operands)
        late = any(stages[o] in (Stage.SUMS, Stage.AFTER) for o in operands)
        if not sampled:
            stages.append(Stage.AFTER if late else Stage.ONCE)
            continue
        if late or any(nodes[o].shape.count(symbol) > 1 for o in (*node.operands, i)):
            raise _WholeError
        stages.append(_sampled(node, [nodes[o] for o in node.operands], symbol))
    return tuple(stages)


def _sampled(node: Node, operands: list[Node], symbol: str) -> Stage:
    """Return EACH or SUMS for a value made from samples."""
    has = symbol in node.shape
    if not operands or (node.op in BLOCKWISE and has):
        return Stage.EACH
    if node.op in ("sum", "max", "sum_like", "matmul"):
        return Stage.EACH if has else Stage.SUMS
    if node.op == "expand_like" and has:
        return Stage.EACH
    if node.op == "argmax" and has and operands[0].shape[node.attributes["axis"]] != symbol:
        return Stage.EACH
    if node.op == "reshape" and _before(node, symbol) == _before(operands[0], symbol):
        return Stage.EACH
    if node.op == "gather":
        source, indices = operands
        if source.shape[node.attributes["axis"]] != symbol and not (symbol in source.shape and symbol in indices.shape):
            return Stage.EACH
    if node.op == "scatter_add":
        if not has:
            return Stage.SUMS
        if node.shape[node.attributes["axis"]] != symbol and symbol not in operands[1].shape:
            return Stage.EACH
    raise _WholeError


def _before(node: Node, symbol: str) -> tuple[int, tuple[str, ...]]:
    """Return what lies before the axis of samples, as a product: equal ones keep samples apart."""
    dims = node.shape[: node.shape.index(symbol)]
    symbols = tuple(sorted(dim for dim in dims if isinstance(dim, str)))
    return prod(dim for dim in dims if isinstance(dim, int)), symbols
