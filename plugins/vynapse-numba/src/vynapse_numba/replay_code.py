# SPDX-License-Identifier: MIT OR Apache-2.0
"""The machine code of a replay, the same for all: what it does stands on its sheet, in numbers of 64 bits.

The sheet is a HEAD, a LOOK for each array, a PATCH for each entry that is set, a JOB for each kernel that is called,
and an AXIS for each axis of the arrays.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from vynapse_numba.addresses import AXES, BYTES, DATA, DTYPE, FLAGS, ITEMS, KIND, NUMBER, ORDER, SHAPE, STRIDES
from vynapse_numba.cache import kept
from vynapse_numba.llvm import FIRST_USE, loaded, object_code, processor

HEAD = ("looks", "patches", "jobs", "team", "arrays", "yes", "no", "increase", "save", "restore")
"""How many of each there are, where the addresses of a team are (see `team.team_at`), and what belongs to Python: the
type of arrays, what is returned, and functions."""
LOOK = ("number", "order", "axes", "flags")
"""The dtype's number and order of bytes, how many axes there are, and flags that an array must have."""
PATCH = ("entry", "array", "offset")
"""The address of a table's entry, and the array whose address and what more is put there."""
JOB = ("function", "table", "rows", "grain")
"""A function of a table; or where there are rows, of a table and rows, as members of a team call it."""
AXIS = ("array", "size", "stride")
"""How long an axis must be: as long as that axis of an array before it, or of NOBODY's that number; and its stride."""
NOBODY = -1
ANY = -(2**63)
"""Stands for a stride that is not looked at."""


@cache
def engine() -> Any:
    """Return what holds the function `replay`, compiled once on a machine and kept on disk."""
    with FIRST_USE:
        text = written()
        return loaded(kept("replay", (text, *processor()), lambda: object_code(text, speed=2, vectorise=False)))


def written() -> str:
    """Return the text of `replay(self, arrays, count)`, whose self is a tuple that begins with the sheet."""
    from llvmlite import ir

    from vynapse_numba.tiles.loops import each, number
    from vynapse_numba.tiles.micro import INT

    small, place, nothing = ir.IntType(32), ir.IntType(8).as_pointer(), ir.VoidType()
    module = ir.Module("replay")
    function = ir.Function(module, ir.FunctionType(place, [place, place, INT]), "replay")
    build: Any = ir.IRBuilder(function.append_basic_block("entry"))
    refuse: Any = function.append_basic_block("refuse")
    given, count = function.args[1:]

    def field(kind: Any, base: Any, offset: Any) -> Any:
        at = build.gep(base, [offset if isinstance(offset, ir.Value) else number(offset)])
        return build.load(build.bitcast(at, kind.as_pointer()))

    def line(names: tuple[str, ...], start: Any, at: Any) -> dict[str, Any]:
        base = build.gep(start, [build.mul(at, number(8 * len(names)))])
        return {name: field(INT, base, 8 * k) for k, name in enumerate(names)}

    def must(holds: Any) -> None:
        on = build.append_basic_block("on")
        build.cbranch(holds, on, refuse)
        build.position_at_end(on)

    def same(one: Any, other: Any) -> None:
        must(build.icmp_signed("==", one, other))

    def argument(at: Any) -> Any:
        return field(place, given, build.mul(at, number(8)))

    def tell(what: Any) -> None:
        increase = build.inttoptr(head["increase"], ir.FunctionType(nothing, [place]).as_pointer())
        found = build.inttoptr(what, place)
        build.call(increase, [found])
        build.ret(found)

    sheet = build.gep(field(place, function.args[0], ITEMS), [number(BYTES)])
    head = line(HEAD, sheet, number(0))
    same(count, head["looks"])
    looks = build.gep(sheet, [number(8 * len(HEAD))])
    patches = build.gep(looks, [build.mul(head["looks"], number(8 * len(LOOK)))])
    jobs = build.gep(patches, [build.mul(head["patches"], number(8 * len(PATCH)))])
    axes = build.gep(jobs, [build.mul(head["jobs"], number(8 * len(JOB)))])
    team = build.inttoptr(head["team"], place)
    alone = build.icmp_signed("==", head["team"], number(0))
    with build.if_then(build.not_(alone)):
        must(build.icmp_signed("!=", field(INT, team, 0), number(0)))

    seen, base = build.alloca(INT), build.alloca(INT)
    build.store(number(0), seen)
    with each(build, number(0), head["looks"]) as at:
        look, array = line(LOOK, looks, at), argument(at)
        same(field(INT, array, KIND), head["arrays"])
        described, flags = field(place, array, DTYPE), build.trunc(look["flags"], small)
        same(field(small, described, NUMBER), build.trunc(look["number"], small))
        same(field(ir.IntType(8), described, ORDER), build.trunc(look["order"], ir.IntType(8)))
        same(field(small, array, AXES), build.trunc(look["axes"], small))
        same(build.and_(field(small, array, FLAGS), flags), flags)
        with each(build, number(0), look["axes"]) as k:
            axis = line(AXIS, axes, build.load(seen))
            build.store(build.add(build.load(seen), number(1)), seen)
            here = build.mul(k, number(8))
            size, stride = (field(INT, field(place, array, where), here) for where in (SHAPE, STRIDES))
            known = build.icmp_signed("==", axis["array"], number(NOBODY))
            with build.if_else(known) as (fixed, alike):
                with fixed:
                    same(size, axis["size"])
                with alike:
                    other = field(place, argument(axis["array"]), SHAPE)
                    same(size, field(INT, other, build.mul(axis["size"], number(8))))
            unseen = build.icmp_signed("==", axis["stride"], number(ANY))
            must(build.or_(unseen, build.icmp_signed("==", axis["stride"], stride)))

    with each(build, number(0), head["patches"]) as at:
        patch = line(PATCH, patches, at)
        build.store(number(0), base)
        with build.if_then(build.icmp_signed("!=", patch["array"], number(NOBODY))):
            build.store(field(INT, argument(patch["array"]), DATA), base)
        entry = build.inttoptr(patch["entry"], INT.as_pointer())
        build.store(build.add(build.load(base), patch["offset"]), entry)

    save = build.inttoptr(head["save"], ir.FunctionType(place, []).as_pointer())
    restore = build.inttoptr(head["restore"], ir.FunctionType(nothing, [place]).as_pointer())
    state = build.call(save, [])
    with each(build, number(0), head["jobs"]) as at:
        job = line(JOB, jobs, at)
        shared = build.icmp_signed("!=", job["rows"], number(0))
        with build.if_else(shared) as (together, by_itself):
            with together:
                run = build.inttoptr(field(INT, team, 8), ir.FunctionType(INT, [INT] * 5).as_pointer())
                build.call(run, [field(INT, team, 0), *job.values()])
            with by_itself:
                kernel = build.inttoptr(job["function"], ir.FunctionType(nothing, [INT]).as_pointer())
                build.call(kernel, [job["table"]])
    build.call(restore, [state])
    tell(head["yes"])
    build.position_at_end(refuse)
    tell(head["no"])
    return str(module)
