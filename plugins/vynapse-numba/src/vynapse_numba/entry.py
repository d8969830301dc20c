# SPDX-License-Identifier: MIT OR Apache-2.0
"""The entry of a routine: LLVM text that takes all arguments from a table and calls what Numba made.

A number stands in the table as it is; an array as the address of the place that holds its data's address, and its
shape. Numba takes an array as seven kinds of things: owner, parent, number of items, bytes of an item, data, shape,
strides. Owner and parent are null: nobody counts references to it inside.

Numba's text comes unoptimised, so that LLVM sees it together with the entry: what is told there of rows and indices
decides whether loops become vectors.
"""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from vynapse_core import GraphError, Routine

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


def entry(text: str, name: str, routine: Routine) -> str:
    """Return the module `text`, in which Numba's function has `name`, with the function `entry` added.

    Raises GraphError where the routine makes arrays or calls back into Python.
    """
    text = standing_alone(text, routine)
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

    def slot(kind: str) -> str:
        place = value(f"getelementptr i64, ptr %table, i64 {next(slots)}")
        return value(f"load {kind}, ptr {place}")

    given = ["ptr %result", "ptr %error", "i64 %first", "i64 %last"]
    for argument in routine.arguments or ():
        if not argument.ndim:
            kind = _KINDS[argument.dtype]
            given.append(f"{kind} {slot(kind)}")
            continue
        size = np.dtype(argument.dtype).itemsize
        data = value(f"load ptr, ptr {slot('ptr')}")
        given.append(array_given(data, [slot("i64") for _ in range(argument.ndim)], size, value))
    body = "\n".join(lines)
    return (
        "\ndefine void @entry(ptr %table, i64 %first, i64 %last) {\n"
        f"  %result = alloca i64\n  %error = alloca ptr\n{body}\n"
        f"  call i32 @{name}({', '.join(given)})\n  ret void\n}}\n"
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
