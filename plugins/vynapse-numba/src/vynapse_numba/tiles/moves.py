# SPDX-License-Identifier: MIT OR Apache-2.0
"""Kernels that move numbers without computing: rows of a batch brought together, copies between any strides.

A batch's samples lie far apart, so the next row is asked for while one is copied.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from contextlib import ExitStack

from vynapse_core import Array
from vynapse_numba.addresses import address_of
from vynapse_numba.lanes.code import Code
from vynapse_numba.tiles.flow import Flow
from vynapse_numba.tiles.machine import movers
from vynapse_numba.tiles.tape import Native, Rows

_AXES = 4
GATHER = ("rows", "count", "advance", "left", "source", "stride", "bytes", "out", "outs")
"""The table of `gather`, int64: the address of the numbers of rows, how many; by how many bytes that address is moved
on after a call, and for how many calls; then addresses with their strides, and the bytes of a row."""
COPY = ("unit", *[f"size{axis}" for axis in range(_AXES)], "x", *[f"x{axis}" for axis in range(_AXES)], "advance")
COPY += ("out", *[f"out{axis}" for axis in range(_AXES)])
"""The table of `copy`, int64: bytes that lie side by side; sizes of the axes; addresses with their strides; by how
many bytes the address of `out` is moved on after a call."""
_LINE = 64


def gathering(source: Array, rows: Array, first: int, step: int, out: Array) -> Native:
    """Return the call that writes `source` at rows[first] to `out`; each call again takes those `step` further on.

    source [n, ...] whose rows are whole in memory, rows int64 [steps, b], out [b, ...] in C order. Calls after the
    last rows do nothing.
    """
    size = out[0].nbytes if len(out) else 0
    count, left = rows.shape[1], max(-(-(len(rows) - first) // step), 0)
    at = address_of(rows) + first * rows.strides[0]
    moved = step * rows.strides[0]
    table = array(
        "q", (at, count, moved, left, address_of(source), source.strides[0], size, address_of(out), out.strides[0])
    )
    cut = Rows(count, 1, ((0, rows.itemsize), (7, out.strides[0])), 1, 16.0 * out.nbytes)
    return Native(movers().gather, table, (source, rows, out), (out,), cut)


def copying(out: Array, x: Array, advance: int = 0) -> Native | None:
    """Return the call that writes x to `out` of the same shape or broadcast to it; None where it takes NumPy.

    After each call `out` is moved on by `advance` bytes.
    """
    if out.dtype != x.dtype or x.ndim > out.ndim:
        return None
    lead = out.ndim - x.ndim
    strides = [0] * lead + [0 if size == 1 else stride for size, stride in zip(x.shape, x.strides, strict=True)]
    axes = [(abs(s), n, s, t) for n, s, t in zip(out.shape, out.strides, strides, strict=True) if n != 1]
    unit = out.itemsize
    left: list[tuple[int, int, int]] = []
    for _, n, s, t in sorted(axes):
        if not left and s == t == unit:
            unit *= n
        elif left and s == left[-1][0] * left[-1][1] and t == left[-1][0] * left[-1][2]:
            left[-1] = (left[-1][0] * n, left[-1][1], left[-1][2])
        else:
            left.append((n, s, t))
    if len(left) > _AXES or any(s <= 0 for _, s, _ in left) or not out.size:
        return None
    sizes, writing, reading = zip(*[(1, 0, 0)] * (_AXES - len(left)), *left[::-1], strict=True)
    table = array(
        "q",
        (unit, *sizes, address_of(x), *reading, advance, address_of(out), *writing),
    )
    return Native(movers().copy, table, (x, out), (out,))


def moves() -> str:
    """Return the module of both kernels."""
    code = Code(4, 10_000)
    return "\n".join([_gather(code), _copy(code), code.declarations])


def _gather(code: Code) -> str:
    flow = Flow(code)
    given = {name: flow.entry(at) for at, name in enumerate(GATHER)}
    rows, source, out = (code.value(f"inttoptr i64 {given[name]} to ptr") for name in ("rows", "source", "out"))
    last = code.value(f"sub i64 {given['count']}, 1")

    def after(start: str, index: str, stride: str) -> str:
        return code.value(f"getelementptr i8, ptr {start}, i64 {code.value(f'mul i64 {index}, {stride}')}")

    def row(index: str) -> str:
        which = code.value(f"load i64, ptr {code.value(f'getelementptr i64, ptr {rows}, i64 {index}')}")
        return after(source, which, given["stride"])

    code.declaration("prefetch", "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
    with flow.when(code.value(f"icmp sgt i64 {given['left']}, 0")):
        with flow.loop(given["count"]) as index:
            more = code.value(f"icmp slt i64 {index}, {last}")
            coming = row(code.value(f"select i1 {more}, i64 {code.value(f'add i64 {index}, 1')}, i64 {index}"))
            with flow.loop(given["bytes"], _LINE) as at:
                ahead = code.value(f"getelementptr i8, ptr {coming}, i64 {at}")
                code.line(f"  call void @llvm.prefetch.p0(ptr {ahead}, i32 0, i32 2, i32 1)")
            _memcpy(code, after(out, index, given["outs"]), row(index), given["bytes"])
        _moved(code, "rows", GATHER, given, given["advance"])
        _moved(code, "left", GATHER, given, "-1")
    return flow.definition("gather")


def _copy(code: Code) -> str:
    flow = Flow(code)
    given = {name: flow.entry(at) for at, name in enumerate(COPY)}
    x, out = (code.value(f"inttoptr i64 {given[name]} to ptr") for name in ("x", "out"))
    known = ""
    for size in (4, 8, 1):
        is_it = code.value(f"icmp eq i64 {given['unit']}, {size}")
        known = code.value(f"or i1 {known}, {is_it}") if known else is_it
        with flow.when(is_it):
            _each(flow, given, x, out, size)
    with flow.when(code.value(f"xor i1 {known}, true")):
        _each(flow, given, x, out, None)
    _moved(code, "out", COPY, given, given["advance"])
    return flow.definition("copy")


def _each(flow: Flow, given: dict[str, str], x: str, out: str, size: int | None) -> None:
    """Write the loops that copy one number of `size` bytes at a time, or runs of bytes."""
    code = flow.code
    with ExitStack() as nested:
        indices = [nested.enter_context(flow.loop(given[f"size{axis}"])) for axis in range(_AXES)]
        places = []
        for name, start in (("x", x), ("out", out)):
            place = start
            for axis, index in enumerate(indices):
                stride = given[f"{name}{axis}"]
                offset = code.value(f"mul i64 {index}, {stride}")
                place = code.value(f"getelementptr i8, ptr {place}, i64 {offset}")
            places.append(place)
        if size is None:
            _memcpy(code, places[1], places[0], given["unit"])
        else:
            number = code.value(f"load i{8 * size}, ptr {places[0]}, align {size}")
            code.line(f"  store i{8 * size} {number}, ptr {places[1]}, align {size}")


def _memcpy(code: Code, out: str, x: str, size: str) -> None:
    code.declaration("memcpy", "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
    code.line(f"  call void @llvm.memcpy.p0.p0.i64(ptr {out}, ptr {x}, i64 {size}, i1 false)")


def _moved(code: Code, name: str, names: Sequence[str], given: dict[str, str], by: str) -> None:
    """Write the moving on of an entry of the table."""
    place = code.value(f"getelementptr i64, ptr %table, i64 {names.index(name)}")
    code.line(f"  store i64 {code.value(f'add i64 {given[name]}, {by}')}, ptr {place}")
