# SPDX-License-Identifier: MIT OR Apache-2.0
"""How values get from memory into lanes and back.

A network's numbers lie in a row of its own, a lane holds one network: rows are read 16 bytes at a time and
transposed in registers. Past the last network its row is read again, so no lane ever holds what is not there.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from vynapse_numba.lanes.code import BYTES, STORED, Lane
from vynapse_numba.lanes.squares import joined, part, transposed
from vynapse_numba.lanes.trace import filled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vynapse_core import Array
    from vynapse_numba.lanes.code import Code

Shape = tuple[int | str, ...]


def load_rows(code: Code, rows: Sequence[str], shape: Shape, dtype: str) -> Array:
    """Write the loading of a value of each network, for the sample at hand, from the addresses `rows`."""
    elements: list[Lane] = []
    for offset, count in _runs(code, shape, dtype):
        done = 0
        while done < count:
            width = _square(count, dtype)
            # the last square may take in elements of the one before: few large loads are cheaper than many small ones
            start = min(done, count - width)
            at = code.value(f"add i64 {offset}, {start * BYTES[dtype]}")
            elements += _transposed(code, rows, at, width, dtype)[done - start :]
            done = start + width
    return filled(shape, elements)


def load_shared(code: Code, address: str, shape: Shape, dtype: str) -> Array:
    """Write the loading of a value that is the same for all networks."""
    elements = []
    for offset, count in _runs(code, shape, dtype):
        for i in range(count):
            at = code.value(f"add i64 {offset}, {i * BYTES[dtype]}")
            place = code.value(f"getelementptr i8, ptr {address}, i64 {at}")
            stored = STORED[dtype]
            number = code.value(f"load {stored}, ptr {place}, align 1, !invariant.load !0")
            kind = f"<{code.lanes} x {stored}>"
            first = code.value(f"insertelement {kind} poison, {stored} {number}, i64 0")
            every = code.value(f"shufflevector {kind} {first}, {kind} poison, <{code.lanes} x i32> zeroinitializer")
            elements.append(_read(code, every, dtype))
    return filled(shape, elements)


def load_places(code: Code, rows: Sequence[str], places: Sequence[int], shape: Shape, dtype: str) -> Array:
    """Write the loading of the elements at `places` of each network's row, as a value of `shape`."""
    return filled(shape, [_transposed(code, rows, str(place * BYTES[dtype]), 1, dtype)[0] for place in places])


def store_rows(code: Code, rows: Sequence[str], value: Array, shape: Shape, dtype: str) -> None:
    """Write the storing of a value of each network, for the sample at hand, to the addresses `rows`."""
    kind = STORED[dtype]
    elements = [_written(code, code.lane(scalar, dtype), dtype) for scalar in value.reshape(-1)]
    first = 0
    for offset, count in _runs(code, shape, dtype):
        done = 0
        while done < count:
            width = _square(count, dtype)
            start = min(done, count - width)
            at = code.value(f"add i64 {offset}, {start * BYTES[dtype]}")
            squares = transposed(code, elements[first + start : first + start + width], kind)
            for lane, row in enumerate(rows):
                piece = part(code, squares[lane % width], lane - lane % width, width, kind)
                place = code.value(f"getelementptr i8, ptr {row}, i64 {at}")
                code.line(f"  store <{width} x {kind}> {piece}, ptr {place}, align 1")
            done = start + width
        first += count


def store_together(code: Code, address: str, value: Lane) -> None:
    """Write the storing of one number of each network, network after network."""
    name = _written(code, value, value.dtype)
    code.line(f"  store <{code.lanes} x {STORED[value.dtype]}> {name}, ptr {address}, align 1")


def _runs(code: Code, shape: Shape, dtype: str) -> Iterator[tuple[str, int]]:
    """Yield (offset in bytes, number of elements) of the runs of one sample in a row of that shape, in C order."""
    axis = next((axis for axis, dim in enumerate(shape) if isinstance(dim, str)), None)
    if axis is None:
        yield "0", prod(dim for dim in shape if isinstance(dim, int))
        return
    count = prod(dim for dim in shape[axis + 1 :] if isinstance(dim, int))
    within = code.value(f"mul i64 {code.sample}, {count * BYTES[dtype]}")
    for i in range(prod(dim for dim in shape[:axis] if isinstance(dim, int))):
        before = code.value(f"mul i64 %samples, {i * count * BYTES[dtype]}")
        yield code.value(f"add i64 {before}, {within}"), count


def _square(count: int, dtype: str) -> int:
    """Return how many elements of a row are read at a time: as 16 bytes hold, but a power of two that the row has."""
    return min(4, 16 // BYTES[dtype], 1 << (count.bit_length() - 1))


def _transposed(code: Code, rows: Sequence[str], offset: str, width: int, dtype: str) -> list[Lane]:
    """Write the loading of `width` elements from each row, as one lane an element."""
    kind, loaded = STORED[dtype], []
    for row in rows:
        place = code.value(f"getelementptr i8, ptr {row}, i64 {offset}")
        loaded.append(code.value(f"load <{width} x {kind}>, ptr {place}, align 1"))
    vectors = [joined(code, loaded[i::width], width, kind) for i in range(width)]
    return [_read(code, vector, dtype) for vector in transposed(code, vectors, kind)]


def _read(code: Code, vector: str, dtype: str) -> Lane:
    if dtype != "bool":
        return Lane(code, vector, dtype)
    return Lane(code, code.value(f"icmp ne <{code.lanes} x i8> {vector}, zeroinitializer"), dtype)


def _written(code: Code, lane: Lane, dtype: str) -> str:
    if dtype != "bool":
        return lane.name
    return code.value(f"zext <{code.lanes} x i1> {lane.name} to <{code.lanes} x i8>")
