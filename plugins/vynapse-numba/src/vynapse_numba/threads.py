# SPDX-License-Identifier: MIT OR Apache-2.0
"""Worker threads for work whose parts are calls of Python, shared by all devices of a process.

Where the parts are machine code throughout, `team` takes a twentieth of the time to begin and to end. Work is a number
of parts that any thread may take, each with a place of its own to write to: so the bits of a result cannot depend on
the number of threads. The caller works too. Kernels and NumPy's loops release the interpreter's lock. While one call
has the workers of a number of threads, another one does its own work alone.
"""

from __future__ import annotations

import itertools
import os
import queue
import threading
from collections.abc import Callable
from functools import cache, partial

Part = Callable[[int], None]


def processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Workers:
    """Threads that wait for work: `threads - 1` of them, started when first needed, gone with the process."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._busy = threading.Lock()
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._started = 0

    def run(self, part: Part, parts: int) -> None:
        """Call `part(i)` for each i below `parts`, in any order, on all threads. The first exception is raised."""
        helpers = min(self.threads, parts) - 1
        if helpers < 1 or not self._busy.acquire(blocking=False):
            for i in range(parts):
                part(i)
            return
        try:
            self._shared(part, parts, helpers)
        finally:
            self._busy.release()

    def _shared(self, part: Part, parts: int, helpers: int) -> None:
        left = itertools.count()
        failures: list[BaseException] = []
        done = threading.Semaphore(0)

        def work() -> None:
            try:
                while not failures and (i := next(left)) < parts:
                    part(i)
            except BaseException as error:
                failures.append(error)

        def assist(ticket: threading.Lock) -> None:
            # the caller takes back the ticket of a thread that wakes up too late
            if ticket.acquire(blocking=False):
                work()
                done.release()

        for _ in range(self._started, helpers):
            threading.Thread(target=self._wait, name="vynapse-numba", daemon=True).start()
        self._started = max(self._started, helpers)
        tickets = [threading.Lock() for _ in range(helpers)]
        for ticket in tickets:
            self._tasks.put(partial(assist, ticket))
        work()
        waiting = [ticket for ticket in tickets if not ticket.acquire(blocking=False)]
        while waiting:
            try:
                done.acquire()
                waiting.pop()
            except BaseException as error:
                # whoever still works writes to arrays of the caller, which must not go before that
                failures.append(error)
        if failures:
            raise failures[0]

    def _wait(self) -> None:
        while True:
            self._tasks.get()()


@cache
def _workers(threads: int, process: int) -> Workers:
    return Workers(threads)


def workers(threads: int) -> Workers:
    """Return this process's workers for that many threads; a forked child gets its own."""
    return _workers(threads, os.getpid())
