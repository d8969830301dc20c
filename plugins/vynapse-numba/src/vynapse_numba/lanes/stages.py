# SPDX-License-Identifier: MIT OR Apache-2.0
"""When each value of a graph is computed, where one axis, that of samples, is walked by a loop.

A value has a level: the number of passes over all samples that must have ended before it can be known. A loss is of
level 1, its gradient's last product too; what is made of every sample and of a mean over samples takes a second pass,
in which the first one's values are computed again, which is cheaper than to keep them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from vynapse_numba.lanes.elementwise import ELEMENTWISE, UnsupportedError
from vynapse_numba.lanes.trace import MOVES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from vynapse_core import Arguments, Node

SUPPORTED = ELEMENTWISE | MOVES | {"sum", "sum_like", "max", "argmax", "matmul"}
MOST_LEVELS = 4


@dataclass(frozen=True)
class Stages:
    """The order of a graph's values; numbers are nodes of `arguments.live`."""

    symbol: str | None
    """The axis that is walked."""
    needed: tuple[int, ...]
    """The values that differ by network and that an output needs, in order."""
    fed: tuple[int, ...]
    """The values shared by all networks that those need; constants apart."""
    levels: tuple[int, ...]
    """The level of each node."""
    over: frozenset[int]
    """The values that a pass over all samples adds up."""
    operands: tuple[tuple[int, ...], ...]
    """The operands of each node whose values count."""
    parts: frozenset[int] = frozenset()
    """The values that plugins' sample kernels compute."""
    apart: frozenset[int] = frozenset()
    """The values of unknown size that those take and give: they lie in memory, a row a network."""


def staged(arguments: Arguments, parted: Collection[str] = ()) -> Stages:
    """Return the stages of a graph. Raises UnsupportedError where lanes cannot compute it.

    The ops `parted` have sample kernels. In a graph with one of them there is no axis of samples, and values of
    unknown size are for those ops alone, but for elements of them at places known before.
    """
    nodes, varying = arguments.live.nodes, arguments.varying
    operands = tuple(_valued(arguments, node) for node in nodes)
    wanted = _closure([o for o in arguments.live.outputs.values() if varying[o]], operands, varying)
    needed = tuple(i for i in sorted(wanted) if varying[i])
    fed = tuple(i for i in sorted(wanted) if not varying[i] and nodes[i].op != "constant")
    parts = frozenset(i for i in needed if nodes[i].op in parted)
    apart = _apart(nodes, needed, parts) if parts else frozenset()
    wanted -= apart
    symbols = {dim for i in wanted for dim in nodes[i].shape if isinstance(dim, str)}
    if len(symbols) > 1 or any(len([d for d in nodes[i].shape if isinstance(d, str)]) > 1 for i in wanted):
        raise UnsupportedError("more than one axis of unknown size")
    if parts and symbols:
        raise UnsupportedError("samples beside ops with sample kernels")
    symbol = symbols.pop() if symbols else None
    levels, over = [0] * len(nodes), set()
    for i in needed:
        node = nodes[i]
        if node.operands and node.op not in SUPPORTED and i not in parts:
            raise UnsupportedError(node.op)
        levels[i] = max((levels[o] for o in operands[i]), default=0)
        if symbol is not None and any(symbol in nodes[o].shape for o in operands[i]):
            _check_apart(node, [nodes[o] for o in node.operands], symbol)
            if symbol not in node.shape:
                levels[i] += 1
                over.add(i)
    if max(levels) > MOST_LEVELS:
        raise UnsupportedError("many passes over the samples")
    return Stages(symbol, needed, fed, tuple(levels), frozenset(over), operands, parts, apart)


def _apart(nodes: Sequence[Node], needed: Sequence[int], parts: frozenset[int]) -> frozenset[int]:
    """Return the values of unknown size. Raises UnsupportedError where another op than those of `parts` needs one."""
    apart = frozenset(i for i in needed if any(isinstance(dim, str) for dim in nodes[i].shape))
    for i in needed:
        node = nodes[i]
        if i in apart and node.op != "parameter" and i not in parts:
            raise UnsupportedError(f"{node.op} of unknown size")
        if i in parts or apart.isdisjoint(node.operands):
            continue
        x, *places = [nodes[o] for o in node.operands]
        along = x.shape[:-1] == (1,) * (len(x.shape) - 1) and node.attributes.get("axis") == len(x.shape) - 1
        if node.op != "gather" or places[0].op != "constant" or not along:
            raise UnsupportedError(f"{node.op} of a value of unknown size")
    return apart


def _valued(arguments: Arguments, node: Node) -> tuple[int, ...]:
    only_shape = arguments.ops[node.op].shape_only if node.operands else ()
    return tuple(operand for at, operand in enumerate(node.operands) if at not in only_shape)


def _closure(outputs: Iterable[int], operands: tuple[tuple[int, ...], ...], varying: list[bool]) -> set[int]:
    """Return what the outputs need, down to leaves and to shared values, which come ready."""
    wanted: set[int] = set()
    left = list(outputs)
    while left:
        i = left.pop()
        if i not in wanted:
            wanted.add(i)
            left += operands[i] if varying[i] else ()
    return wanted


def _check_apart(node: Node, operands: list[Node], symbol: str) -> None:
    """Refuse an op that mixes samples in another way than by a sum or a maximum over all of them."""
    if symbol not in node.shape:
        if node.op not in ("sum", "max", "sum_like", "matmul"):
            raise UnsupportedError(f"{node.op} over samples")
        return
    indexed = node.op in ("gather", "scatter_add")
    if indexed and (operands[0].shape[node.attributes["axis"]] == symbol or symbol in operands[1].shape):
        raise UnsupportedError(f"{node.op} of samples")
    if node.op == "reshape" and _before(node, symbol) != _before(operands[0], symbol):
        raise UnsupportedError("reshape across samples")


def _before(node: Node, symbol: str) -> int:
    return prod(dim for dim in node.shape[: node.shape.index(symbol)] if isinstance(dim, int))
