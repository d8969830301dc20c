# SPDX-License-Identifier: MIT OR Apache-2.0
"""The ops of plugins in a kernel's text, and the values of unknown size that they take and give.

Such a value lies in memory, a row a network. What one step hands to the next is copied, and the copying tells whether
it changed. A network whose step leaves all as it was is not computed again, as its next steps would do the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vynapse_core import constant_array
from vynapse_numba.lanes.code import BYTES
from vynapse_numba.lanes.elementwise import UnsupportedError
from vynapse_numba.lanes.memory import load_places, load_rows, store_rows
from vynapse_numba.lanes.parts import ENTRY, Linked, Rows, call, copied, linked, on_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vynapse_core import Arguments, Array, Kernel, SampleKernel
    from vynapse_numba.lanes.code import Code
    from vynapse_numba.lanes.parts import Shape
    from vynapse_numba.lanes.stages import Stages

NETWORK, LAST = "%network", "%network.last"


class Apart:
    """What a text says of them. `entry` takes the lines that come before all loops; `slot` names the table's next."""

    def __init__(
        self,
        code: Code,
        arguments: Arguments,
        stages: Stages,
        kernels: Mapping[str, Kernel],
        entry: list[str],
        slot: Callable[[str], str],
    ) -> None:
        self.code = code
        self.nodes = arguments.live.nodes
        self.found = arguments.live.outputs
        self.stages = stages
        self.kernels = kernels
        self.entry = entry
        self.slot = slot
        self.sizes: dict[str, str] = {}
        """The names of the sizes unknown before."""
        self.room: list[tuple[Shape, str]] = []
        """Shapes and dtypes of what has room in memory."""
        self.linked: list[Linked] = []
        self.calls = 0
        self._places: dict[int, Rows] = {}
        self._kept: list[tuple[Rows, Rows, str]] = []
        """Of what steps hand over: where one leaves it, where the next reads it, and its bytes."""

    def place(self, own: Mapping[int, tuple[str, str]], outputs: Mapping[str, tuple[str, str]]) -> None:
        """Settle where values lie. `own` and `outputs` are (address, gap) of leaves and outputs in memory."""
        self.entry.append(ENTRY)
        apart = sorted(self.stages.apart)
        for dim in dict.fromkeys(dim for i in apart for dim in self.nodes[i].shape if isinstance(dim, str)):
            self.sizes[dim] = self.slot("i64")
        self._places = {i: Rows(*place, NETWORK, LAST) for i, place in own.items()}
        for name, place in outputs.items():
            if self.found[name] not in self.stages.parts or self.found[name] in self._places:
                raise UnsupportedError("an output of unknown size that has a place already")
            self._places[self.found[name]] = Rows(*place, NETWORK)
        for i in apart:
            if i not in self._places:
                self._places[i] = self._space(self.nodes[i].shape, self.nodes[i].dtype)

    def begin(self, carried: Mapping[str, int]) -> None:
        """Write that all networks of a block are computed, and begin with the memory that they are given.

        `carried` is {output: parameter} of what steps hand over in memory.
        """
        code, every = self.code, 2**self.code.lanes - 1
        left = code.value("trunc i64 %network.left to i32")
        beyond = code.value(f"sub i32 {code.lanes - 1}, {left}")
        some = code.value(f"lshr i32 {every}, {beyond}")
        whole = code.value(f"icmp sge i64 %network.left, {code.lanes - 1}")
        code.line(f"  store i32 {code.value(f'select i1 {whole}, i32 {every}, i32 {some}')}, ptr %awake")
        for name, parameter in carried.items():
            node = self.nodes[parameter]
            held, size = self._space(node.shape, node.dtype), str(BYTES[node.dtype])
            for dim in node.shape:
                size = code.value(f"mul i64 {size}, {self.sizes[dim] if isinstance(dim, str) else dim}")
            copied(code, self._places[parameter], held, size, str(every))
            self._places[parameter] = held
            self._kept.append((self._places[self.found[name]], held, size))

    def end_step(self, changed: str) -> str:
        """Write that the next step begins with what this one left, and return the mask of lanes where that differs.

        `changed` is the mask of those where what is handed over in vectors differs.
        """
        code, awake = self.code, self._awake()
        for after, before, size in self._kept:
            changed = code.value(f"or i32 {changed}, {copied(code, after, before, size, awake)}")
        return code.value(f"and i32 {changed}, {awake}")

    def rest(self, changed: str) -> None:
        """Write that only the lanes of a mask are computed from here on."""
        self.code.line(f"  store i32 {changed}, ptr %awake")

    def value(self, i: int, values: Mapping[int, Array]) -> Array | None:
        """Write node i, a plugin's op, and return its lanes, or None where it lies in memory."""
        code, node = self.code, self.nodes[i]
        operands = [self.nodes[o] for o in self.stages.operands[i]]
        kernel: SampleKernel | None = self.kernels[node.op](node.attributes, [each.shape for each in operands])
        if kernel is None:
            raise UnsupportedError(f"{node.op} of such operands")
        rows: list[tuple[Rows, Shape, str]] = []
        for o, operand in zip(self.stages.operands[i], operands, strict=True):
            if o not in self._places:
                self._places[o] = on_stack(code, operand.shape, operand.dtype, self.entry)
                store_rows(code, self._addresses(o), values[o], operand.shape, operand.dtype)
            rows.append((self._places[o], operand.shape, operand.dtype))
        if i not in self._places:
            self._places[i] = on_stack(code, node.shape, node.dtype, self.entry)
        rows.append((self._places[i], node.shape, node.dtype))
        rows += [(self._space(shape, node.dtype), shape, node.dtype) for shape in kernel.scratch]
        call(code, self._linked(linked(kernel, operands, node)), rows, kernel.numbers, self.sizes, self._awake())
        self.calls += 1
        return None if i in self.stages.apart else load_rows(code, self._addresses(i), node.shape, node.dtype)

    def gathered(self, i: int) -> Array:
        """Write node i, elements of a value in memory."""
        node = self.nodes[i]
        places = [int(place) for place in constant_array(self.nodes[node.operands[1]]).flat]
        return load_places(self.code, self._addresses(node.operands[0]), places, node.shape, node.dtype)

    def _linked(self, part: Linked) -> str:
        """Return the name under which a part is called, one for all calls of it."""
        if part not in self.linked:
            self.linked.append(part)
        return f"part{self.linked.index(part)}"

    def _space(self, shape: Shape, dtype: str) -> Rows:
        self.room.append((shape, dtype))
        return Rows(self.slot("ptr"), self.slot("i64"), NETWORK)

    def _addresses(self, i: int) -> list[str]:
        return [self._places[i].of(self.code, str(lane)) for lane in range(self.code.lanes)]

    def _awake(self) -> str:
        return self.code.value("load i32, ptr %awake")
