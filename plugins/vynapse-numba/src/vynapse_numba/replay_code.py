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
from vynapse_numba.ir_text import Function, Operand, Value
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
    code = Function("define ptr @replay(ptr %self, ptr %arrays, i64 %count)")
    self, arrays, count = code.arguments
    sheet, refused = self.at(ITEMS).load("ptr").at(BYTES), code.label()
    head = _line(HEAD, sheet)
    code.go(refused, unless=count.equals(head["looks"]))
    looks = sheet.at(8 * len(HEAD))
    patches = looks.at(head["looks"] * (8 * len(LOOK)))
    jobs = patches.at(head["patches"] * (8 * len(PATCH)))
    axes = jobs.at(head["jobs"] * (8 * len(JOB)))
    team = head["team"].pointer()
    with code.when(head["team"].differs(0)):
        code.go(refused, unless=team.load().differs(0))

    seen = code.variable(0)
    with code.counted(0, head["looks"]) as at:
        look, array = _line(LOOK, looks, at), arrays.at(at * 8).load("ptr")
        code.go(refused, unless=array.at(KIND).load().equals(head["arrays"]))
        described, flags = array.at(DTYPE).load("ptr"), array.at(FLAGS).load("i32").wide()
        code.go(refused, unless=described.at(NUMBER).load("i32").wide().equals(look["number"]))
        code.go(refused, unless=described.at(ORDER).load("i8").wide().equals(look["order"]))
        code.go(refused, unless=array.at(AXES).load("i32").wide().equals(look["axes"]))
        code.go(refused, unless=(flags & look["flags"]).equals(look["flags"]))
        sizes, strides = array.at(SHAPE).load("ptr"), array.at(STRIDES).load("ptr")
        with code.counted(0, look["axes"]) as k:
            axis = _line(AXIS, axes, seen.load())
            seen.store(seen.load() + 1)
            wanted = code.variable(axis["size"])
            with code.when(axis["array"].differs(NOBODY)):
                other = arrays.at(axis["array"] * 8).load("ptr").at(SHAPE).load("ptr")
                wanted.store(other.at(axis["size"] * 8).load())
            code.go(refused, unless=sizes.at(k * 8).load().equals(wanted.load()))
            stride = strides.at(k * 8).load()
            code.go(refused, unless=axis["stride"].equals(ANY) | axis["stride"].equals(stride))

    with code.counted(0, head["patches"]) as at:
        patch, start = _line(PATCH, patches, at), code.variable(0)
        with code.when(patch["array"].differs(NOBODY)):
            start.store(arrays.at(patch["array"] * 8).load("ptr").at(DATA).load())
        patch["entry"].pointer().store(start.load() + patch["offset"])

    state = code.call("ptr", head["save"].pointer())
    with code.counted(0, head["jobs"]) as at:
        job, shared = _line(JOB, jobs, at), code.label()
        function, table = job["function"].pointer(), job["table"].pointer()
        with code.when(job["rows"].equals(0)):
            code.call("void", function, table)
            code.go(shared)
        run, board = team.at(8).load("ptr"), team.load("ptr")
        code.call("i64", run, board, function, table, job["rows"], job["grain"])
        code.begin(shared)
    code.call("void", head["restore"].pointer(), state)
    _give(code, head, "yes")
    code.begin(refused)
    _give(code, head, "no")
    return code.text()


def _line(names: tuple[str, ...], start: Value, at: Operand = 0) -> dict[str, Value]:
    """Write the reading of what stands on one of the sheet's lines of a kind."""
    line = start.at(at * (8 * len(names)))
    return {name: line.at(8 * place).load() for place, name in enumerate(names)}


def _give(code: Function, head: dict[str, Value], what: str) -> None:
    """Write that an object of Python's is returned."""
    found = head[what].pointer()
    code.call("void", head["increase"].pointer(), found)
    code.give(found)
