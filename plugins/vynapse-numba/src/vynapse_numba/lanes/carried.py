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


def same(code: Code, pairs: Sequence[tuple[Array, Array]]) -> str:
    """Write whether two values have the same bits, for all pairs and in all lanes, and return the answer's name."""
    changes: dict[str, str] = {}
    for before, after in pairs:
        for old, new in zip(before.reshape(-1), after.reshape(-1), strict=True):
            bits = f"<{code.lanes} x {_bits(old.dtype)}>"
            a, b = _as_bits(code, old, bits), _as_bits(code, code.lane(new, old.dtype), bits)
            changed = code.value(f"xor {bits} {a}, {b}")
            changes[bits] = code.value(f"or {bits} {changes[bits]}, {changed}") if bits in changes else changed
    answer = "true"
    for bits, changed in changes.items():
        lanes = code.value(f"icmp ne {bits} {changed}, zeroinitializer")
        mask = code.value(f"bitcast <{code.lanes} x i1> {lanes} to i{code.lanes}")
        none = code.value(f"icmp eq i{code.lanes} {mask}, 0")
        answer = code.value(f"and i1 {answer}, {none}")
    return answer


def _bits(dtype: str) -> str:
    return {"float": "i32", "double": "i64"}.get(ELEMENT[dtype], ELEMENT[dtype])


def _as_bits(code: Code, value: Lane, bits: str) -> str:
    if not value.dtype.startswith("float"):
        return value.name
    return code.value(f"bitcast {code.type(value.dtype)} {value.name} to {bits}")
