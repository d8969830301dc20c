# SPDX-License-Identifier: MIT OR Apache-2.0
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Streams
from vynapse_core.state_tree import decode, encode
from vynapse_neat.threshold import Aim, Bandit, Fixed, HillClimbing, Memory, Pid, Step

CONTROLLERS: tuple[Any, ...] = (Step(), Pid(), HillClimbing(), Bandit())
RESPONSES: dict[str, Callable[[float], float]] = {
    "hyperbola": lambda threshold: 60 / threshold,
    "exponential": lambda threshold: 60 * math.exp(-threshold / 2),
    "line": lambda threshold: 40 - 5 * threshold,
    "greater genomes": lambda threshold: 400 / threshold,
}


def steered(controller: Any, response: Callable[[float], float], threshold: float, steps: int = 300) -> list[int]:
    """Return the numbers of species of a population of 150 that answers to thresholds by `response`."""
    draws, memory, seen = Streams(5)("threshold").uniform(steps), Memory(), []
    for draw in draws.tolist():
        seen.append(min(max(round(response(threshold)), 1), 150))
        threshold, memory, _ = controller.update(threshold, memory, seen[-1], Aim(10), draw)
    return seen


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("controller", CONTROLLERS, ids=lambda each: type(each).__name__)
@given(start=st.floats(0.3, 30))
@settings(max_examples=15, deadline=None)
def test_every_controller_comes_within_two_of_the_wanted_number(controller: Any, response: str, start: float) -> None:
    assert all(abs(species - 10) <= 2 for species in steered(controller, RESPONSES[response], start)[-50:])


@pytest.mark.parametrize("controller", [HillClimbing(), Bandit(), Pid()], ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("start", [0.5, 3.0, 20.0])
def test_a_steep_response_that_fixed_steps_cannot_hold_is_held_by_others(controller: Any, start: float) -> None:
    def steep(threshold: float) -> float:
        return 1000 * math.exp(-2 * threshold)

    assert any(abs(species - 10) > 2 for species in steered(Step(), steep, 1.0)[-50:])
    assert all(abs(species - 10) <= 2 for species in steered(controller, steep, start)[-50:])


@pytest.mark.parametrize("controller", [Fixed(), *CONTROLLERS], ids=lambda each: type(each).__name__)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=60), st.floats(0.3, 1e6), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_threshold_stays_a_finite_number_above_its_bound(controller: Any, seen: Any, at: float, seed: int) -> None:
    memory, aim = Memory(), Aim(10, lowest=0.3)
    for species, draw in zip(seen, Streams(seed)("draw").uniform(len(seen)).tolist(), strict=True):
        at, memory, _ = controller.update(at, memory, species, aim, draw)
        assert 0.3 <= at < math.inf


def test_a_step_goes_up_for_too_many_species_and_down_for_too_few() -> None:
    for species, move in ((14, 0.3), (6, -0.3), (10, 0.0)):
        assert Step().update(3.0, Memory(), species, Aim(10), 0.0)[0] == pytest.approx(3 + move)


def test_each_update_says_why_the_threshold_moved() -> None:
    assert Step().update(3.0, Memory(), 14, Aim(10), 0.0)[2] == "step: 14 species, 10 wanted, +0.30"
    assert Pid().update(3.0, Memory(), 6, Aim(10), 0.0)[2] == "pid: 6 species, 10 wanted, -0.18"
    assert Fixed().update(3.0, Memory(), 6, Aim(10), 0.0) == (3.0, Memory(), "fixed: 6 species")
    bandit = Bandit().update(3.0, Memory(), 14, Aim(10), 0.5)[2]
    assert bandit == "bandit (success 1.00): step: 14 species, 10 wanted, +0.30"
    assert "at random" in Bandit().update(3.0, Memory(), 14, Aim(10), 0.05)[2]


def test_a_climber_turns_back_with_half_the_stride_where_it_got_worse() -> None:
    climber = HillClimbing(stride=0.2)
    up, memory, _ = climber.update(1.0, Memory(), 14, Aim(10), 0.0)
    assert up == pytest.approx(math.exp(0.2))
    further, better, _ = climber.update(1.0, memory, 12, Aim(10), 0.0)
    assert further == pytest.approx(math.exp(0.26))
    assert climber.update(1.0, better, 17, Aim(10), 0.0)[0] == pytest.approx(math.exp(-0.13))


def test_the_bandit_leaves_an_arm_that_fails() -> None:
    bandit, memory, arms, species = Bandit(exploration=0.0), Memory(), [], 12
    for _ in range(30):
        _, memory, _ = bandit.update(3.0, memory, species, Aim(10), 0.5)
        arms.append(memory.arm)
        species = species + 5 if memory.arm == 0 else 10
    assert arms[0] == 0
    assert set(arms[-10:]) == {1}
    assert memory.success[0] < 0.9 < memory.success[1]


def test_exploration_takes_each_arm_equally_often() -> None:
    draws = Streams(1)("draw").uniform(3000).tolist()
    taken = [Bandit(exploration=1.0).update(3.0, Memory(), 14, Aim(10), draw)[1].arm for draw in draws]
    assert all(abs(taken.count(arm) - 1000) < 5 * (3000 * 2 / 9) ** 0.5 for arm in range(3))


def test_a_checkpoint_holds_the_memory() -> None:
    _, memory, _ = Bandit().update(3.0, Memory(), 14, Aim(10), 0.5)
    assert decode(encode(memory, Memory, "m", {}), Memory, "m", lambda key, _: key) == memory


def test_a_threshold_must_be_bounded_by_a_positive_number() -> None:
    with pytest.raises(ValueError, match="lowest > 0, found 10 and 0"):
        Aim(10, lowest=0.0)
