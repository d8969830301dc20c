# SPDX-License-Identifier: MIT OR Apache-2.0
"""Machine code that Python calls as a function of its own, by the convention that Python calls METH_FASTCALL."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import cache
from typing import Any

from vynapse_numba.addresses import function_address

FUNCTIONS = {
    "signed": "PyLong_AsLongLong",
    "unsigned": "PyLong_AsUnsignedLongLong",
    "clear": "PyErr_Clear",
    "increase": "Py_IncRef",
    "save": "PyEval_SaveThread",
    "restore": "PyEval_RestoreThread",
    "call": "PyObject_Vectorcall",
}
"""Functions of Python's that machine code calls."""
UNNAMED, NAMED = 0x80, 0x82
"""How the function is called: with self, arguments and their number; or with the names of the last ones, too."""


class _Definition(ctypes.Structure):
    """PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


def as_python(name: str, address: int, way: int, *held: Any) -> Any:
    """Return the function at an address for Python, called in this way; its self is the tuple of what it holds on to.

    All that the code needs while it can be called must be held: its engine, and what its tables point to.
    """
    definition = _Definition(name.encode(), address, way, None)
    new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
        ("PyCFunction_NewEx", ctypes.pythonapi)
    )
    return new(ctypes.addressof(definition), (*held, definition), None)


@cache
def addresses() -> Mapping[str, int]:
    """Return the addresses of `FUNCTIONS`, by the names they have here."""
    found = ((name, getattr(ctypes.pythonapi, called)) for name, called in FUNCTIONS.items())
    return {name: function_address(function) for name, function in found}
