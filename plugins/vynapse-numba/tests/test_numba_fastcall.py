# SPDX-License-Identifier: MIT OR Apache-2.0
import sys

import numpy as np
import pytest

from vynapse_core import routine
from vynapse_numba.device import Numba


@routine("int64, uint64, float64, int64[:], uint64[:], float64[:]")
def _noted(first, last, signed, unsigned, real, wholes, words, reals):
    for i in range(first, last):
        wholes[i], words[i], reals[i] = signed, unsigned, real


@pytest.fixture
def noted():
    """Return what machine code finds: the routine, called with three numbers."""
    run = Numba(threads=1).routine(_noted)

    def call(signed, unsigned, real, rows=1):
        arrays = np.zeros(1, np.int64), np.zeros(1, np.uint64), np.zeros(1)
        run(rows, signed, unsigned, real, *arrays)
        return [array[0] for array in arrays]

    return call


@pytest.mark.parametrize(
    "given",
    [
        (0, 0, 0.0),
        (2**63 - 1, 2**64 - 1, -1e308),
        (-(2**63), 2**63, np.inf),
        (-1, 1, -1.0),
        (True, False, 1.5),
        (np.int64(-7), np.uint64(2**64 - 1), np.float64(2.5)),
        (np.int32(3), np.uint8(4), 5),
    ],
)
def test_numbers_of_python_and_of_numpy_arrive_as_they_are(noted, given):
    assert noted(*given) == list(given)


def test_rows_may_be_a_number_of_numpy(noted):
    assert noted(1, 2, 3.0, np.int64(1)) == [1, 2, 3.0]
    assert noted(1, 2, 3.0, np.int64(0)) == [0, 0, 0.0]


@pytest.mark.parametrize("given", [(2**63, 0, 0.0), (0, -1, 0.0), (0, 2**64, 0.0), (0.5, 0, 0.0), (0, 0, "1")])
def test_a_number_that_does_not_fit_is_refused(noted, given):
    with pytest.raises(TypeError, match=r"_noted: argument \d must be a number that \w+64 can hold, found "):
        noted(*given)


def test_a_call_with_too_many_arguments_or_a_strange_name_is_refused():
    run, arrays = Numba(threads=1).routine(_noted), (np.zeros(1, np.int64), np.zeros(1, np.uint64), np.zeros(1))
    with pytest.raises(TypeError, match="expected 6 arguments, found 7"):
        run(1, 1, 2, 3.0, *arrays, 4)
    with pytest.raises(TypeError, match="unexpected keyword argument 'grains'"):
        run(1, 1, 2, 3.0, *arrays, grains=4)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        run()


def test_nothing_is_held_on_to_after_a_call(noted):
    run, arrays = Numba(threads=1).routine(_noted), (np.zeros(1, np.int64), np.zeros(1, np.uint64), np.zeros(1))
    large = 2**62 + 1
    before = [sys.getrefcount(each) for each in (*arrays, large)]
    for _ in range(100):
        assert run(1, large, large, 0.5, *arrays) is None
        with pytest.raises(TypeError):
            run(1, large, large, 0.5, *arrays[:2], large)
    assert [sys.getrefcount(each) for each in (*arrays, large)] == before
