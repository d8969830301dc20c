# SPDX-License-Identifier: MIT OR Apache-2.0
import numpy as np
import pytest

from vynapse_core import routine, routine_part
from vynapse_core.devices.reference import Reference


@routine_part
def _twice(x):
    return x + x


@routine("float64[:], uint64, float64[:, :]", grain=16)
def _table(first, last, values, factor, out):
    for i in range(first, last):
        for j in range(out.shape[1]):
            out[i, j] = _twice(values[i]) * factor + j


def test_the_reference_device_runs_a_routine_in_python():
    out = np.zeros((3, 2))
    Reference().routine(_table)(3, np.arange(3.0), 10, out)
    assert out.tolist() == [[0, 1], [20, 21], [40, 41]]


def test_a_routine_does_the_rows_that_it_is_told_and_no_others():
    out = np.zeros((3, 2))
    _table(1, 2, np.arange(3.0), 10, out)
    assert out.tolist() == [[0, 0], [20, 21], [0, 0]]


def test_integers_wrap_around_without_a_warning():
    @routine("uint64[:]")
    def square(first, last, words):
        for i in range(first, last):
            words[i] = words[i] * words[i]

    words = np.array([2**63 + 3], np.uint64)
    square.run(1, words)
    assert words.tolist() == [(2**63 + 3) ** 2 % 2**64]


def test_a_declaration_is_settled_for_a_dtype():
    @routine("{genes}[:, :], int64[:]")
    def nothing(first, last, values, chosen):
        pass

    declared = nothing.of(genes="float32").arguments
    assert declared is not None
    assert [(each.dtype, each.ndim) for each in declared] == [("float32", 2), ("int64", 1)]


@pytest.mark.parametrize("declaration", ["float64[:", "float32", "", "complex[]", "float64[:] int64"])
def test_a_declaration_that_cannot_be_read_is_refused(declaration):
    with pytest.raises(ValueError, match=r"a routine takes arguments such as|a number that a routine takes"):
        routine(declaration)(lambda first, last: None)


def test_a_declaration_of_an_unknown_dtype_is_refused():
    with pytest.raises(TypeError, match="float65"):
        routine("float65[:]")(lambda first, last: None)
