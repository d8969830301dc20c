# SPDX-License-Identifier: MIT OR Apache-2.0
"""Routines as machine code: made by Numba once, kept on disk, and called without Numba ever after.

Numba turns the routine and its parts into LLVM's language; an entry is written around that, which takes all arguments
from one table. Where the code is already on disk, Numba is not even imported: that alone takes half a second.
"""

from __future__ import annotations

import ctypes
import dis
import hashlib
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import Argument, GraphError, Routine, high_product
from vynapse_numba import llvm
from vynapse_numba.addresses import ARRAY
from vynapse_numba.cache import kept
from vynapse_numba.fastcall import fastcall, function
from vynapse_numba.team import team, worth

if TYPE_CHECKING:
    from collections.abc import Callable

    from vynapse_core import Run

_CODES = {"int64": "q", "uint64": "Q", "float64": "d"}
MODULES = ("numpy", "math")
"""Modules that a routine may take names from; all others may change without the routine's own code changing."""


class Compiled:
    """A routine in machine code, called with whatever fits its declaration. Its engine keeps the code in memory."""

    def __init__(self, routine: Routine, threads: int) -> None:
        arguments = routine.arguments or ()
        self.name = routine.function.__qualname__
        self.grain = max(1, routine.grain)
        self.engine, self._entry = _entry(routine)
        self._address: int = self.engine.get_function_address("entry")
        self._threads = threads
        self._arguments = arguments
        self._numbers = tuple(i for i, each in enumerate(arguments) if not each.ndim)
        codes = ("q" if each.ndim else _CODES[each.dtype] for each in arguments)
        self._table = struct.Struct("".join(["@q", *codes]))

    def __call__(self, rows: int, *arguments: Any) -> None:
        """Do all rows, on as many threads as are worth it: by the rows that are worth one, if not those declared.

        Raises TypeError for an array that is not of the dtype and the number of axes declared, or not C-contiguous, and
        for a number that does not fit.
        """
        if len(arguments) != len(self._arguments):
            raise TypeError(f"routine {self.name}: expected {len(self._arguments)} arguments, found {len(arguments)}")
        slots: list[Any] = list(map(id, arguments))
        for i in self._numbers:
            slots[i] = arguments[i]
        try:
            table = self._table.pack(ARRAY, *slots)
        except struct.error:
            raise self._unfit(arguments) from None
        if worth(self._threads, rows, self.grain):
            wrong = team(self._threads).call(self._address, table, rows, self.grain)
        else:
            wrong = self._entry(table, 0, rows)
        if wrong:
            self(rows, *self._plain(arguments, wrong - 1))

    def _unfit(self, arguments: Sequence[Any]) -> TypeError:
        """Return the error that names the number that does not fit what is declared."""
        for i in self._numbers:
            dtype = self._arguments[i].dtype
            try:
                struct.pack(_CODES[dtype], arguments[i])
            except struct.error:
                found = f"argument {i} must be a number that {dtype} can hold, found {arguments[i]!r}"
                return TypeError(f"routine {self.name}: {found}")
        raise AssertionError("all numbers fit")

    def _plain(self, arguments: Sequence[Any], wrong: int) -> list[Any]:
        """Return the arguments with the one at `wrong` as an array of NumPy's own type and dtype, on the same memory.

        Raises TypeError where it is not what the routine declares.
        """
        array, wanted = arguments[wrong], self._arguments[wrong]
        dtype = np.dtype(wanted.dtype)
        if not isinstance(array, np.ndarray):
            raise TypeError(f"routine {self.name}: argument {wrong} must be an array, found {type(array).__name__}")
        flags = array.flags
        if array.dtype != dtype or array.ndim != wanted.ndim or not (flags.c_contiguous and flags.aligned):
            raise TypeError(
                f"routine {self.name}: argument {wrong} must be a C-contiguous {dtype} array with {wanted.ndim} axes, "
                f"found {array.dtype} {list(array.shape)}"
            )
        return [*arguments[:wrong], array.view(np.ndarray).view(dtype), *arguments[wrong + 1 :]]


@cache
def compiled(routine: Routine, threads: int) -> Run:
    """Return a routine in machine code, on so many threads.

    Raises GraphError for what Numba cannot compile.
    """
    slow = Compiled(routine, threads)
    return function(slow.name, slow.engine, slow, slow.grain, threads)


@cache
def _entry(routine: Routine) -> tuple[Any, Callable[[bytes, int, int], int]]:
    """Return the engine that holds a routine's code, and the entry, which returns which argument is wrong, or 0."""
    code = kept("routine", [*source(routine), *llvm.processor(), *makers()], lambda: _made(routine))
    engine = llvm.loaded(code)
    kind = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64)
    return engine, kind(engine.get_function_address("entry"))


@cache
def makers() -> tuple[str, ...]:
    """Return what a routine's code depends on besides the routine: who translates it, and how its entry is written."""
    here = Path(__file__)
    names = ("routines.py", "addresses.py", "entry.py", "fastcall.py", "intrinsics.py", "ir_text.py", "llvm.py")
    files = (hashlib.sha256(here.with_name(name).read_bytes()).hexdigest() for name in names)
    return sys.version, f"numba {version('numba')}", f"numpy {np.__version__}", *files


def source(routine: Routine, within: tuple[Routine, ...] = ()) -> Iterator[str]:
    """Yield all that a routine's code depends on: its own, its constants, its parts.

    Raises GraphError for what cannot be compiled in.
    """
    if routine in within:
        raise _refused(routine, "it calls itself, through its parts; write a loop")
    code = routine.function.__code__
    yield repr((code.co_code, code.co_consts, code.co_names, code.co_varnames, routine.arguments, routine.distinct))
    for name, value in _globals(routine).items():
        if isinstance(value, Routine):
            yield name
            yield from source(value, (*within, routine))
        elif not isinstance(value, ModuleType):
            yield f"{name} {value!r} {type(value)}"


def _globals(routine: Routine) -> dict[str, Any]:
    """Return the names that a routine finds around it. Raises GraphError for what cannot be compiled in."""
    function = routine.function
    code = function.__code__
    if function.__closure__ or any(isinstance(constant, CodeType) for constant in code.co_consts):
        raise _refused(routine, "it shares names with another function; what it uses stands in its module")
    if function.__defaults__ or function.__kwdefaults__:
        raise _refused(routine, "its arguments have defaults; give all of them")
    steps = list(dis.get_instructions(code))
    if any(step.opname == "RAISE_VARARGS" for step in steps):
        raise _refused(routine, "it raises an error or asserts, which nobody would hear; write it to an array")
    found = {}
    for name in sorted({step.argval for step in steps if step.opname == "LOAD_GLOBAL"}):
        if name not in function.__globals__:
            continue
        value = found[name] = function.__globals__[name]
        if isinstance(value, ModuleType) and value.__name__ not in MODULES:
            raise _refused(routine, f"{name!r} is the module {value.__name__}; name what it takes from there here")
        kind = isinstance(value, type) and issubclass(value, np.generic)
        if not kind and not isinstance(value, Routine | ModuleType | int | float | np.number):
            raise _refused(
                routine,
                f"{name!r} is a {type(value).__name__}; a routine may use numbers, their NumPy types, the modules "
                f"{' and '.join(MODULES)}, and parts made by 'routine_part'",
            )
    return found


def _refused(routine: Routine, why: str) -> GraphError:
    return GraphError(f"routine {routine.function.__qualname__}: {why}")


def _made(routine: Routine) -> bytes:
    """Return object code, by way of Numba."""
    from vynapse_numba.entry import entry

    text, name = translated(routine, (Argument("int64", 0), Argument("int64", 0), *(routine.arguments or ())))
    whole = entry(text, name, routine) + fastcall(routine)
    return llvm.object_code(whole, speed=3, vectorise=True, widest=True)


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
            raise _refused(routine, str(error)) from None
        result = dispatcher.overloads[dispatcher.signatures[0]]
        return result.library.get_llvm_str(), result.fndesc.llvm_func_name


@contextmanager
def _unoptimised() -> Iterator[None]:
    """Keep Numba from optimising what is optimised together with its entry, and from not compiling at all."""
    from numba.core import config

    settings: Any = config
    before = settings.OPT, settings.DISABLE_JIT
    settings.OPT, settings.DISABLE_JIT = type(settings.OPT)(0), 0
    try:
        yield
    finally:
        settings.OPT, settings.DISABLE_JIT = before
