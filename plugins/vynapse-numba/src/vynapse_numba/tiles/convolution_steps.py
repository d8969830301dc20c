# SPDX-License-Identifier: MIT OR Apache-2.0
"""Convolutions and their gradients as steps: which lists and tables the kernels are given."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vynapse_core import Array
from vynapse_numba.addresses import address_of
from vynapse_numba.tiles.bind import Bind
from vynapse_numba.tiles.convolution_call import Called, Described, images, network, shaped
from vynapse_numba.tiles.convolution_machine import machine
from vynapse_numba.tiles.convolution_runs import Lists, Window, backward, forward, offsets, stretches
from vynapse_numba.tiles.tape import Rows, Tape

SLOW = 16.0
"""Operations of a product in the time that one number of a sum takes: it is waited for."""
LISTS = 256
"""Most lists of terms that are kept."""

_forward, _backward = lru_cache(LISTS)(forward), lru_cache(LISTS)(backward)


@dataclass(frozen=True)
class Layer:
    """The sizes of a convolution."""

    window: Window
    groups: int
    filters: int
    """Of one group."""
    channels: int
    """Of one group."""


def forward_step(layer: Layer, own_filters: bool, own_x: bool, own_bias: bool = False) -> Bind:
    """Return the binder of filters times what they see, and a bias."""
    window, groups = layer.window, layer.groups

    def described(out: Array, xs: Sequence[Array], add: bool, tape: Tape) -> Described:
        a = _by_group(xs[0], own_filters)
        b = images(xs[1], own_x, (groups, layer.channels, *window.of), tape)
        c = images(out, True, (groups, layer.filters, *window.places), tape)
        bias = shaped(xs[2], (len(xs[2]) if own_bias else 1, groups, layer.filters), tape) if len(xs) > 2 else None
        along = a.strides[3]
        lists = _forward(
            window, layer.channels, c.shape[-1], (along * window.taps, along), (b.strides[2], b.strides[3:-1]),
            c.strides[3:-1], c.itemsize,
        )  # fmt: skip
        return _listed(a, b, c, bias, (a.strides[1], a.strides[2]), lists)

    return lambda n, sizes: Called(described)


def input_step(layer: Layer, own_filters: bool, own_slopes: bool) -> Bind:
    """Return the binder of the gradient by the input."""
    window, groups = layer.window, layer.groups

    def described(out: Array, xs: Sequence[Array], add: bool, tape: Tape) -> Described:
        a = _by_group(xs[0], own_filters)
        b = images(xs[1], own_slopes, (groups, layer.filters, *window.places), tape)
        c = images(out, True, (groups, layer.channels, *window.of), tape)
        lists = _backward(
            window, layer.filters, c.shape[-1], (a.strides[2], a.strides[3]), (b.strides[2], b.strides[3:-1]),
            c.strides[3:-1], c.itemsize,
        )  # fmt: skip
        return _listed(a, b, c, None, (a.strides[1], a.strides[3] * window.taps), lists)

    return lambda n, sizes: Called(described)


def _listed(a: Array, b: Array, c: Array, bias: Array | None, steps: tuple[int, int], lists: Lists) -> Described:
    """Describe the call of a kernel; `steps` are the strides of a's groups and rows."""
    ag, am = steps
    runs = lists.runs
    table = array(
        "q",
        (
            len(c), *c.shape[1:3], len(runs), address_of(runs), address_of(lists.terms),
            address_of(a), network(a), ag, am,
            address_of(b), network(b), b.strides[1],
            address_of(c), *c.strides[:3],
            *((0,) * 4 if bias is None else (address_of(bias), network(bias), *bias.strides[1:])),
        ),
    )  # fmt: skip
    work = 2.0 * len(c) * c.shape[1] * c.shape[2] * lists.count
    rows = Rows(len(runs), 3, ((4, runs.strides[0]),), 1, work)
    entries = (13, 6, 10, 17) if bias is not None else (13, 6, 10)
    given = (a, b) if bias is None else (a, b, bias)
    return Described(machine(c.dtype.name).listed, table, entries, (c, *given), (lists.terms, runs), rows)


def weights_step(layer: Layer, own_slopes: bool, own_x: bool) -> Bind:
    """Return the binder of the gradient by the filters."""
    window, groups = layer.window, layer.groups

    def described(out: Array, xs: Sequence[Array], add: bool, tape: Tape) -> Described:
        c = out.reshape(len(out), groups, layer.filters, -1)
        g = images(xs[0], own_slopes, (groups, layer.filters, *window.places), tape)
        b = images(xs[1], own_x, (groups, layer.channels, *window.of), tape)
        terms, runs = _dots(
            window, layer.channels, b.shape[-1], (b.strides[2], b.strides[3:-1]), g.strides[3:-1], b.itemsize
        )
        table = array(
            "q",
            (
                *c.shape[:3], len(runs), address_of(runs), address_of(terms), c.shape[3],
                address_of(g), network(g), *g.strides[1:3],
                address_of(b), network(b), b.strides[1],
                address_of(c), *c.strides, add,
            ),
        )  # fmt: skip
        # rows are cut where blocks of them end whatever the number of rows
        rows = Rows(layer.filters, 2, ((7, g.strides[2]), (14, c.strides[2])), 4, 2.0 * g.size * c.shape[3])
        function = machine(c.dtype.name).dots
        return Described(function, table, (14, 7, 11), (c, g, b), (terms, runs), rows if groups == 1 else None)

    return lambda n, sizes: Called(described)


def sums_step(shape: tuple[int, ...], own: bool) -> Bind:
    """Return the binder of the sums over samples and positions of x [B, *shape]."""

    def described(out: Array, xs: Sequence[Array], add: bool, tape: Tape) -> Described:
        given = images(xs[0], own, shape, tape)
        lines, columns, along = _lines(given)
        if not lines:
            room = np.empty(given.shape, given.dtype)
            tape.copy(room, given)
            given, (lines, columns, along) = room, _lines(room)
        c = out.reshape(len(out), shape[0])
        table = array(
            "q",
            (
                *c.shape, lines, columns, address_of(given), network(given), given.strides[1], along,
                address_of(c), *c.strides, add,
            ),
        )  # fmt: skip
        rows = Rows(shape[0], 1, ((4, given.strides[1]), (8, c.strides[1])), 1, SLOW * given.size)
        return Described(machine(c.dtype.name).sums, table, (8, 4), (c, given), (), rows)

    return lambda n, sizes: Called(described)


def _lines(x: Array) -> tuple[int, int, int]:
    """Return (lines, numbers of a line, stride from line to line) of x [N, C, .., B]; 0 lines where it has none."""
    lines, columns, along = 1, x.shape[-1], 0
    for n, stride in zip(x.shape[-2:1:-1], x.strides[-2:1:-1], strict=True):
        if lines == 1 and stride == columns * x.itemsize:
            columns *= n
        elif lines == 1:
            lines, along = n, stride
        elif stride == along * lines:
            lines *= n
        else:
            return 0, 0, 0
    return lines, columns, along


@lru_cache(LISTS)
def _dots(
    window: Window, channels: int, samples: int, x: tuple[int, tuple[int, ...]], g: tuple[int, ...], itemsize: int
) -> tuple[Array, Array]:
    """Return the offsets of each column of the filters' gradient, and the runs (g, x, numbers)."""
    terms = [channel * x[0] + at for channel in range(channels) for at in offsets(window, x[1])]
    runs = [(at_g, at_x, n) for at_x, at_g, n in stretches(window, samples, x[1], g, itemsize)]
    return np.array(terms, np.int64), np.array(runs, np.int64).reshape(-1, 3)


def _by_group(filters: Array, own: bool) -> Array:
    """Return filters as [N or 1, G, O, terms]."""
    filters = filters if own else filters[None]
    return filters if filters.ndim == 4 else filters[:, None]
