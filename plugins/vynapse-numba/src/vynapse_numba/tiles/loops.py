# SPDX-License-Identifier: MIT OR Apache-2.0
"""The loops around the innermost block of a matrix product."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from vynapse_numba.tiles.micro import INT, Block, Registers, Sums

DEPTH = 1024
"""Most terms added in one go: a panel of the right operand of this depth stays in the second-level cache."""
# fmt: off
ARGUMENTS = (
    "count", "m", "n", "k", "a", "an", "am", "ak", "b", "bn", "bk", "c", "cn", "cm", "bias", "biasn", "step", "start",
    "packed",
)
# fmt: on
"""The table that `product` takes, int64: sizes; addresses, each with its strides in bytes; `start` 0 for sums
from 0, 1 from what c holds, 2 from the bias; whether b is packed."""


def product(module: Any, name: str, size: int, chosen: Registers) -> None:
    """Write the function `name`: c [count, m, n] = a [count, m, k] @ b [count, k, n], floats of `size` bytes.

    Columns go in panels of up to three vectors, rows in groups of about equal size. While a network is computed, the
    weights of the next one are asked for.
    """
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [INT]), name)
    build = ir.IRBuilder(function.append_basic_block("entry"))
    table = build.inttoptr(function.args[0], INT.as_pointer())
    given = {name: build.load(build.gep(table, [number(at)])) for at, name in enumerate(ARGUMENTS)}
    count, m, n, k, packed = (given[name] for name in ("count", "m", "n", "k", "packed"))
    add, mul, div = build.add, build.mul, build.sdiv
    lanes = number(chosen.bytes // size)
    vectors = parts(build, n, chosen.bytes // size)
    panels, pieces = parts(build, vectors, chosen.vectors), parts(build, k, DEPTH)
    groups = parts(build, m, chosen.rows)
    pieces = build.select(build.icmp_signed("<", pieces, number(1)), number(1), pieces)
    strips = mul(mul(panels, groups), k)
    varies = build.and_(build.icmp_signed("!=", given["an"], number(0)), build.icmp_signed(">", strips, number(0)))
    share = div(add(mul(given["am"], m), strips), build.select(varies, strips, number(1)))
    with each(build, number(0), count) as network:
        at_a, at_b, at_c, at_bias = (
            add(given[name], mul(network, given[f"{name}n"])) for name in ("a", "b", "c", "bias")
        )
        left = build.icmp_signed("<", add(network, number(1)), count)
        pace = build.select(build.and_(left, varies), share, number(0))
        ahead = add(at_a, build.select(build.and_(left, varies), given["an"], number(0)))
        with each(build, number(0), panels) as panel:
            first, end = between(build, vectors, panel, panels)
            wide = build.sub(end, first)
            short = build.sub(n, mul(build.sub(end, number(1)), lanes))
            last = build.select(build.icmp_signed("<", short, lanes), short, lanes)
            bytes_ = mul(first, number(chosen.bytes))
            whole = build.icmp_signed("!=", packed, number(0))
            panel_b = add(at_b, build.select(whole, mul(bytes_, k), bytes_))
            bk = build.select(whole, mul(wide, number(chosen.bytes)), given["bk"])
            with each(build, number(0), pieces) as piece:
                low, high = between(build, k, piece, pieces)
                depth = build.sub(high, low)
                with each(build, number(0), groups) as group:
                    row, stop = between(build, m, group, groups)
                    bias = add(at_bias, mul(row, given["step"]))
                    begin = build.select(build.icmp_signed("==", given["start"], number(2)), bias, given["start"])
                    later = build.icmp_signed(">", piece, number(0))
                    done = mul(add(mul(panel, groups), group), k)
                    sums = Sums(
                        a=add(at_a, add(mul(row, given["am"]), mul(low, given["ak"]))),
                        am=given["am"],
                        ak=given["ak"],
                        b=add(panel_b, mul(low, bk)),
                        bk=bk,
                        c=add(at_c, add(mul(row, given["cm"]), bytes_)),
                        cm=given["cm"],
                        k=depth,
                        last=last,
                        start=build.select(later, number(1), begin),
                        step=given["step"],
                        soon=add(ahead, mul(add(done, low), pace)),
                        pace=pace,
                    )
                    _dispatch(build, build.sub(stop, row), wide, size, chosen, sums)
    build.ret_void()


def _dispatch(build: Any, rows: Any, vectors: Any, size: int, chosen: Registers, sums: Sums) -> None:
    """Write the choice of the block of so many rows and vectors."""
    behind = build.append_basic_block("behind")
    choice = build.add(build.mul(rows, number(8)), vectors)
    switch = build.switch(choice, behind)
    for row in range(1, chosen.rows + 1):
        for vector in range(1, chosen.vectors + 1):
            case = build.append_basic_block(f"block_{row}_{vector}")
            switch.add_case(number(8 * row + vector), case)
            build.position_at_end(case)
            Block(build, row, vector, size, chosen).emit(sums)
            build.branch(behind)
    build.position_at_end(behind)


def number(value: int) -> Any:
    """Return a constant int64."""
    return ir.Constant(INT, value)


@contextmanager
def each(build: Any, low: Any, high: Any) -> Iterator[Any]:
    """Write a loop from `low` to before `high`; the body is written inside the context."""
    before = build.block
    head, body, behind = (build.append_basic_block(name) for name in ("head", "body", "behind"))
    build.branch(head)
    build.position_at_end(head)
    index = build.phi(INT)
    index.add_incoming(low, before)
    build.cbranch(build.icmp_signed("<", index, high), body, behind)
    build.position_at_end(body)
    yield index
    index.add_incoming(build.add(index, number(1)), build.block)
    build.branch(head)
    build.position_at_end(behind)


def parts(build: Any, size: Any, most: int) -> Any:
    """Return how many parts of at most `most` there are."""
    return build.sdiv(build.add(size, number(most - 1)), number(most))


def between(build: Any, size: Any, part: Any, parts: Any) -> tuple[Any, Any]:
    """Return start and end of one of `parts` parts of about equal size."""
    after = build.add(part, number(1))
    return build.sdiv(build.mul(size, part), parts), build.sdiv(build.mul(size, after), parts)
