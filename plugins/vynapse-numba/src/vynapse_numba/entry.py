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
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from vynapse_core import GraphError, Routine
from vynapse_numba.addresses import AXES, DATA, DTYPE, FLAGS, KIND, NUMBER, ORDER, PLAIN, SHAPE

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
    lines: list[str] = []
    numbers, slots = count(), count()

    def value(code: str) -> str:
        fresh = f"%v{next(numbers)}"
        lines.append(f"  {fresh} = {code}")
        return fresh

    def field(kind: str, address: str, offset: int) -> str:
        return value(f"load {kind}, ptr {value(f'getelementptr i8, ptr {address}, i64 {offset}')}")

    def slot(kind: str) -> str:
        return field(kind, "%table", 8 * next(slots))

    arrays = slot("ptr")
    given = ["ptr %result", "ptr %error", "i64 %first", "i64 %last"]
    for place, argument in enumerate(routine.arguments or (), 1):
        if not argument.ndim:
            kind = _KINDS[argument.dtype]
            given.append(f"{kind} {slot(kind)}")
            continue
        array, dtype = slot("ptr"), np.dtype(argument.dtype)
        known = value(f"icmp eq ptr {field('ptr', array, KIND)}, {arrays}")
        lines.append(f"  br i1 {known}, label %array{place}, label %wrong{place}")
        lines.append(f"wrong{place}:\n  ret i64 {place}\narray{place}:")
        described, flags = field("ptr", array, DTYPE), field("i32", array, FLAGS)
        right = [
            value(f"icmp eq i32 {field('i32', array, AXES)}, {argument.ndim}"),
            value(f"icmp eq i32 {value(f'and i32 {flags}, {PLAIN}')}, {PLAIN}"),
            value(f"icmp eq i32 {field('i32', described, NUMBER)}, {dtype.num}"),
            value(f"icmp eq i8 {field('i8', described, ORDER)}, {ord(dtype.byteorder)}"),
        ]
        every = right[0]
        for each in right[1:]:
            every = value(f"and i1 {every}, {each}")
        lines.append(f"  br i1 {every}, label %right{place}, label %wrong{place}\nright{place}:")
        shape = field("ptr", array, SHAPE)
        sizes = [field("i64", shape, 8 * axis) for axis in range(argument.ndim)]
        given.append(array_given(field("ptr", array, DATA), sizes, dtype.itemsize, value))
    body = "\n".join(lines)
    return (
        "\ndefine i64 @entry(ptr %table, i64 %first, i64 %last) {\n"
        f"  %result = alloca i64\n  %error = alloca ptr\n{body}\n"
        f"  call i32 @{name}({', '.join(given)})\n  ret i64 0\n}}\n"
    )


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
