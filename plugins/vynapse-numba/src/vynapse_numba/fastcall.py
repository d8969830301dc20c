# SPDX-License-Identifier: MIT OR Apache-2.0
"""How Python calls a routine: a function in machine code, of the convention that Python calls METH_FASTCALL.

Some routines take a few microseconds, and that is what it takes in Python to lay out their table and to call them. What
is laid out here is the plain case: all arguments in their places, numbers that are of Python's own types, and rows that
are not worth a second thread, or a team of threads that is there. All else, and whatever the entry refuses, goes to the
fallback with the arguments as they are: a callable that does the same, or says what is wrong.
"""

from __future__ import annotations

import struct
from functools import reduce
from operator import or_
from typing import Any

from vynapse_core import Routine, Run
from vynapse_numba.addresses import ARRAY, BYTES, FLOAT, ITEMS, KIND
from vynapse_numba.convention import NAMED, addresses, as_python
from vynapse_numba.ir_text import Function, Value
from vynapse_numba.team import team_at
from vynapse_numba.team_code import WAKING

_FACTS = (
    *("array", "int", "bool", "float", "none", "signed", "unsigned", "clear", "increase"),
    *("save", "restore", "call", "team", "grain", "few", "many"),
)
"""What the function knows, 64 bits each: types, objects and functions of Python's; and where the addresses of the
team of threads are, the rows that are worth a thread's while, below how many rows it is never called, and from how many
on it is made if there is none."""
_NUMBERS = frozenset({"grain", "few", "many"})


def fastcall(routine: Routine) -> str:
    """Return the text of the function `fastcall`, beside the function `entry` of a routine."""
    arguments = routine.arguments or ()
    code = Function("define ptr @fastcall(ptr %self, ptr %given, i64 %count, ptr %names)")
    self, given, count, names = code.arguments
    slow, odd, alone, lacking, done = (code.label() for _ in range(5))
    fallback, facts = self.at(ITEMS).load("ptr"), self.at(ITEMS + 8).load("ptr").at(BYTES)
    known = {fact: facts.at(8 * at).load("i64" if fact in _NUMBERS else "ptr") for at, fact in enumerate(_FACTS)}

    def is_a(thing: Value, *kinds: str) -> None:
        found = thing.at(KIND).load("ptr")
        code.go(slow, unless=reduce(or_, (found.equals(known[kind]) for kind in kinds)))

    def whole(thing: Value, convert: str) -> Value:
        is_a(thing, "int", "bool")
        found = code.call("i64", known[convert], thing)
        # what does not fit gives -1 as well
        code.go(odd, where=found.equals(-1))
        return found

    code.go(slow, where=names.exists())
    code.go(slow, unless=count.equals(len(arguments) + 1))
    rows = whole(given.load("ptr"), "signed")
    table = code.room(f"[{len(arguments) + 1} x i64]")
    table.store(known["array"])
    for place, argument in enumerate(arguments, 1):
        found = given.at(8 * place).load("ptr")
        if argument.dtype == "float64" and not argument.ndim:
            is_a(found, "float")
            found = found.at(FLOAT).load("double")
        elif not argument.ndim:
            found = whole(found, "unsigned" if argument.dtype == "uint64" else "signed")
        table.at(8 * place).store(found)

    wrong = code.variable(0)
    code.go(alone, where=rows < known["few"])
    board = known["team"].load("ptr")
    code.go(lacking, unless=board.exists())
    run = known["team"].at(8).load("ptr")
    state = code.call("ptr", known["save"])
    wrong.store(code.call("i64", run, board, code.constant("ptr", "@entry"), table, rows, known["grain"]))
    code.call("void", known["restore"], state)
    code.go(done)
    code.begin(lacking)
    code.go(slow, unless=rows < known["many"])
    code.begin(alone)
    state = code.call("ptr", known["save"])
    wrong.store(code.call("i64", "@entry", table, 0, rows, how="noinline"))
    code.call("void", known["restore"], state)
    code.begin(done)
    code.go(slow, where=wrong.load().differs(0))
    code.call("void", known["increase"], known["none"])
    code.give(known["none"])

    code.begin(odd)
    code.call("void", known["clear"])
    code.begin(slow)
    code.give(code.call("ptr", known["call"], fallback, given, count, names))
    return code.text()


def function(name: str, engine: Any, fallback: Run, grain: int, threads: int) -> Run:
    """Return the function that an engine holds as `fastcall`, for Python, on so many threads."""
    objects = {"array": ARRAY, "int": id(int), "bool": id(bool), "float": id(float), "none": id(None)}
    facts = {**objects, **addresses(), "team": 0, "grain": grain, "few": 2**63 - 1, "many": 0}
    if threads > 1:
        facts |= {"team": team_at(threads), "few": 2 * grain, "many": 2 * WAKING * grain}
    known = struct.pack(f"{len(_FACTS)}q", *(facts[each] for each in _FACTS))
    made: Run = as_python(name, engine.get_function_address("fastcall"), NAMED, fallback, known, engine)
    return made
