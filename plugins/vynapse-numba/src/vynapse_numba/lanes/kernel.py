# SPDX-License-Identifier: MIT OR Apache-2.0
"""The text of a whole kernel: a loop over blocks of networks, in it one over steps, in that one over samples a pass.

A kernel reads all it is given from a table of 64-bit numbers: P, the number of samples and that of steps; how many
networks a thread takes at a time, and the first that nobody has taken yet, which the threads count up; of each leaf
that differs by network (address, bytes from one network to the next); of each shared value (address, bytes from one
step to the next); of each output (address, bytes from network to network, from step to step); each size unknown
before; of each value of such a size (address, bytes from network to network). Outputs and the last have room for whole
blocks.

Parameters are read before the first step. Those that outputs replace are variables, written out after the last step:
between two steps nothing of a network touches memory but what every step gives out.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from vynapse_numba.lanes.apart import Apart
from vynapse_numba.lanes.carried import Carried, changed
from vynapse_numba.lanes.code import Code
from vynapse_numba.lanes.frame import (
    BLOCK_ROWS,
    CHUNKED,
    CHUNKS,
    FIXED_SLOTS,
    KERNEL,
    SAMPLED,
    SAMPLES,
    STEP_END,
    STEPPED,
    STEPS,
)
from vynapse_numba.lanes.memory import load_rows, load_shared, store_rows, store_together
from vynapse_numba.lanes.parts import WORK
from vynapse_numba.lanes.sums import Sums
from vynapse_numba.lanes.trace import constant, value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vynapse_core import Arguments, Array, Kernel
    from vynapse_numba.lanes.parts import Linked, Shape
    from vynapse_numba.lanes.stages import Stages

CHUNK = 128
"""Samples that are added up one after the other before their sum joins the total."""
MOST_LINES = 40_000
"""Lines of text that LLVM compiles in about a second."""


@dataclass(frozen=True)
class Repeat:
    """How the steps of a kernel follow one another."""

    carry: tuple[tuple[str, str], ...] = ()
    """(output, parameter that it is in the next step)."""
    rests: bool = False
    """Whether nothing but what is carried tells two steps apart: a block that a step leaves as it was has done all."""


@dataclass(frozen=True)
class Text:
    """A kernel's text and what goes into its table, in order; numbers are nodes."""

    text: str
    own: tuple[int, ...]
    shared: tuple[int, ...]
    outputs: tuple[str, ...]
    work: int
    """Operations for a block of networks and one sample, roughly."""
    symbols: tuple[str, ...] = ()
    """The sizes that the table tells."""
    room: tuple[tuple[Shape, str], ...] = ()
    """Shapes and dtypes of a network's values in memory."""
    linked: tuple[Linked, ...] = ()
    """The sample kernels that the text calls."""


def write(
    arguments: Arguments,
    stages: Stages,
    lanes: int,
    repeat: Repeat = Repeat(),
    kernels: Mapping[str, Kernel] = MappingProxyType({}),
) -> Text:
    """Return the kernel of a graph; `kernels` are sample kernels. Raises UnsupportedError or TooLongError."""
    return _Writer(arguments, stages, lanes, repeat, kernels).write()


class _Writer:
    def __init__(
        self, arguments: Arguments, stages: Stages, lanes: int, repeat: Repeat, kernels: Mapping[str, Kernel]
    ) -> None:
        self.arguments = arguments
        self.stages = stages
        self.repeat = repeat
        self.nodes = arguments.live.nodes
        # what is admitted for one step is admitted for many, which take some lines more
        self.code = Code(lanes, MOST_LINES * (2 if repeat.carry else 1), scoped=True)
        self.entry: list[str] = []
        """What comes before all loops."""
        self.slots = FIXED_SLOTS
        self.values: dict[int, Array] = {
            i: constant(arguments, i) for i, node in enumerate(self.nodes) if node.op == "constant"
        }
        self.rows: dict[int | str, list[str]] = {}
        """The address of each lane's network, for leaves by node and for outputs by name."""
        self.shared: dict[int, str] = {}
        self.own = tuple(i for i in stages.needed if not self.nodes[i].operands)
        live = arguments.live
        self.outputs = tuple(name for name, i in live.outputs.items() if arguments.varying[i])
        kept = [(name, to) for name, to in repeat.carry if live.outputs[name] not in stages.apart]
        self.carried = {name: Carried(self.code, live, name, to, self.entry) for name, to in kept}
        self.remembered = {name: live.parameters[to] for name, to in repeat.carry if name not in self.carried}
        """{output: parameter} of what is carried and lies in memory."""
        self.apart = Apart(self.code, arguments, stages, kernels, self.entry, self._slot)

    def write(self) -> Text:
        """Write everything, in the order in which it is computed."""
        code, stages, live = self.code, self.stages, self.arguments.live
        own = [(i, self._slot("ptr"), self._slot("i64")) for i in self.own]
        shared = [(i, self._slot("ptr"), self._slot("i64")) for i in stages.fed]
        outputs = [(name, self._slot("ptr"), self._slot("i64"), self._slot("i64")) for name in self.outputs]
        found = self._in_vectors()
        if stages.parts:
            handed = {each.parameter for each in self.carried.values()}
            self.apart.place(
                {i: (address, gap) for i, address, gap in own if i not in handed},
                {name: (address, gap) for name, address, gap, _ in outputs if live.outputs[name] in stages.apart},
            )
        self._find_rows([each for each in own if each[0] in found])
        if stages.parts:
            self.apart.begin(self.remembered)
        for i in found:
            if not self._sampled(i):
                self.values[i] = load_rows(code, self.rows[i], self.nodes[i].shape, self.nodes[i].dtype)
        for each in self.carried.values():
            if each.parameter in self.values:
                each.put(self.values[each.parameter])
        code.block("  br label %step.first\nstep.first:\n  br label %steps\n" + STEPS)
        with code.scope():
            self._step(shared, outputs)
        code.block(STEPPED)
        for name, address, gap, _ in outputs:
            if name in self.carried:
                self.rows[name] = self._output_rows(address, gap)
                self._store(name, self.carried[name].output, self.carried[name].get())
        text = KERNEL.format(
            declarations=code.declarations, entry="\n".join(self.entry), block="\n".join(code.lines), lanes=code.lanes
        )
        work = len(code.lines) + self.apart.calls * code.lanes * WORK
        symbols, room, parts = tuple(self.apart.sizes), tuple(self.apart.room), tuple(self.apart.linked)
        return Text(text, self.own, stages.fed, self.outputs, work, symbols, room, parts)

    def _step(self, shared: list[tuple[int, str, str]], outputs: list[tuple[str, str, str, str]]) -> None:
        """Write one step: all levels, one after the other."""
        before = {each.parameter: each.get() for each in self.carried.values() if each.parameter in self.own}
        self.values |= before
        for i, address, step in shared:
            self.shared[i] = self._at_step(address, step)
            if not self._sampled(i):
                self.values[i] = load_shared(self.code, self.shared[i], self.nodes[i].shape, self.nodes[i].dtype)
        for name, address, gap, step in outputs:
            if name not in self.carried and self.arguments.live.outputs[name] not in self.stages.apart:
                self.rows[name] = self._output_rows(self._at_step(address, step), gap)
        for level in range(max(self.stages.levels) + 1):
            self._steady(level)
            self._pass(level)
        for each in self.carried.values():
            each.put(self.values[each.output])
        pairs = [(before[e.parameter], self.values[e.output]) for e in self.carried.values() if e.parameter in before]
        self.code.block(STEP_END.format(done=self._rested(pairs)))

    def _rested(self, pairs: list[tuple[Array, Array]]) -> str:
        """Write the handing over of what lies in memory, and whether the block's steps have come to rest."""
        code = self.code
        mask = changed(code, pairs) if self.repeat.rests else "0"
        if self.stages.parts:
            mask = self.apart.end_step(mask)
        if not self.repeat.rests:
            return "false"
        if self.stages.parts:
            self.apart.rest(mask)
        return code.value(f"icmp eq i32 {mask}, 0")

    def _in_vectors(self) -> list[int]:
        """Return the leaves, among those of each network, that other ops than plugins' read whole."""
        stages = self.stages
        read = {o for i in stages.needed if i not in stages.parts for o in stages.operands[i]}
        read |= {self.arguments.live.outputs[name] for name in self.outputs}
        read |= {each.parameter for each in self.carried.values()}
        return [i for i in self.own if i in read and i not in stages.apart]

    def _find_rows(self, own: list[tuple[int, str, str]]) -> None:
        """Write the addresses of each lane's network; past the end, the last network stands in."""
        code = self.code
        offsets: dict[int, list[str]] = {}
        for i, _, gap in own:
            offsets[i] = [f"%offset{i}.{lane}" for lane in range(code.lanes)]
            for lane, offset in enumerate(offsets[i]):
                self.entry.append(f"  {offset} = alloca i64")
                self.entry.append(f"  {offset}.whole = mul i64 {gap}, {lane}")
                self.entry.append(f"  store i64 {offset}.whole, ptr {offset}")
        code.block(BLOCK_ROWS.format(most=code.lanes - 1))
        with code.scope():
            for lane in range(code.lanes):
                there = code.value(f"icmp slt i64 {lane}, %network.left")
                place = code.value(f"select i1 {there}, i64 {lane}, i64 %network.left")
                for i, _, gap in own:
                    code.line(f"  store i64 {code.value(f'mul i64 {place}, {gap}')}, ptr {offsets[i][lane]}")
        code.block("  br label %block.whole\nblock.whole:")
        for i, address, gap in own:
            start = code.value(f"mul i64 %network, {gap}")
            first = code.value(f"getelementptr i8, ptr {address}, i64 {start}")
            found = [code.value(f"load i64, ptr {offset}") for offset in offsets[i]]
            self.rows[i] = [code.value(f"getelementptr i8, ptr {first}, i64 {offset}") for offset in found]

    def _output_rows(self, address: str, gap: str) -> list[str]:
        code = self.code
        places = [code.value(f"add i64 %network, {lane}") for lane in range(code.lanes)]
        offsets = [code.value(f"mul i64 {place}, {gap}") for place in places]
        return [code.value(f"getelementptr i8, ptr {address}, i64 {offset}") for offset in offsets]

    def _sampled(self, i: int) -> bool:
        return self.stages.symbol is not None and self.stages.symbol in self.nodes[i].shape

    def _slot(self, kind: str) -> str:
        name = f"%table{self.slots}"
        self.entry.append(f"  {name}.place = getelementptr i64, ptr %table, i64 {self.slots}")
        self.entry.append(f"  {name} = load {kind}, ptr {name}.place")
        self.slots += 1
        return name

    def _at_step(self, address: str, step: str) -> str:
        offset = self.code.value(f"mul i64 %step, {step}")
        return self.code.value(f"getelementptr i8, ptr {address}, i64 {offset}")

    def _steady(self, level: int) -> None:
        """Write what is computed once between two passes, and then the outputs among it."""
        for i in self.stages.needed:
            steady = self.nodes[i].operands and not self._sampled(i)
            if not steady or self.stages.levels[i] != level or i in self.stages.over:
                continue
            if i not in self.stages.parts:
                self.values[i] = self._value(i, self.values)
            elif (found := self.apart.value(i, self.values)) is not None:
                self.values[i] = found
        for name in self.outputs:
            i = self.arguments.live.outputs[name]
            stored = name in self.carried or i in self.stages.apart
            if not self._sampled(i) and self.stages.levels[i] == level and not stored:
                self._store(name, i, self.values[i])

    def _value(self, i: int, values: dict[int, Array]) -> Array:
        node = self.nodes[i]
        if i in self.rows:
            return load_rows(self.code, self.rows[i], node.shape, node.dtype)
        if i in self.shared:
            return load_shared(self.code, self.shared[i], node.shape, node.dtype)
        if not self.stages.apart.isdisjoint(node.operands):
            return self.apart.gathered(i)
        return value(self.code, self.arguments, i, values)

    def _store(self, name: str, i: int, value: Array) -> None:
        node = self.nodes[i]
        if node.shape == ():
            # one number of each network: those of all lanes lie side by side
            store_together(self.code, self.rows[name][0], self.code.lane(value.reshape(-1)[0], node.dtype))
        else:
            store_rows(self.code, self.rows[name], value, node.shape, node.dtype)

    def _pass(self, level: int) -> None:
        """Write one loop over the samples, with what it adds up and the outputs of each sample."""
        code, stages, found = self.code, self.stages, self.arguments.live.outputs
        over = [i for i in stages.needed if i in stages.over and stages.levels[i] == level + 1]
        stored = [name for name in self.outputs if self._sampled(found[name]) and stages.levels[found[name]] == level]
        if not over and not stored:
            return
        sums = [Sums(code, self.arguments, i, self.entry) for i in over]
        for each in sums:
            each.begin(each.totals)
        code.block(CHUNKS.format(level=level, chunk=CHUNK))
        with code.scope():
            for each in sums:
                each.begin(each.parts)
            code.block(SAMPLES.format(level=level))
            code.sample = f"%sample{level}.number"
            values = self._samples(over, [found[name] for name in stored])
            for each in sums:
                each.add_sample(values)
            for name in stored:
                self._store(name, found[name], values[found[name]])
            code.block(SAMPLED.format(level=level))
            for each in sums:
                each.add_chunk()
        code.block(CHUNKED.format(level=level))
        for each in sums:
            self.values[each.i] = each.result()

    def _samples(self, over: list[int], stored: list[int]) -> dict[int, Array]:
        """Write the values of the sample at hand that sums and outputs need, and return all values."""
        wanted = set(stored)
        for i in reversed(self.stages.needed):
            if i in over or i in wanted:
                wanted |= {o for o in self.stages.operands[i] if self._sampled(o)}
        values = dict(self.values)
        for i in sorted(wanted):
            values[i] = self._value(i, values)
        return values
