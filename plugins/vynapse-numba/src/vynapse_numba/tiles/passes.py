# SPDX-License-Identifier: MIT OR Apache-2.0
"""The code of a chain: one kernel that reads each leaf once and writes each result once, vectors of samples at a time.

By rows: for each row, along all of it. By columns: a vector's width of all rows, row after row, in as many goes as
there are reductions before; what one go leaves for a later one is kept beside. Sums have one order: each lane of a
vector adds up every so-many-th number, and the lanes are added at the end, so bits depend on the sizes alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from vynapse_numba.lanes.code import BYTES, STORED, Code, Lane
from vynapse_numba.lanes.elementwise import element, extreme
from vynapse_numba.tiles.chains import VIEWS, Chain, Leaf, Literal, Member
from vynapse_numba.tiles.flow import Flow

if TYPE_CHECKING:
    from vynapse_core import Node

HEAD = 3
"""Entries of a table before the rows' sizes: number of networks, length of a row, and how results are written."""
ADD, STREAM = 1, 2
"""How: reductions are added to what is there; results are so large that they had better go past the caches."""
MOST_LINES = 1_000_000
_LEAST = {"float32": float("-inf"), "float64": float("-inf"), "int32": -(2**31), "int64": -(2**63), "uint64": 0}


class Pass:
    """The kernel of one chain; it takes the address of a table of int64.

    The table holds HEAD numbers, the size of each axis of rows, then for each leaf and each result its address and its
    strides in bytes along networks and rows.
    """

    def __init__(self, chain: Chain, nodes: Sequence[Node], name: str, code: Code) -> None:
        self.chain, self.nodes, self.name, self.code = chain, nodes, name, code
        self.leaves = chain.leaves
        self.results = list(chain.places)
        self.rank = len(chain.rows or ())
        self._flow = Flow(code)
        self._values: dict[int, Lane] = {}
        self._kept: dict[int, str] = {}
        self._sums: dict[int, str] = {}
        self._accumulated: dict[int, str] = {}
        self._mask = ""
        self._past = False
        self._row: tuple[str, ...] = ()

    def write(self) -> str:
        """Return the definition."""
        self._table()
        with self._flow.loop(self._size[0]) as self._network:
            if self.chain.by_columns:
                self._columns()
            else:
                self._rows()
        if not self.chain.by_columns:
            with self._flow.when(self.code.value(f"icmp sge i64 {self._size[2]}, {STREAM}")):
                # what went past the caches is in memory before another thread is told so
                self.code.line("  fence seq_cst")
        return self._flow.definition(self.name)

    def _table(self) -> None:
        entry = self._flow.entry
        self._size = [entry(at) for at in range(HEAD + self.rank)]
        width = 2 + self.rank
        self._places: list[list[str]] = []
        for at in range(len(self.leaves) + len(self.results)):
            start = HEAD + self.rank + at * width
            address = self.code.value(f"inttoptr i64 {entry(start)} to ptr")
            self._places.append([address, *[entry(start + 1 + axis) for axis in range(1 + self.rank)]])

    def _rows(self) -> None:
        """Write the loops over rows, then along each."""
        ends = [m for m in self.chain.members.values() if m.over_vector]
        whole = [m for m in ends if m.over_rows or not m.wide]
        for member in whole:
            self._begin(member)
        with self._over_rows(self.rank):
            each = [m for m in ends if m not in whole]
            for member in each:
                self._begin(member)
            length, lanes = self._size[1], self.code.lanes
            full = self.code.value(f"and i64 {length}, {-lanes}")
            streamed = self._streamed()
            for condition in (streamed, self.code.value(f"xor i1 {streamed}, true")) if streamed else ("",):
                end = self.code.value(f"select i1 {condition}, i64 {full}, i64 0") if condition else full
                with self._flow.loop(end, lanes) as column:
                    self._column, self._mask = column, ""
                    self._past = condition == streamed != ""
                    self._vector(list(self.chain.members.values()))
            self._past = False
            with self._flow.when(self.code.value(f"icmp slt i64 {full}, {length}")):
                self._column = full
                self._mask = self._flow.below(self.code.value(f"sub i64 {length}, {full}"))
                self._vector(list(self.chain.members.values()))
            for member in each:
                self._end(member)
        for member in whole:
            self._end(member)

    def _streamed(self) -> str:
        """Write whether results are to go past the caches, for which rows must begin at a vector's border."""
        code = self.code
        if any(place.vector is None or self._dtype(i) == "bool" for i, place in self.chain.places.items()):
            return ""
        self._column, bits = "0", code.value(f"xor i64 {self._size[2]}, {STREAM}")
        bits = code.value(f"and i64 {bits}, {STREAM}")
        for i in self.results:
            place = self._address(len(self.leaves) + self.results.index(i), False, self._dtype(i))
            lost = code.value(f"and i64 {code.value(f'ptrtoint ptr {place} to i64')}, {self._border(i) - 1}")
            bits = code.value(f"or i64 {bits}, {lost}")
        return code.value(f"icmp eq i64 {bits}, 0")

    def _border(self, i: int) -> int:
        return self.code.lanes * BYTES[self._dtype(i)]

    def _columns(self) -> None:
        """Write the loop over vectors, and within it the goes over rows."""
        members = list(self.chain.members.values())
        ends = [m for m in members if m.over_vector]
        for member in ends:
            self._begin(member)
        length = self._size[1]
        with self._flow.loop(length, self.code.lanes) as column:
            self._column = column
            self._mask = self._flow.below(self.code.value(f"sub i64 {length}, {column}"))
            self._values.clear()
            for level in range(max(m.level for m in members) + 1):
                self._row = ("0",) * self.rank
                self._vector([m for m in members if m.level == level and not m.wide], fresh=False)
                wide = [m for m in members if m.level == level and m.wide]
                if not wide:
                    continue
                sums = [m for m in wide if m.over_rows and not m.over_vector]
                for member in sums:
                    self._begin(member)
                narrow = {i: v for i, v in self._values.items() if not self._is_wide(i)}
                with self._over_rows(self.rank):
                    self._values = dict(narrow)
                    self._vector(wide, fresh=False)
                    self._keep(wide)
                self._values = narrow
                for member in sums:
                    self._values[member.node] = self._load_sum(member)
                    if member.node in self.results:
                        self._row = ("0",) * self.rank
                        self._store(member.node)
        for member in ends:
            self._end(member)

    def _is_wide(self, i: int) -> bool:
        member = self.chain.members[i]
        return member.wide and not member.over_rows

    def _keep(self, wide: Sequence[Member]) -> None:
        """Write the keeping of values that a later go reads."""
        for member in wide:
            later = any(
                member.node in reader.operands and reader.level > member.level for reader in self.chain.members.values()
            )
            if later and self._is_wide(member.node):
                (rows,) = self.chain.rows or (1,)
                self._kept[member.node] = self._flow.room(self._memory(self._dtype(member.node)), int(rows))
                self._put(self._values[member.node], self._kept_place(member.node))

    def _kept_place(self, i: int) -> str:
        kind = self._memory(self._dtype(i))
        return self.code.value(f"getelementptr {kind}, ptr {self._kept[i]}, i64 {self._row[0]}")

    def _vector(self, members: Sequence[Member], fresh: bool = True) -> None:
        """Write members for one vector of one row, then store the results: loads come first, whatever shares memory."""
        if fresh:
            self._values.clear()
        read: dict[Leaf, Lane] = {}
        for member in members:
            values = [
                self._operand(o, dtype, read) for o, dtype in zip(member.operands, self._dtypes(member), strict=True)
            ]
            if member.over_rows or member.over_vector:
                self._accumulate(member, values[0])
            elif member.op in VIEWS or member.op == "sum_like":
                self._values[member.node] = self.code.lane(values[0], self._dtype(member.node))
            else:
                value = element(self.code, member.op, values, self._dtypes(member), self._dtype(member.node))
                self._values[member.node] = self.code.lane(value, self._dtype(member.node))
        for member in members:
            if member.node in self.results and not member.over_rows and not member.over_vector:
                self._store(member.node)

    def _operand(self, o: int | Leaf | Literal, dtype: str, read: dict[Leaf, Lane]) -> Lane | float | int | bool:
        if isinstance(o, Literal):
            return o.value
        if isinstance(o, Leaf):
            if o not in read:
                read[o] = self._load(o)
            return read[o]
        if o not in self._values:
            kind = self._memory(dtype)
            self._values[o] = self._read(f"load {kind}, ptr {self._kept_place(o)}", dtype)
        return self._values[o]

    def _dtype(self, i: int) -> str:
        return self.nodes[i].dtype

    def _dtypes(self, member: Member) -> list[str]:
        operands = self.nodes[member.node].operands
        return [self._dtype(o) for o in operands[: len(member.operands)]]

    def _memory(self, dtype: str) -> str:
        return f"<{self.code.lanes} x {STORED[dtype]}>"

    def _address(self, at: int, along: bool, dtype: str) -> str:
        address, network, *rows = self._places[at]
        offset = self.code.value(f"mul i64 {self._network}, {network}")
        for stride, row in zip(rows, self._row, strict=True):
            offset = self.code.value(f"add i64 {offset}, {self.code.value(f'mul i64 {row}, {stride}')}")
        if along:
            offset = self.code.value(f"add i64 {offset}, {self.code.value(f'mul i64 {self._column}, {BYTES[dtype]}')}")
        return self.code.value(f"getelementptr i8, ptr {address}, i64 {offset}")

    def _load(self, leaf: Leaf) -> Lane:
        code, dtype = self.code, self._dtype(leaf.node)
        place = self._address(self.leaves.index(leaf), leaf.vector is not None, dtype)
        kind, size = self._memory(dtype), BYTES[dtype]
        if leaf.vector is None:
            number = code.value(f"load {STORED[dtype]}, ptr {place}, align {size}")
            return self._lane(self._flow.every(number, STORED[dtype]), dtype)
        if not self._mask:
            return self._read(f"load {kind}, ptr {place}, align {size}", dtype)
        return self._read(self._flow.masked_load(place, STORED[dtype], size, self._mask), dtype)

    def _read(self, loading: str, dtype: str) -> Lane:
        return self._lane(self.code.value(loading), dtype)

    def _lane(self, stored: str, dtype: str) -> Lane:
        if dtype == "bool":
            stored = self.code.value(f"icmp ne {self._memory(dtype)} {stored}, zeroinitializer")
        return Lane(self.code, stored, dtype)

    def _stored(self, value: Lane) -> str:
        if value.dtype != "bool":
            return value.name
        return self.code.value(f"zext <{self.code.lanes} x i1> {value.name} to {self._memory('bool')}")

    def _put(self, value: Lane, place: str) -> None:
        self.code.line(f"  store {self._memory(value.dtype)} {self._stored(value)}, ptr {place}")

    def _store(self, i: int) -> None:
        code, value = self.code, self._values[i]
        dtype = self._dtype(i)
        place = self._address(len(self.leaves) + self.results.index(i), True, dtype)
        kind, size = self._memory(dtype), BYTES[dtype]
        if not self._mask:
            past = f"align {self._border(i)}, !nontemporal !{{i32 1}}" if self._past else f"align {size}"
            code.line(f"  store {kind} {self._stored(value)}, ptr {place}, {past}")
            return
        self._flow.masked_store(self._stored(value), place, STORED[dtype], size, self._mask)

    def _begin(self, member: Member) -> None:
        dtype = self.nodes[member.node].dtype
        if member.op == "argmax":
            source = self._dtypes(member)[0]
            self._sums.setdefault(member.node, self._flow.room(self._memory(source)))
            self._accumulated.setdefault(member.node, self._flow.room(self._memory(dtype)))
            self._put(self.code.lane(_LEAST[source], source), self._sums[member.node])
            self._put(self.code.lane(-1, dtype), self._accumulated[member.node])
            return
        self._sums.setdefault(member.node, self._flow.room(self._memory(dtype)))
        self._put(self.code.lane(_LEAST[dtype] if member.op == "max" else 0, dtype), self._sums[member.node])

    def _load_sum(self, member: Member) -> Lane:
        place = (self._accumulated if member.op == "argmax" else self._sums)[member.node]
        dtype = self._dtype(member.node)
        return self._read(f"load {self._memory(dtype)}, ptr {place}", dtype)

    def _accumulate(self, member: Member, value: Lane | float | int | bool) -> None:
        code, dtype, place = self.code, self._dtypes(member)[0], self._sums[member.node]
        before = self._read(f"load {self._memory(dtype)}, ptr {place}", dtype)
        if member.op == "argmax":
            self._first_largest(member, before, code.lane(value, dtype))
            return
        if member.over_vector and self._mask:
            neutral = _LEAST[dtype] if member.op == "max" else 0
            value = code.select(Lane(code, self._mask, "bool"), value, neutral, dtype)
        after = extreme(code, True, before, value, dtype) if member.op == "max" else code.add(before, value, dtype)
        self._put(after, place)

    def _first_largest(self, member: Member, best: Lane, value: Lane) -> None:
        """Write the step of an argmax: the first row wins, a NaN counts as the largest."""
        code, dtype, to = self.code, value.dtype, self._dtype(member.node)
        index = self._load_sum(member)
        larger = code.compare("fcmp ogt" if dtype.startswith("float") else "icmp sgt", value, best, dtype)
        if dtype == "uint64":
            larger = code.compare("icmp ugt", value, best, dtype)
        if dtype.startswith("float"):
            first_nan = code.binary(
                "and",
                code.compare("fcmp uno", value, value, dtype),
                code.compare("fcmp ord", best, best, dtype),
                "bool",
            )
            larger = code.binary("or", larger, first_nan, "bool")
        larger = code.binary("or", larger, code.compare("icmp slt", index, 0, to), "bool")
        here = self._flow.every(self._row[0], "i64")
        self._put(code.select(larger, value, best, dtype), self._sums[member.node])
        self._put(code.select(larger, Lane(code, here, to), index, to), self._accumulated[member.node])

    def _end(self, member: Member) -> None:
        """Write the sum over lanes and its storing."""
        code, dtype = self.code, self._dtype(member.node)
        value, width = self._load_sum(member), code.lanes
        while width > 1:
            width //= 2
            order = ", ".join(f"i32 {(lane + width) % code.lanes}" for lane in range(code.lanes))
            kind = self._memory(dtype)
            turned = Lane(
                code,
                code.value(f"shufflevector {kind} {value.name}, {kind} poison, <{code.lanes} x i32> <{order}>"),
                dtype,
            )
            value = extreme(code, True, value, turned, dtype) if member.op == "max" else code.add(value, turned, dtype)
        if member.node not in self.results:
            return
        if member.over_rows or not member.wide:
            self._row = ("0",) * self.rank
        place = self._address(len(self.leaves) + self.results.index(member.node), False, dtype)
        adds = code.value(f"trunc i64 {self._size[2]} to i1")
        with self._flow.when(adds):
            kind = self._memory(dtype)
            number = code.value(f"load {STORED[dtype]}, ptr {place}, align {BYTES[dtype]}")
            held = Lane(
                code, code.value(f"insertelement {kind} zeroinitializer, {STORED[dtype]} {number}, i64 0"), dtype
            )
            more = extreme(code, True, held, value, dtype) if member.op == "max" else code.add(held, value, dtype)
            self._store_first(more, place, dtype)
        with self._flow.when(code.value(f"xor i1 {adds}, true")):
            self._store_first(value, place, dtype)

    def _store_first(self, value: Lane, place: str, dtype: str) -> None:
        number = self.code.value(f"extractelement {self._memory(dtype)} {value.name}, i64 0")
        self.code.line(f"  store {STORED[dtype]} {number}, ptr {place}, align {BYTES[dtype]}")

    @contextmanager
    def _over_rows(self, rank: int) -> Iterator[None]:
        """Write loops over all axes of rows."""
        with ExitStack() as nested:
            rows = [nested.enter_context(self._flow.loop(self._size[HEAD + axis])) for axis in range(rank)]
            self._row = tuple(rows)
            yield
        self._row = ("0",) * rank


def written(chains: Sequence[Chain], nodes: Sequence[Node], lanes: int) -> str:
    """Return the module of the chains' kernels, named pass_0, pass_1, ..."""
    code = Code(lanes, MOST_LINES)
    definitions = [Pass(chain, nodes, f"pass_{at}", code).write() for at, chain in enumerate(chains)]
    return "\n".join([*definitions, code.declarations])
