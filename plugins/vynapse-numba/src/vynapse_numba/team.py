# SPDX-License-Identifier: MIT OR Apache-2.0
"""A team of threads that share the rows of one call, in machine code throughout.

Python's own threads take 50 to 100 us to begin and to end a call together, most of it to hand the interpreter's lock
around; a team takes two to five. A worker never comes back to Python: it watches for a while after each job, and then
sleeps in a lock of Python's that needs no interpreter. Parts of a job write to places of their own, so the bits of a
result depend on no thread. While one thread has the team, another one does its own work alone.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from typing import Any, TypeVar

from vynapse_numba.addresses import function_address
from vynapse_numba.cache import kept
from vynapse_numba.llvm import loaded, object_code, processor
from vynapse_numba.team_code import LINE, MEMBER, PLACES, WAKING, team_code
from vynapse_numba.threads import processors
from vynapse_numba.waiting import give_way

LINGER = 4e-4
"""Seconds for which a worker watches for the next job: a trainer's Python between two takes up to 0.3 ms."""
_TRIAL = 256
"""Looks by which it is measured how long one takes."""
_WHOLE = ctypes.c_int64
_PLACE = ctypes.c_void_p
T = TypeVar("T")


class Team:
    """Threads that work together in machine code: the caller and `threads - 1` workers, which live with the process."""

    def __init__(self, threads: int) -> None:
        functions = _functions()
        board = _immortal((_WHOLE * ((PLACES["SHARE"] + threads * MEMBER + LINE) // 8))())
        self.board = -(-ctypes.addressof(board) // LINE) * LINE
        """The address of what the threads share; see `PLACES`."""
        self.threads = threads
        self._run = functions["run"]
        python = ctypes.pythonapi
        allocate = ctypes.PYFUNCTYPE(_PLACE)(("PyThread_allocate_lock", python))
        acquire = ctypes.PYFUNCTYPE(ctypes.c_int, _PLACE, ctypes.c_int)(("PyThread_acquire_lock", python))
        watching = threads <= processors()
        self._set("YIELD", give_way())
        for word, address in zip(("WHERE", "ALLOWED", "ALLOW"), _affinity(), strict=True):
            self._set(word, address)
        self._set("SLEEP", function_address(acquire))
        self._set("WAKE", function_address(python.PyThread_release_lock))
        self._set("LOOKS", self._looks(functions["watch"]) if watching else 1)
        members = 1
        # without some of its workers a team does the same
        with suppress(RuntimeError):
            for me in range(1, threads):
                lock = allocate()
                acquire(lock, 1)
                self._set("LOCK", lock, me * MEMBER)
                given = self.board, me
                threading.Thread(target=functions["serve"], args=given, name="vynapse-team", daemon=True).start()
                members += 1
        self._set("MEMBERS", members)

    def call(self, function: int, table: bytes | int, rows: int, grain: int) -> int:
        """Call the function at an address for all rows; `run` of `team_code`, which says what it returns.

        The table is bytes or an address.
        """
        found: int = self._run(self.board, function, table, rows, grain)
        return found

    def _set(self, word: str, value: int | None, offset: int = 0) -> None:
        _WHOLE.from_address(self.board + PLACES[word] + offset).value = value or 0

    def _looks(self, watch: Callable[[int, int, int], int]) -> int:
        """Return how many looks take as long as a worker lingers."""
        taken = []
        for _ in range(4):
            began = time.perf_counter()
            watch(self.board, 0, _TRIAL)
            taken.append(time.perf_counter() - began)
        return max(1, int(LINGER / min(taken) * _TRIAL))


_TEAMS: dict[int, Any] = {}
"""{number of threads: the addresses of the board of this process's team and of `run`, zeros while it has none}."""


@cache
def team(threads: int) -> Team:
    """Return this process's team of that many threads; a forked child gets its own."""
    made = Team(threads)
    team_at(threads)
    # whoever finds a board finds the function
    _TEAMS[threads][1] = function_address(_functions()["run"])
    _TEAMS[threads][0] = made.board
    return made


def team_at(threads: int) -> int:
    """Return the address of two numbers: where this process's team of that many threads has its board, and `run`.

    They are zeros until there is a team.
    """
    if threads not in _TEAMS:
        _TEAMS.setdefault(threads, _immortal((_WHOLE * 2)()))
    return ctypes.addressof(_TEAMS[threads])


def worth(threads: int, rows: int, grain: int) -> bool:
    """Return whether rows are worth a team of that many threads: fewer are where there is one, as it may be awake."""
    if threads == 1 or rows < 2 * grain:
        return False
    return rows >= 2 * WAKING * grain or (threads in _TEAMS and _TEAMS[threads][0] != 0)


def _forget() -> None:
    """Forget the teams of the process that this one was forked from: their workers are not here."""
    team.cache_clear()
    for place in _TEAMS.values():
        place[0] = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@cache
def _functions() -> Mapping[str, Any]:
    """Return the functions of `team_code`, by name."""
    from llvmlite import binding

    text = team_code(binding.get_process_triple().split("-")[0])
    engine = _immortal(loaded(kept("team", (text, *processor()), partial(object_code, text, speed=2, vectorise=False))))
    kinds = {
        "run": ctypes.CFUNCTYPE(_WHOLE, _PLACE, _PLACE, _PLACE, _WHOLE, _WHOLE),
        "serve": ctypes.CFUNCTYPE(None, _PLACE, _WHOLE),
        "watch": ctypes.CFUNCTYPE(_WHOLE, _PLACE, _WHOLE, _WHOLE),
    }
    return {name: kind(engine.get_function_address(name)) for name, kind in kinds.items()}


@cache
def _affinity() -> tuple[int, int, int]:
    """Return the addresses of Linux's functions of the processors that a thread may use; zeros elsewhere.

    They are `sched_getcpu`, `sched_getaffinity` and `sched_setaffinity`.
    """
    try:
        library = ctypes.CDLL(None)
        return (
            function_address(library.sched_getcpu),
            function_address(library.sched_getaffinity),
            function_address(library.sched_setaffinity),
        )
    except (AttributeError, OSError, TypeError):
        return 0, 0, 0


def _immortal(thing: T) -> T:
    """Keep what workers use until the process ends: they run, without the interpreter, while it is taken down."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
    return thing
