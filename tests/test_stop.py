# SPDX-License-Identifier: MIT OR Apache-2.0
"""When a run stops: each criterion, their order, and the progress they are judged by."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from vynapse_core import Report
from vynapse_core.stop import DEFAULT_STEPS, Progress, Stop


def reached(stop: Stop, progress: Progress, target: float | None) -> str | None:
    """Return the name of the first criterion that holds, or None."""
    return next(iter(stop.criteria(target).holding(progress)), None)


def report(step: int, best: float, **columns: float) -> Report:
    return Report(step=step, evaluations=10 * step, best=best, mean=best, worst=best, columns=columns)


@pytest.mark.parametrize(
    ("criterion", "before", "after"),
    [
        ({"steps": 5}, {"step": 4}, {"step": 5}),
        ({"evaluations": 50}, {"evaluations": 49}, {"evaluations": 51}),
        ({"seconds": 2.5}, {"seconds": 2.4}, {"seconds": 2.5}),
        ({"fitness": -0.01}, {"best": -0.011}, {"best": -0.01}),
        ({"loss": 0.1}, {"loss": 0.11}, {"loss": 0.1}),
        ({"patience": 3}, {"step": 9, "improved": 7}, {"step": 10, "improved": 7}),
    ],
)
def test_each_criterion_holds_from_its_value_on(
    criterion: dict[str, Any], before: dict[str, Any], after: dict[str, Any]
) -> None:
    stop = Stop(**criterion)
    assert reached(stop, Progress(**before), None) is None
    assert reached(stop, Progress(**after), None) == next(iter(criterion))


def test_solved_needs_a_task_with_a_target_and_the_wish_to_stop() -> None:
    progress = Progress(step=1, best=0.0)
    assert reached(Stop(solved=True), progress, 0.0) == "solved"
    assert reached(Stop(solved=True), progress, 0.1) is None
    assert reached(Stop(solved=True), progress, None) is None
    assert reached(Stop(steps=9), progress, 0.0) is None


def test_success_is_named_before_exhaustion() -> None:
    stop = Stop(steps=5, evaluations=5, seconds=1.0, fitness=0.0, loss=0.0, patience=1, solved=True)
    progress = Progress(step=5, evaluations=5, seconds=1.0, best=0.0, improved=0, loss=0.0)
    assert reached(stop, progress, 0.0) == "solved"
    assert reached(stop, progress, None) == "fitness"


@pytest.mark.parametrize("none", [{}, {"solved": False}, {"steps": None}, {"fitness": None, "solved": False}])
def test_without_any_criterion_a_run_takes_the_default_number_of_steps(none: dict[str, Any]) -> None:
    assert Stop(**none).steps == DEFAULT_STEPS


@given(
    steps=st.none() | st.integers(1, 50),
    patience=st.none() | st.integers(1, 50),
    fitness=st.none() | st.floats(-5, 5),
    seconds=st.none() | st.floats(0.5, 50),
)
def test_a_criterion_that_is_given_replaces_the_default(
    steps: int | None, patience: int | None, fitness: float | None, seconds: float | None
) -> None:
    stop = Stop(steps=steps, patience=patience, fitness=fitness, seconds=seconds)
    if (patience, fitness, seconds) != (None, None, None):
        assert stop.steps == steps


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"steps": -1}, {"patience": 0}, {"seconds": 0.0}, {"evaluations": 0}, {"fitness": float("nan")}],
)
def test_a_criterion_that_could_never_count_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Stop(**wrong)


def test_progress_keeps_the_best_and_the_step_that_first_found_it() -> None:
    progress = Progress()
    for step, best in enumerate([1.0, 3.0, 3.0, 2.0], start=1):
        progress = progress.after(report(step, best), 0.5)
    assert (progress.best, progress.improved, progress.step, progress.evaluations) == (3.0, 2, 4, 40)
    assert progress.seconds == 2.0


def test_a_step_without_finite_fitness_is_no_improvement() -> None:
    progress = Progress().after(report(1, float("-inf")), 0.0).after(report(2, float("nan")), 0.0)
    assert (progress.best, progress.improved) == (float("-inf"), 0)


def test_the_loss_is_the_least_so_far_of_the_trainers_column_or_of_its_fitness_with_the_sign_changed() -> None:
    assert Progress().after(report(1, -0.25), 0.0).loss == 0.25
    first = Progress().after(report(1, 0.9, loss=0.3), 0.0)
    assert first.loss == 0.3
    assert first.after(report(2, 0.9, loss=0.4), 0.0).loss == 0.3
    assert first.after(report(2, 0.9, loss=float("nan")), 0.0).after(report(3, 0.9, loss=0.2), 0.0).loss == 0.2


def test_the_start_counts_as_time_and_its_evaluations_in_the_first_steps_rate() -> None:
    progress = Progress.started(3.0, -2.0)
    assert (progress.seconds, progress.best, progress.improved, progress.step) == (3.0, -2.0, 0, 0)
    first = progress.after(Report(step=1, evaluations=200, best=-2.0, mean=-2.0, worst=-2.0), 1.0)
    assert (first.seconds, first.evaluations_per_second, first.improved) == (4.0, 50.0, 0)
    assert first.after(Report(2, 300, -1.0, -1.0, -1.0), 1.0).evaluations_per_second == 100.0


@pytest.mark.parametrize("unknown", [None, float("-inf"), float("nan")])
def test_a_trainer_that_knows_no_fitness_yet_starts_from_nothing(unknown: float | None) -> None:
    assert Progress.started(0.0, unknown).best == float("-inf")


def test_a_goal_is_looked_at_again_ten_steps_after_it_was_refuted() -> None:
    assert Progress(step=1).may_confirm
    assert not Progress(step=10, refuted=1).may_confirm
    assert Progress(step=11, refuted=1).may_confirm


def test_all_criteria_that_hold_are_named_goals_first() -> None:
    stop = Stop(steps=5, fitness=0.0, loss=0.5, patience=2)
    progress = Progress(step=5, best=1.0, improved=4, loss=1.0)
    assert stop.criteria(None).holding(progress) == ["fitness", "steps"]
    assert stop.criteria(None).holding(progress.judged_by(-0.4)) == ["loss", "steps"]
    assert stop.criteria(None).holding(progress.judged_by(None)) == ["fitness", "steps"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"step": -1},
        {"step": 3, "improved": 4},
        {"step": 3, "refuted": 4},
        {"evaluations": -1},
        {"seconds": float("nan")},
        {"seconds": float("inf")},
        {"best": float("nan")},
        {"best": float("inf")},
    ],
)
def test_a_progress_that_no_run_could_make_has_a_flaw(wrong: dict[str, Any]) -> None:
    assert Progress(**wrong).flaw
    assert Progress().flaw == Progress(step=3, improved=3, refuted=3, best=1.0, seconds=1.0).flaw == ""


def test_progress_is_not_changed_by_a_step() -> None:
    progress = Progress()
    progress.after(report(1, 1.0), 1.0)
    assert progress == Progress()
