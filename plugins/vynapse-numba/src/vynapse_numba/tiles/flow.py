# SPDX-License-Identifier: MIT OR Apache-2.0
"""What kernels written as text share: loops, conditions, room on the stack, and vectors that are not full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vynapse_numba.lanes.code import STORED, Code


class Flow:
    """A function in the making, `name(table)`, its lines written to `code`; `table` is the address of int64."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self._head: list[str] = []
        self._labels = 0
        self._before, code.lines = code.lines, []

    def definition(self, name: str) -> str:
        """Return the function's text, and leave the code as it was found."""
        body, self.code.lines = self.code.lines, self._before
        lines = (f"define void @{name}(ptr noalias %table) {{", "entry:", *self._head, *body, "  ret void", "}")
        return "\n".join(lines)

    def entry(self, at: int) -> str:
        """Write the loading of an entry of the table."""
        place = self.code.value(f"getelementptr i64, ptr %table, i64 {at}")
        return self.code.value(f"load i64, ptr {place}")

    def room(self, kind: str, count: int = 1) -> str:
        """Return the address of room on the stack."""
        name = self.code.name()
        self._head.append(f"  {name} = alloca {kind}, i64 {count}, align 64")
        return name

    @contextmanager
    def loop(self, end: str, step: int = 1) -> Iterator[str]:
        """Write a loop from 0 to before `end`; the body is written inside the context, which gives the index."""
        code, counter = self.code, self.room("i64")
        head, body, behind = (self._label() for _ in range(3))
        code.block(f"  store i64 0, ptr {counter}\n  br label %{head}\n{head}:")
        index = code.value(f"load i64, ptr {counter}")
        more = code.value(f"icmp slt i64 {index}, {end}")
        code.block(f"  br i1 {more}, label %{body}, label %{behind}\n{body}:")
        yield index
        code.line(f"  store i64 {code.value(f'add i64 {index}, {step}')}, ptr {counter}")
        code.block(f"  br label %{head}\n{behind}:")

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """Write what is done only where the condition holds."""
        then, behind = self._label(), self._label()
        self.code.block(f"  br i1 {condition}, label %{then}, label %{behind}\n{then}:")
        yield
        self.code.block(f"  br label %{behind}\n{behind}:")

    def every(self, number: str, element: str) -> str:
        """Write a vector of one number."""
        kind = f"<{self.code.lanes} x {element}>"
        first = self.code.value(f"insertelement {kind} poison, {element} {number}, i64 0")
        return self.code.value(
            f"shufflevector {kind} {first}, {kind} poison, <{self.code.lanes} x i32> zeroinitializer"
        )

    def below(self, count: str) -> str:
        """Write the mask of the first `count` lanes."""
        lanes = self.code.lanes
        numbers = ", ".join(f"i64 {lane}" for lane in range(lanes))
        return self.code.value(f"icmp slt <{lanes} x i64> <{numbers}>, {self.every(count, 'i64')}")

    def masked_load(self, place: str, element: str, size: int, mask: str) -> str:
        """Return the text that loads the lanes of a mask, 0 in the others."""
        kind, lanes = f"<{self.code.lanes} x {element}>", f"<{self.code.lanes} x i1>"
        name = self._intrinsic("masked.load", kind, f"ptr, i32, {lanes}, {kind}", element)
        return f"call {kind} {name}(ptr {place}, i32 {size}, {lanes} {mask}, {kind} zeroinitializer)"

    def masked_store(self, value: str, place: str, element: str, size: int, mask: str) -> None:
        """Write the storing of the lanes of a mask."""
        kind, lanes = f"<{self.code.lanes} x {element}>", f"<{self.code.lanes} x i1>"
        name = self._intrinsic("masked.store", "void", f"{kind}, ptr, i32, {lanes}", element)
        self.code.line(f"  call void {name}({kind} {value}, ptr {place}, i32 {size}, {lanes} {mask})")

    def _intrinsic(self, function: str, result: str, kinds: str, element: str) -> str:
        name = f"@llvm.{function}.v{self.code.lanes}{_SUFFIXES.get(element, element)}.p0"
        self.code.declaration(name, f"declare {result} {name}({kinds})")
        return name

    def _label(self) -> str:
        self._labels += 1
        return f"b{self._labels}"


_SUFFIXES = {STORED["float32"]: "f32", STORED["float64"]: "f64"}
