# SPDX-License-Identifier: MIT OR Apache-2.0
"""Functions in LLVM's language, written by Python's operators: `low + high` writes an addition, `counted` a loop.

llvmlite has a builder of its own. Its atomic stores and its calls by address want addresses with types, which LLVM has
given up, each number is a constant object there, and loops are laid out by hand. Here addresses have no types, numbers
are Python's, and an atomic operation's order stands where it is done. What is written is text, which can be kept,
compared, and put beside what Numba writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

_BYTES = {"i32": 4, "i64": 8, "ptr": 8}
_ARGUMENT = re.compile(r"(\w+) (%\w+)")


@dataclass(frozen=True, eq=False)
class Value:
    """A number or an address that a function computes. What an operator is given is of the same kind, or an int.

    Numbers have no sign; `<` and `>` alone take them for signed ones.
    """

    function: Function
    kind: str
    """`i1`, `i32`, `i64`, `double` or `ptr`."""
    name: str

    def __str__(self) -> str:
        """Return its name in the text."""
        return self.name

    def __add__(self, other: Operand) -> Value:
        return self._with("add", other)

    def __sub__(self, other: Operand) -> Value:
        return self._with("sub", other)

    def __mul__(self, other: Operand) -> Value:
        return self._with("mul", other)

    def __floordiv__(self, other: Operand) -> Value:
        return self._with("udiv", other)

    def __mod__(self, other: Operand) -> Value:
        return self._with("urem", other)

    def __and__(self, other: Operand) -> Value:
        return self._with("and", other)

    def __or__(self, other: Operand) -> Value:
        return self._with("or", other)

    def __xor__(self, other: Operand) -> Value:
        return self._with("xor", other)

    def __lshift__(self, other: Operand) -> Value:
        return self._with("shl", other)

    def __rshift__(self, other: Operand) -> Value:
        return self._with("lshr", other)

    def __lt__(self, other: Operand) -> Value:
        return self._with("icmp slt", other, "i1")

    def __gt__(self, other: Operand) -> Value:
        return self._with("icmp sgt", other, "i1")

    def below(self, other: Operand) -> Value:
        """Write whether it is less than another number, both without signs."""
        return self._with("icmp ult", other, "i1")

    def equals(self, other: Operand) -> Value:
        """Write whether it is the same as another; `==` remains Python's."""
        return self._with("icmp eq", other, "i1")

    def differs(self, other: Operand) -> Value:
        """Write whether it is another."""
        return self._with("icmp ne", other, "i1")

    def exists(self) -> Value:
        """Write whether an address is not null."""
        return self.function.value("i1", f"icmp ne ptr {self}, null")

    def wide(self) -> Value:
        """Write an i8 or an i32 as i64."""
        return self.function.value("i64", f"zext {self.kind} {self} to i64")

    def pointer(self) -> Value:
        """Write an i64 as an address."""
        return self.function.value("ptr", f"inttoptr i64 {self} to ptr")

    def choose(self, yes: Operand, no: Operand) -> Value:
        """Write `yes` where this condition holds, else `no`; two ints are i64."""
        kind = next((each.kind for each in (yes, no) if isinstance(each, Value)), "i64")
        return self.function.value(kind, f"select i1 {self}, {kind} {yes}, {kind} {no}")

    def at(self, offset: Operand) -> Value:
        """Write the address that lies so many bytes behind this one."""
        return self.function.value("ptr", f"getelementptr i8, ptr {self}, i64 {offset}")

    def load(self, kind: str = "i64", order: str = "") -> Value:
        """Write the reading of what lies at this address: atomically, if there is an order."""
        text = f"load atomic {kind}, ptr {self} {order}, align {_BYTES[kind]}" if order else f"load {kind}, ptr {self}"
        return self.function.value(kind, text)

    def store(self, what: Operand, order: str = "") -> None:
        """Write the storing of a value (an int is i64) at this address: atomically, if there is an order."""
        kind = _kind(what)
        atomic, ending = (" atomic", f" {order}, align {_BYTES[kind]}") if order else ("", "")
        self.function.line(f"store{atomic} {kind} {what}, ptr {self}{ending}")

    def change(self, how: str, by: Operand, order: str) -> None:
        """Write `add`, `sub` or `max` with a value (an int is i64) of what lies at this address, atomically."""
        self.function.value(_kind(by), f"atomicrmw {how} ptr {self}, {_kind(by)} {by} {order}")

    def claim(self, old: Operand, new: Operand, order: str) -> Value:
        """Write the storing of `new`, an i64, where `old` lies at this address, and whether it did.

        It is one atomic operation of that order; where `old` does not lie there it is `monotonic`.
        """
        both = self.function.value("", f"cmpxchg ptr {self}, i64 {old}, i64 {new} {order} monotonic")
        return self.function.value("i1", f"extractvalue {{i64, i1}} {both}, 1")

    def _with(self, how: str, other: Operand, kind: str = "") -> Value:
        return self.function.value(kind or self.kind, f"{how} {self.kind} {self}, {other}")


Operand = Value | int


class Loop(NamedTuple):
    """Where a loop that has no end of its own begins its next turn, and what lies behind it."""

    again: str
    behind: str


class Function:
    """A function in the making; `head` is the line of LLVM's language that defines it, without its brace."""

    def __init__(self, head: str) -> None:
        self.arguments = [Value(self, kind, name) for kind, name in _ARGUMENT.findall(head)]
        self._head = head
        self._rooms: list[str] = []
        self._lines: list[str] = []
        self._names = 0
        self._open = True
        """Whether the block at hand still lacks the jump that ends it."""

    def text(self) -> str:
        """Return the function's text. Where it comes to an end without a result, it returns none."""
        ending = ["ret void"] if self._open else []
        return "\n  ".join([f"\n{self._head} {{\nentry:", *self._rooms, *self._lines, *ending]) + "\n}\n"

    def line(self, text: str) -> None:
        """Write a line."""
        assert self._open, "what follows a jump begins with a label"
        self._lines.append(text)

    def value(self, kind: str, text: str) -> Value:
        """Write what computes a value of that kind."""
        found = Value(self, kind, f"%{self.label()}")
        self.line(f"{found} = {text}")
        return found

    def constant(self, kind: str, constant: int | str) -> Value:
        """Return a number of a kind that an int would not be taken for, or the address of what has a name, as `@f`."""
        return Value(self, kind, str(constant))

    def room(self, kind: str) -> Value:
        """Return the address of room on the stack for one of that kind."""
        found = Value(self, "ptr", f"%{self.label()}")
        self._rooms.append(f"{found} = alloca {kind}, align 8")
        return found

    def variable(self, first: Operand) -> Value:
        """Write the storing of a first value in room of its own, and return the room's address."""
        found = self.room(_kind(first))
        found.store(first)
        return found

    def call(self, kind: str, function: Value | str, *given: Operand, how: str = "") -> Value:
        """Write the call of a function, by address or name, that returns that kind or `void`; an int is i64.

        `how` is what LLVM's language has behind a call, such as `noinline`.
        """
        text = f"call {kind} {function}({', '.join(f'{_kind(each)} {each}' for each in given)}) {how}".rstrip()
        if kind != "void":
            return self.value(kind, text)
        self.line(text)
        return Value(self, kind, "")

    def label(self) -> str:
        """Return a name that nothing has, for a place to go to."""
        self._names += 1
        return f"v{self._names}"

    def begin(self, label: str) -> None:
        """Write what follows behind a label, where what stands before it goes as well, unless it has gone elsewhere."""
        if self._open:
            self.line(f"br label %{label}")
        self._lines[-1] += f"\n{label}:"
        self._open = True

    def go(self, label: str, *, where: Value | None = None, unless: Value | None = None) -> None:
        """Write the jump to a label: always, or where a condition holds, or unless it does."""
        condition, on = where or unless, self.label()
        if condition is None:
            self.line(f"br label %{label}")
            self._open = False
            return
        yes, no = (label, on) if where else (on, label)
        self.line(f"br i1 {condition}, label %{yes}, label %{no}\n{on}:")

    def give(self, result: Operand) -> None:
        """Write the function's end, with its result; an int is i64."""
        self.line(f"ret {_kind(result)} {result}")
        self._open = False

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """Write what is done only where a condition holds."""
        behind = self.label()
        self.go(behind, unless=condition)
        yield
        self.begin(behind)

    @contextmanager
    def repeated(self) -> Iterator[Loop]:
        """Write what is done again and again, until it goes behind the loop."""
        loop = Loop(self.label(), self.label())
        self.begin(loop.again)
        yield loop
        if self._open:
            self.go(loop.again)
        self.begin(loop.behind)

    @contextmanager
    def counted(self, first: Operand, end: Operand) -> Iterator[Value]:
        """Write what is done for each i64 from `first` to before `end`."""
        counter = self.variable(first)
        with self.repeated() as loop:
            index = counter.load()
            self.go(loop.behind, unless=index < end)
            yield index
            counter.store(index + 1)


def _kind(value: Operand) -> str:
    return value.kind if isinstance(value, Value) else "i64"
