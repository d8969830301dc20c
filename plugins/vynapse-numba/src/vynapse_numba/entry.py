# SPDX-License-Identifier: MIT OR Apache-2.0
"""The entry of a routine: LLVM text that takes all arguments from a table and calls what Numba made.

The table begins with the address of the arrays' type. A number stands in it as it is, an array as the address of its
object: the entry looks whether it is what the routine declares, takes data and shape from there, and where an array is
anything else returns its place, counted from 1, having done nothing. Numba takes an array as seven kinds of things:
owner, parent, number of items, bytes of an item, data, shape, strides. Owner and parent are null: nobody counts
references to it inside.

Numba's text comes unoptimised, so that LLVM sees it together with the entry: what is told there of rows and indices
decides whether loops become vectors.
"""

from __future__ import annotations

import re
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

import numpy as np

from vynapse_core import GraphError, Routine
from vynapse_numba.addresses import AXES, DATA, DTYPE, FLAGS, KIND, NUMBER, ORDER, PLAIN, SHAPE
from vynapse_numba.ir_text import Function

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_KINDS = {"int64": "i64", "uint64": "i64", "float64": "double"}
_ROOTS = {"sqrtf": "llvm.sqrt.f32", "sqrt": "llvm.sqrt.f64"}
_LIBRARY = frozenset(
    {"acos", "asin", "atan", "atan2", "cos", "cosh", "erf", "exp", "expm1", "fabs", "floor", "fmod", "ceil", "log"}
    | {"log10", "log1p", "log2", "pow", "rint", "sin", "sinh", "tan", "tanh", "trunc"}
)
"""Functions of C's library that a routine may call, for float64; those for float32 end in `f`."""
_DECLARED = re.compile(r'^declare [^@\n]*@"?([\w.$]+)', re.M)
_WRAPPED = re.compile(
    r"(%\S+) = icmp slt i64 (%\S+), 0\n  (%\S+) = add i64 \2, %\S+\n  (%\S+) = select i1 \1, i64 \3, i64 \2\n"
)
"""How Numba counts a negative index from the end. No index is negative here, and a loop without this is vectorised."""
_DEFINED = re.compile(r"^define .*$", re.M)
_DATA = re.compile(r"ptr (?=%arg\.\w+\.4\b)")
"""The data of an array, among what a function of Numba takes."""


def entry(text: str, name: str, routine: Routine) -> str:
    """Return the module `text`, in which Numba's function has `name`, with the function `entry` added.

    Raises GraphError where the routine makes arrays or calls back into Python.
    """
    text = standing_alone(text, routine)
    if routine.distinct:
        text = _DEFINED.sub(lambda line: _DATA.sub("ptr noalias ", line[0]), text)
    # what nobody else calls is put where it is called, and loses the arguments that it has no use for
    text = re.sub(r"^define (?:linkonce_odr )?(?!internal )(?!linkonce_odr )", "define internal ", text, flags=re.M)
    return text + _entry(name, routine)


def standing_alone(text: str, routine: Routine) -> str:
    """Return the module `text` without what ties it to Python.

    Raises GraphError where the routine makes arrays or calls back into Python.
    """
    for call, root in _ROOTS.items():
        text = text.replace(f"@{call}(", f"@{root}(")
    strange = {found for found in _DECLARED.findall(text) if not _known(found)}
    if strange:
        raise GraphError(
            f"routine {routine.function.__qualname__} cannot stand alone: it calls {', '.join(sorted(strange))}; "
            "a routine makes no arrays"
        )
    text = _WRAPPED.sub(r"\4 = add i64 \2, 0\n", text)
    text = text.replace(
        "declare void @NRT_MemInfo_call_dtor(ptr)", "define internal void @NRT_MemInfo_call_dtor(ptr %x) { ret void }"
    )
    # what Numba keeps apart is put in place: its reference counts are of null, and vanish
    return text.replace("{ noinline }", "{ nounwind }")


def _known(name: str) -> bool:
    return (
        name.startswith("llvm.")
        or name == "NRT_MemInfo_call_dtor"
        or {name, name.removesuffix("f")} & _LIBRARY != set()
    )


def _entry(name: str, routine: Routine) -> str:
    code = Function("define i64 @entry(ptr %table, i64 %first, i64 %last)")
    table, first, last = code.arguments
    given = [f"ptr {code.room('i64')}", f"ptr {code.room('ptr')}", f"i64 {first}", f"i64 {last}"]
    arrays = table.load("ptr")
    for place, argument in enumerate(routine.arguments or (), 1):
        slot = table.at(8 * place)
        if not argument.ndim:
            kind = _KINDS[argument.dtype]
            given.append(f"{kind} {slot.load(kind)}")
            continue
        array, dtype = slot.load("ptr"), np.dtype(argument.dtype)
        wrong, right = code.label(), code.label()
        code.go(wrong, unless=array.at(KIND).load("ptr").equals(arrays))
        described = array.at(DTYPE).load("ptr")
        facts = (
            array.at(AXES).load("i32").equals(argument.ndim),
            (array.at(FLAGS).load("i32") & PLAIN).equals(PLAIN),
            described.at(NUMBER).load("i32").equals(dtype.num),
            described.at(ORDER).load("i8").equals(ord(dtype.byteorder)),
        )
        code.go(right, where=reduce(and_, facts))
        code.begin(wrong)
        code.give(place)
        code.begin(right)
        shape = array.at(SHAPE).load("ptr")
        sizes = [str(shape.at(8 * axis).load()) for axis in range(argument.ndim)]
        data = str(array.at(DATA).load("ptr"))
        given.append(array_given(data, sizes, dtype.itemsize, lambda text: str(code.value("i64", text))))
    code.value("i32", f"call i32 @{name}({', '.join(given)})")
    code.give(0)
    return code.text()


def array_given(data: str, shape: Sequence[str], size: int, value: Callable[[str], str]) -> str:
    """Return how Numba's functions are given an array at `data` of elements of `size` bytes; `value` writes code."""
    strides = [str(size)]
    for length in reversed(shape[1:]):
        strides.insert(0, value(f"mul nsw i64 {length}, {strides[0]}"))
    items = shape[0]
    for length in shape[1:]:
        items = value(f"mul nsw i64 {items}, {length}")
    sizes = ", ".join(f"i64 {each}" for each in (*shape, *strides))
    return f"ptr null, ptr null, i64 {items}, i64 {size}, ptr {data}, {sizes}"
