# SPDX-License-Identifier: MIT OR Apache-2.0
"""The code that lays a matrix out anew, rows as columns: square blocks of a vector's width are turned in registers.

Element by element, the same costs ten times as much.
"""

from __future__ import annotations

from vynapse_numba.lanes.code import Code
from vynapse_numba.tiles.flow import Flow

ARGUMENTS = ("count", "rows", "columns", "x", "xn", "xr", "out", "outn", "outc", "padded")
"""The table that a kernel takes, int64: sizes; addresses with strides in bytes; whether the last vector of each row of
the result is written whole, zeros past the end."""


def turning(name: str, size: int, width: int) -> str:
    """Return the module of `name(table)`: out [count, columns, rows] = x [count, rows, columns] turned.

    Numbers of `size` bytes, neighbours along the last axis side by side in both; vectors of `width` bytes.
    """
    lanes, number = width // size, f"i{8 * size}"
    kind, mask = f"<{lanes} x {number}>", f"<{lanes} x i1>"
    code = Code(lanes, 100_000)
    flow = Flow(code)

    def place(address: str, *terms: tuple[str, str]) -> str:
        for index, stride in terms:
            address = code.value(f"getelementptr i8, ptr {address}, i64 {code.value(f'mul i64 {index}, {stride}')}")
        return address

    def within(i: int, count: str, wanted: str) -> str:
        inside = code.value(f"icmp slt i64 {i}, {count}")
        return code.value(f"select i1 {inside}, {mask} {wanted}, {mask} zeroinitializer")

    given = {name: flow.entry(at) for at, name in enumerate(ARGUMENTS)}
    x, out = (code.value(f"inttoptr i64 {given[name]} to ptr") for name in ("x", "out"))
    padded = code.value(f"icmp ne i64 {given['padded']}, 0")
    with (
        flow.loop(given["count"]) as n,
        flow.loop(given["rows"], lanes) as row,
        flow.loop(given["columns"], lanes) as column,
    ):
        rows, columns = (
            code.value(f"sub i64 {given[name]}, {at}") for name, at in (("rows", row), ("columns", column))
        )
        here, there = flow.below(columns), flow.below(rows)
        there = code.value(f"select i1 {padded}, {mask} splat (i1 true), {mask} {there}")
        corner = place(x, (n, given["xn"]), (row, given["xr"]), (column, str(size)))
        target = place(out, (n, given["outn"]), (column, given["outc"]), (row, str(size)))
        vectors = []
        for i in range(lanes):
            at = place(corner, (str(i), given["xr"]))
            vectors.append(code.value(flow.masked_load(at, number, size, within(i, rows, here))))
        for i, vector in enumerate(_turned(code, vectors, kind)):
            at = place(target, (str(i), given["outc"]))
            flow.masked_store(vector, at, number, size, within(i, columns, there))
    return f"{flow.definition(name)}\n{code.declarations}\n"


def _turned(code: Code, vectors: list[str], kind: str) -> list[str]:
    """Write the transpose: in each round, a vector is interleaved with the one half the list away."""
    lanes = len(vectors)
    rounds = lanes.bit_length() - 1
    order = [at for pair in zip(range(lanes), range(lanes, 2 * lanes), strict=True) for at in pair]
    halves = [", ".join(f"i32 {at}" for at in part) for part in (order[:lanes], order[lanes:])]
    for _ in range(rounds):
        vectors = [
            code.value(f"shufflevector {kind} {vectors[i]}, {kind} {vectors[i + lanes // 2]}, <{lanes} x i32> <{half}>")
            for i in range(lanes // 2)
            for half in halves
        ]
    return vectors
