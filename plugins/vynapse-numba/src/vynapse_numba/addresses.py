# SPDX-License-Identifier: MIT OR Apache-2.0
"""Where arrays lie in memory, found in a sixth of the time that NumPy's own attributes take.

An array's object begins with what every object begins with, and then has its fields in the order that NumPy's C
interface promises (`PyArrayObject_fields`, and `PyArray_Descr` for its dtype). Machine code reads them there, and parts
of Python's own objects too. Every import looks whether it is so, and goes no further where it is not.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from vynapse_core import Array

_HEAD = object.__basicsize__
_FIELD = ctypes.c_ssize_t.from_address


KIND = _HEAD - 8
"""Where an object has the address of its type. This and what follows count in bytes from the object's address."""
DATA, AXES, SHAPE, STRIDES, DTYPE, FLAGS = _HEAD, _HEAD + 8, _HEAD + 16, _HEAD + 24, _HEAD + 40, _HEAD + 48
"""Where an array has the address of its data, the number of axes (int32), the addresses of its shape, its strides and
its dtype, and flags (int32)."""
ORDER, NUMBER = _HEAD + 10, _HEAD + 12
"""Where a dtype has the order of its bytes, a character, and its number (int32)."""
PLAIN = 0x101
"""Flags of an array that is C-contiguous and aligned."""
ARRAY = id(np.ndarray)
"""The address of the arrays' type."""
ITEMS, BYTES, FLOAT = tuple.__basicsize__, bytes.__basicsize__ - 1, float.__basicsize__ - 8
"""Where a tuple has the addresses of its items, bytes their characters, and a float its value."""


def address_of(array: Array) -> int:
    """Return the address of an array's data."""
    return _FIELD(id(array) + DATA).value


def function_address(function: Any) -> int:
    """Return the address of a function of ctypes."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _probed() -> None:
    text, number = b"characters", 2.5
    pair = (text, number)
    parts = (_FIELD(id(pair) + ITEMS + 8).value, ctypes.string_at(id(text) + BYTES), _float64(id(number) + FLOAT))
    if parts != (id(number), text, number):
        raise ImportError(
            "this build of Python keeps an object's parts elsewhere than others; take the reference device"
        )
    probe = np.zeros((3, 5), np.int32)
    here = id(probe)
    dtype, shape, strides = (_FIELD(here + place).value for place in (DTYPE, SHAPE, STRIDES))
    found = (address_of(probe), _FIELD(here + KIND).value, dtype, _int32(here + AXES), _int32(here + FLAGS) & PLAIN)
    if found == (probe.ctypes.data, ARRAY, id(probe.dtype), 2, PLAIN):
        pairs = [ctypes.c_int64.from_address(place + 8 * at).value for place in (shape, strides) for at in range(2)]
        kind = _int32(dtype + NUMBER), chr(_int32(dtype + ORDER) & 255)
        if (pairs, kind) == ([3, 5, 20, 4], (probe.dtype.num, "=")):
            return
    raise ImportError(
        "this build of NumPy keeps an array's fields elsewhere than its C interface says; take the reference device"
    )


def _int32(address: int) -> int:
    return ctypes.c_int32.from_address(address).value


def _float64(address: int) -> float:
    return ctypes.c_double.from_address(address).value


_probed()
