# SPDX-License-Identifier: MIT OR Apache-2.0
import math
import os
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import GraphError, routine, routine_part
from vynapse_numba.device import Numba
from vynapse_numba.threads import workers

ONE = Numba(threads=1)
TWO = Numba(threads=2)


@routine_part
def _larger(a, b):
    return a if a > b else b


@routine("float32[:, :], int64[:], uint64[:], float64, float64[:, :]", grain=2)
def _mixed(first, last, values, at, words, scale, out):
    for i in range(first, last):
        row = values[at[i]]
        for j in range(len(row)):
            high = np.float64(words[i] >> np.uint64(33))
            out[i, j] = _larger(np.float64(row[j]), 0.25) * scale + math.sqrt(high)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9), st.integers(0, 5), st.integers(0, 2**32))
def test_machine_code_gives_the_bits_that_python_gives(rows, width, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(7, width)).astype(np.float32)
    at = rng.integers(0, 7, rows)
    words = rng.integers(0, 2**64, rows, np.uint64)
    expected, found, shared = (np.zeros((rows, width)) for _ in range(3))
    _mixed.run(rows, values, at, words, 1.5, expected)
    ONE.routine(_mixed)(rows, values, at, words, 1.5, found)
    TWO.routine(_mixed)(rows, values, at, words, 1.5, shared)
    assert found.tobytes() == expected.tobytes() == shared.tobytes()


@routine("uint64[:], uint64[:]")
def _squares(first, last, words, out):
    for i in range(first, last):
        out[i] = words[i] * words[i] + np.uint64(1)


def test_integers_wrap_around_as_in_python():
    words = np.array([2**63 + 3, 2**64 - 1, 0], np.uint64)
    expected, found = np.empty_like(words), np.empty_like(words)
    _squares.run(3, words, expected)
    ONE.routine(_squares)(3, words, found)
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (np.zeros(3, np.int64), "must be a C-contiguous uint64 array with 1 axes, found int64"),
        (np.zeros((3, 1), np.uint64), "must be a C-contiguous uint64 array with 1 axes, found uint64 \\[3, 1\\]"),
        (np.zeros(6, np.uint64)[::2], "must be a C-contiguous"),
    ],
)
def test_an_array_of_another_kind_never_reaches_the_machine_code(words, message):
    with pytest.raises(TypeError, match=message):
        ONE.routine(_squares)(3, words, np.zeros(3, np.uint64))


def test_a_call_with_too_few_arguments_is_refused():
    with pytest.raises(TypeError, match="expected 2 arguments, found 1"):
        ONE.routine(_squares)(3, np.zeros(3, np.uint64))


def test_a_routine_that_makes_an_array_is_refused():
    @routine("float64[:]")
    def makes(first, last, out):
        out[first] = np.zeros(3).sum()

    with pytest.raises(GraphError, match="makes cannot stand alone"):
        ONE.routine(makes)


def _plain(x):
    return x


def test_a_routine_that_calls_what_is_no_part_is_refused():
    @routine("float64[:]")
    def calls(first, last, out):
        out[first] = _plain(1.0)

    with pytest.raises(GraphError, match="'_plain' is a function; a routine may use"):
        ONE.routine(calls)


def test_a_routine_that_numba_cannot_read_is_refused_with_its_name():
    @routine("float64[:]")
    def wrong(first, last, out):
        out[first] = "text"

    with pytest.raises(GraphError, match=r"routine .*wrong: "):
        ONE.routine(wrong)


def test_a_second_start_does_without_numba(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""
            import sys
            import numpy as np
            from vynapse_core import routine
            from vynapse_numba.device import Numba

            @routine("float64[:]")
            def ones(first, last, out):
                for i in range(first, last):
                    out[i] = 1.0

            out = np.zeros(4)
            Numba().routine(ones)(4, out)
            print(out.sum(), "numba" in sys.modules)
        """),
        encoding="utf-8",
    )
    environment = {"VYNAPSE_CACHE": str(tmp_path), "PATH": ""}
    told = [
        subprocess.run([sys.executable, str(program)], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [each.stdout.split() for each in told] == [["4.0", "True"], ["4.0", "False"]]


def _refusal(function, words):
    with pytest.raises(GraphError, match=words):
        ONE.routine(routine("float64[:]")(function))


def test_a_routine_that_takes_a_constant_from_another_module_is_refused():
    # its code would stay on disk when the module changes
    def takes(first, last, out):
        out[first] = sys.maxsize

    _refusal(takes, "'sys' is the module sys; name what it takes from there here")


def test_a_routine_with_names_of_another_function_is_refused():
    outer = 3.0

    def takes(first, last, out):
        out[first] = outer

    _refusal(takes, "shares names with another function")


def test_a_routine_with_a_function_inside_is_refused():
    def takes(first, last, out):
        out[first] = (lambda x: x)(1.0)

    _refusal(takes, "shares names with another function")


def test_a_part_with_defaults_is_refused():
    def takes(first, last, out, more=1.0):
        out[first] = more

    _refusal(takes, "its arguments have defaults")


@routine_part
def _endless(x):
    return _endless(x) if x > 0 else x


def test_a_part_that_calls_itself_is_refused():
    def calls(first, last, out):
        out[first] = _endless(1.0)

    _refusal(calls, "_endless: it calls itself")


def test_a_routine_that_raises_is_refused():
    def fails(first, last, out):
        if out[first] > 0:
            raise ValueError("too large")

    _refusal(fails, "it raises an error or asserts")


def test_an_attribute_may_have_the_name_of_a_function_beside_it():
    def counts(first, last, out):
        out[first] = out.size

    out = np.zeros(3)
    ONE.routine(routine("float64[:]")(counts))(1, out)
    assert out[0] == 3


size = _plain


def test_compiling_leaves_numbas_settings_as_they_are(tmp_path, monkeypatch):
    from numba.core import config

    monkeypatch.setenv("VYNAPSE_CACHE", str(tmp_path))
    monkeypatch.setattr(config, "THREADING_LAYER", "workqueue")
    monkeypatch.setattr(config, "DISABLE_JIT", 1)
    before = config.OPT

    @routine("float64[:]")
    def ones(first, last, out):
        for i in range(first, last):
            out[i] = 1.0

    out = np.zeros(4)
    ONE.routine(ones)(4, out)
    assert out.tolist() == [1.0] * 4
    assert ("workqueue", 1, before) == (config.THREADING_LAYER, config.DISABLE_JIT, config.OPT)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_workers_of_a_forked_child_leave_nothing_behind():
    workers(2).run(lambda i: None, 4)
    child = os.fork()
    if child == 0:
        done = []
        for _ in range(300):
            workers(2).run(done.append, 4)
        patience = time.monotonic() + 20
        while (waiting := workers(2)._tasks.qsize()) and time.monotonic() < patience:
            time.sleep(0.01)
        os._exit(0 if sorted(done) == sorted([0, 1, 2, 3] * 300) and not waiting else 1)
    assert os.waitpid(child, 0)[1] == 0


@routine("float64[:], float64[:]", distinct=True)
def _sums(first, last, x, out):
    for i in range(first, last):
        out[0] += x[i] * out[1]


def test_arrays_that_share_no_memory_give_what_python_gives():
    x, expected, found = np.linspace(0, 1, 9), np.array([0.0, 3.0]), np.array([0.0, 3.0])
    _sums.run(9, x, expected)
    ONE.routine(_sums)(9, x, found)
    assert found.tobytes() == expected.tobytes()


def test_an_array_in_a_file_and_one_of_an_equal_dtype_are_taken_as_they_are(tmp_path):
    file = np.memmap(tmp_path / "words", np.uint64, "w+", shape=(3,))
    file[:] = [1, 2, 3]
    found = np.zeros(3, np.ulonglong)
    ONE.routine(_squares)(3, file, found)
    assert found.tolist() == [2, 5, 10]


def test_what_is_no_array_never_reaches_the_machine_code():
    with pytest.raises(TypeError, match="argument 0 must be an array, found list"):
        TWO.routine(_squares)(3, [1, 2, 3], np.zeros(3, np.uint64))
