# SPDX-License-Identifier: MIT OR Apache-2.0
"""The code of pooling and of its gradients: vectors of samples, one position after the other, a window's taps unrolled.

The gradient of a maximum finds the maximum anew: to keep which tap it was costs more than to look again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import product
from math import nan
from typing import Literal

from vynapse_numba.lanes.code import BYTES, STORED, Code, Lane
from vynapse_numba.tiles.convolution_runs import Window
from vynapse_numba.tiles.flow import Flow

Kind = Literal["max", "sum", "max gradient", "sum gradient"]
MOST_TAPS = 64
"""Most taps of a window whose code is written."""
INVERTED = 4
"""Up to so many equal maxima, a share is a product: vectors are slow to divide."""
_LINES = 100_000


def arguments(kind: Kind, axes: int) -> tuple[str, ...]:
    """Return the names of the table that a kernel takes, int64: sizes; addresses with their strides in bytes.

    `x` is the input, `y` what is pooled or its gradient, `dx` the input's gradient; each has strides along networks,
    channels and positions.
    """
    arrays = {"max": ("x", "y"), "sum": ("x", "y"), "max gradient": ("x", "y", "dx"), "sum gradient": ("y", "dx")}
    strides = [f"{array}{axis}" for array in arrays[kind] for axis in ("", "n", "c", *range(axes))]
    return ("count", "channels", "columns", *strides)


def pooling(kind: Kind, window: Window, floor: bool, dtype: str, lanes: int) -> str:
    """Return the module of `kernel(table)`; with `floor`, the input is taken as 0 where it is below."""
    return Pooling(kind, window, floor, dtype, lanes).written()


class Pooling:
    """One kernel in the making."""

    def __init__(self, kind: Kind, window: Window, floor: bool, dtype: str, lanes: int) -> None:
        self.kind, self.window, self.floor, self.dtype = kind, window, floor, dtype
        self.code = Code(lanes, _LINES)
        self.flow = Flow(self.code)
        self.mask = ""
        self.memory = f"<{lanes} x {STORED[dtype]}>"

    def written(self) -> str:
        """Return the module."""
        flow, window = self.flow, self.window
        names = arguments(self.kind, len(window.size))
        self.given = {name: flow.entry(at) for at, name in enumerate(names)}
        read = "dx" if "gradient" in self.kind else "x"
        self.taps = [self._offset("x" if "x" in self.given else read, tap) for tap in self._taps()]
        self.targets = [self._offset(read, tap) for tap in self._taps()]
        with flow.loop(self.given["count"]) as network, flow.loop(self.given["channels"]) as channel:
            starts = {
                name: self._moved(self._start(name), (network, f"{name}n"), (channel, f"{name}c"))
                for name in ("x", "y", "dx")
                if name in self.given
            }
            if "dx" in starts and not window.apart:
                self._zeros(starts["dx"], [(0, n) for n in window.of])
            with self._over(window.places) as places:
                corners = {
                    name: self._moved(
                        start,
                        *[
                            (place if name == "y" else self._times(place, axis), f"{name}{axis}")
                            for axis, place in enumerate(places)
                        ],
                    )
                    for name, start in starts.items()
                }
                self._columns(lambda column: self._position({k: self._at(at, column) for k, at in corners.items()}))
            if "dx" in starts and window.apart:
                self._rest(starts["dx"])
        return f"{flow.definition('kernel')}\n{self.code.declarations}\n"

    def _rest(self, start: str) -> None:
        """Write zeros where no window reaches: past the last one, along each axis."""
        of = self.window.of
        seen = [places * size for places, size in zip(self.window.places, self.window.size, strict=True)]
        for axis, size in enumerate(of):
            if seen[axis] < size:
                before, after = [(0, n) for n in seen[:axis]], [(0, n) for n in of[axis + 1 :]]
                self._zeros(start, [*before, (seen[axis], size), *after])

    def _zeros(self, start: str, spans: Sequence[tuple[int, int]]) -> None:
        low = [(str(first), f"dx{axis}") for axis, (first, _) in enumerate(spans)]
        start = self._moved(start, *low)
        with self._over([end - first for first, end in spans]) as places:
            at = self._moved(start, *[(place, f"dx{axis}") for axis, place in enumerate(places)])
            self._columns(lambda column: self._store(self.code.lane(0.0, self.dtype), self._at(at, column)))

    def _position(self, at: dict[str, str]) -> None:
        """Write what is done at one position, for one vector."""
        if self.kind in ("max", "sum"):
            values = [self._load(self._tap(at["x"], tap)) for tap in self.taps]
            found = self._maximum(values) if self.kind == "max" else self._sum(values)
            self._store(found, at["y"])
            return
        slope = self._load(at["y"])
        if self.kind == "sum gradient":
            shares = [slope for _ in self.targets]
        else:
            shares = self._shares([self._load(self._tap(at["x"], tap)) for tap in self.taps], slope)
        for target, share in zip(self.targets, shares, strict=True):
            place = self._tap(at["dx"], target)
            self._store(self.code.add(self._load(place), share, self.dtype) if self.window.overlaps else share, place)

    def _maximum(self, values: list[Lane]) -> Lane:
        code, found = self.code, self._largest(values)
        if self.floor:
            found = code.select(code.compare("fcmp ogt", found, 0.0, self.dtype), found, 0.0, self.dtype)
        return code.select(self._compared("fcmp uno", "or", values), nan, found, self.dtype)

    def _shares(self, values: list[Lane], slope: Lane) -> list[Lane]:
        """Write each tap's share of the slope: equal maxima share it, NaN and what was raised to 0 get none."""
        code, dtype = self.code, self.dtype
        largest = self._largest(values)
        chosen = [code.compare("fcmp oeq", value, largest, dtype) for value in values]
        count = self._sum([code.select(one, 1.0, 0.0, dtype) for one in chosen])
        if len(values) <= INVERTED:
            inverse: Lane | float = 1.0
            for several in range(2, len(values) + 1):
                equal = code.compare("fcmp oeq", count, float(several), dtype)
                inverse = code.select(equal, 1 / several, inverse, dtype)
            share = code.mul(slope, inverse, dtype)
        else:
            share = code.binary("fdiv", slope, count, dtype)
        some = self._compared("fcmp ord", "and", values)
        if self.floor:
            some = code.binary("and", some, code.compare("fcmp ogt", largest, 0.0, dtype), "bool")
        share = code.select(some, share, 0.0, dtype)
        return [code.select(one, share, 0.0, dtype) for one in chosen]

    def _compared(self, condition: str, joined: str, values: list[Lane]) -> Lane:
        """Write a comparison of pairs, two values at once, and what follows from all."""
        found: Lane | None = None
        for one, other in zip(values[::2], [*values[1::2], values[-1]], strict=False):
            pair = self.code.compare(condition, one, other, self.dtype)
            found = pair if found is None else self.code.binary(joined, found, pair, "bool")
        assert found is not None
        return found

    def _largest(self, values: Sequence[Lane]) -> Lane:
        """Write the largest where no value is NaN: one instruction for each."""
        found = values[0]
        for value in values[1:]:
            found = self.code.select(self.code.compare("fcmp ogt", found, value, self.dtype), found, value, self.dtype)
        return found

    def _sum(self, values: Sequence[Lane]) -> Lane:
        found = values[0]
        for value in values[1:]:
            found = self.code.add(found, value, self.dtype)
        return found

    def _taps(self) -> Iterator[tuple[int, ...]]:
        return product(*[range(n) for n in self.window.size])

    def _offset(self, name: str, tap: tuple[int, ...]) -> str:
        offset = "0"
        for axis, (at, dilation) in enumerate(zip(tap, self.window.dilation, strict=True)):
            step = self.code.value(f"mul i64 {self.given[f'{name}{axis}']}, {at * dilation}")
            offset = self.code.value(f"add i64 {offset}, {step}")
        return offset

    def _times(self, place: str, axis: int) -> str:
        return self.code.value(f"mul i64 {place}, {self.window.stride[axis]}")

    def _start(self, name: str) -> str:
        return self.code.value(f"inttoptr i64 {self.given[name]} to ptr")

    def _moved(self, place: str, *steps: tuple[str, str]) -> str:
        for index, stride in steps:
            offset = self.code.value(f"mul i64 {index}, {self.given[stride]}")
            place = self.code.value(f"getelementptr i8, ptr {place}, i64 {offset}")
        return place

    def _tap(self, place: str, offset: str) -> str:
        return self.code.value(f"getelementptr i8, ptr {place}, i64 {offset}")

    def _at(self, place: str, column: str) -> str:
        return self.code.value(f"getelementptr {STORED[self.dtype]}, ptr {place}, i64 {column}")

    @contextmanager
    def _over(self, sizes: Sequence[int]) -> Iterator[tuple[str, ...]]:
        with ExitStack() as nested:
            yield tuple(nested.enter_context(self.flow.loop(str(size))) for size in sizes)

    def _columns(self, write: Callable[[str], None]) -> None:
        """Write the loop over vectors of samples, and the last one, which is not full."""
        code, columns, lanes = self.code, self.given["columns"], self.code.lanes
        full = code.value(f"and i64 {columns}, {-lanes}")
        self.mask = ""
        with self.flow.loop(full, lanes) as column:
            write(column)
        with self.flow.when(code.value(f"icmp slt i64 {full}, {columns}")):
            self.mask = self.flow.below(code.value(f"sub i64 {columns}, {full}"))
            write(full)

    def _load(self, place: str) -> Lane:
        element, size = STORED[self.dtype], BYTES[self.dtype]
        if not self.mask:
            return Lane(self.code, self.code.value(f"load {self.memory}, ptr {place}, align {size}"), self.dtype)
        return Lane(self.code, self.code.value(self.flow.masked_load(place, element, size, self.mask)), self.dtype)

    def _store(self, value: Lane, place: str) -> None:
        element, size = STORED[self.dtype], BYTES[self.dtype]
        if not self.mask:
            self.code.line(f"  store {self.memory} {value.name}, ptr {place}, align {size}")
            return
        self.flow.masked_store(value.name, place, element, size, self.mask)
