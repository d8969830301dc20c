# SPDX-License-Identifier: MIT OR Apache-2.0
"""SIGINT and SIGTERM as a question that the loop asks, so that a run ends between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """Whether the run was asked to stop."""

    requested = False

    def request(self, number: int, frame: FrameType | None) -> None:
        """Note the first request; the second ends the process at once."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Note SIGINT and SIGTERM while the block runs; outside the main thread, where Python takes no signals, never."""
    asked = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, asked.request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
