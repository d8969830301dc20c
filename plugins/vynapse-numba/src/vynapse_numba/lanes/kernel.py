# SPDX-License-Identifier: MIT OR Apache-2.0
"""The text of a whole kernel: a loop over blocks of networks, in it one over steps, in that one over samples a pass.

A kernel reads all it is given from a table of 64-bit numbers: P, the number of samples and that of steps; of each leaf
that differs by network (address, bytes from one network to the next); of each shared value (address, bytes from one
step to the next); of each output (address, bytes from network to network, from step to step). Outputs have room for
whole blocks. A step reads its parameters before it writes its outputs, so an output that lies where a parameter lies
is the next step's parameter: that is all there is to training in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vynapse_numba.lanes.code import Code
from vynapse_numba.lanes.memory import load_rows, load_shared, store_rows, store_together
from vynapse_numba.lanes.sums import Sums
from vynapse_numba.lanes.trace import constant, value

if TYPE_CHECKING:
    from vynapse_core import Arguments, Array
    from vynapse_numba.lanes.stages import Stages

CHUNK = 128
"""Samples that are added up one after the other before their sum joins the total."""
MOST_LINES = 40_000
"""Lines of text that LLVM compiles in about a second."""


@dataclass(frozen=True)
class Text:
    """A kernel's text and what goes into its table, in order; numbers are nodes."""

    text: str
    own: tuple[int, ...]
    shared: tuple[int, ...]
    outputs: tuple[str, ...]
    work: int
    """Operations for a block of networks and one sample, roughly."""


def write(arguments: Arguments, stages: Stages, lanes: int) -> Text:
    """Return the kernel of a graph. Raises UnsupportedError or TooLongError."""
    return _Writer(arguments, stages, lanes).write()


class _Writer:
    def __init__(self, arguments: Arguments, stages: Stages, lanes: int) -> None:
        self.arguments = arguments
        self.stages = stages
        self.nodes = arguments.live.nodes
        self.code = Code(lanes, MOST_LINES)
        self.entry: list[str] = []
        """What comes before all loops."""
        self.slots = 3
        self.values: dict[int, Array] = {
            i: constant(arguments, i) for i, node in enumerate(self.nodes) if node.op == "constant"
        }
        self.rows: dict[int | str, list[str]] = {}
        """The address of each lane's network, for leaves by node and for outputs by name."""
        self.shared: dict[int, str] = {}
        self.own = tuple(i for i in stages.needed if not self.nodes[i].operands)
        self.outputs = tuple(name for name, i in arguments.live.outputs.items() if arguments.varying[i])

    def write(self) -> Text:
        """Write everything, in the order in which it is computed."""
        code, stages = self.code, self.stages
        own = [(i, self._slot("ptr"), self._slot("i64")) for i in self.own]
        shared = [(i, self._slot("ptr"), self._slot("i64")) for i in stages.fed]
        outputs = [(name, self._slot("ptr"), self._slot("i64"), self._slot("i64")) for name in self.outputs]
        places = [code.value(f"add i64 %network, {lane}") for lane in range(code.lanes)]
        there = [code.value(f"icmp slt i64 {place}, %network.last") for place in places]
        # past the end, the last network stands in
        networks = [
            code.value(f"select i1 {yes}, i64 {place}, i64 %network.last")
            for yes, place in zip(there, places, strict=True)
        ]
        for i, address, gap in own:
            self.rows[i] = self._rows(networks, address, gap)
        code.block("  br label %steps\n" + _STEPS)
        for i, address, step in shared:
            self.shared[i] = self._at_step(address, step)
            if not self._sampled(i):
                self.values[i] = load_shared(code, self.shared[i], self.nodes[i].shape, self.nodes[i].dtype)
        for name, address, gap, step in outputs:
            self.rows[name] = self._rows(places, self._at_step(address, step), gap)
        for level in range(max(stages.levels) + 1):
            self._steady(level)
            self._pass(level)
        text = _WHOLE.format(
            declarations=code.declarations, entry="\n".join(self.entry), block="\n".join(code.lines), lanes=code.lanes
        )
        return Text(text, self.own, stages.fed, self.outputs, len(code.lines))

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

    def _rows(self, networks: list[str], address: str, gap: str) -> list[str]:
        code = self.code
        offsets = [code.value(f"mul i64 {network}, {gap}") for network in networks]
        return [code.value(f"getelementptr i8, ptr {address}, i64 {offset}") for offset in offsets]

    def _steady(self, level: int) -> None:
        """Write what is computed once between two passes, and then the outputs among it."""
        for i in self.stages.needed:
            if not self._sampled(i) and self.stages.levels[i] == level and i not in self.stages.over:
                self.values[i] = self._value(i, self.values)
        for name in self.outputs:
            i = self.arguments.live.outputs[name]
            if not self._sampled(i) and self.stages.levels[i] == level:
                self._store(name, i, self.values)

    def _value(self, i: int, values: dict[int, Array]) -> Array:
        node = self.nodes[i]
        if i in self.rows:
            return load_rows(self.code, self.rows[i], node.shape, node.dtype)
        if i in self.shared:
            return load_shared(self.code, self.shared[i], node.shape, node.dtype)
        return value(self.code, self.arguments, i, values)

    def _store(self, name: str, i: int, values: dict[int, Array]) -> None:
        node = self.nodes[i]
        if node.shape == ():
            # one number of each network: those of all lanes lie side by side
            store_together(self.code, self.rows[name][0], self.code.lane(values[i].reshape(-1)[0], node.dtype))
        else:
            store_rows(self.code, self.rows[name], values[i], node.shape, node.dtype)

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
        code.block(_CHUNKS.format(level=level, chunk=CHUNK))
        for each in sums:
            each.begin(each.parts)
        code.block(_SAMPLES.format(level=level))
        code.sample = f"%sample{level}.number"
        values = self._samples(over, [found[name] for name in stored])
        for each in sums:
            each.add_sample(values)
        for name in stored:
            self._store(name, found[name], values)
        code.block(_SAMPLED.format(level=level))
        for each in sums:
            each.add_chunk()
        code.block(_CHUNKED.format(level=level))
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


_WHOLE = """{declarations}
define void @kernel(ptr %table, i64 %first, i64 %last) {{
entry:
  %networks = load i64, ptr %table
  %network.last = sub i64 %networks, 1
  %samples.place = getelementptr i64, ptr %table, i64 1
  %samples = load i64, ptr %samples.place
  %steps.place = getelementptr i64, ptr %table, i64 2
  %steps.all = load i64, ptr %steps.place
{entry}
  br label %blocks
blocks:
  %network = phi i64 [%first, %entry], [%network.next, %stepped]
  %network.any = icmp slt i64 %network, %last
  br i1 %network.any, label %block, label %exit
block:
{block}
  br label %end
end:
  %step.next = add i64 %step, 1
  br label %steps
stepped:
  %network.next = add i64 %network, {lanes}
  br label %blocks
exit:
  ret void
}}
!0 = !{{}}
"""
_STEPS = """steps:
  %step = phi i64 [0, %block], [%step.next, %end]
  %step.any = icmp slt i64 %step, %steps.all
  br i1 %step.any, label %step.body, label %stepped
step.body:"""
_CHUNKS = """  br label %before{level}
before{level}:
  br label %chunks{level}
chunks{level}:
  %chunk{level} = phi i64 [0, %before{level}], [%sample{level}.next, %after{level}]
  %chunk{level}.any = icmp slt i64 %chunk{level}, %samples
  br i1 %chunk{level}.any, label %chunk{level}.body, label %end{level}
chunk{level}.body:
  %chunk{level}.next = add i64 %chunk{level}, {chunk}
  %chunk{level}.full = icmp slt i64 %chunk{level}.next, %samples
  %chunk{level}.end = select i1 %chunk{level}.full, i64 %chunk{level}.next, i64 %samples"""
_SAMPLES = """  br label %sample{level}
sample{level}:
  %sample{level}.number = phi i64 [%chunk{level}, %chunk{level}.body], [%sample{level}.next, %sample{level}]"""
_SAMPLED = """  %sample{level}.next = add i64 %sample{level}.number, 1
  %sample{level}.more = icmp slt i64 %sample{level}.next, %chunk{level}.end
  br i1 %sample{level}.more, label %sample{level}, label %after{level}
after{level}:"""
_CHUNKED = """  br label %chunks{level}
end{level}:"""
