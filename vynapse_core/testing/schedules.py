# SPDX-License-Identifier: MIT OR Apache-2.0
"""The check of schedules."""

from __future__ import annotations

import math

from vynapse_core.clock import Clock
from vynapse_core.schedules import Schedule
from vynapse_core.testing.contract import Contract
from vynapse_core.testing.parts import check_component

STEPS = 50
ROUNDING = 1e-9
"""How far, relatively, a value may stray beyond the extremes by rounding."""


def check_schedule(schedule: Schedule) -> None:
    """Check that a schedule gives finite numbers which depend on the clock alone and never leave its extremes."""
    contract = Contract.of(schedule, Schedule)
    check_component(schedule)
    low, high = contract.call(schedule.extremes, given="every schedule")
    contract.require(low <= high, "extremes returns the least value first", f"({low}, {high})")
    slack = ROUNDING * max(abs(x) for x in (low, high, 1.0) if math.isfinite(x))
    for step in (*range(STEPS), 10 * STEPS):
        clock = Clock(step, STEPS)
        value = contract.call(schedule.at, clock, given=f"{clock}")
        finite = isinstance(value, int | float) and math.isfinite(value)
        contract.require(finite, "at returns a finite number", f"{value!r} at {clock}")
        contract.require(
            schedule.at(clock) == value, "at depends on the clock alone", f"another value than {value} at {clock}"
        )
        contract.require(
            low - slack <= value <= high + slack,
            "at stays within extremes, against which a field's bounds are checked",
            f"{value} at {clock}, outside [{low}, {high}]",
        )
