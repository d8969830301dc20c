# SPDX-License-Identifier: MIT OR Apache-2.0
"""L-BFGS: its direction and line search, its way over Rosenbrock's valley, and networks trained by it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from vynapse_autodiff.batches import Feed
from vynapse_autodiff.lbfgs import Lbfgs, Objective, newton
from vynapse_autodiff.lesson import lesson_of
from vynapse_autodiff.sgd import Sgd
from vynapse_autodiff.wolfe import Trial, wolfe
from vynapse_core import Array, Experiment, Networks, RecipeError, wire
from vynapse_core.catalogue import installed
from vynapse_core.recipe import Recipe
from vynapse_core.testing import check_trainer

STARTS = np.array([[-1.2, 1.0, -0.5, 2.0], [0.0, 3.0, 1.0, -1.0]])


def rosenbrock(x: Array) -> tuple[float, Array]:
    """Return the sum of 100 (b − a²)² + (1 − a)² over neighbours a, b of x, and its gradient."""
    a, b = x[:-1], x[1:]
    slope = np.zeros_like(x)
    slope[:-1] = -400 * a * (b - a * a) - 2 * (1 - a)
    slope[1:] += 200 * (b - a * a)
    return float((100 * (b - a * a) ** 2 + (1 - a) ** 2).sum()), slope


def valley(optimiser: Lbfgs, starts: Array, steps: int, each: int = 1) -> tuple[Array, Array, int]:
    """Return places [P, n], losses [steps · each, P] and the number of gradients of descents from `starts` [P, n]."""

    def run(arrays: Mapping[str, Array], first: int, count: int) -> tuple[dict[str, Array], dict[str, Array]]:
        found = [rosenbrock(x) for x in arrays["x"]]
        return {**arrays, "slope.x": np.stack([slope for _, slope in found])}, {
            "loss": np.array([[loss for loss, _ in found]])
        }

    arrays = {"x": starts, "slope.x": np.zeros_like(starts)} | optimiser.beside({"x": starts})
    gradients, seen = 0, []
    for _ in range(steps):
        arrays, measured, asked = optimiser.follow(run, arrays, each, 1.0)
        gradients += asked
        seen.append(measured["loss"])
    return arrays["x"], np.concatenate(seen), gradients


def test_the_valley_of_rosenbrock_is_followed_to_its_end_from_every_start() -> None:
    places, losses, _ = valley(Lbfgs(), STARTS, 60)
    np.testing.assert_allclose(places, 1.0, atol=1e-6)
    assert (np.diff(losses, axis=0) <= 0).all()


def test_no_more_gradients_are_needed_than_by_scipy() -> None:
    optimise = pytest.importorskip("scipy.optimize")
    for start in STARTS:
        theirs = optimise.minimize(rosenbrock, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-6, "ftol": 0})
        places, _, gradients = valley(Lbfgs(), start[None], 1, theirs.nit)
        assert rosenbrock(places[0])[0] < 1e-8
        assert gradients <= 1.5 * theirs.nfev


def test_it_goes_as_far_as_pytorch_with_as_many_gradients() -> None:
    torch = pytest.importorskip("torch")
    x = torch.tensor(STARTS[0], requires_grad=True)
    theirs = torch.optim.LBFGS([x], max_iter=40, history_size=10, line_search_fn="strong_wolfe", tolerance_change=0)
    asked = 0

    def closure() -> Any:
        nonlocal asked
        asked += 1
        theirs.zero_grad()
        loss = (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
        loss.backward()
        return loss

    theirs.step(closure)
    places, _, gradients = valley(Lbfgs(), STARTS[:1], 1, 40)
    assert rosenbrock(places[0])[0] <= rosenbrock(x.detach().numpy())[0] + 1e-9
    assert gradients <= 1.2 * asked


def test_steps_of_a_trainer_do_not_change_the_way() -> None:
    once, _, _ = valley(Lbfgs(), STARTS, 1, 20)
    parted, _, _ = valley(Lbfgs(), STARTS, 10, 2)
    np.testing.assert_array_equal(once, parted)


def test_each_network_goes_its_own_way() -> None:
    both, losses, gradients = valley(Lbfgs(), STARTS, 1, 15)
    alone = [valley(Lbfgs(), start[None], 1, 15) for start in STARTS]
    np.testing.assert_array_equal(both, np.concatenate([place for place, _, _ in alone]))
    np.testing.assert_array_equal(losses, np.concatenate([found for _, found, _ in alone], axis=1))
    assert gradients == sum(asked for _, _, asked in alone)


@given(seed=st.integers(0, 2**16), pairs=st.integers(1, 6))
@settings(deadline=None)
def test_the_direction_is_that_of_the_updated_inverse_hessian(seed: int, pairs: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(6, 6))
    hessian = root @ root.T + np.eye(6)
    steps = rng.normal(size=(pairs, 6))
    changes = steps @ hessian
    inverse = np.eye(6) * (steps[-1] @ changes[-1]) / (changes[-1] @ changes[-1])
    for step, change in zip(steps, changes, strict=True):
        share = 1 / (step @ change)
        left = np.eye(6) - share * np.outer(step, change)
        inverse = left @ inverse @ left.T + share * np.outer(step, step)
    slope = rng.normal(size=6)
    np.testing.assert_allclose(newton(slope, list(steps), list(changes)), inverse @ slope, rtol=1e-6, atol=1e-8)


@given(first=st.floats(1e-3, 1e3), shift=st.floats(0.1, 20), waves=st.floats(0, 0.9))
def test_a_search_ends_where_the_strong_wolfe_conditions_hold(first: float, shift: float, waves: float) -> None:
    def at(length: float) -> Trial:
        loss = (length - shift) ** 2 / 2 + waves * np.cos(length)
        rise = length - shift - waves * np.sin(length)
        return Trial(length, float(loss), float(rise), np.array([rise]), {})

    start = at(0.0)
    found = wolfe(start, at, first, 50, 1.0)
    assert found.loss <= start.loss + 1e-4 * found.length * start.rise
    assert abs(found.rise) <= 0.9 * abs(start.rise)


def test_a_search_steps_back_from_where_the_loss_is_not_finite() -> None:
    def at(length: float) -> Trial:
        loss = -np.log(1 - length) - 3 * length if length < 1 else np.inf
        rise = 1 / (1 - length) - 3 if length < 1 else np.nan
        return Trial(length, float(loss), float(rise), np.array([rise]), {})

    found = wolfe(at(0.0), at, 8.0, 25, 1.0)
    assert 0.3 < found.length < 0.95


def test_a_search_without_anything_lower_returns_the_start() -> None:
    start = Trial(0.0, 0.0, -1.0, np.array([-1.0]), {})
    assert wolfe(start, lambda length: Trial(length, 1.0, 1.0, np.array([1.0]), {}), 1.0, 10, 1.0) is start


def experiment(optimiser: Mapping[str, Any], task: Any = "xor", **trainer: Any) -> Experiment:
    table = {
        "task": task,
        "genome": {"type": "mlp", "layers": (2, 4, 1)},
        "trainer": {"type": "sgd", "optimiser": {"rule": "lbfgs", **optimiser}, **trainer},
        "device": "reference",
    }
    return wire(Recipe.model_validate(table, context={"catalogue": installed()}))


def test_exclusive_or_is_learnt_in_a_few_line_searches() -> None:
    wired = experiment({}, networks=4, batches=15)
    state, report = wired.trainer.step(wired, wired.trainer.start(wired))
    assert report.best > -1e-4
    assert report.columns["accuracy"] > 0.5
    assert state.evaluations == report.evaluations < 4 * 15 * 4


def test_a_network_gets_as_far_as_by_scipy() -> None:
    optimise = pytest.importorskip("scipy.optimize")
    wired = experiment({}, "two_spirals", batches=25)
    first = wired.trainer.start(wired)
    state, _ = wired.trainer.step(wired, first)
    networks = Networks(wired.genome.networks(wired.genome.initial(1, wired.streams("initial"))).graph, first.arrays)
    lesson = lesson_of(wired, networks, Lbfgs())
    feed = Feed(lesson, wired.streams, 0, None, 1.0)
    run = partial(feed.run, Sgd().updating(wired, lesson))
    objective = Objective(Lbfgs(), run, {**first.arrays, **lesson.step.memory(first.arrays)})

    def told(point: Array) -> tuple[float, Array]:
        trial = objective.at(point, 0)
        return trial.loss, trial.slope

    start = objective.place
    theirs = optimise.minimize(told, start, jac=True, method="L-BFGS-B", options={"maxiter": 25, "ftol": 0, "gtol": 0})
    assert -state.best <= told(start)[0] - 0.8 * (told(start)[0] - theirs.fun)


def test_the_trainer_keeps_its_contract_with_lbfgs() -> None:
    check_trainer(Sgd(optimiser=Lbfgs(history=3), batches=2, networks=2))


def test_penalties_count_in_the_line_search() -> None:
    wired = experiment({"l2": 0.05}, batches=60)
    state, _ = wired.trainer.step(wired, wired.trainer.start(wired))
    slopes = np.concatenate([state.memory[f"slope.{name}"].ravel() for name in state.arrays])
    # at the minimum the penalty's gradient balances that of the loss
    assert np.abs(slopes).max() < 1e-3


@pytest.mark.parametrize("odd", [{"clip_norm": 1.0}, {"clip_value": 1.0}, {"accumulate": 2}, {"average": 0.9}])
def test_what_changes_its_gradient_is_refused(odd: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="lbfgs needs the gradient of its loss as it is"):
        Lbfgs(**odd)


def test_a_batch_of_some_samples_is_refused() -> None:
    with pytest.raises(RecipeError, match="lbfgs takes all samples at once, and a batch has 2 of 4"):
        experiment({}, batch=2)
