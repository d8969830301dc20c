# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pole balancing against mechanics: equations derived anew, energy, a controller by theory, and Gruau's fitness."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.integrate import solve_ivp
from scipy.linalg import solve_continuous_are

from vynapse_core import Array, Builder, Networks, Streams
from vynapse_core.evaluation import Evaluation
from vynapse_core.ops import OPS
from vynapse_tasks.control.pole_balancing import PoleBalancing, grid

G, CART, MASSES, LENGTHS = 9.8, 1.0, np.array([0.1, 0.01]), np.array([0.5, 0.05])
HINGE = 0.000002


def motion(y: Array, force: float, poles: int, track: float = 0.0, hinge: float = HINGE) -> Array:
    """Return dy/dt of y = (x, v, a, w, b, u) from Lagrange's equations of uniform rods on a cart."""
    m, half = MASSES[:poles], LENGTHS[:poles]
    angle, turning = y[2 : 2 + 2 * poles : 2], y[3 : 3 + 2 * poles : 2]
    inertia = np.diag(np.concatenate([[CART + m.sum()], 4 / 3 * m * half**2]))
    inertia[0, 1:] = inertia[1:, 0] = m * half * np.cos(angle)
    pull = force - track * np.sign(y[1]) + (m * half * turning**2 * np.sin(angle)).sum()
    found = np.linalg.solve(inertia, np.concatenate([[pull], m * G * half * np.sin(angle) - hinge * turning]))
    slope = np.zeros(6)
    slope[0 : 2 + 2 * poles : 2] = y[1 : 2 + 2 * poles : 2]
    slope[1 : 2 + 2 * poles : 2] = found
    return slope


def energy(y: Array) -> Any:
    """Return the energy of cart and poles, in J, of y [6, n]."""
    x_speed, angle, turning = y[1], y[2::2], y[3::2]
    m, half = MASSES[:, None], LENGTHS[:, None]
    rods = m / 2 * (x_speed**2 + 2 * x_speed * half * turning * np.cos(angle)) + 2 / 3 * m * half**2 * turning**2
    return CART / 2 * x_speed**2 + (rods + m * G * half * np.cos(angle)).sum(axis=0)


def begin(task: PoleBalancing, *moving: float) -> tuple[Array, ...]:
    """Return a state, float64 [1] each, of cart and poles as given and all else zero."""
    rest = len(task.components) - len(moving)
    return tuple(np.array([number], np.float64) for number in (*moving, *[0.0] * rest))


def play(task: PoleBalancing, gains: Array, steps: int) -> tuple[list[float], list[bool], Array]:
    """Return rewards, ends and states [7, steps] of an episode from the task's start with force = -gains · state."""
    state = tuple(part.astype(np.float64) for part in task.start(1, Streams(1)("episodes")))
    rewards, ends, states = [], [], []
    for _ in range(steps):
        output = -np.dot(gains, [part[0] for part in state[:6]]) / 10
        state, reward, ended = task.advance(task.parameters, state, (np.array([output]),))
        rewards.append(float(reward[0]))
        ends.append(bool(ended[0]))
        states.append([part[0] for part in state[:7]])
    return rewards, ends, np.array(states).T


@pytest.fixture(scope="module")
def gains() -> Array:
    """Return the gains [6] that balance both poles, by linear-quadratic control of the equations about upright."""
    change = 1e-6
    a = np.stack([(motion(change * e, 0, 2) - motion(-change * e, 0, 2)) / (2 * change) for e in np.eye(6)], axis=1)
    b = ((motion(np.zeros(6), change, 2) - motion(np.zeros(6), -change, 2)) / (2 * change))[:, None]
    gains: Array = (b.T @ solve_continuous_are(a, b, np.eye(6), np.eye(1)))[0]
    return gains


@pytest.mark.parametrize("poles", [1, 2])
@pytest.mark.parametrize("track", [0.0, 0.0005])
def test_a_step_follows_the_equations_of_motion(poles: int, track: float) -> None:
    task = PoleBalancing(poles=poles, cart_friction=track, fall=36.0)
    rng = np.random.default_rng(1)
    for _ in range(20):
        # the speed keeps its sign within the step, so that friction is smooth
        start = rng.uniform(-1, 1, 6) * (1, 1, 0.3, 1, 0.3, 1) + (0, 1.5, 0, 0, 0, 0)
        start[4:] *= poles - 1
        output = rng.uniform(-1.5, 1.5)
        force = 10 * np.clip(output, -1, 1)
        exact = solve_ivp(
            lambda _, y, force=force: motion(y, force, poles, track), (0, 0.02), start, rtol=1e-10, atol=1e-12
        ).y[:, -1]
        found, _, _ = task.advance(task.parameters, begin(task, *start), (np.array([output]),))
        # what is left is Runge and Kutta's: the short pole falls within a tenth of a second
        np.testing.assert_allclose(np.concatenate(found)[:6], exact, rtol=0, atol=3e-5)
        np.testing.assert_allclose(np.concatenate(found)[:4], exact[:4], rtol=0, atol=1e-7)


def test_without_friction_and_force_energy_stays() -> None:
    task = PoleBalancing(cart_friction=0.0, pole_friction=0.0, fall=180.0)
    state = begin(task, 0.0, 0.3, 0.2, 0.0, -0.1, 0.0)
    energies = [energy(np.array(state[:6]))]
    for _ in range(20):
        state, _, _ = task.advance(task.parameters, state, (np.zeros(1),))
        energies.append(energy(np.array(state[:6])))
    np.testing.assert_allclose(energies, energies[0][0], rtol=1e-4)


def test_a_linear_controller_balances_both_poles(gains: Array) -> None:
    rewards, ends, states = play(PoleBalancing(limit=2000), gains, 2000)
    assert sum(rewards) == 2000
    assert ends == [False] * 1999 + [True]
    assert np.abs(states[:6, -1]).max() < 0.05


@pytest.mark.parametrize("poles", [1, 2])
def test_without_a_force_poles_fall_and_the_episode_rests(poles: int) -> None:
    rewards, ends, states = play(PoleBalancing(poles=poles), np.zeros(6), 2000)
    fallen = ends.index(True)
    assert 0 < fallen < 60
    assert all(ends[fallen:])
    assert sum(rewards) == fallen
    assert (states[:, fallen:] == states[:, [fallen]]).all()


def test_leaving_the_track_ends_the_episode() -> None:
    task = PoleBalancing()
    _, reward, ended = task.advance(task.parameters, begin(task, 2.39, 1.0), (np.zeros(1),))
    assert (reward[0], ended[0]) == (0.0, True)


def test_damped_fitness_is_gruaus(gains: Array) -> None:
    task = PoleBalancing(fitness="damped")
    rewards, ends, states = play(task, gains, 1000)
    swinging = np.abs(states[:4, -100:]).sum()
    assert ends == [False] * 999 + [True]
    assert rewards[:-1] == [0.0] * 999
    assert rewards[-1] == pytest.approx(0.1 + 0.9 * 0.75 / swinging, rel=1e-9)


def test_damped_fitness_of_an_early_fall_counts_time_alone() -> None:
    rewards, ends, states = play(PoleBalancing(fitness="damped"), np.zeros(6), 60)
    fallen = ends.index(True)
    assert states[6, fallen] == fallen
    assert rewards[fallen] == pytest.approx(0.1 * fallen / 1000)


def test_damped_fitness_of_a_late_fall_sums_the_last_hundred_time_steps(gains: Array) -> None:
    task = PoleBalancing(fitness="damped")
    state = tuple(part.astype(np.float64) for part in begin(task, 0.0, 0.0, 0.05))
    moved = []
    for time in range(300):
        output = -np.dot(gains, [part[0] for part in state[:6]]) / 10 if time < 200 else 1.0
        state, reward, ended = task.advance(task.parameters, state, (np.array([output]),))
        moved.append(sum(abs(part[0]) for part in state[:4]))
        if ended[0]:
            break
    assert 200 < time < 299
    assert reward[0] == pytest.approx(0.1 * time / 1000 + 0.9 * 0.75 / sum(moved[-100:]), rel=1e-9)


def test_lasting_to_the_limit_is_worth_one_and_falling_nothing(gains: Array) -> None:
    task = PoleBalancing(fitness="whole", limit=50)
    assert task.target == 1.0
    rewards, ends, _ = play(task, gains, 50)
    assert rewards == [0.0] * 49 + [1.0]
    assert ends == [False] * 49 + [True]
    assert sum(play(task, -gains, 50)[0]) == 0


def test_an_output_from_zero_to_one_pushes_to_both_sides() -> None:
    signed, sigmoid = PoleBalancing(), PoleBalancing(least_output=0)
    start = begin(signed, 0.1, 0.2, 0.05, -0.1, 0.02, 0.3)
    for one, other in ((-1.0, 0.0), (0.0, 0.5), (0.5, 0.75), (1.0, 1.0), (-2.0, -1.0), (2.0, 2.0)):
        expected, _, _ = signed.advance(signed.parameters, start, (np.array([one]),))
        found, _, _ = sigmoid.advance(sigmoid.parameters, start, (np.array([other]),))
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def remembering(gains: Array) -> Networks:
    """Return two networks that see positions alone and take velocities from what they remember; one pushes wrongly."""
    builder = Builder()
    x, before = builder.input("x", ("B", 3)), builder.input("memory", ("B", 3))
    speed = (x - before) * 50.0
    y = x @ builder.parameter("positions", (3, 1)) + speed @ builder.parameter("speeds", (3, 1))
    graph = builder.graph({"y": y, "memory": x})
    scaled = -gains / 10 * np.array([4.8, 4.8, 0.52, 0.52, 0.52, 0.52])
    both = np.stack([scaled, -scaled]).astype(np.float32)[:, :, None]
    return Networks(graph, {"positions": both[:, ::2], "speeds": both[:, 1::2]})


def test_without_velocities_what_is_solved_is_told_by_generalisation_and_endurance(gains: Array) -> None:
    numba = pytest.importorskip("vynapse_numba.device").Numba
    task = PoleBalancing(velocities=False, fitness="damped")
    (general, share), (lasting, steps) = task.examinations()
    assert (general.starts, general.episodes, general.limit, share) == ("grid", 625, 1000, 200 / 625)
    assert (lasting.starts, lasting.episodes, lasting.limit, steps) == ("fixed", 1, 100_000, 100_000)
    assert general.inputs == lasting.inputs == task.inputs
    # a short test of endurance stands for the long one, which takes seconds
    short = lasting.model_copy(update={"limit": 2000})
    networks = remembering(gains)
    shares = Evaluation(general, None, numba(), Streams(1), OPS).fitness_of_networks(networks, 0)
    lasted = Evaluation(short, None, numba(), Streams(1), OPS).fitness_of_networks(networks, 0)
    # at the start in the middle all is at rest, and a network that pushes wrongly does not push
    assert shares[0] > share > shares[1] == 1 / 625
    assert (shares * 625 == np.round(shares * 625)).all()
    assert lasted[0] == 2000 > 100 > lasted[1]


def test_other_fitness_needs_no_examinations() -> None:
    assert PoleBalancing().examinations() == PoleBalancing(fitness="whole").examinations() == ()


def test_perfect_rest_has_a_finite_fitness() -> None:
    rewards, _, _ = play(PoleBalancing(fitness="damped", angle=0.0), np.zeros(6), 1000)
    assert np.isfinite(rewards[-1])


@pytest.mark.parametrize(("poles", "velocities", "inputs"), [(1, True, 4), (1, False, 2), (2, True, 6), (2, False, 3)])
def test_the_network_sees_scaled_numbers(poles: int, velocities: bool, inputs: int) -> None:
    task = PoleBalancing(poles=poles, velocities=velocities)
    state = begin(task, 2.4, 1.0, 0.26, -1.0, 0.13, 3.0)
    seen = np.concatenate(task.observe(task.parameters, state))
    expected = np.array([0.5, 0.5, 0.5, -0.5, 0.25, 1.5])[: 2 + 2 * poles][:: 1 if velocities else 2]
    assert task.inputs == (inputs,) == expected.shape
    np.testing.assert_allclose(seen, expected)


def test_the_fixed_start_leans_the_long_pole_by_four_and_a_half_degrees() -> None:
    task = PoleBalancing()
    start = np.stack(task.start(3, Streams(1)("episodes")))
    assert not task.stochastic
    assert np.degrees(start[2]) == pytest.approx(4.5)
    assert not start[[0, 1, 3, 4, 5, 6]].any()


def test_the_grid_holds_625_starts_and_as_many_episodes_play_each_once() -> None:
    task = PoleBalancing(starts="grid")
    assert task.stochastic
    drawn = np.stack(task.start(625, Streams(1)("episodes")))
    assert not drawn[4:].any()
    assert np.unique(drawn[:4], axis=1).shape == (4, 625)
    np.testing.assert_allclose(np.sort(drawn[:4]), np.sort(grid().T), rtol=1e-6)
    np.testing.assert_allclose(grid().max(axis=0), [1.944, 1.215, np.radians(3.24), np.radians(7.74)])
    few, other = (np.stack(task.start(5, Streams(seed)("episodes"))) for seed in (1, 2))
    assert (few[:4] != other[:4]).any()


def test_defaults_follow_the_literature_and_yield_to_the_recipe() -> None:
    assert (PoleBalancing().limit, PoleBalancing().fall) == (100_000, 36.0)
    assert PoleBalancing(poles=1).fall == 12.0
    assert PoleBalancing(fitness="damped").limit == 1000
    assert PoleBalancing(poles=1, fall=36.0, fitness="damped", limit=7).parameters[0] == 7
    assert PoleBalancing(poles=1, fall=36.0).fall == 36.0
    assert PoleBalancing(limit=500).target == 500
    assert PoleBalancing(fitness="damped").target is None


def test_three_poles_are_refused() -> None:
    with pytest.raises(ValidationError, match="expected 1 or 2"):
        PoleBalancing.model_validate({"poles": 3})
