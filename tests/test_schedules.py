# SPDX-License-Identifier: MIT OR Apache-2.0
"""Schedules: their values at every step, their extremes, and fields that take a number or a schedule."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from pydantic import Field, ValidationError

from vynapse_core import Clock, Schedule, Scheduled, value_at
from vynapse_core.catalogue import installed
from vynapse_core.schedules import Constant, Cosine, Exponential, Linear, OneCycle, Piecewise, Step, WarmUp
from vynapse_core.settings import Settings

POSITIVE = st.floats(min_value=1e-6, max_value=1e6)
LENGTHS = st.integers(1, 1000)
SHAPES = (Linear, Exponential, Cosine)


class Knob(Settings):
    """A field of each sort."""

    rate: Scheduled = Field(0.5, ge=0, le=1)
    """A share."""
    size: Scheduled | None = Field(None, gt=0)
    """A size, or none."""


@pytest.mark.parametrize(
    ("schedule", "steps", "values"),
    [
        (Constant(value=3.0), [0, 7], [3.0, 3.0]),
        (Linear(start=0.0, end=1.0, steps=5), [0, 1, 2, 4, 5, 99], [0.0, 0.25, 0.5, 1.0, 1.0, 1.0]),
        (Exponential(start=1.0, end=0.01, steps=3), [0, 1, 2, 3], [1.0, 0.1, 0.01, 0.01]),
        (Cosine(start=1.0, end=0.0, steps=5), [0, 2, 4, 9], [1.0, 0.5, 0.0, 0.0]),
        (Cosine(start=1.0, end=0.0, steps=4), [1, 2], [0.75, 0.25]),
        (Step(start=8.0, every=2), [0, 1, 2, 3, 4], [8.0, 8.0, 4.0, 4.0, 2.0]),
        (Step(start=8.0, every=1, end=3.0), [0, 1, 2, 50], [8.0, 4.0, 3.0, 3.0]),
        (Step(start=1.0, factor=2.0, every=1, end=3.0), [0, 1, 2, 50], [1.0, 2.0, 3.0, 3.0]),
        (Step(start=1.0, factor=1.0, every=1), [0, 50], [1.0, 1.0]),
        (Step(start=-8.0, every=1, end=-3.0), [0, 1, 2], [-8.0, -4.0, -3.0]),
        (Piecewise(steps=(10, 20, 30), values=(1.0, 2.0, 0.0)), [0, 10, 15, 20, 25, 30, 99], [1, 1, 1.5, 2, 1, 0, 0]),
        (Piecewise(steps=(3,), values=(2.0,)), [0, 3, 4], [2.0, 2.0, 2.0]),
        (OneCycle(start=0.0, peak=1.0, end=0.5, steps=9, rise=0.25), [0, 1, 2, 5, 8, 9], [0, 0.5, 1, 0.75, 0.5, 0.5]),
        (WarmUp(steps=2, start=0.0, then=1.0), [0, 1, 2, 3], [0.0, 0.5, 1.0, 1.0]),
        (
            WarmUp(steps=2, start=0.0, then=Linear(start=1.0, end=0.0, steps=3)),
            [0, 1, 2, 3, 4, 5],
            [0, 0.5, 1, 0.5, 0, 0],
        ),
    ],
)
def test_a_schedule_has_these_values(schedule: Schedule, steps: list[int], values: list[float]) -> None:
    assert [schedule.at(Clock(step)) for step in steps] == pytest.approx(values)


@given(shape=st.sampled_from(SHAPES), start=POSITIVE, end=POSITIVE, steps=LENGTHS)
def test_a_schedule_over_steps_starts_at_start_and_stays_at_end(
    shape: Any, start: float, end: float, steps: int
) -> None:
    schedule = shape(start=start, end=end, steps=steps)
    if steps > 1:
        assert schedule.at(Clock(0)) == pytest.approx(start)
        assert schedule.at(Clock(steps - 1)) == pytest.approx(end)
    assert schedule.at(Clock(steps)) == pytest.approx(end)
    assert schedule.at(Clock(10 * steps)) == pytest.approx(end)


@given(shape=st.sampled_from(SHAPES), start=POSITIVE, end=POSITIVE, steps=LENGTHS, step=st.integers(0, 2000))
def test_a_schedule_without_steps_takes_those_of_the_run(
    shape: Any, start: float, end: float, steps: int, step: int
) -> None:
    own = shape(start=start, end=end, steps=steps).at(Clock(step))
    assert shape(start=start, end=end).at(Clock(step, steps)) == own


def test_what_follows_a_warm_up_takes_the_steps_that_the_run_has_left() -> None:
    schedule = WarmUp(steps=3, start=0.1, then=Cosine(start=1.0, end=0.2))
    own = Cosine(start=1.0, end=0.2, steps=7)
    assert [schedule.at(Clock(step, 10)) for step in range(3, 12)] == [own.at(Clock(step)) for step in range(9)]


def test_a_peak_below_an_end_is_refused() -> None:
    with pytest.raises(ValidationError, match="'peak' is 1, and neither 'start' nor 'end' may lie above it"):
        OneCycle(start=2.0, peak=1.0, end=0.5)


RATE, LENGTH = 0.8, 12
PEERS: dict[str, tuple[Schedule, Any]] = {
    "step": (Step(start=RATE, factor=0.3, every=4), lambda torch, of: torch.StepLR(of, 4, 0.3)),
    "exponential": (
        Exponential(start=RATE, end=RATE * 0.7 ** (LENGTH - 1), steps=LENGTH),
        lambda torch, of: torch.ExponentialLR(of, 0.7),
    ),
    "linear": (
        Linear(start=RATE, end=RATE / 4, steps=LENGTH),
        lambda torch, of: torch.LinearLR(of, 1.0, 0.25, LENGTH - 1),
    ),
    "cosine": (
        Cosine(start=RATE, end=0.1, steps=LENGTH),
        lambda torch, of: torch.CosineAnnealingLR(of, LENGTH - 1, 0.1),
    ),
    "warm_up": (
        WarmUp(steps=4, start=RATE / 4, then=Cosine(start=RATE, end=0.1, steps=LENGTH - 4)),
        lambda torch, of: torch.SequentialLR(
            of, [torch.LinearLR(of, 0.25, 1.0, 4), torch.CosineAnnealingLR(of, LENGTH - 5, 0.1)], [4]
        ),
    ),
    # its rise ends at the fourth step: a quarter of the steps less one
    "one_cycle": (
        OneCycle(start=RATE / 25, peak=RATE, end=RATE / 1000, steps=LENGTH, rise=3 / (LENGTH - 1)),
        lambda torch, of: torch.OneCycleLR(
            of, RATE, LENGTH, pct_start=4 / LENGTH, cycle_momentum=False, final_div_factor=40
        ),
    ),
}


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("name", PEERS)
def test_a_schedule_follows_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    schedule, peer = PEERS[name]
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    theirs, wanted = peer(torch.optim.lr_scheduler, optimiser), []
    for _ in range(LENGTH):
        wanted.append(theirs.get_last_lr()[0])
        optimiser.step()
        theirs.step()
    assert [schedule.at(Clock(step)) for step in range(LENGTH)] == pytest.approx(wanted, rel=1e-6)


ANY: st.SearchStrategy[Schedule] = st.one_of(
    st.builds(Constant, value=POSITIVE),
    *(st.builds(shape, start=POSITIVE, end=POSITIVE, steps=LENGTHS) for shape in SHAPES),
    st.builds(OneCycle, start=POSITIVE, peak=st.just(1e6), end=POSITIVE, steps=LENGTHS, rise=st.floats(0.01, 0.99)),
    st.builds(
        WarmUp, steps=LENGTHS, start=POSITIVE, then=st.builds(Cosine, start=POSITIVE, end=POSITIVE, steps=LENGTHS)
    ),
    st.builds(Step, start=POSITIVE, factor=st.floats(0.1, 0.99), every=LENGTHS, end=st.none() | st.just(1e-7)),
    st.builds(Step, start=POSITIVE, factor=st.floats(1.01, 3), every=st.integers(10, 50), end=st.none() | st.just(1e7)),
    st.dictionaries(st.integers(0, 2000), POSITIVE, min_size=1, max_size=5).map(
        lambda points: Piecewise(steps=tuple(sorted(points)), values=tuple(points[step] for step in sorted(points)))
    ),
)


@given(schedule=ANY, step=st.integers(0, 2000))
def test_a_schedule_never_leaves_its_extremes(schedule: Schedule, step: int) -> None:
    low, high = schedule.extremes()
    value = schedule.at(Clock(step))
    assert low <= value <= high


@given(schedule=ANY, bound=POSITIVE)
def test_a_schedule_compares_with_a_bound_as_its_extremes_do(schedule: Schedule, bound: float) -> None:
    low, high = schedule.extremes()
    assert (schedule > bound, schedule >= bound) == (low > bound, low >= bound)
    assert (schedule < bound, schedule <= bound) == (high < bound, high <= bound)


@pytest.mark.parametrize(
    ("start", "factor", "end", "reach"),
    [
        (1.0, 0.5, 2.0, "from 0 to 1"),
        (1.0, 0.5, -1.0, "from 0 to 1"),
        (1.0, 2.0, 0.5, "from 1 to inf"),
        (-1.0, 2.0, 0.0, "from -inf to -1"),
        (1.0, 1.0, 2.0, "from 1 to 1"),
    ],
)
def test_a_step_schedule_that_never_comes_to_its_end_is_refused(
    start: float, factor: float, end: float, reach: str
) -> None:
    with pytest.raises(ValidationError, match=f"lead {reach}"):
        Step(start=start, factor=factor, every=1, end=end)


@pytest.mark.parametrize(
    ("schedule", "value"),
    [
        (Step(start=1.0, factor=2.0, every=1), float("inf")),
        (Step(start=-1.0, factor=2.0, every=1), float("-inf")),
        (Step(start=0.0, factor=2.0, every=1), 0.0),
        (Step(start=1.0, factor=2.0, every=1, end=100.0), 100.0),
        (Step(start=-8.0, factor=0.5, every=1, end=-1.0), -1.0),
    ],
)
def test_a_step_schedule_has_a_value_however_long_a_run_is(schedule: Step, value: float) -> None:
    assert schedule.at(Clock(10**6)) == value


@pytest.mark.parametrize("shape", SHAPES)
def test_a_schedule_over_steps_does_not_overflow(shape: Any) -> None:
    schedule = shape(start=1e-308, end=1.7e308, steps=11)
    assert all(1e-308 <= schedule.at(Clock(step)) <= 1.7e308 for step in range(12))
    assert Linear(start=-1.7e308, end=1.7e308, steps=3).at(Clock(1)) == 0


def test_a_schedule_without_any_length_is_refused_when_it_is_wired_and_when_it_is_asked() -> None:
    experiment: Any = SimpleNamespace(recipe=SimpleNamespace(stop=SimpleNamespace(steps=None)))
    field, message = next(Linear(start=1, end=2).problems(experiment))
    assert field == "steps"
    assert "set 'steps' here, or stop.steps" in message
    assert list(Linear(start=1, end=2, steps=3).problems(experiment)) == []
    experiment.recipe.stop.steps = 9
    assert list(Linear(start=1, end=2).problems(experiment)) == []
    with pytest.raises(ValueError, match="needs a run with"):
        Linear(start=1, end=2).at(Clock(3))


@pytest.mark.parametrize("value", [0, 1, 0.5, Constant(value=1), Linear(start=0, end=1), Cosine(start=1, end=0)])
def test_a_scheduled_field_takes_numbers_and_schedules_within_its_bounds(value: Any) -> None:
    assert Knob(rate=value).rate == value


@pytest.mark.parametrize(
    "value",
    [
        *(-0.1, 1.1, float("nan"), float("inf"), True, "0.5", None, [0.5], {}),
        *(Constant(value=2), Linear(start=0, end=1.1), Linear(start=-0.1, end=1)),
    ],
)
def test_a_scheduled_field_refuses_what_leaves_its_bounds_or_is_no_number(value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Knob(rate=value)
    assert caught.value.error_count() == 1


def test_a_scheduled_field_may_be_empty() -> None:
    assert Knob().size is None
    assert Knob(size=2).size == 2
    assert Knob(size=Constant(value=2)).size == Constant(value=2)
    with pytest.raises(ValidationError):
        Knob(size=0)
    with pytest.raises(ValidationError):
        Knob(size=Constant(value=0))


def test_value_at_reads_numbers_and_schedules() -> None:
    assert value_at(0.5, Clock(3)) == 0.5
    other: Any = np.float32(0.5)
    assert value_at(other, Clock(3)) == 0.5
    assert value_at(Linear(start=0, end=1, steps=5), Clock(2)) == 0.5


def test_every_schedule_has_a_name_for_recipes() -> None:
    names = {entry.name: entry.component for entry in installed().of_kind("schedule") if entry.package == "vynapse"}
    assert set(names.values()) == {Constant, Linear, Exponential, Cosine, Step, Piecewise, OneCycle, WarmUp}
    assert names["linear"] is Linear
