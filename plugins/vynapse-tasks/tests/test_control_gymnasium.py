# SPDX-License-Identifier: MIT OR Apache-2.0
"""Control tasks against Gymnasium: the same start and the same actions give the same observations, rewards and ends."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from vynapse_core import Array, Streams
from vynapse_tasks.control.acrobot import Acrobot
from vynapse_tasks.control.cartpole import CartPole
from vynapse_tasks.control.mountain_car import MountainCar, MountainCarContinuous
from vynapse_tasks.control.pendulum import Pendulum

TWINS = {
    "CartPole-v1": CartPole(),
    "MountainCar-v0": MountainCar(),
    "MountainCarContinuous-v0": MountainCarContinuous(),
    "Acrobot-v1": Acrobot(),
    "Pendulum-v1": Pendulum(),
}
SWING = {"CartPole-v1": (0.5, 1.0, 10.0, 2.0), "MountainCar-v0": (0.0, 100.0), "Acrobot-v1": (0.0, 0.0, 0.5, 0.5)}
"""Weights of the state with which a push to its side keeps a pole up, or swings a car or an acrobot up."""


def outputs(name: str, state: Array, time: int) -> Array:
    """Return a network's outputs, float64 [1, k]: they reach the goal, or go through all that can happen."""
    if name in SWING:
        side = float(np.dot(SWING[name], state))
        return np.array([[-side, 0.0, side] if TWINS[name].outputs == 3 else [-side, side]])
    if name == "MountainCarContinuous-v0":
        return np.array([[float(np.sign(state[1])) * (0.9 if time % 5 else 1.3)]])
    return np.array([[3.0 * np.sin(0.1 * time)]])


def action(name: str, outputs: Array) -> Any:
    """Return what Gymnasium takes for a network's `outputs` [1, k]."""
    return outputs[0] if outputs.shape[1] == 1 else int(np.argmax(outputs))


def episodes(name: str, n: int = 3) -> Any:
    """Yield (state, outputs, state, observation, reward, ended) of each step of n of Gymnasium's episodes."""
    env = gymnasium.make(name).unwrapped
    for seed in range(n):
        env.reset(seed=seed)
        for time in range(TWINS[name].limit):
            before = np.array(env.state, np.float64)
            played = outputs(name, before, time)
            seen, reward, ended, _, _ = env.step(action(name, played))
            yield before, played, np.array(env.state, np.float64), seen, reward, ended
            if ended:
                break


@pytest.mark.parametrize("name", TWINS)
def test_each_step_is_gymnasiums_to_twelve_digits(name: str) -> None:
    task = TWINS[name]
    # the continuous car's state is rounded to float32 by Gymnasium
    tolerance = 1e-7 if name == "MountainCarContinuous-v0" else 1e-12
    steps = 0
    for before, played, after, seen, reward, ended in episodes(name):
        found, got, over = task.advance(task.parameters, tuple(before[:, None]), tuple(played.T))
        np.testing.assert_allclose(np.concatenate(found), after, rtol=0, atol=tolerance)
        np.testing.assert_allclose(np.broadcast_to(got, 1), reward, rtol=0, atol=1e-12)
        np.testing.assert_allclose(np.concatenate(task.observe((), found)), seen, rtol=0, atol=1e-6)
        assert bool(np.all(over)) == ended
        steps += 1
    assert steps > 200


@pytest.mark.parametrize("name", TWINS)
def test_each_step_in_float32_is_gymnasiums_to_its_precision(name: str) -> None:
    task = TWINS[name]
    for before, played, after, seen, reward, _ in episodes(name, n=1):
        state = {part: before[[i]].astype(np.float32) for i, part in enumerate(task.components)}
        found, observed, rewards, _ = task.step(state, played.astype(np.float32))
        assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}
        np.testing.assert_allclose(np.concatenate(list(found.values())), after, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(observed[0], seen, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(rewards, reward, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["CartPole-v1", "MountainCar-v0", "Pendulum-v1"])
def test_a_whole_episode_is_gymnasiums(name: str) -> None:
    task = TWINS[name]
    env = gymnasium.make(name)
    seen, _ = env.reset(seed=7)
    state = tuple(np.array(env.unwrapped.state, np.float64)[:, None])
    total, steps, done = 0.0, 0, False
    while not done:
        played = outputs(name, np.concatenate(state), steps)
        seen, reward, ended, cut, _ = env.step(action(name, played))
        state, got, over = task.advance(task.parameters, state, tuple(played.T))
        np.testing.assert_allclose(np.concatenate(task.observe((), state)), seen, rtol=0, atol=1e-5)
        total, steps, done = total + float(np.asarray(got).item() - reward), steps + 1, ended or cut
        assert bool(np.all(over)) == ended
    assert total == pytest.approx(0, abs=1e-6)
    assert steps > 100


@pytest.mark.parametrize("name", TWINS)
def test_limits_targets_and_shapes_are_gymnasiums(name: str) -> None:
    task, env = TWINS[name], gymnasium.make(name)
    assert env.spec is not None
    assert task.limit == env.spec.max_episode_steps
    assert task.target == env.spec.reward_threshold
    assert env.observation_space.shape == task.inputs
    assert task.outputs == getattr(env.action_space, "n", 1)


@pytest.mark.parametrize("name", TWINS)
def test_starts_fill_gymnasiums_range(name: str) -> None:
    task, env = TWINS[name], gymnasium.make(name).unwrapped
    ours = np.stack(task.start(4000, Streams(1)("episodes")))
    theirs = []
    for seed in range(400):
        env.reset(seed=seed)
        theirs.append(env.state)
    low, high = np.min(theirs, axis=0), np.max(theirs, axis=0)
    margin = 0.03 * (high - low) + 1e-6
    np.testing.assert_array_less(np.abs(ours.min(axis=1) - low), margin)
    np.testing.assert_array_less(np.abs(ours.max(axis=1) - high), margin)
    np.testing.assert_allclose(ours.mean(axis=1), (low + high) / 2, atol=float(margin.max()))


@pytest.mark.parametrize("name", ["MountainCar-v0", "Acrobot-v1", "CartPole-v1"])
@pytest.mark.parametrize("values", [(0, 0, 0), (1, 1, 0), (0, 1, 1), (1, 0, 1), (2, 1, 0), (0, 2, 1), (0, 1, 2)])
def test_of_equal_outputs_the_first_acts(name: str, values: tuple[float, ...]) -> None:
    task, env = TWINS[name], gymnasium.make(name).unwrapped
    env.reset(seed=0)
    start = tuple(np.array(env.state, np.float64)[:, None])
    played = np.array([values[: task.outputs]], np.float64)
    env.step(int(np.argmax(played)))
    found, _, _ = task.advance((), start, tuple(played.T))
    np.testing.assert_allclose(np.concatenate(found), env.state, rtol=0, atol=1e-12)
