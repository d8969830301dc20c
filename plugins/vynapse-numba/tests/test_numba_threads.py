# SPDX-License-Identifier: MIT OR Apache-2.0
"""Worker threads: each part once, failures told, safe after a fork and under several callers."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from vynapse_numba.threads import Workers, processors, workers


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("parts", [0, 1, 3, 40])
def test_each_part_is_done_once(threads: int, parts: int) -> None:
    done: list[int] = []
    Workers(threads).run(done.append, parts)
    assert sorted(done) == list(range(parts))


def test_parts_run_on_so_many_threads_at_once() -> None:
    meeting = threading.Barrier(3, timeout=20)
    Workers(3).run(lambda part: meeting.wait() and None, 3)


def test_a_failure_reaches_the_caller_and_the_workers_live_on() -> None:
    pool = Workers(2)

    def part(i: int) -> None:
        if i == 3:
            raise ValueError("the fourth")

    for _ in range(3):
        with pytest.raises(ValueError, match="the fourth"):
            pool.run(part, 9)
    done: list[int] = []
    pool.run(done.append, 9)
    assert sorted(done) == list(range(9))


def test_work_within_work_is_done_by_the_thread_that_asks() -> None:
    pool, done = Workers(2), []

    def part(i: int) -> None:
        pool.run(lambda j: done.append((i, j)), 3)

    pool.run(part, 4)
    assert sorted(done) == [(i, j) for i in range(4) for j in range(3)]


def test_callers_at_once_all_get_their_work_done() -> None:
    pool = Workers(3)
    totals = [0] * 6

    def caller(me: int) -> None:
        for _ in range(20):
            done: list[int] = []
            pool.run(done.append, 7)
            totals[me] += len(done)

    threads = [threading.Thread(target=caller, args=(me,)) for me in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert totals == [140] * 6


def test_programs_of_one_process_share_their_workers() -> None:
    assert workers(2) is workers(2)
    assert workers(2) is not workers(3)
    assert 1 <= processors() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_workers_of_its_own() -> None:
    workers(2).run(lambda part: None, 2)
    child = os.fork()
    if child == 0:
        done: list[int] = []
        workers(2).run(done.append, 4)
        os._exit(0 if sorted(done) == [0, 1, 2, 3] else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_thread_that_wakes_up_too_late_is_not_waited_for() -> None:
    pool, asleep = Workers(2), threading.Event()
    pool.run(lambda _: None, 2)

    def sleep() -> None:
        asleep.wait()

    pool._tasks.put(sleep)
    done: list[int] = []
    pool.run(done.append, 4)
    assert done == [0, 1, 2, 3]
    asleep.set()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this platform has no timers that interrupt")
def test_an_interrupted_caller_leaves_when_nobody_writes_to_its_arrays_any_more() -> None:
    caller, begun, ended = threading.get_ident(), threading.Event(), threading.Event()

    def part(i: int) -> None:
        if threading.get_ident() == caller:
            begun.wait(20)
            return
        begun.set()
        time.sleep(0.4)
        ended.set()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            Workers(2).run(part, 2)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert ended.is_set()
