# SPDX-License-Identifier: MIT OR Apache-2.0
"""Routines as machine code: made by Numba once, kept on disk, and called without Numba ever after.

Numba turns the routine and its parts into LLVM's language; an entry is written around that, which takes all arguments
from one table. Where the code is already on disk, Numba is not even imported: that alone takes half a second.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import Argument, GraphError, Routine, high_product
from vynapse_numba import llvm
from vynapse_numba.cache import kept
from vynapse_numba.threads import workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from vynapse_core import Run

_CODES = {"int64": "q", "uint64": "Q", "float64": "d"}
_HEAD = object.__basicsize__
"""Where in a NumPy array's object its data's address stands: behind what every object begins with (NumPy C-API,
`PyArrayObject_fields`)."""


class Compiled:
    """A routine in machine code. Its engine keeps the code in memory."""

    def __init__(self, routine: Routine, threads: int) -> None:
        arguments = routine.arguments or ()
        self.name = routine.function.__qualname__
        self.grain = max(1, routine.grain)
        self._engine, self._entry = _entry(routine)
        self._workers = workers(threads)
        self._expected = tuple((i, np.dtype(each.dtype), each.ndim) for i, each in enumerate(arguments) if each.ndim)
        self._given = len(arguments)
        codes = ("q" * (1 + each.ndim) if each.ndim else _CODES[each.dtype] for each in arguments)
        self._table = struct.Struct("".join(["@", *codes]))

    def __call__(self, rows: int, *arguments: Any, grain: int = 0) -> None:
        """Do all rows, on as many threads as are worth it: by the rows that are worth one, if not those declared.

        Raises TypeError for an array that is not of the dtype and the number of axes declared, or not C-contiguous.
        """
        if len(arguments) != self._given:
            raise TypeError(f"routine {self.name}: expected {self._given} arguments, found {len(arguments)}")
        slots: list[Any] = list(arguments)
        for i, dtype, ndim in reversed(self._expected):
            array = arguments[i]
            if array.dtype != dtype or array.ndim != ndim or not array.flags.c_contiguous:
                raise TypeError(
                    f"routine {self.name}: argument {i} must be a C-contiguous {dtype} array with {ndim} axes, found "
                    f"{array.dtype} {list(array.shape)}"
                )
            slots[i : i + 1] = (id(array) + _HEAD, *array.shape)
        table = self._table.pack(*slots)
        parts = min(-(-rows // (grain or self.grain)), 4 * self._workers.threads)
        if parts < 2:
            self._entry(table, 0, rows)
        else:
            self._workers.run(lambda part: self._entry(table, rows * part // parts, rows * (part + 1) // parts), parts)


@cache
def compiled(routine: Routine, threads: int) -> Run:
    """Return a routine in machine code, on so many threads.

    Raises GraphError for what Numba cannot compile.
    """
    return Compiled(routine, threads) if _data_where_expected() else routine.run


@cache
def _data_where_expected() -> bool:
    """Return whether this build of NumPy keeps the address of an array's data where it is looked for."""
    probe = np.zeros(3)
    return ctypes.c_void_p.from_address(id(probe) + _HEAD).value == probe.ctypes.data


@cache
def _entry(routine: Routine) -> tuple[Any, Callable[[bytes, int, int], None]]:
    """Return the engine that holds a routine's code, and the entry in it."""
    code = kept("routine", [*source(routine), *llvm.processor(), *makers()], lambda: _made(routine))
    engine = llvm.loaded(code)
    kind = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64)
    return engine, kind(engine.get_function_address("entry"))


@cache
def makers() -> tuple[str, ...]:
    """Return what a routine's code depends on besides the routine: who translates it, and how its entry is written."""
    here = Path(__file__)
    files = (hashlib.sha256(place.read_bytes()).hexdigest() for place in (here, here.with_name("entry.py")))
    return sys.version, f"numba {version('numba')}", *files


def source(routine: Routine) -> Iterator[str]:
    """Yield all that a routine's code depends on: its own, its constants, its parts."""
    code = routine.function.__code__
    yield repr((code.co_code, code.co_consts, code.co_names, code.co_varnames, routine.arguments))
    for name, value in _globals(routine).items():
        if isinstance(value, Routine):
            yield name
            yield from source(value)
        elif not isinstance(value, ModuleType):
            yield f"{name} {value!r} {type(value)}"


def _globals(routine: Routine) -> dict[str, Any]:
    """Return the names that a routine finds around it. Raises GraphError for what cannot be compiled in."""
    found = {}
    for name in routine.function.__code__.co_names:
        value = routine.function.__globals__.get(name)
        if value is None:
            continue
        kind = isinstance(value, type) and issubclass(value, np.generic)
        if not kind and not isinstance(value, Routine | ModuleType | int | float | np.number):
            raise GraphError(
                f"routine {routine.function.__qualname__}: {name!r} is a {type(value).__name__}; a routine may use "
                "numbers, their NumPy types, modules, and parts made by 'routine_part'"
            )
        found[name] = value
    return found


def _made(routine: Routine) -> bytes:
    """Return object code, by way of Numba."""
    from vynapse_numba.entry import entry

    text, name = translated(routine, (Argument("int64", 0), Argument("int64", 0), *(routine.arguments or ())))
    return llvm.object_code(entry(text, name, routine), speed=3, vectorise=True)


def translated(routine: Routine, taken: Sequence[Argument]) -> tuple[str, str]:
    """Return the text that Numba makes of a routine or a part that takes such arguments, and its function's name.

    Raises GraphError for what Numba cannot compile.
    """
    with llvm.FIRST_USE, _unoptimised():
        import numba
        from numba import types
        from numba.core.errors import NumbaError
        from numba.np.numpy_support import from_dtype

        from vynapse_numba import intrinsics

        njit: Any = numba.njit

        @cache
        def built(each: Routine) -> Any:
            if each is high_product:
                return intrinsics.high_product
            function = each.function
            parts = {name: built(value) for name, value in _globals(each).items() if isinstance(value, Routine)}
            whole = FunctionType(function.__code__, {**function.__globals__, **parts}, function.__name__)
            if each is routine:
                return whole
            return njit(whole, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)

        arguments = [
            types.Array(from_dtype(np.dtype(each.dtype)), each.ndim, "C") if each.ndim else getattr(types, each.dtype)
            for each in taken
        ]
        declared = types.void(*arguments)
        compile_ = njit(declared, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
        try:
            dispatcher = compile_(built(routine))
        except NumbaError as error:
            raise GraphError(f"routine {routine.function.__qualname__}: {error}") from None
        result = dispatcher.overloads[dispatcher.signatures[0]]
        return result.library.get_llvm_str(), result.fndesc.llvm_func_name


@contextmanager
def _unoptimised() -> Iterator[None]:
    """Keep Numba from optimising what is optimised together with its entry."""
    before = os.environ.get("NUMBA_OPT")
    os.environ["NUMBA_OPT"] = "0"
    try:
        from numba.core import config

        reload: Any = config.reload_config
        reload()
        yield
    finally:
        if before is None:
            del os.environ["NUMBA_OPT"]
        else:
            os.environ["NUMBA_OPT"] = before
        reload()
