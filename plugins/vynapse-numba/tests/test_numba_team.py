# SPDX-License-Identifier: MIT OR Apache-2.0
import ctypes
import os
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import routine
from vynapse_numba.device import Numba
from vynapse_numba.routines import Compiled
from vynapse_numba.team import Team, team, worth
from vynapse_numba.team_code import MEMBER, PLACES, WAKING

ONE, TWO, THREE = (Numba(threads=threads) for threads in (1, 2, 3))


@routine("float64[:], float64[:]")
def _iterated(first, last, x, out):
    for i in range(first, last):
        value = x[i]
        for _ in range(20):
            value = value * 0.999 + 0.1 / (1.0 + value * value)
        out[i] = value


@routine("int64[:]")
def _counted(first, last, times):
    for i in range(first, last):
        times[i] += 1


def asleep(of: Team) -> list[int]:
    """Return of each worker whether it sleeps."""
    base = of.board + PLACES["ASLEEP"]
    return [ctypes.c_int64.from_address(base + me * MEMBER).value for me in range(1, of.threads)]


def until(condition) -> bool:
    """Wait until something holds; False if it never does."""
    patience = time.monotonic() + 20
    while not condition():
        if time.monotonic() > patience:
            return False
        time.sleep(0.001)
    return True


def test_any_number_of_threads_gives_the_same_bits_again_and_again():
    x = np.linspace(-3, 3, 97)
    expected = np.empty_like(x)
    ONE.routine(_iterated)(97, x, expected)
    for device in (TWO, THREE):
        run = device.routine(_iterated)
        for _ in range(500):
            found = np.zeros_like(x)
            run(97, x, found)
            assert found.tobytes() == expected.tobytes()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 70), st.integers(1, 9), st.sampled_from([TWO, THREE]))
def test_each_row_is_done_once(rows, grain, device):
    times = np.zeros(70, np.int64)
    device.routine(_counted.worth(grain))(rows, times)
    assert times.tolist() == [1] * rows + [0] * (70 - rows)


def test_twenty_thousand_tiny_jobs_are_all_done():
    run, times = TWO.routine(_counted), np.zeros(8, np.int64)
    for _ in range(20_000):
        run(8, times)
    assert times.tolist() == [20_000] * 8


def test_a_job_does_without_workers_that_sleep_and_wakes_them_where_it_is_large():
    run, times, ours = THREE.routine(_counted), np.zeros(64, np.int64), team(3)
    assert until(lambda: asleep(ours) == [1, 1])
    run(3, times)
    assert asleep(ours) == [1, 1]
    assert times.tolist() == [1] * 3 + [0] * 61
    # whoever is woken finds nothing left, and sleeps again: it is enough that it was awake once
    assert until(lambda: run(3 * WAKING, times) or asleep(ours) != [1, 1])


def test_workers_sleep_where_no_job_comes():
    for device, threads in ((TWO, 2), (THREE, 3)):
        device.routine(_counted)(64, np.zeros(64, np.int64))
        assert until(lambda threads=threads: all(asleep(team(threads))))


def test_a_worker_that_wakes_too_late_delays_nothing(monkeypatch):
    monkeypatch.setattr(threading.Thread, "start", lambda self: None)
    late, found = Team(3), np.zeros(30, np.int64)
    run = Compiled(_counted, 3)
    monkeypatch.setattr("vynapse_numba.routines.team", lambda threads: late)
    for _ in range(10):
        run(30, found)
    assert found.tolist() == [10] * 30


def test_a_team_whose_workers_cannot_start_does_the_same(monkeypatch):
    def refused(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    lonely, found = Team(2), np.zeros(30, np.int64)
    run = Compiled(_counted, 2)
    monkeypatch.setattr("vynapse_numba.routines.team", lambda threads: lonely)
    run(30, found)
    assert found.tolist() == [1] * 30


def test_callers_at_once_do_not_disturb_each_other():
    run = TWO.routine(_counted)
    counts = [np.zeros(40, np.int64) for _ in range(4)]

    def calls(times):
        for _ in range(1000):
            run(40, times)

    threads = [threading.Thread(target=calls, args=(times,)) for times in counts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [times.tolist() for times in counts] == [[1000] * 40] * 4


def test_an_argument_that_is_wrong_is_found_whoever_looks_at_it():
    for device in (TWO, THREE):
        for _ in range(50):
            with pytest.raises(TypeError, match="argument 1 must be a C-contiguous float64 array with 1 axes"):
                device.routine(_iterated)(40, np.zeros(40), np.zeros(40, np.float32))


def test_a_team_is_made_for_the_first_job_that_is_worth_waking_it():
    run, times = Numba(threads=5).routine(_counted), np.zeros(64, np.int64)
    run(7, times)
    assert not worth(5, 7, 1)
    run(8, times)
    assert worth(5, 7, 1)
    run(7, times)
    assert times[:9].tolist() == [3] * 7 + [1, 0]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this platform has no affinity")
def test_workers_may_use_the_processors_that_the_process_may_use():
    run, times = TWO.routine(_counted), np.zeros(64, np.int64)
    for _ in range(2000):
        run(64, times)
    workers = [thread.native_id for thread in threading.enumerate() if thread.name == "vynapse-team"]
    # a worker that leaves the caller's processor may not use it for some microseconds
    assert workers
    assert until(lambda: all(os.sched_getaffinity(each) == os.sched_getaffinity(0) for each in workers))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_a_team_of_its_own():
    run, times = TWO.routine(_counted), np.zeros(64, np.int64)
    run(64, times)
    parent = team(2).board
    child = os.fork()
    if child == 0:
        times[:] = 0
        for _ in range(300):
            run(64, times)
        os._exit(0 if times.tolist() == [300] * 64 and team(2).board != parent else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_process_ends_while_its_workers_watch(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""
            import numpy as np
            from vynapse_core import routine
            from vynapse_numba.device import Numba

            @routine("float64[:]")
            def ones(first, last, out):
                for i in range(first, last):
                    out[i] = 1.0

            out = np.zeros(400)
            Numba(threads=2).routine(ones)(400, out)
            print(out.sum())
        """),
        encoding="utf-8",
    )
    for _ in range(5):
        done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "400.0\n", "")
