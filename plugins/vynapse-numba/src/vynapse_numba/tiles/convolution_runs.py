# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a convolution adds up, as lists of offsets: its terms, and the runs of numbers that share them.

A run is a row of neighbouring positions, all samples of one after those of the other. Where neighbours are further
apart in memory, a run is one position. In the gradient by the input, positions near a border have fewer terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Offsets = NDArray[np.int64]
Axes = tuple[int, ...]


@dataclass(frozen=True)
class Window:
    """What a filter sees: the axes of positions, `size` taps along each."""

    size: Axes
    stride: Axes
    dilation: Axes
    of: Axes
    """Sizes of the axes that it slides over."""

    @property
    def places(self) -> Axes:
        """Number of positions along each axis."""
        steps = zip(self.of, self.size, self.stride, self.dilation, strict=True)
        return tuple((n - dilation * (size - 1) - 1) // stride + 1 for n, size, stride, dilation in steps)

    @property
    def apart(self) -> bool:
        """Whether windows lie side by side, so that only what is past the last one is in none."""
        steps = zip(self.size, self.stride, self.dilation, strict=True)
        return all(size == stride and (dilation == 1 or size == 1) for size, stride, dilation in steps)

    @property
    def overlaps(self) -> bool:
        """Whether a place may be in several windows."""
        steps = zip(self.size, self.stride, self.dilation, strict=True)
        return not all(stride >= dilation * (size - 1) + 1 for size, stride, dilation in steps)

    @property
    def taps(self) -> int:
        """Number of taps of a filter for one channel."""
        return int(np.prod(self.size))


@dataclass(frozen=True)
class Lists:
    """The terms of a product and its runs."""

    terms: Offsets
    """[.., 2]: how far a and b of each term lie from their starts, in bytes."""
    runs: Offsets
    """[.., 5]: number of terms, the first, how far b and c lie from their starts, how many numbers."""

    @property
    def count(self) -> float:
        """Number of products for one row."""
        return float(self.runs[:, 0] @ self.runs[:, 4])


def forward(
    window: Window, channels: int, samples: int, a: tuple[int, int], b: tuple[int, Axes], c: Axes, itemsize: int
) -> Lists:
    """Return the lists of the output: filters [rows, channels x taps] times what the window sees.

    `samples` are the numbers of a position; `a` the strides in bytes of channels and taps, `b` those of channels and
    positions of the input, `c` those of positions of the output.
    """
    along = offsets(window, b[1])
    terms = [(ch * a[0] + tap * a[1], ch * b[0] + at) for ch in range(channels) for tap, at in enumerate(along)]
    runs = [(len(terms), 0, at_b, at_c, n) for at_b, at_c, n in stretches(window, samples, b[1], c, itemsize)]
    return Lists(_table(terms, 2), _table(runs, 5))


def offsets(window: Window, strides: Axes) -> list[int]:
    """Return how far each tap lies from the first, in bytes."""
    steps = [
        [i * d * stride for i in range(n)] for n, d, stride in zip(window.size, window.dilation, strides, strict=True)
    ]
    return [sum(at) for at in product(*steps)]


def stretches(window: Window, samples: int, inner: Axes, outer: Axes, itemsize: int) -> list[tuple[int, int, int]]:
    """Return (offset in the input, offset in the output, numbers) of each row of positions, or of each position."""
    width = samples * itemsize
    joined = window.stride[-1] == 1 and inner[-1] == outer[-1] == width
    places = (*window.places[:-1], 1) if joined else window.places
    count = samples * window.places[-1] if joined else samples
    steps = [step * stride for step, stride in zip(window.stride, inner, strict=True)]
    return [(_dot(at, steps), _dot(at, outer), count) for at in product(*[range(n) for n in places])]


def backward(
    window: Window, filters: int, samples: int, a: tuple[int, int], b: tuple[int, Axes], c: Axes, itemsize: int
) -> Lists:
    """Return the lists of the input's gradient: filters [rows, filters x taps] times the output's gradient.

    `a` are the strides in bytes of filters and taps, `b` those of channels and positions of the output's gradient, `c`
    those of positions of the input's.
    """
    steps = tuple(zip(window.of, window.places, window.size, window.stride, window.dilation, strict=True))
    met = [_met(*step) for step in steps]
    width = samples * itemsize
    weights = np.cumprod((1, *window.size[:0:-1]))[::-1]
    lists: dict[tuple[Axes, ...], tuple[int, int]] = {}
    terms: list[tuple[int, int]] = []
    runs: list[tuple[int, int, int, int, int]] = []
    pieces = _pieces(met[-1], b[1][-1] == c[-1] == width)
    for place in product(*[range(n) for n in window.of[:-1]]):
        for last, count in pieces:
            seen = [met[axis][at] for axis, at in enumerate((*place, last))]
            key = tuple(tuple(tap for tap, _ in axis) for axis in seen)
            if not all(key):
                runs.append((0, 0, 0, _dot((*place, last), c), count * samples))
                continue
            first = [axis[0][1] for axis in seen]
            if key not in lists:
                taps = [
                    (
                        _dot([tap for tap, _ in one], weights) * a[1],
                        sum((at - start) * stride for (_, at), start, stride in zip(one, first, b[1], strict=True)),
                    )
                    for one in product(*seen)
                ]
                lists[key] = (len(terms), filters * len(taps))
                terms += [(f * a[0] + at_a, f * b[0] + at_b) for f in range(filters) for at_a, at_b in taps]
            begin, long = lists[key]
            runs.append((long, begin, _dot(first, b[1]), _dot((*place, last), c), count * samples))
    return Lists(_table(terms, 2), _table(runs, 5))


def _met(of: int, places: int, size: int, stride: int, dilation: int) -> list[list[tuple[int, int]]]:
    """Return for each place of an axis the (tap, position) that see it."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(of)]
    for tap, at in product(range(size), range(places)):
        found[at * stride + tap * dilation].append((tap, at))
    return found


def _pieces(met: list[list[tuple[int, int]]], joins: bool) -> list[tuple[int, int]]:
    """Return (start, length) of places in a row whose terms move along with them."""
    pieces: list[tuple[int, int]] = []
    for at, seen in enumerate(met):
        goes_on = joins and pieces and [(tap, place - 1) for tap, place in seen] == met[at - 1]
        if goes_on:
            start, count = pieces.pop()
            pieces.append((start, count + 1))
        else:
            pieces.append((at, 1))
    return pieces


def _dot(places: tuple[int, ...] | list[int], steps: Axes | list[int] | Offsets) -> int:
    return int(sum(at * step for at, step in zip(places, steps, strict=True)))


def _table(rows: Sequence[tuple[int, ...]], width: int) -> Offsets:
    return np.array(rows, np.int64).reshape(-1, width)
