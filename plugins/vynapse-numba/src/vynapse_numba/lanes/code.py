# SPDX-License-Identifier: MIT OR Apache-2.0
"""Code: the text of a kernel on lanes, in LLVM's language.

Every scalar of a network's graph is one vector here, a network a lane, so that the text is straight-line arithmetic
with no choice left to a vectoriser. No flag allows reordering, and the one contraction, `fma`, is asked for by name:
a network's bits depend neither on its lane, nor on the number of lanes, nor on its neighbours.
"""

from __future__ import annotations

import math
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Known = TypeVar("Known")

ELEMENT = {"float32": "float", "float64": "double", "int32": "i32", "int64": "i64", "uint64": "i64", "bool": "i1"}
"""Dtype -> what one lane of it is."""
STORED = {**ELEMENT, "bool": "i8"}
"""Dtype -> what one element of it is in memory."""
BYTES = {"float32": 4, "float64": 8, "int32": 4, "int64": 8, "uint64": 8, "bool": 1}


class TooLongError(Exception):
    """The text has grown past its limit: the graph is not one for lanes."""


@dataclass(frozen=True)
class Lane:
    """One scalar of the graph: the name of its vector. Sums are written, so that NumPy can add arrays of lanes."""

    code: Code
    name: str
    dtype: str

    def __add__(self, other: Scalar) -> Lane:
        return self.code.add(self, other)

    def __radd__(self, other: Scalar) -> Lane:
        # NumPy's ops begin their sums with a plain 0
        return self if other == 0 else self.code.add(self, other)


Scalar = Lane | float | int | bool
"""A lane, or a number that is the same in every lane."""


class Code:
    """Lines of text in the making; each method writes one operation and returns its result."""

    def __init__(self, lanes: int, most: int, *, scoped: bool = False) -> None:
        self.lanes = lanes
        self.most = most
        self.scoped = scoped
        """Whether the writer marks by `scope` what may not be executed: then equal values are written only once, and
        rare cases become branches."""
        self.lines: list[str] = []
        self.sample = ""
        """The name of the number of the sample at hand, within a loop over samples."""
        self.tables: dict[str, str] = {}
        self._declared: dict[str, str] = {}
        self._known: dict[str, Any] = {}
        self._functions: dict[str, tuple[str, list[str]]] = {}
        self._count = 0

    def line(self, text: str) -> None:
        """Write a line. Raises TooLongError past the limit."""
        if len(self.lines) >= self.most:
            raise TooLongError
        self.lines.append(text)

    def block(self, text: str) -> None:
        """Write several lines."""
        for line in text.splitlines():
            self.line(line)

    def name(self) -> str:
        """Return a name not used before."""
        self._count += 1
        return f"%v{self._count}"

    def value(self, text: str) -> str:
        """Write `name = text` and return the name."""
        name = self.name()
        self.line(f"  {name} = {text}")
        return name

    def pure(self, text: str) -> str:
        """Write `name = text`, or return the name of what was written before: for text that reads no memory."""
        return self.remembered(text, lambda: self.value(text))

    def remembered(self, key: str, write: Callable[[], Known]) -> Known:
        """Return what `write` writes, or what it wrote before under the same key."""
        if not self.scoped:
            return write()
        if key not in self._known:
            self._known[key] = write()
        known: Known = self._known[key]
        return known

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Write what may not be executed: later text cannot refer to it."""
        known = dict(self._known)
        yield
        self._known = known

    def interleaved(self, writers: Sequence[Callable[[], Scalar]]) -> list[Scalar]:
        """Write what several writers write, line by line in turn, and return their results; they write no branches.

        A processor looks only so far ahead: chains of operations that do not wait for each other must lie together.
        """
        before, texts, results = self.lines, [], []
        for writer in writers:
            self.lines = []
            with self.scope():
                results.append(writer())
            texts.append(self.lines)
        self.lines = before
        self.block("\n".join(line for turn in zip_longest(*texts) for line in turn if line is not None))
        return results

    def rarely(self, condition: Lane, usual: Sequence[Lane], rare: Callable[[], Sequence[Lane]]) -> list[Lane]:
        """Write `usual`, but where the condition holds what `rare` writes, which is skipped if it holds in no lane."""
        if not self.scoped:
            return self._either(condition, rare(), usual)
        label = self.name()[1:]
        mask = self.value(f"bitcast {self.type('bool')} {condition.name} to i{self.lanes}")
        found = self.value(f"icmp ne i{self.lanes} {mask}, 0")
        self.block(f"  br label %{label}.near\n{label}.near:")
        self.block(f"  br i1 {found}, label %{label}.rare, label %{label}.after, !prof !1\n{label}.rare:")
        with self.scope():
            chosen = self._either(condition, rare(), usual)
        self.block(f"  br label %{label}.after\n{label}.after:")
        return [
            Lane(
                self,
                self.value(f"phi {self.type(a.dtype)} [{a.name}, %{label}.near], [{b.name}, %{label}.rare]"),
                a.dtype,
            )
            for a, b in zip(usual, chosen, strict=True)
        ]

    def _either(self, condition: Lane, first: Sequence[Lane], second: Sequence[Lane]) -> list[Lane]:
        return [self.select(condition, a, b, a.dtype) for a, b in zip(first, second, strict=True)]

    def declaration(self, name: str, text: str) -> None:
        """Declare an intrinsic function, once."""
        self._declared[name] = text

    @property
    def declarations(self) -> str:
        """The tables and declarations of all that was used."""
        return "\n".join([*self.tables.values(), *self._declared.values()])

    def type(self, dtype: str) -> str:
        """Return the vector type of a dtype."""
        return f"<{self.lanes} x {ELEMENT[dtype]}>"

    def operand(self, value: Scalar, dtype: str) -> str:
        """Return the text of an operand, without its type."""
        if isinstance(value, Lane):
            return value.name
        return f"splat ({ELEMENT[dtype]} {literal(value, dtype)})"

    def lane(self, value: Scalar, dtype: str) -> Lane:
        """Return a lane for what may be a number."""
        if isinstance(value, Lane):
            return value
        kind = self.type(dtype)
        return Lane(
            self, self.pure(f"select i1 true, {kind} {self.operand(value, dtype)}, {kind} zeroinitializer"), dtype
        )

    def binary(self, instruction: str, a: Scalar, b: Scalar, dtype: str) -> Lane:
        """Write an instruction of two operands of a dtype."""
        kind = self.type(dtype)
        return Lane(self, self.pure(f"{instruction} {kind} {self.operand(a, dtype)}, {self.operand(b, dtype)}"), dtype)

    def compare(self, condition: str, a: Scalar, b: Scalar, dtype: str) -> Lane:
        """Write a comparison; `condition` such as `fcmp olt` or `icmp eq`."""
        return Lane(self, self.binary(condition, a, b, dtype).name, "bool")

    def select(self, condition: Scalar, a: Scalar, b: Scalar, dtype: str) -> Lane:
        """Write `a where the condition holds, else b`."""
        kind = self.type(dtype)
        where = f"{self.type('bool')} {self.operand(condition, 'bool')}"
        return Lane(
            self,
            self.pure(f"select {where}, {kind} {self.operand(a, dtype)}, {kind} {self.operand(b, dtype)}"),
            dtype,
        )

    def convert(self, instruction: str, value: Scalar, dtype: str, to: str) -> Lane:
        """Write a conversion from one dtype to another."""
        text = f"{instruction} {self.type(dtype)} {self.operand(value, dtype)} to {self.type(to)}"
        return Lane(self, self.pure(text), to)

    def call(self, function: str, dtype: str, *values: Scalar, source: str = "") -> Lane:
        """Write a call of one of LLVM's intrinsic functions, `fabs` or `fma`; `source` is the operands' dtype."""
        source = source or dtype
        suffixes = [f"v{self.lanes}{_suffix(kind)}" for kind in dict.fromkeys((dtype, source))]
        name = f"@llvm.{function}.{'.'.join(suffixes)}"
        kinds = ", ".join([self.type(source)] * len(values))
        self.declaration(name, f"declare {self.type(dtype)} {name}({kinds})")
        given = ", ".join(f"{self.type(source)} {self.operand(value, source)}" for value in values)
        return Lane(self, self.pure(f"call {self.type(dtype)} {name}({given})"), dtype)

    def called(self, name: str, given: Sequence[Lane], write: Callable[..., Sequence[Lane]]) -> list[Lane]:
        """Write a call of a function of lanes, whose results `write` writes from its arguments, once for all calls."""
        if name not in self._functions:
            self._functions[name] = self._function(name, [value.dtype for value in given], write)
        kind, dtypes = self._functions[name]
        sent = ", ".join(f"{self.type(value.dtype)} {value.name}" for value in given)
        answer = self.value(f"call {kind} @{name}({sent})")
        return [Lane(self, self.value(f"extractvalue {kind} {answer}, {at}"), dtype) for at, dtype in enumerate(dtypes)]

    def _function(self, name: str, given: Sequence[str], write: Callable[..., Sequence[Lane]]) -> tuple[str, list[str]]:
        """Write a function, and return what it returns: the type, and the dtypes in it."""
        inner = Code(self.lanes, self.most)
        inner.tables, inner._declared = self.tables, self._declared
        arguments = [Lane(inner, f"%argument{at}", dtype) for at, dtype in enumerate(given)]
        results = write(inner, *arguments)
        kind = f"{{{', '.join(self.type(result.dtype) for result in results)}}}"
        whole = "poison"
        for at, result in enumerate(results):
            whole = inner.value(f"insertvalue {kind} {whole}, {self.type(result.dtype)} {result.name}, {at}")
        head = ", ".join(f"{self.type(argument.dtype)} {argument.name}" for argument in arguments)
        body = "\n".join(inner.lines)
        self.tables[f"@{name}"] = (
            f"define internal {kind} @{name}({head}) noinline cold {{\n{body}\n  ret {kind} {whole}\n}}"
        )
        return kind, [result.dtype for result in results]

    def looked_up(self, name: str, table: Sequence[float], index: Lane) -> Lane:
        """Write `table[index]` of a table of doubles; `index` is int32 and within it."""
        whole = f"@{name}"
        text = ", ".join(f"double {literal(value, 'float64')}" for value in table)
        self.tables[whole] = f"{whole} = internal constant [{len(table)} x double] [{text}]"
        n, kind = self.lanes, self.type("float64")
        places = self.value(f"getelementptr double, ptr {whole}, {self.type('int32')} {index.name}")
        function = f"@llvm.masked.gather.v{n}f64.v{n}p0"
        self.declaration(function, f"declare {kind} {function}(<{n} x ptr>, i32, <{n} x i1>, {kind})")
        given = f"<{n} x ptr> {places}, i32 8, <{n} x i1> splat (i1 true), {kind} poison"
        return Lane(self, self.value(f"call {kind} {function}({given})"), "float64")

    def add(self, a: Scalar, b: Scalar, dtype: str = "") -> Lane:
        """Write a + b."""
        dtype = dtype or _dtype(a, b)
        return self.binary("fadd" if dtype.startswith("float") else "add", a, b, dtype)

    def sub(self, a: Scalar, b: Scalar, dtype: str = "") -> Lane:
        """Write a - b."""
        dtype = dtype or _dtype(a, b)
        return self.binary("fsub" if dtype.startswith("float") else "sub", a, b, dtype)

    def mul(self, a: Scalar, b: Scalar, dtype: str = "") -> Lane:
        """Write a * b."""
        dtype = dtype or _dtype(a, b)
        return self.binary("fmul" if dtype.startswith("float") else "mul", a, b, dtype)

    def fma(self, a: Scalar, b: Scalar, c: Scalar, dtype: str = "") -> Lane:
        """Write a * b + c, rounded once where the processor has such an instruction."""
        return self.call("fmuladd", dtype or _dtype(a, b, c), a, b, c)


def literal(value: float | int | bool, dtype: str) -> str:
    """Return a number in LLVM's spelling, exact to the bit."""
    if dtype == "bool":
        return "true" if value else "false"
    if not dtype.startswith("float"):
        # LLVM's integers have no sign of their own
        return str(int(value) - 2**64 if int(value) >= 2**63 else int(value))
    number = float(value)
    if dtype == "float32" and math.isfinite(number):
        number = struct.unpack("<f", struct.pack("<f", number))[0]
    # a float is spelt by the bits of the double that equals it
    return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"


def _suffix(dtype: str) -> str:
    return {"float": "f32", "double": "f64"}.get(ELEMENT[dtype], ELEMENT[dtype])


def _dtype(*values: Scalar) -> str:
    return next((value.dtype for value in values if isinstance(value, Lane)), "float32")
