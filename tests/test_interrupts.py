# SPDX-License-Identifier: MIT OR Apache-2.0
"""Signals as a question that the loop asks."""

from __future__ import annotations

import io
import signal
import sys
import threading

import pytest

from vynapse_core.interrupts import SIGNALS, STOPPING, interrupts


class Terminal(io.StringIO):
    """A stderr that somebody reads."""

    def isatty(self):
        return True


class Gone(io.StringIO):
    """A stderr whose reader has left."""

    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_noted_and_the_second_interrupts(number, capsys):
    with interrupts() as asked:
        assert not asked.requested
        signal.raise_signal(number)
        assert asked.requested
        assert capsys.readouterr().err == f"{STOPPING}\n"
        with pytest.raises(KeyboardInterrupt, match="stopped at once"):
            signal.raise_signal(number)


def test_what_was_set_before_is_set_again_after_a_failure_too():
    before = [signal.getsignal(number) for number in SIGNALS]
    taken = []

    def fail():
        taken.extend(signal.getsignal(number) for number in SIGNALS)
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"), interrupts():
        fail()
    assert set(taken).isdisjoint(before)
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupts() as asked:
            signal.raise_signal(signal.SIGHUP)
            assert not asked.requested
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_terminal_has_its_control_character_written_over(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with interrupts():
        signal.raise_signal(signal.SIGINT)
    assert sys.stderr.getvalue() == f"\r{STOPPING}\n"


@pytest.mark.parametrize("stream", [Gone(), None])
def test_a_terminal_that_is_gone_does_not_keep_the_run_from_stopping(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    with interrupts() as asked:
        signal.raise_signal(signal.SIGTERM)
    assert asked.requested


def test_a_thread_that_gets_no_signals_runs_without_them():
    seen = []

    def run():
        with interrupts() as asked:
            seen.append((asked.requested, signal.getsignal(signal.SIGTERM)))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
