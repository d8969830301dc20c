# SPDX-License-Identifier: MIT OR Apache-2.0
"""How Python calls a routine: a function in machine code, of the convention that Python calls METH_FASTCALL.

Some routines take a few microseconds, and that is what it takes in Python to lay out their table and to call them. What
is laid out here is the plain case: all arguments in their places, numbers that are of Python's own types, and rows that
are not worth a second thread, or a team of threads that is there. All else, and whatever the entry refuses, goes to the
fallback with the arguments as they are: a callable that does the same, or says what is wrong.
"""

from __future__ import annotations

import ctypes
import struct
from functools import cache, reduce
from itertools import count
from typing import Any

from vynapse_core import Routine, Run
from vynapse_numba.addresses import ARRAY, BYTES, FLOAT, ITEMS, KIND
from vynapse_numba.team import team_at
from vynapse_numba.team_code import WAKING

_FACTS = (
    *("array", "int", "bool", "float", "none", "signed", "unsigned", "clear", "increase"),
    *("save", "restore", "call", "team", "grain", "few", "many"),
)
"""What the function knows, 64 bits each: types, objects and functions of Python's; and where the addresses of the
team of threads are, the rows that are worth a thread's while, below how many rows it is never called, and from how many
on it is made if there is none."""
_FUNCTIONS = {
    "signed": "PyLong_AsLongLong",
    "unsigned": "PyLong_AsUnsignedLongLong",
    "clear": "PyErr_Clear",
    "increase": "Py_IncRef",
    "save": "PyEval_SaveThread",
    "restore": "PyEval_RestoreThread",
    "call": "PyObject_Vectorcall",
}
_CONVENTION = 0x82
"""METH_FASTCALL and METH_KEYWORDS."""


class _Definition(ctypes.Structure):
    """PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


def fastcall(routine: Routine) -> str:
    """Return the text of the function `fastcall`, beside the function `entry` of a routine."""
    lines: list[str] = []
    numbers = count()

    def value(code: str) -> str:
        fresh = f"%v{next(numbers)}"
        lines.append(f"  {fresh} = {code}")
        return fresh

    def field(kind: str, address: str, offset: int) -> str:
        return value(f"load {kind}, ptr {value(f'getelementptr i8, ptr {address}, i64 {offset}')}")

    def goes_on(holds: str, otherwise: str) -> None:
        label = f"on{next(numbers)}"
        lines.append(f"  br i1 {holds}, label %{label}, label %{otherwise}\n{label}:")

    def is_a(thing: str, *kinds: str) -> None:
        found = field("ptr", thing, KIND)
        holds = [value(f"icmp eq ptr {found}, {known[kind]}") for kind in kinds]
        goes_on(reduce(lambda one, other: value(f"or i1 {one}, {other}"), holds), "slow")

    def whole(thing: str, convert: str) -> str:
        is_a(thing, "int", "bool")
        found = value(f"call i64 {known[convert]}(ptr {thing})")
        # what does not fit gives -1 as well
        goes_on(value(f"icmp ne i64 {found}, -1"), "odd")
        return found

    arguments = routine.arguments or ()
    fallback = field("ptr", "%self", ITEMS)
    facts = value(f"getelementptr i8, ptr {field('ptr', '%self', ITEMS + 8)}, i64 {BYTES}")
    numeric = ("grain", "few", "many")
    known = {name: field("i64" if name in numeric else "ptr", facts, 8 * at) for at, name in enumerate(_FACTS)}
    goes_on(value("icmp eq ptr %names, null"), "slow")
    goes_on(value(f"icmp eq i64 %count, {len(arguments) + 1}"), "slow")
    rows = whole(field("ptr", "%given", 0), "signed")
    lines.append(f"  store ptr {known['array']}, ptr %table")
    for place, argument in enumerate(arguments, 1):
        thing = field("ptr", "%given", 8 * place)
        if argument.ndim:
            stored = f"ptr {thing}"
        elif argument.dtype == "float64":
            is_a(thing, "float")
            stored = f"double {field('double', thing, FLOAT)}"
        else:
            stored = f"i64 {whole(thing, 'unsigned' if argument.dtype == 'uint64' else 'signed')}"
        slot = value(f"getelementptr i8, ptr %table, i64 {8 * place}")
        lines.append(f"  store {stored}, ptr {slot}")
    few, many = (value(f"icmp slt i64 {rows}, {known[name]}") for name in ("few", "many"))
    body = "\n".join(lines)
    save, restore, team = (known[name] for name in ("save", "restore", "team"))
    return (
        "\ndefine ptr @fastcall(ptr %self, ptr %given, i64 %count, ptr %names) {\n"
        f"  %table = alloca [{len(arguments) + 1} x i64], align 8\n{body}\n"
        f"  br i1 {few}, label %alone, label %team\n"
        f"alone:\n  %state = call ptr {save}()\n"
        f"  %wrong = call i64 @entry(ptr %table, i64 0, i64 {rows}) noinline\n"
        f"  call void {restore}(ptr %state)\n  br label %done\n"
        f"team:\n  %board = load ptr, ptr {team}\n"
        "  %none = icmp eq ptr %board, null\n  br i1 %none, label %lacking, label %together\n"
        f"lacking:\n  br i1 {many}, label %alone, label %slow\n"
        f"together:\n  %run.at = getelementptr i8, ptr {team}, i64 8\n  %run = load ptr, ptr %run.at\n"
        f"  %state1 = call ptr {save}()\n"
        f"  %wrong1 = call i64 %run(ptr %board, ptr @entry, ptr %table, i64 {rows}, i64 {known['grain']})\n"
        f"  call void {restore}(ptr %state1)\n  br label %done\n"
        "done:\n  %found = phi i64 [%wrong, %alone], [%wrong1, %together]\n"
        "  %right = icmp eq i64 %found, 0\n  br i1 %right, label %end, label %slow\n"
        f"end:\n  call void {known['increase']}(ptr {known['none']})\n  ret ptr {known['none']}\n"
        f"odd:\n  call void {known['clear']}()\n  br label %slow\n"
        f"slow:\n  %result = call ptr {known['call']}(ptr {fallback}, ptr %given, i64 %count, ptr %names)\n"
        "  ret ptr %result\n}\n"
    )


def function(name: str, engine: Any, fallback: Run, grain: int, threads: int) -> Run:
    """Return the function that an engine holds as `fastcall`, for Python, on so many threads."""
    facts = {**_python(), "team": 0, "grain": grain, "few": 2**63 - 1, "many": 0}
    if threads > 1:
        facts |= {"team": team_at(threads), "few": 2 * grain, "many": 2 * WAKING * grain}
    known = struct.pack(f"{len(_FACTS)}q", *(facts[each] for each in _FACTS))
    definition = _Definition(name.encode(), engine.get_function_address("fastcall"), _CONVENTION, None)
    new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
        ("PyCFunction_NewEx", ctypes.pythonapi)
    )
    # it holds on to all that it needs, as what Python calls its self
    made: Run = new(ctypes.addressof(definition), (fallback, known, engine, definition), None)
    return made


@cache
def _python() -> dict[str, int]:
    """Return the addresses of what belongs to Python."""
    functions = {
        name: ctypes.cast(getattr(ctypes.pythonapi, called), ctypes.c_void_p).value or 0
        for name, called in _FUNCTIONS.items()
    }
    return {"array": ARRAY, "int": id(int), "bool": id(bool), "float": id(float), "none": id(None), **functions}
