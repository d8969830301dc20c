# SPDX-License-Identifier: MIT OR Apache-2.0
"""Ops of plugins within a kernel: a loop over the lanes calls what Numba made of a sample kernel.

Operands that are a network's own stay where they are: the call is given the addresses of their rows. What the kernel
has in vectors is written to a row a lane on the stack, and results are read back from there. A value of unknown size
lies in memory, a row a network.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from vynapse_core import Argument
from vynapse_numba.entry import array_given
from vynapse_numba.lanes.code import BYTES
from vynapse_numba.lanes.elementwise import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vynapse_core import Node, Routine, SampleKernel
    from vynapse_numba.lanes.code import Code

Shape = tuple[int | str, ...]

WORK = 1000
"""What a call counts for, in operations of a block: a few dozen nanoseconds."""
_PASSED = {"float32": "float", "float64": "double", "int32": "i32", "int64": "i64"}
_ALIGNED = 8
ENTRY = """  %part.result = alloca i64
  %part.error = alloca ptr
  %changed = alloca i32
  %awake = alloca i32"""
"""What calls and copies need."""
_MOVED = """define internal i32 @moved(ptr %to, ptr %from, i64 %bytes) {
entry:
  br label %loop
loop:
  %at = phi i64 [0, %entry], [%next, %word]
  %moved = phi i32 [0, %entry], [%either, %word]
  %more = icmp slt i64 %at, %bytes
  br i1 %more, label %word, label %end
word:
  %source = getelementptr i8, ptr %from, i64 %at
  %target = getelementptr i8, ptr %to, i64 %at
  %after = load i32, ptr %source
  %before = load i32, ptr %target
  store i32 %after, ptr %target
  %differs = icmp ne i32 %after, %before
  %one = zext i1 %differs to i32
  %either = or i32 %moved, %one
  %next = add i64 %at, 4
  br label %loop
end:
  ret i32 %moved
}"""
"""Copies a row, and returns 1 where that changed a bit, else 0."""


@dataclass(frozen=True)
class Linked:
    """The part of a sample kernel that a text calls, and what it is given."""

    part: Routine
    taken: tuple[Argument, ...]


@dataclass(frozen=True)
class Rows:
    """Where a value of each network of a block lies."""

    address: str
    gap: str
    first: str
    """The number of the block's first network, 0 for rows on the stack."""
    last: str = ""
    """The last there is, which stands in for those beyond it; empty where there are rows for all of a block."""

    def of(self, code: Code, lane: str) -> str:
        """Write the address of a lane's row."""
        row = code.value(f"add i64 {self.first}, {lane}")
        if self.last:
            beyond = code.value(f"icmp sgt i64 {row}, {self.last}")
            row = code.value(f"select i1 {beyond}, i64 {self.last}, i64 {row}")
        return code.value(f"getelementptr i8, ptr {self.address}, i64 {code.value(f'mul i64 {row}, {self.gap}')}")


def on_stack(code: Code, shape: Shape, dtype: str, entry: list[str]) -> Rows:
    """Return rows on the stack, one a lane, that hold zeros; `entry` takes the lines that make them."""
    count = prod(dim for dim in shape if isinstance(dim, int))
    gap = -(-max(1, count) * BYTES[dtype] // _ALIGNED) * _ALIGNED
    name, size = f"%stack{len(entry)}", code.lanes * gap
    entry.append(f"  {name} = alloca [{size} x i8], align 64")
    entry.append(f"  call void @llvm.memset.p0.i64(ptr align 64 {name}, i8 0, i64 {size}, i1 false)")
    code.declaration("@llvm.memset", "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
    return Rows(name, str(gap), "0")


@contextmanager
def each_lane(code: Code, mask: str) -> Iterator[str]:
    """Write a loop over the lanes whose bit in `mask`, the name of an i32, is set; gives the lane's name."""
    loop = code.name()[1:]
    code.block(f"  br label %{loop}.near\n{loop}.near:\n  br label %{loop}\n{loop}:")
    code.line(f"  %{loop}.lane = phi i32 [0, %{loop}.near], [%{loop}.next, %{loop}.end]")
    bit = code.value(f"and i32 1, {code.value(f'lshr i32 {mask}, %{loop}.lane')}")
    wanted = code.value(f"icmp ne i32 {bit}, 0")
    code.block(f"  br i1 {wanted}, label %{loop}.body, label %{loop}.end\n{loop}.body:")
    yield code.value(f"zext i32 %{loop}.lane to i64")
    code.block(f"  br label %{loop}.end\n{loop}.end:\n  %{loop}.next = add i32 %{loop}.lane, 1")
    more = code.value(f"icmp ult i32 %{loop}.next, {code.lanes}")
    code.block(f"  br i1 {more}, label %{loop}, label %{loop}.after\n{loop}.after:")


def copied(code: Code, source: Rows, target: Rows, size: str, mask: str) -> str:
    """Write the copying of rows of `size` bytes in the lanes of `mask`; the i32 named has the bits of those changed."""
    code.tables["@moved"] = _MOVED
    code.line("  store i32 0, ptr %changed")
    with each_lane(code, mask) as lane:
        to, start = target.of(code, lane), source.of(code, lane)
        moved = code.value(f"call i32 @moved(ptr {to}, ptr {start}, i64 {size})")
        bit = code.value(f"shl i32 {moved}, {code.value(f'trunc i64 {lane} to i32')}")
        before = code.value("load i32, ptr %changed")
        code.line(f"  store i32 {code.value(f'or i32 {before}, {bit}')}, ptr %changed")
    return code.value("load i32, ptr %changed")


def linked(kernel: SampleKernel, operands: Sequence[Node], node: Node) -> Linked:
    """Return how a node's sample kernel is called. Raises UnsupportedError for dtypes that it cannot be given."""
    scratch = [Argument(node.dtype, len(shape)) for shape in kernel.scratch]
    numbers = [Argument("int64", 0 if isinstance(number, int) else 1) for number in kernel.numbers]
    values = [Argument(each.dtype, len(each.shape)) for each in operands]
    if any(each.dtype not in _PASSED for each in (*operands, node)) or not node.shape:
        raise UnsupportedError(f"{node.op} of {node.type}")
    return Linked(kernel.part, (*values, Argument(node.dtype, len(node.shape)), *scratch, *numbers))


def call(
    code: Code,
    name: str,
    rows: Sequence[tuple[Rows, Shape, str]],
    numbers: Sequence[int | tuple[int, ...]],
    sizes: Mapping[str, str],
    mask: str,
) -> None:
    """Write the calls of a sample kernel, by name, for the lanes of `mask`.

    `rows` are where operands, result and scratch lie, of what shape and dtype; `sizes` names those unknown before.
    """
    with each_lane(code, mask) as lane:
        given = ["ptr %part.result", "ptr %part.error"]
        for each, shape, dtype in rows:
            place = each.of(code, lane)
            if not shape:
                kind = _PASSED[dtype]
                given.append(f"{kind} {code.value(f'load {kind}, ptr {place}')}")
                continue
            lengths = [sizes[dim] if isinstance(dim, str) else str(dim) for dim in shape]
            given.append(array_given(place, lengths, BYTES[dtype], code.value))
        for number in numbers:
            if isinstance(number, int):
                given.append(f"i64 {number}")
                continue
            table = f"@numbers{len(code.tables)}"
            text = ", ".join(f"i64 {each}" for each in number)
            code.tables[table] = f"{table} = internal constant [{len(number)} x i64] [{text}]"
            given.append(array_given(table, [str(len(number))], 8, code.value))
        kinds = ", ".join(_kinds(given))
        code.declaration(f"@{name}", f"declare i32 @{name}({kinds})")
        code.value(f"call i32 @{name}({', '.join(given)})")


def _kinds(given: Sequence[str]) -> Iterator[str]:
    for group in given:
        for each in group.split(", "):
            yield each.split(" ")[0]
