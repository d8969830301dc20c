# SPDX-License-Identifier: MIT OR Apache-2.0
"""Code: the text of a kernel on lanes, in LLVM's language.

Every scalar of a network's graph is one vector here, a network a lane, so that the text is straight-line arithmetic
with no choice left to a vectoriser. No flag allows reordering, and the one contraction, `fma`, is asked for by name:
a network's bits depend neither on its lane, nor on the number of lanes, nor on its neighbours.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

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

    def __init__(self, lanes: int, most: int) -> None:
        self.lanes = lanes
        self.most = most
        self.lines: list[str] = []
        self.sample = ""
        """The name of the number of the sample at hand, within a loop over samples."""
        self.tables: dict[str, str] = {}
        self._declared: dict[str, str] = {}
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
            self, self.value(f"select i1 true, {kind} {self.operand(value, dtype)}, {kind} zeroinitializer"), dtype
        )

    def binary(self, instruction: str, a: Scalar, b: Scalar, dtype: str) -> Lane:
        """Write an instruction of two operands of a dtype."""
        kind = self.type(dtype)
        return Lane(self, self.value(f"{instruction} {kind} {self.operand(a, dtype)}, {self.operand(b, dtype)}"), dtype)

    def compare(self, condition: str, a: Scalar, b: Scalar, dtype: str) -> Lane:
        """Write a comparison; `condition` such as `fcmp olt` or `icmp eq`."""
        return Lane(self, self.binary(condition, a, b, dtype).name, "bool")

    def select(self, condition: Scalar, a: Scalar, b: Scalar, dtype: str) -> Lane:
        """Write `a where the condition holds, else b`."""
        kind = self.type(dtype)
        where = f"{self.type('bool')} {self.operand(condition, 'bool')}"
        return Lane(
            self,
            self.value(f"select {where}, {kind} {self.operand(a, dtype)}, {kind} {self.operand(b, dtype)}"),
            dtype,
        )

    def convert(self, instruction: str, value: Scalar, dtype: str, to: str) -> Lane:
        """Write a conversion from one dtype to another."""
        text = f"{instruction} {self.type(dtype)} {self.operand(value, dtype)} to {self.type(to)}"
        return Lane(self, self.value(text), to)

    def call(self, function: str, dtype: str, *values: Scalar, source: str = "") -> Lane:
        """Write a call of one of LLVM's intrinsic functions, `fabs` or `fma`; `source` is the operands' dtype."""
        source = source or dtype
        suffixes = [f"v{self.lanes}{_suffix(kind)}" for kind in dict.fromkeys((dtype, source))]
        name = f"@llvm.{function}.{'.'.join(suffixes)}"
        kinds = ", ".join([self.type(source)] * len(values))
        self.declaration(name, f"declare {self.type(dtype)} {name}({kinds})")
        given = ", ".join(f"{self.type(source)} {self.operand(value, source)}" for value in values)
        return Lane(self, self.value(f"call {self.type(dtype)} {name}({given})"), dtype)

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

    def zipped(self, vectors: Sequence[str], width: int, element: str) -> list[str]:
        """Write the transpose of `vectors`, 2^k of `width` elements: element 0 of all, then element 1, ...

        The result comes in pieces of at most as many elements as there are lanes. Each of k rounds interleaves a
        vector with the one half the list away.
        """
        lists = [[vector] for vector in vectors]
        while len(lists) > 1:
            half = len(lists) // 2
            wide = 2 * width <= self.lanes
            lists = [self._interleaved(lists[i], lists[i + half], width, wide, element) for i in range(half)]
            width = 2 * width if wide else width
        return lists[0]

    def _interleaved(self, first: list[str], second: list[str], width: int, wide: bool, element: str) -> list[str]:
        order = [at for pair in zip(range(width), range(width, 2 * width), strict=True) for at in pair]
        parts = [order] if wide else [order[:width], order[width:]]
        return [
            self.value(f"shufflevector <{width} x {element}> {a}, <{width} x {element}> {b}, {_mask(part)}")
            for a, b in zip(first, second, strict=True)
            for part in parts
        ]

    def part(self, vector: str, width: int, start: int, size: int, element: str) -> str:
        """Write a slice of a vector."""
        if size == width:
            return vector
        kind = f"<{width} x {element}>"
        return self.value(f"shufflevector {kind} {vector}, {kind} poison, {_mask(range(start, start + size))}")


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


def _mask(order: Sequence[int]) -> str:
    return f"<{len(order)} x i32> <{', '.join(f'i32 {at}' for at in order)}>"


def _suffix(dtype: str) -> str:
    return {"float": "f32", "double": "f64"}.get(ELEMENT[dtype], ELEMENT[dtype])


def _dtype(*values: Scalar) -> str:
    return next((value.dtype for value in values if isinstance(value, Lane)), "float32")
