# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a step hands to the next: the elements of a parameter that an output replaces, in variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vynapse_numba.lanes.code import ELEMENT, Lane
from vynapse_numba.lanes.trace import empty, filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vynapse_core import Array, Graph
    from vynapse_numba.lanes.code import Code


class Carried:
    """The output `name`, which is the parameter `to` in the next step. `entry` takes the lines that make variables."""

    def __init__(self, code: Code, graph: Graph, name: str, to: str, entry: list[str]) -> None:
        self.code = code
        self.output = graph.outputs[name]
        self.parameter = graph.parameters[to]
        node = graph.nodes[self.output]
        self.shape, self.dtype = node.shape, node.dtype
        self._variables = []
        for _ in range(empty(node.shape).size):
            variable = f"%carried{len(entry)}"
            entry.append(f"  {variable} = alloca {code.type(node.dtype)}, align 64")
            self._variables.append(variable)

    def put(self, value: Array) -> None:
        """Write that the variables take a value."""
        kind = self.code.type(self.dtype)
        for variable, scalar in zip(self._variables, value.reshape(-1), strict=True):
            self.code.line(f"  store {kind} {self.code.operand(scalar, self.dtype)}, ptr {variable}, align 64")

    def get(self) -> Array:
        """Write the reading of the variables."""
        kind = self.code.type(self.dtype)
        names = [self.code.value(f"load {kind}, ptr {variable}, align 64") for variable in self._variables]
        return filled(self.shape, [Lane(self.code, name, self.dtype) for name in names])


def changed(code: Code, pairs: Sequence[tuple[Array, Array]]) -> str:
    """Write which lanes differ by a bit between two values of any pair, and return the name of an i32 of lanes."""
    changes: dict[str, str] = {}
    for before, after in pairs:
        for old, new in zip(before.reshape(-1), after.reshape(-1), strict=True):
            bits = f"<{code.lanes} x {_bits(old.dtype)}>"
            a, b = _as_bits(code, old, bits), _as_bits(code, code.lane(new, old.dtype), bits)
            change = code.value(f"xor {bits} {a}, {b}")
            changes[bits] = code.value(f"or {bits} {changes[bits]}, {change}") if bits in changes else change
    answer = "0"
    for bits, change in changes.items():
        lanes = code.value(f"icmp ne {bits} {change}, zeroinitializer")
        mask = code.value(f"bitcast <{code.lanes} x i1> {lanes} to i{code.lanes}")
        answer = code.value(f"or i32 {answer}, {code.value(f'zext i{code.lanes} {mask} to i32')}")
    return answer


def _bits(dtype: str) -> str:
    return {"float": "i32", "double": "i64"}.get(ELEMENT[dtype], ELEMENT[dtype])


def _as_bits(code: Code, value: Lane, bits: str) -> str:
    if not value.dtype.startswith("float"):
        return value.name
    return code.value(f"bitcast {code.type(value.dtype)} {value.name} to {bits}")
