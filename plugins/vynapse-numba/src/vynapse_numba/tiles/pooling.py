# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pooling found in a graph: windows and their maxima or sums as one step, and so the gradients of these.

A rectifier before a maximum is taken in where a convolution comes before that: the convolution's result is then read
once in place of three times, and what the rectifier makes of it is never written.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable, Collection, Sequence
from functools import cache
from math import prod

from vynapse_core import Array, Node
from vynapse_numba.addresses import address_of
from vynapse_numba.cache import kept
from vynapse_numba.llvm import FIRST_USE, loaded, object_code, processor
from vynapse_numba.tiles.convolution import windowed
from vynapse_numba.tiles.convolution_call import Called, Described, Found, images, network
from vynapse_numba.tiles.convolution_runs import Window
from vynapse_numba.tiles.machine import FLOATS
from vynapse_numba.tiles.micro import registers
from vynapse_numba.tiles.pooling_code import MOST_TAPS, Kind, pooling
from vynapse_numba.tiles.tape import Rows, Tape

WORK = 16.0
"""Operations of a product in the time that one number of a window takes."""


def pool(nodes: Sequence[Node], varying: Sequence[bool], convolved: Collection[int], i: int) -> Found | None:
    """Return the step of a node that is pooling or a gradient of it, else None.

    `convolved` are the nodes that steps of convolutions compute.
    """
    if not varying[i] or nodes[i].dtype not in FLOATS:
        return None
    if nodes[i].op in ("max", "sum"):
        return _pooled(nodes, convolved, i, varying)
    if nodes[i].op == "fold":
        return _largest_gradient(nodes, i, varying) or _sum_gradient(nodes, i, varying)
    return _rectified_gradient(nodes, convolved, i, varying) if nodes[i].op == "where" else None


def _pooled(nodes: Sequence[Node], convolved: Collection[int], i: int, varying: Sequence[bool]) -> Found | None:
    found = _windowed(nodes, nodes[i].operands[0])
    if found is None:
        return _whole(nodes, i, varying)
    x, window = found
    if nodes[i].attributes["keepdims"] or nodes[i].attributes["axes"] != tuple(range(2, 2 + len(window.size))):
        return None
    if nodes[i].op == "sum":
        return _found("sum", window, (x,), nodes[i].dtype, varying)
    before = _rectified(nodes, x)
    floor = before in convolved
    return _found("max", window, (before if floor and before is not None else x,), nodes[i].dtype, varying, floor)


def _whole(nodes: Sequence[Node], i: int, varying: Sequence[bool]) -> Found | None:
    """Find a maximum or a sum over all positions of [B, C, ..]: a single window."""
    x, kind = nodes[i].operands[0], nodes[i].op
    shape = nodes[x].shape
    if len(shape) < 3 or [n for n in shape if isinstance(n, str)] != [shape[0]] or 0 in shape:
        return None
    of = tuple(int(n) for n in shape[2:])
    # what has one channel is reduced over all its rows, as chains do
    if shape[1] == 1 or nodes[i].attributes["axes"] != tuple(range(2, len(shape))) or prod(of) > MOST_TAPS:
        return None
    window = Window(of, of, (1,) * len(of), of)
    return _found("max" if kind == "max" else "sum", window, (x,), nodes[i].dtype, varying)


def _largest_gradient(nodes: Sequence[Node], i: int, varying: Sequence[bool]) -> Found | None:
    found = _chosen(nodes, i)
    if found is None:
        return None
    x, slopes, window = found
    return _found("max gradient", window, (x, slopes), nodes[i].dtype, varying)


def _rectified_gradient(
    nodes: Sequence[Node], convolved: Collection[int], i: int, varying: Sequence[bool]
) -> Found | None:
    """Find the gradient by what is rectified, then pooled: 0 where it is not above 0."""
    condition, fold, other = nodes[i].operands
    found = _chosen(nodes, fold) if nodes[fold].op == "fold" and _is(nodes, other, 0.0) else None
    if found is None or nodes[condition].op != "less":
        return None
    x, slopes, window = found
    zero, before = nodes[condition].operands
    if before not in convolved or _rectified(nodes, x) != before or not _is(nodes, zero, 0.0):
        return None
    return _found("max gradient", window, (before, slopes), nodes[i].dtype, varying, True)


def _sum_gradient(nodes: Sequence[Node], i: int, varying: Sequence[bool]) -> Found | None:
    window = windowed(nodes, i, nodes[i].attributes)
    spread = nodes[nodes[i].operands[0]]
    if window is None or spread.op != "expand_like" or nodes[spread.operands[0]].op != "reshape":
        return None
    faced = nodes[spread.operands[0]]
    ones = (1,) * len(window.size)
    if faced.shape != (*nodes[i].shape[:2], *ones, *window.places):
        return None
    return _found("sum gradient", window, (faced.operands[0],), nodes[i].dtype, varying)


def _chosen(nodes: Sequence[Node], i: int) -> tuple[int, int, Window] | None:
    """Return (input, slopes, window) of a fold that is the gradient of maxima, which equal ones share."""
    if nodes[nodes[i].operands[0]].op != "where":
        return None
    chosen, share, other = nodes[nodes[i].operands[0]].operands
    if nodes[chosen].op != "equal" or nodes[share].op != "div" or not _is(nodes, other, 0.0):
        return None
    view, largest = nodes[chosen].operands
    found, top = _windowed(nodes, view), _before(nodes, largest, "reshape", "max")
    slopes, count = nodes[share].operands
    total = _before(nodes, count, "reshape", "sum")
    if found is None or top is None or total is None or nodes[slopes].op != "reshape":
        return None
    x, window = found
    counted = nodes[total].operands[0]
    axes = tuple(range(2, 2 + len(window.size)))
    right = (
        nodes[top].operands == (view,)
        and nodes[top].attributes["axes"] == nodes[total].attributes["axes"] == axes
        and nodes[counted].op == "cast"
        and nodes[counted].operands == (chosen,)
        and nodes[view].attributes == nodes[i].attributes
        and nodes[x].shape == nodes[i].shape
        and nodes[slopes].shape == nodes[count].shape == (*nodes[x].shape[:2], *(1,) * len(axes), *window.places)
    )
    return (x, nodes[slopes].operands[0], window) if right else None


def _windowed(nodes: Sequence[Node], i: int) -> tuple[int, Window] | None:
    if nodes[i].op != "window":
        return None
    x = nodes[i].operands[0]
    window = windowed(nodes, x, nodes[i].attributes)
    return None if window is None or window.taps > MOST_TAPS else (x, window)


def _rectified(nodes: Sequence[Node], i: int) -> int | None:
    """Return x where node i is the larger of x and 0."""
    if nodes[i].op != "maximum":
        return None
    for x, zero in (nodes[i].operands, nodes[i].operands[::-1]):
        if _is(nodes, zero, 0.0) and nodes[x].shape == nodes[i].shape:
            return x
    return None


def _before(nodes: Sequence[Node], i: int, op: str, other: str) -> int | None:
    """Return the operand of a node of one op where that operand is of another."""
    found = nodes[i].operands[0] if nodes[i].op == op else None
    return found if found is not None and nodes[found].op == other else None


def _is(nodes: Sequence[Node], i: int, value: float) -> bool:
    return nodes[i].op == "constant" and nodes[i].attributes["value"] == value


def _found(
    kind: Kind, window: Window, operands: tuple[int, ...], dtype: str, varying: Sequence[bool], floor: bool = False
) -> Found:
    own = [varying[o] for o in operands]
    shapes: list[tuple[int, ...]] = [window.of] if kind in ("max", "sum") else [window.of, window.places]
    shapes = [window.places] if kind == "sum gradient" else shapes
    result = window.of if "gradient" in kind else window.places

    def described(out: Array, xs: Sequence[Array], add: bool, tape: Tape) -> Described:
        channels = out.shape[2]
        given = [images(x, one, (channels, *shape), tape) for x, one, shape in zip(xs, own, shapes, strict=True)]
        target = images(out, True, (channels, *result), tape)
        arrays = [*given, target]
        parts = [entry for x in arrays for entry in (address_of(x), network(x), *x.strides[1:-1])]
        table = array("q", (len(target), channels, target.shape[-1], *parts))
        width = target.ndim
        places = [3 + at * width for at in range(len(arrays))]
        moves = tuple((place, x.strides[1]) for place, x in zip(places, arrays, strict=True))
        positions = len(target) * channels * target.shape[-1] * prod(window.places)
        rows = Rows(channels, 1, moves, 1, WORK * window.taps * positions)
        function = _kernel(kind, window, floor, dtype)
        return Described(function, table, (places[-1], *places[:-1]), (target, *given), (), rows)

    in_place = kind == "max gradient" and window.apart
    return Found(operands, lambda n, sizes: Called(described), in_place=in_place, samples=True)


def _kernel(kind: Kind, window: Window, floor: bool, dtype: str) -> Callable[[int], None]:
    with FIRST_USE:
        return _compiled(kind, window, floor, dtype).kernel


@cache
def _compiled(kind: Kind, window: Window, floor: bool, dtype: str) -> _Compiled:
    return _Compiled(pooling(kind, window, floor, dtype, registers().bytes // FLOATS[dtype]))


class _Compiled:
    """A kernel's machine code; it lives as long as this object."""

    def __init__(self, text: str) -> None:
        code = kept("pooling", (text, *processor()), lambda: object_code(text, speed=1, vectorise=False))
        self._engine = loaded(code)
        made: Callable[[int], None] = ctypes.CFUNCTYPE(None, ctypes.c_int64)(
            self._engine.get_function_address("kernel")
        )
        self.kernel = made
