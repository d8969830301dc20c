# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every control task's functions: the same compiled as on arrays, quiet after the end and for any output."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from vynapse_core import Array, ElementwiseTask, Streams
from vynapse_core.testing import check_task
from vynapse_tasks.control.acrobot import Acrobot
from vynapse_tasks.control.cartpole import CartPole
from vynapse_tasks.control.mountain_car import MountainCar, MountainCarContinuous
from vynapse_tasks.control.pendulum import Pendulum
from vynapse_tasks.control.pole_balancing import PoleBalancing

TASKS: tuple[ElementwiseTask, ...] = (
    CartPole(),
    MountainCar(),
    MountainCarContinuous(),
    Acrobot(),
    Pendulum(),
    PoleBalancing(),
    PoleBalancing(poles=1),
    PoleBalancing(velocities=False, fitness="damped"),
    PoleBalancing(poles=1, velocities=False, starts="grid"),
)
N = 4


def started(task: ElementwiseTask, dtype: Any) -> tuple[Array, ...]:
    return tuple(part.astype(dtype) for part in task.start(N, Streams(1)("episodes")))


@pytest.fixture(params=TASKS, ids=repr)
def task(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_the_contract_is_kept(task: ElementwiseTask) -> None:
    check_task(task)


def test_compiled_for_numbers_they_give_the_same_as_on_arrays(task: ElementwiseTask) -> None:
    advance, observe = numba.njit(task.advance), numba.njit(task.observe)
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        state = started(task, dtype)
        for time in range(120):
            outputs = Streams(2)("outputs", time).normal((N, task.outputs)).astype(dtype)
            after, reward, ended = task.advance(task.parameters, state, tuple(outputs.T))
            seen = task.observe(task.parameters, after)
            for i in range(N):
                numbers = tuple(part[i] for part in state)
                one, its_reward, its_end = advance(task.parameters, numbers, tuple(outputs[i]))
                np.testing.assert_allclose([part[i] for part in after], one, rtol=tolerance, atol=tolerance)
                its_sight = observe(task.parameters, one)
                np.testing.assert_allclose([part[i] for part in seen], its_sight, rtol=tolerance, atol=tolerance)
                assert np.broadcast_to(reward, N)[i] == pytest.approx(its_reward, rel=tolerance, abs=tolerance)
                assert np.broadcast_to(ended, N)[i] == its_end
            state = tuple(part.astype(dtype) for part in after)


@pytest.mark.parametrize("value", [1e30, -1e30, np.inf, -np.inf, np.nan, 0.0])
def test_no_output_makes_a_noise_however_long_the_episode(task: ElementwiseTask, value: float) -> None:
    state, _ = task.reset(N, Streams(1)("episodes"))
    outputs = np.full((N, task.outputs), value, np.float32)
    for _ in range(700):
        state, seen, rewards, _ = task.step(state, outputs)
    if np.isfinite(value):
        assert np.isfinite(seen).all()
        assert np.isfinite(rewards).all()


def test_a_network_that_fails_ends_or_has_no_fitness() -> None:
    outputs = np.full((N, 1), np.nan, np.float32)
    for task in (PoleBalancing(), MountainCarContinuous(), Pendulum()):
        state, _ = task.reset(N, Streams(1)("episodes"))
        _, _, rewards, ends = task.step(state, outputs)
        assert (ends | np.isnan(rewards)).all()
