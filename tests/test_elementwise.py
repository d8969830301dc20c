# SPDX-License-Identifier: MIT OR Apache-2.0
"""Elementwise tasks: functions of numbers played on arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np

from vynapse_core import Array, ElementwiseTask, Stream, Streams
from vynapse_core.testing import check_task


class Counter(ElementwiseTask):
    """Counts, in float64, up to a limit; shows the count and its half."""

    goal: int = 3
    """Where it ends."""

    @property
    def inputs(self) -> tuple[int]:
        return (2,)

    @property
    def outputs(self) -> int:
        return 1

    @property
    def components(self) -> tuple[str, ...]:
        return ("count", "constant")

    @property
    def parameters(self) -> tuple[float, ...]:
        return (float(self.goal),)

    def start(self, n: int, rng: Stream) -> tuple[Array, ...]:
        return np.zeros(n, np.float32), np.ones(n, np.float32)

    @property
    def advance(self) -> Callable[..., Any]:
        return advance

    @property
    def observe(self) -> Callable[..., Any]:
        return observe


def advance(parameters: Any, state: Any, outputs: Any) -> tuple[Any, Any, Any]:
    count = state[0] + np.float64(1) * np.logical_not(state[0] >= parameters[0])
    return (count, 1.0), -1.0, count >= parameters[0]


def observe(parameters: Any, state: Any) -> Any:
    return state[0], state[0] / 2


def test_an_elementwise_task_keeps_the_contract_of_episodic_tasks() -> None:
    check_task(Counter())


def test_parameters_and_the_state_reach_the_functions() -> None:
    task = Counter(goal=2)
    state, seen = task.reset(3, Streams(1)("episodes"))
    assert seen.tolist() == [[0, 0]] * 3
    ends = []
    for _ in range(3):
        state, seen, rewards, ended = task.step(state, np.zeros((3, 1), np.float32))
        ends.append(ended.tolist())
    assert ends == [[False] * 3, [True] * 3, [True] * 3]
    assert seen.tolist() == [[2, 1]] * 3
    assert rewards.tolist() == [-1] * 3


def test_the_state_keeps_the_type_of_its_start_though_the_arithmetic_is_wider() -> None:
    task = Counter()
    state, _ = task.reset(2, Streams(1)("episodes"))
    state, seen, rewards, ends = task.step(state, np.zeros((2, 1), np.float32))
    assert {name: (array.dtype, array.shape) for name, array in state.items()} == {
        "count": (np.float32, (2,)),
        "constant": (np.float32, (2,)),
    }
    assert (seen.dtype, rewards.dtype, ends.dtype) == (np.float32, np.float32, np.bool_)
