# SPDX-License-Identifier: MIT OR Apache-2.0
"""A lock on a run's folder, so that two processes never write one run. It goes with its process, however that ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vynapse_core.errors import ArgumentError

NAME = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder` while the block runs. Raises ArgumentError where another process holds it."""
    try:
        descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise ArgumentError(f"cannot write to {folder}: {error.strerror or error}") from None
    try:
        try:
            _lock(descriptor)
        except (BlockingIOError, PermissionError):
            raise ArgumentError(f"the run in {folder} is going on in another process") from None
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:

    def _lock(descriptor: int) -> None:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
