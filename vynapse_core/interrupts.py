# SPDX-License-Identifier: MIT OR Apache-2.0
"""Signals that ask a process to end, as a question that the loop asks, so that a run ends between two steps."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))
"""Ctrl-C, kill, a closed terminal, and Ctrl-Break on Windows: those of them that the system has."""
STOPPING = "stopping after this step; once more stops at once"


class Interrupts:
    """Whether the run was asked to stop."""

    requested = False

    def request(self, number: int, frame: FrameType | None) -> None:
        """Note the first request and say so on stderr; the second ends the process at once."""
        if self.requested:
            raise KeyboardInterrupt("stopped at once, without a checkpoint of the last steps")
        self.requested = True
        # the terminal may be gone, and a handler may come in the middle of another write; "\r" goes over the "^C"
        with suppress(OSError, RuntimeError, ValueError):
            if sys.stderr is not None:
                print("\r" * sys.stderr.isatty() + STOPPING, file=sys.stderr, flush=True)


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Note requests to end while the block runs; outside the main thread, where Python takes no signals, never."""
    asked = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    # what nohup has set stays, as its run is to outlive the terminal; Ctrl-C counts even where a script ignores it
    taken = [number for number, handler in before.items() if handler != signal.SIG_IGN or number == signal.SIGINT]
    try:
        for number in taken:
            signal.signal(number, asked.request)
        yield asked
    finally:
        for number in taken:
            signal.signal(number, before[number] or signal.SIG_DFL)
