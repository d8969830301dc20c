# SPDX-License-Identifier: MIT OR Apache-2.0
"""The estimate of a device's time, on a clock of the test's own."""

from __future__ import annotations

from math import inf
from types import SimpleNamespace

import pytest
from hypothesis import given, strategies as st

from vynapse_core.devices import estimate as module
from vynapse_core.devices.estimate import Estimate, estimate

SECONDS = st.floats(1e-6, 10)


class Machine:
    """A device whose time is an overhead and so much for each part; it keeps what it has compiled."""

    def __init__(self, overhead: float, each: float, compiling: float = 0.0, reading: float = 0.0) -> None:
        self.overhead, self.each, self.now = overhead, each, 0.0
        self.costs = [compiling, reading]
        self.shares: list[int] = []

    def prepare(self):
        self.now += self.costs.pop(0) if self.costs else 0.0
        return self.run

    def run(self, share: int) -> None:
        self.shares.append(share)
        self.now += self.overhead + self.each * share

    def estimated(self, size: int, budget: float = 0.2, enough: float = inf) -> Estimate:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: self.now))
            return estimate(self.prepare, size, budget, enough)


@given(st.floats(0, 1e-3), st.floats(1e-7, 1e-2), st.integers(1, 10**6))
def test_overhead_and_slope_tell_the_time_of_the_whole(overhead: float, each: float, size: int) -> None:
    assert Machine(overhead, each).estimated(size).seconds == pytest.approx(overhead + each * size, rel=1e-3)


@given(SECONDS, SECONDS, st.integers(1, 10**6))
def test_shares_grow_never_beyond_the_whole_and_stay_in_the_budget(overhead: float, each: float, size: int) -> None:
    machine = Machine(overhead, each)
    machine.estimated(size, budget=0.5)
    assert machine.shares[:-1] == sorted(machine.shares[:-1])
    assert max(machine.shares) <= size
    # made ready twice, and one share of each kind that was not foreseen to exceed it
    one = overhead + each
    assert machine.now <= 3 * one + 0.5 + module.MOST * module.SETTLING * 12


def test_a_whole_that_fits_in_the_budget_is_measured_itself() -> None:
    machine = Machine(1e-4, 1e-5)
    machine.estimated(1000)
    assert 1000 in machine.shares


def test_a_part_that_takes_longer_than_the_budget_is_taken_as_proportional() -> None:
    machine = Machine(0.0, 3.0)
    assert machine.estimated(10).seconds == pytest.approx(30)
    assert set(machine.shares) == {1}


def test_little_more_time_is_spent_on_a_device_that_is_far_behind() -> None:
    promising, hopeless = Machine(0.0, 1e-3), Machine(0.0, 1e-3)
    promising.estimated(10_000, enough=20.0)
    found = hopeless.estimated(10_000, enough=0.01)
    assert max(hopeless.shares) < max(promising.shares) / 2
    assert found.seconds == pytest.approx(10)


def test_getting_ready_counts_as_a_run_pays_it_with_what_the_first_time_left_behind() -> None:
    found = Machine(1e-3, 0.0, compiling=2.0, reading=0.25).estimated(100)
    assert found.preparing == pytest.approx(0.25)
    assert found.each_step(100) == pytest.approx(1e-3 + 0.0025)
    assert found.each_step(None) == pytest.approx(1e-3)


def test_a_device_that_cannot_win_is_made_ready_once() -> None:
    machine = Machine(1.0, 0.0, compiling=2.0, reading=0.25)
    assert machine.estimated(100, enough=0.5).preparing == pytest.approx(2.0)
    assert machine.costs == [0.25]
