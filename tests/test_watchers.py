# SPDX-License-Identifier: MIT OR Apache-2.0
"""Who is told of a step, in which order, and with what: as pluggy's own call does it."""

from __future__ import annotations

from typing import Any

import pytest

from vynapse_core import Progress, Report, hookimpl
from vynapse_core.plugins import HookRelay
from vynapse_core.watchers import step_teller

REPORT, PROGRESS = Report(1, 10, 0.5, 0.0, -1.0), Progress(1, 10)


class Watching:
    """Notes what it is told."""

    def __init__(self, told: list[Any]) -> None:
        self.told = told


class Both(Watching):
    @hookimpl
    def vynapse_step_finished(self, report: Report, progress: Progress) -> None:
        self.told.append(("both", report, progress))


class Turned(Watching):
    @hookimpl(tryfirst=True)
    def vynapse_step_finished(self, progress: Progress, report: Report) -> None:
        self.told.append(("turned", report, progress))


class Late(Watching):
    @hookimpl(trylast=True)
    def vynapse_step_finished(self, progress: Progress) -> None:
        self.told.append(("late", progress))


class Deaf(Watching):
    @hookimpl
    def vynapse_step_finished(self) -> None:
        self.told.append("deaf")


class Wrapping(Watching):
    @hookimpl(wrapper=True)
    def vynapse_step_finished(self, report: Report) -> Any:
        self.told.append(("before", report))
        result = yield
        self.told.append("after")
        return result


@pytest.mark.parametrize(
    "kinds",
    [(), (Both,), (Both, Turned, Late, Deaf), (Late, Deaf, Both, Turned), (Both, Wrapping, Late), (Wrapping,)],
)
def test_watchers_are_told_of_a_step_what_they_ask_for_in_the_order_of_pluggy(
    kinds: tuple[type[Watching], ...],
) -> None:
    told: list[Any] = []
    relay = HookRelay()
    for kind in kinds:
        relay.register(kind(told))
    relay.hook.vynapse_step_finished(report=REPORT, progress=PROGRESS)
    expected = list(told)
    told.clear()
    step_teller(relay)(REPORT, PROGRESS)
    assert told == expected
    assert len(told) >= len(kinds)


def test_a_watcher_that_raises_keeps_those_after_it_from_being_told() -> None:
    class Complaining:
        @hookimpl(tryfirst=True)
        def vynapse_step_finished(self) -> None:
            raise KeyError("pen")

    told: list[Any] = []
    relay = HookRelay()
    relay.register(Both(told))
    relay.register(Complaining())
    with pytest.raises(KeyError, match="pen"):
        step_teller(relay)(REPORT, PROGRESS)
    assert told == []
