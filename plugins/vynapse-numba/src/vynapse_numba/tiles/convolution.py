# SPDX-License-Identifier: MIT OR Apache-2.0
"""Convolutions found in a graph: window, reshape and product as one step, and so their two gradients.

In the graph a convolution multiplies filters by patches (docs/decisions/0003-ops.md). As a step it reads the input
itself: patches would be as many times larger as a filter has taps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

from vynapse_core import Node
from vynapse_numba.tiles.convolution_call import Found
from vynapse_numba.tiles.convolution_runs import Window
from vynapse_numba.tiles.convolution_steps import Layer, forward_step, input_step, sums_step, weights_step
from vynapse_numba.tiles.machine import FLOATS


def convolution(nodes: Sequence[Node], varying: Sequence[bool], i: int) -> Found | None:
    """Return the step of a node that is a convolution or a gradient of one, else None."""
    maker = _MAKERS.get(nodes[i].op)
    return maker(nodes, varying, i) if maker and varying[i] and nodes[i].dtype in FLOATS else None


def windowed(nodes: Sequence[Node], i: int, attributes: Mapping[str, tuple[int, ...]]) -> Window | None:
    """Return what a window of node i [B, C, ..] sees; None for other shapes."""
    shape, size = nodes[i].shape, attributes["size"]
    of = shape[len(shape) - len(size) :]
    ones = (1,) * len(size)
    if len(shape) != len(size) + 2 or not size or isinstance(shape[1], str) or any(isinstance(n, str) for n in of):
        return None
    return Window(size, attributes["stride"] or ones, attributes["dilation"] or ones, tuple(int(n) for n in of))


def _product(nodes: Sequence[Node], varying: Sequence[bool], i: int) -> Found | None:
    read = _filtered(nodes, i)
    if read is None:
        return None
    filters, x, layer = read
    return Found((filters, x), forward_step(layer, varying[filters], varying[x]), samples=True)


def _biased(nodes: Sequence[Node], varying: Sequence[bool], i: int) -> Found | None:
    for left, bias in (nodes[i].operands, nodes[i].operands[::-1]):
        if nodes[left].op != "reshape":
            continue
        product = nodes[left].operands[0]
        read = _filtered(nodes, product) if nodes[product].op == "matmul" else None
        if read is None:
            continue
        filters, x, layer = read
        rows = layer.groups * layer.filters
        ones = (1,) * len(layer.window.size)
        result = (nodes[x].shape[0], rows, *layer.window.places)
        if nodes[i].shape == nodes[left].shape == result and nodes[bias].shape in ((rows, *ones), (1, rows, *ones)):
            made = forward_step(layer, varying[filters], varying[x], varying[bias])
            return Found((filters, x, bias), made, samples=True)
    return None


def _filtered(nodes: Sequence[Node], i: int) -> tuple[int, int, Layer] | None:
    """Return (filters, input, sizes) of a product of filters and patches."""
    filters, patches = nodes[i].operands
    read = _patches(nodes, patches)
    if read is None:
        return None
    x, window = read
    layer = _layer(nodes[filters].shape, nodes[patches].shape, int(nodes[x].shape[1]), window)
    return None if layer is None else (filters, x, layer)


def _patches(nodes: Sequence[Node], i: int) -> tuple[int, Window] | None:
    """Return what patches [B, C x taps, positions] are taken of."""
    if nodes[i].op != "reshape" or nodes[nodes[i].operands[0]].op != "window":
        return None
    view = nodes[nodes[i].operands[0]]
    x = view.operands[0]
    window = windowed(nodes, x, view.attributes)
    return None if window is None else (x, window)


def _layer(
    filters: tuple[int | str, ...], patches: tuple[int | str, ...], channels: int, window: Window
) -> Layer | None:
    """Return the sizes of filters [(G,) O, K] and patches [B, (G,) K, positions], or None where these do not fit."""
    groups = filters[0] if len(filters) == 3 else 1
    if len(filters) not in (2, 3) or len(patches) != len(filters) + 1 or any(isinstance(n, str) for n in filters):
        return None
    groups, rows, terms = int(groups), int(filters[-2]), int(filters[-1])
    expected = (*((groups,) if len(filters) == 3 else ()), terms, prod(window.places))
    if patches[1:] != expected or groups * terms != channels * window.taps or channels % groups:
        return None
    return Layer(window, groups, rows, channels // groups)


def _weights(nodes: Sequence[Node], varying: Sequence[bool], i: int) -> Found | None:
    """Find the gradient by the filters: slopes times patches, summed over samples."""
    node = nodes[i]
    product = node.operands[0]
    if nodes[product].op != "matmul" or nodes[product].shape[1:] != node.shape:
        return None
    slopes, turned = nodes[product].operands
    patches = _turned(nodes, turned)
    read = None if patches is None else _patches(nodes, patches)
    if read is None or patches is None:
        return None
    x, window = read
    layer = _layer(node.shape, nodes[patches].shape, int(nodes[x].shape[1]), window)
    wanted = (nodes[x].shape[0], *node.shape[:-1], prod(window.places))
    if layer is None or nodes[slopes].shape != wanted:
        return None
    return Found((slopes, x), weights_step(layer, varying[slopes], varying[x]))


def _input(nodes: Sequence[Node], varying: Sequence[bool], i: int) -> Found | None:
    """Find the gradient by the input: filters turned, times slopes, added up where they were read."""
    shaped = nodes[nodes[i].operands[0]]
    if shaped.op != "reshape" or nodes[shaped.operands[0]].op != "matmul":
        return None
    patches = shaped.operands[0]
    turned, slopes = nodes[patches].operands
    filters, window = _turned(nodes, turned), windowed(nodes, i, nodes[i].attributes)
    if filters is None or window is None:
        return None
    layer = _layer(nodes[filters].shape, nodes[patches].shape, int(nodes[i].shape[1]), window)
    if layer is None or nodes[slopes].shape[0] != nodes[i].shape[0]:
        return None
    return Found((filters, slopes), input_step(layer, varying[filters], varying[slopes]), samples=True)


def _sums(nodes: Sequence[Node], varying: Sequence[bool], i: int) -> Found | None:
    """Find the sum of each channel over samples and positions, such as the gradient by a bias."""
    node, (x, *_) = nodes[i], nodes[i].operands
    shape = nodes[x].shape
    if len(shape) < 3 or [n for n in shape if isinstance(n, str)] != [shape[0]] or 0 in shape:
        return None
    channels, ones = shape[1], (1,) * (len(shape) - 2)
    if node.op == "sum_like":
        right = node.shape in ((channels, *ones), (1, channels, *ones))
    else:
        right = node.attributes["axes"] == (0, *range(2, len(shape)))
    return Found((x,), sums_step(tuple(int(n) for n in shape[1:]), varying[x])) if right else None


def _weights_or_sums(nodes: Sequence[Node], varying: Sequence[bool], i: int) -> Found | None:
    return _weights(nodes, varying, i) or _sums(nodes, varying, i)


def _turned(nodes: Sequence[Node], i: int) -> int | None:
    """Return the node of which i is the transpose, rows as columns."""
    last = len(nodes[i].shape) - 1
    swap = (*range(last - 1), last, last - 1)
    return nodes[i].operands[0] if nodes[i].op == "transpose" and nodes[i].attributes["axes"] == swap else None


_MAKERS: dict[str, Callable[[Sequence[Node], Sequence[bool], int], Found | None]] = {
    "matmul": _product,
    "add": _biased,
    "sum_like": _weights_or_sums,
    "sum": _sums,
    "fold": _input,
}
