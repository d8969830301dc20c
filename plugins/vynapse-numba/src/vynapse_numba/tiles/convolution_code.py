# SPDX-License-Identifier: MIT OR Apache-2.0
"""The loops of convolutions: products whose terms are found by lists of offsets, so that no patch is ever copied.

Samples lie innermost: what a filter meets at neighbouring positions is one run of numbers in memory, the samples of
one position after those of the other. Outputs and the input's gradient are sums over a list of terms, for one run
after the other; the gradient of filters is scalar products of runs.  Compare Dukhan 2019, the indirect convolution.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from vynapse_numba.tiles.loops import each, number, parts
from vynapse_numba.tiles.micro import BYTE, HALF, INT, Block, Registers, Sums

# fmt: off
LISTED = (
    "count", "groups", "rows", "runs", "run", "terms",
    "a", "an", "ag", "am", "b", "bn", "bg", "c", "cn", "cg", "cm", "bias", "biasn", "biasg", "biasm",
)
"""The table of `listed`, int64: sizes; addresses of the runs and of the terms; a, b, c and the bias, each with its
strides in bytes along networks, groups and rows; the bias 0 for none."""
RUN = ("terms", "first", "b", "c", "columns")
"""A run: how many terms, the first of them, how far b and c lie from their starts in bytes, how many numbers."""
DOTS = (
    "count", "groups", "rows", "runs", "run", "terms", "columns",
    "g", "gn", "gg", "gm", "x", "xn", "xg", "c", "cn", "cg", "cm", "ck", "add",
)
"""The table of `dots`, likewise; `terms` are the offsets of x for each column of the result, `add` whether to add."""
SUMS = ("count", "rows", "lines", "columns", "x", "xn", "xm", "xl", "c", "cn", "cm", "add")
"""The table of `sums`, likewise; `xl` is the stride from line to line."""
# fmt: on
AT_ONCE = 4
"""Vectors of partial sums of `sums`."""
DOT_RUN = ("g", "x", "columns")
"""A run: how far g and x lie from their starts in bytes, how many numbers."""


def listed(module: Any, name: str, size: int, chosen: Registers) -> None:
    """Write `name`: c [count, groups, rows, run] = a [.., rows, term] · b [.., term, run] + bias [.., rows]."""
    build, given = _function(module, name, LISTED)
    add, mul = build.add, build.mul
    lanes = chosen.bytes // size
    pairs = _pointer(build, given["terms"])
    blocks = Cut(build, given["rows"], chosen.rows)
    with each(build, number(0), given["count"]) as network, each(build, number(0), given["groups"]) as group:
        at_a, at_b, at_c, at_bias = (
            add(given[k], add(mul(network, given[f"{k}n"]), mul(group, given[f"{k}g"])))
            for k in ("a", "b", "c", "bias")
        )
        start = build.icmp_signed("!=", given["bias"], number(0))
        with each(build, number(0), given["runs"]) as at:
            run = _row(build, given["run"], at, RUN)
            vectors = parts(build, run["columns"], lanes)
            panels = Cut(build, vectors, chosen.vectors)
            pair = build.ptrtoint(build.gep(pairs, [mul(run["first"], number(16))]), INT)
            with each(build, number(0), panels.count) as panel:
                first, end = panels.between(panel)
                offset = mul(first, number(chosen.bytes))
                short = build.sub(run["columns"], mul(build.sub(end, number(1)), number(lanes)))
                last = build.select(build.icmp_signed("<", short, number(lanes)), short, number(lanes))
                with each(build, number(0), blocks.count) as block:
                    row, stop = blocks.between(block)
                    bias = build.select(start, add(at_bias, mul(row, given["biasm"])), number(0))
                    sums = Sums(
                        a=add(at_a, mul(row, given["am"])),
                        am=given["am"],
                        ak=number(0),
                        b=add(add(at_b, run["b"]), offset),
                        bk=number(0),
                        c=add(add(at_c, mul(row, given["cm"])), add(run["c"], offset)),
                        cm=given["cm"],
                        k=run["terms"],
                        last=last,
                        start=bias,
                        step=given["biasm"],
                        soon=pair,
                        pace=number(16),
                    )
                    wide = build.sub(end, first)

                    def write(rows: int, columns: int, sums: Sums = sums) -> None:
                        Block(build, rows, columns, size, chosen, listed=True).emit(sums)

                    choose(build, build.sub(stop, row), chosen.rows, wide, chosen.vectors, write)
    build.ret_void()


def dots(module: Any, name: str, size: int, chosen: Registers) -> None:
    """Write `name`: c [count, groups, rows, columns] = sums over runs of g [.., rows, run] · x [.., columns, run]."""
    build, given = _function(module, name, DOTS)
    add, mul = build.add, build.mul
    most = (4, 6) if chosen.rows == 8 and chosen.bytes == 64 else (2, 4)
    with each(build, number(0), given["count"]) as network, each(build, number(0), given["groups"]) as group:
        at_g, at_x, at_c = (
            add(given[k], add(mul(network, given[f"{k}n"]), mul(group, given[f"{k}g"]))) for k in ("g", "x", "c")
        )
        tall, wide = Cut(build, given["rows"], most[0]), Cut(build, given["columns"], most[1])
        with each(build, number(0), wide.count) as panel, each(build, number(0), tall.count) as block:
            row, row_end = tall.between(block)
            column, column_end = wide.between(panel)
            place = add(at_c, add(mul(row, given["cm"]), mul(column, given["ck"])))
            left = add(at_g, mul(row, given["gm"]))
            offsets = add(given["terms"], mul(column, number(8)))

            def write(rows: int, columns: int, at: tuple[Any, ...] = (left, at_x, offsets, place)) -> None:
                Dots(build, rows, columns, size, chosen).products(given, *at)

            choose(build, build.sub(row_end, row), most[0], build.sub(column_end, column), most[1], write)
    build.ret_void()


class Cut:
    """Writes the cutting of a size into parts of at most `most`; the first are larger by 1 where they are not equal."""

    def __init__(self, build: Any, size: Any, most: int) -> None:
        self._build = build
        self.count = parts(build, size, most)
        # a division takes as long as several terms of a product: it is done once
        some = build.select(build.icmp_signed(">", self.count, number(0)), self.count, number(1))
        self._least = build.sdiv(size, some)
        self._larger = build.sub(size, build.mul(self._least, some))

    def between(self, part: Any) -> tuple[Any, Any]:
        """Return start and end of a part."""
        build, larger = self._build, self._larger
        fewer = build.icmp_signed("<", part, larger)
        start = build.add(build.mul(part, self._least), build.select(fewer, part, larger))
        more = build.select(fewer, number(1), number(0))
        return start, build.add(build.add(start, self._least), more)


class Held(Block):
    """Writes the code of several vectors of partial sums of one row, so that none waits for the one before."""

    def begin(self) -> None:
        """Write the start at 0."""
        with self.builder.goto_entry_block():
            self.parts = [self.builder.alloca(self.vector) for _ in self.rows]
        for part in self.parts:
            self.builder.store(ir.Constant(self.vector, None), part)

    def add_up(self, start: Any, count: Any) -> None:
        """Write the adding of so many numbers."""
        builder, many = self.builder, len(self.parts)
        full = builder.sdiv(count, number(self.lanes))
        rounds = builder.sdiv(full, number(many))
        with each(builder, number(0), rounds) as at:
            base = builder.add(start, builder.mul(at, number(many * self.width)))
            for i, part in enumerate(self.parts):
                self._one(part, self._whole(builder.add(base, number(i * self.width))))
        with each(builder, builder.mul(rounds, number(many)), full) as at:
            self._one(self.parts[0], self._whole(builder.add(start, builder.mul(at, number(self.width)))))
        rest = builder.sub(count, builder.mul(full, number(self.lanes)))
        with builder.if_then(builder.icmp_signed(">", rest, number(0))):
            self.mask = self._mask(rest)
            self._one(self.parts[-1], self._load(builder.add(start, builder.mul(full, number(self.width))), 0))

    def finish(self, place: Any, adds: Any) -> None:
        """Write the sum of all and its storing."""
        values = [self.builder.load(part) for part in self.parts]
        while len(values) > 1:
            values = [self.builder.fadd(*pair) for pair in zip(values[::2], values[1::2], strict=True)]
        self._total(values[0], place, adds)

    def _one(self, part: Any, value: Any) -> None:
        self.builder.store(self.builder.fadd(self.builder.load(part), value), part)

    def _whole(self, place: Any) -> Any:
        return self.builder.load(self._pointer(place, self.vector), align=self.size)

    def _total(self, value: Any, place: Any, adds: Any) -> None:
        """Write the sum over lanes, halves onto halves, and its storing."""
        builder, width = self.builder, self.lanes
        unset = ir.Constant(self.vector, ir.Undefined)
        while width > 1:
            width //= 2
            order = ir.Constant(
                ir.VectorType(HALF, self.lanes), [(at + width) % self.lanes for at in range(self.lanes)]
            )
            value = builder.fadd(value, builder.shuffle_vector(value, unset, order))
        value = builder.extract_element(value, ir.Constant(HALF, 0))
        target = self._pointer(place, self.number)
        held = builder.load(target, align=self.size)
        zero = ir.Constant(self.number, 0.0)
        before = builder.select(builder.icmp_signed("!=", adds, number(0)), held, zero)
        builder.store(builder.fadd(before, value), target, align=self.size)


class Dots(Held):
    """Writes the code of `rows` x `columns` scalar products, a vector of partial sums each."""

    def __init__(self, builder: Any, rows: int, columns: int, size: int, chosen: Registers) -> None:
        super().__init__(builder, rows, columns, size, chosen)
        self.columns = range(columns)
        # each operand is one vector at a time
        self.vectors = range(1)

    def products(self, given: Any, left: Any, right: Any, offsets: Any, place: Any) -> None:
        """Write the block; the builder is left behind it."""
        builder = self.builder
        terms = [self._entry(offsets, column) for column in self.columns]
        with builder.goto_entry_block():
            sums = [[builder.alloca(self.vector) for _ in self.columns] for _ in self.rows]
        for line in sums:
            for held in line:
                builder.store(ir.Constant(self.vector, None), held)
        with each(builder, number(0), given["runs"]) as at:
            run = _row(builder, given["run"], at, DOT_RUN)
            along = builder.add(left, run["g"])
            lefts = [builder.add(along, builder.mul(given["gm"], number(row))) for row in self.rows]
            rights = [builder.add(right, builder.add(run["x"], term)) for term in terms]
            full = builder.sdiv(run["columns"], number(self.lanes))
            self.mask = None
            with each(builder, number(0), full) as vector:
                self._terms(sums, lefts, rights, builder.mul(vector, number(self.width)))
            rest = builder.sub(run["columns"], builder.mul(full, number(self.lanes)))
            with builder.if_then(builder.icmp_signed(">", rest, number(0))):
                self.mask = self._mask(rest)
                self._terms(sums, lefts, rights, builder.mul(full, number(self.width)))
        for row in self.rows:
            for column in self.columns:
                here = builder.add(builder.mul(given["cm"], number(row)), builder.mul(given["ck"], number(column)))
                self._total(builder.load(sums[row][column]), builder.add(place, here), given["add"])

    def _entry(self, offsets: Any, column: int) -> Any:
        return self.builder.load(self._pointer(self.builder.add(offsets, number(8 * column)), INT), align=8)

    def _terms(self, sums: Any, lefts: Any, rights: Any, offset: Any) -> None:
        builder = self.builder
        left = [self._read(builder.add(address, offset)) for address in lefts]
        for column in self.columns:
            right = self._read(builder.add(rights[column], offset))
            for row in self.rows:
                held = sums[row][column]
                builder.store(self._add(left[row], right, builder.load(held)), held)

    def _read(self, address: Any) -> Any:
        place = self._pointer(address, self.vector)
        if self.mask is None:
            return self.builder.load(place, align=self.size)
        return self._call("llvm.masked.load", self.vector, place, self.align, self.mask, ir.Constant(self.vector, None))


def sums(module: Any, name: str, size: int, chosen: Registers) -> None:
    """Write `name`: c [count, rows] = sums over lines and columns of x [count, rows, lines, columns]."""
    build, given = _function(module, name, SUMS)
    add, mul = build.add, build.mul
    held = Held(build, AT_ONCE, 1, size, chosen)
    with each(build, number(0), given["count"]) as network, each(build, number(0), given["rows"]) as row:
        x, place = (add(given[k], add(mul(network, given[f"{k}n"]), mul(row, given[f"{k}m"]))) for k in ("x", "c"))
        held.begin()
        with each(build, number(0), given["lines"]) as line:
            held.add_up(add(x, mul(line, given["xl"])), given["columns"])
        held.finish(place, given["add"])
    build.ret_void()


def choose(build: Any, rows: Any, most_rows: int, columns: Any, most_columns: int, write: Any) -> None:
    """Write the choice of the block of so many rows and columns."""
    behind = build.append_basic_block("behind")
    switch = build.switch(build.add(build.mul(rows, number(8)), columns), behind)
    for row in range(1, most_rows + 1):
        for column in range(1, most_columns + 1):
            case = build.append_basic_block(f"block_{row}_{column}")
            switch.add_case(number(8 * row + column), case)
            build.position_at_end(case)
            write(row, column)
            build.branch(behind)
    build.position_at_end(behind)


def _function(module: Any, name: str, names: tuple[str, ...]) -> tuple[Any, dict[str, Any]]:
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [INT]), name)
    build = ir.IRBuilder(function.append_basic_block("entry"))
    return build, _row(build, function.args[0], number(0), names)


def _row(build: Any, address: Any, at: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Load one row of a table of int64, {name: value}."""
    start = build.inttoptr(build.add(address, build.mul(at, number(8 * len(names)))), INT.as_pointer())
    return {name: build.load(build.gep(start, [number(i)]), align=8) for i, name in enumerate(names)}


def _pointer(build: Any, address: Any) -> Any:
    return build.inttoptr(address, BYTE.as_pointer())
