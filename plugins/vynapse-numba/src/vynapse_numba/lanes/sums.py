# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a pass over the samples adds up: sums, products and maxima, in variables that become registers.

A sum is taken in two steps, over a chunk of samples and over chunks: so the sum of many samples keeps its digits.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import numpy as np

from vynapse_numba.lanes.code import Lane
from vynapse_numba.lanes.elementwise import extreme
from vynapse_numba.lanes.trace import empty, filled, value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vynapse_core import Arguments, Array
    from vynapse_numba.lanes.code import Code, Scalar


class Sums:
    """Node i, added up over samples. `entry` takes the lines that make variables, which belong before all loops."""

    def __init__(self, code: Code, arguments: Arguments, i: int, entry: list[str]) -> None:
        self.code = code
        self.arguments = arguments
        self.node = arguments.live.nodes[i]
        self.i = i
        self.dtype = self.node.dtype
        size = empty(self.node.shape).size
        self.totals = [self._variable(entry) for _ in range(size)]
        self.parts = [self._variable(entry) for _ in range(size)]

    def begin(self, variables: list[str]) -> None:
        """Write that variables hold what no samples add up to."""
        none: Scalar = 0
        if self.node.op == "max":
            floating = self.dtype.startswith("float")
            none = -inf if floating else int(np.iinfo(self.dtype).min)
        for variable in variables:
            self._put(variable, self.code.operand(none, self.dtype))

    def add_sample(self, values: Mapping[int, Array]) -> None:
        """Write that the chunk's sums take the sample at hand."""
        if self.node.op == "matmul":
            self._add_products(*[values[o] for o in self.node.operands])
            return
        sample = value(self.code, self.arguments, self.i, values)
        for part, scalar in zip(self.parts, sample.reshape(-1), strict=True):
            self._put(part, self._two(self._get(part), self.code.lane(scalar, self.dtype)).name)

    def add_chunk(self) -> None:
        """Write that the totals take the chunk's sums."""
        for total, part in zip(self.totals, self.parts, strict=True):
            self._put(total, self._two(self._get(total), self._get(part)).name)

    def result(self) -> Array:
        """Write the reading of the totals."""
        return filled(self.node.shape, [self._get(total) for total in self.totals])

    def _add_products(self, a: Array, b: Array) -> None:
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = np.broadcast_to(a, (*lead, *a.shape[-2:])), np.broadcast_to(b, (*lead, *b.shape[-2:]))
        places = np.ndindex(*lead, a.shape[-2], b.shape[-1])
        for part, place in zip(self.parts, places, strict=True):
            left, right = a[(*place[:-1], 0)], b[(*place[:-2], 0, place[-1])]
            self._put(part, self.code.fma(left, right, self._get(part), self.dtype).name)

    def _two(self, a: Lane, b: Lane) -> Lane:
        return extreme(self.code, True, a, b, self.dtype) if self.node.op == "max" else self.code.add(a, b)

    def _variable(self, entry: list[str]) -> str:
        variable = f"%sum{len(entry)}"
        entry.append(f"  {variable} = alloca {self.code.type(self.dtype)}, align 64")
        return variable

    def _get(self, variable: str) -> Lane:
        text = f"load {self.code.type(self.dtype)}, ptr {variable}, align 64"
        return Lane(self.code, self.code.value(text), self.dtype)

    def _put(self, variable: str, operand: str) -> None:
        self.code.line(f"  store {self.code.type(self.dtype)} {operand}, ptr {variable}, align 64")
