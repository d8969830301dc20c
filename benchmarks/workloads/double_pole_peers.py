# SPDX-License-Identifier: MIT OR Apache-2.0
"""The sides beside ours of the workload `double_pole`: the same equations in NumPy and in C."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import machine
import numpy as np
from sides import AbsentError, Side

SOURCE = Path(__file__).with_name("double_pole.c")
START = 4.5 * np.pi / 180
TRACK, FALL = np.float32(2.4), np.float32(36 * np.pi / 180)


def numpy_arrays(genes: Any, limit: int) -> Side:
    """All policies that still balance, side by side; those that have failed are dropped once they are many."""

    def call() -> Any:
        played = np.zeros(len(genes), np.int64)
        living = np.arange(len(genes))
        parts = _parts(genes)
        state = np.zeros((6, len(genes)), np.float32)
        state[2] = START
        upright = np.ones(len(genes), bool)
        for _ in range(limit):
            state = _after(state, _force(parts, state))
            upright &= (np.abs(state[0]) <= TRACK) & (np.abs(state[2]) <= FALL) & (np.abs(state[4]) <= FALL)
            played[living] += upright
            if 4 * upright.sum() < 3 * len(living):
                living, state, parts = living[upright], state[:, upright], [part[upright] for part in parts]
                upright = np.ones(len(living), bool)
                if not len(living):
                    break
        return played

    return _side(call, limit)


def _parts(genes: Any) -> list[Any]:
    return [genes[:, :24].reshape(-1, 8, 3), genes[:, 24:32], genes[:, 32:40], genes[:, 40]]


def _force(parts: list[Any], state: Any) -> Any:
    w1, b1, w2, b2 = parts
    seen = state[[0, 2, 4]] / np.array([4.8, 0.52, 0.52], np.float32)[:, None]
    hidden = np.tanh(np.einsum("phi,ip->ph", w1, seen) + b1)
    return 10 * np.clip(np.einsum("ph,ph->p", w2, hidden) + b2, -1, 1)


def _after(state: Any, force: Any) -> Any:
    for _ in range(2):
        first = _slope(state, force)
        second = _slope(state + np.float32(0.005) * first, force)
        third = _slope(state + np.float32(0.005) * second, force)
        fourth = _slope(state + np.float32(0.01) * third, force)
        state = state + np.float32(0.01 / 6) * (first + 2 * (second + third) + fourth)
    return state


def _slope(state: Any, force: Any) -> Any:
    """Return the time derivatives [6, P] of position, velocity, and each pole's angle and angular velocity."""
    _, speed, angle_1, turn_1, angle_2, turn_2 = state
    sine_1, cosine_1, sine_2, cosine_2 = np.sin(angle_1), np.cos(angle_1), np.sin(angle_2), np.cos(angle_2)
    # friction of a hinge over mass and half length: 0.1 kg and 0.5 m, 0.01 kg and 0.05 m
    fall_1, fall_2 = 9.8 * sine_1 - 2e-6 / 0.05 * turn_1, 9.8 * sine_2 - 2e-6 / 0.0005 * turn_2
    push_1 = 0.05 * turn_1 * turn_1 * sine_1 - 0.075 * cosine_1 * fall_1
    push_2 = 0.0005 * turn_2 * turn_2 * sine_2 - 0.0075 * cosine_2 * fall_2
    mass = 1.0 + 0.1 * (1 - 0.75 * cosine_1 * cosine_1) + 0.01 * (1 - 0.75 * cosine_2 * cosine_2)
    pull = (force - 5e-4 * np.sign(speed) + push_1 + push_2) / mass
    slope = (speed, pull, turn_1, 1.5 * (fall_1 - pull * cosine_1), turn_2, 15.0 * (fall_2 - pull * cosine_2))
    return np.stack(slope).astype(np.float32, copy=False)


def c_one_thread(genes: Any, limit: int) -> Side:
    """Policy by policy, compiled for this processor."""
    return _c(genes, limit, 1)


def c_threads(genes: Any, limit: int) -> Side:
    """The same, a share of the policies on each core."""
    return _c(genes, limit, machine.cores())


def _c(genes: Any, limit: int, threads: int) -> Side:
    compiler = shutil.which("cc")
    if compiler is None:
        raise AbsentError("there is no C compiler")
    with TemporaryDirectory() as folder:
        library = Path(folder) / "double_pole.so"
        flags = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
        subprocess.run([compiler, *flags, str(SOURCE), "-o", str(library), "-lm"], check=True)
        play = ctypes.CDLL(str(library)).play
    pool, played = ThreadPoolExecutor(threads), np.zeros(len(genes), np.int64)
    # more shares than threads, since some policies last longer
    borders = np.linspace(0, len(genes), 8 * threads + 1).astype(int).tolist()

    def share(first: int, end: int) -> None:
        rows, counts = ctypes.c_void_p(genes[first:].ctypes.data), ctypes.c_void_p(played[first:].ctypes.data)
        play(rows, end - first, limit, counts)

    def call() -> Any:
        list(pool.map(share, borders[:-1], borders[1:]))
        return played

    return _side(call, limit)


def _side(call: Callable[[], Any], limit: int) -> Side:
    steps = float(np.minimum(call() + 1, limit).sum())
    return Side("", lambda: call().mean(), units=steps, reached=float)


PEERS: dict[str, Callable[[Any, int], Side]] = {
    "NumPy": numpy_arrays,
    "C, 1 thread": c_one_thread,
    "C, all cores": c_threads,
}
