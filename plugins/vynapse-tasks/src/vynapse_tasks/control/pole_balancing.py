# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pole balancing: one or two poles on a cart, with or without velocities, as neuroevolution has long been measured.

Equations of motion by Wieland (1991), Runge and Kutta's fourth order; constants and limits as in Gomez, Schmidhuber &
Miikkulainen (JMLR 2008); the network's inputs are scaled as in Stanley & Miikkulainen (Evolutionary Computation 2002).
Fitness against swinging, and the grid of starts, by Gruau, Whitley & Pyeatt (GP 1996); what counts as solved without
velocities as in Stanley & Miikkulainen, who test each generation's best network.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from vynapse_core import Array, ElementwiseTask, Stream

GRAVITY = 9.8
"""In m/s²."""
CART_MASS, MASS_1, MASS_2 = 1.0, 0.1, 0.01
"""Of the cart, the long and the short pole, in kg."""
LENGTH_1, LENGTH_2 = 0.5, 0.05
"""Half of each pole's length, in m."""
FORCE = 10.0
"""The strongest, in N."""
TRACK = 2.4
"""How far from the middle the cart may go, in m."""
TIME_STEP, TURNS = 0.01, 2
"""Of the integration, in s, and how many of them an action lasts."""
STAGES = ((0.0, 1.0), (0.5, 2.0), (0.5, 2.0), (1.0, 1.0))
"""Runge and Kutta's: how far along the last slope to look, and the weight of the slope found there."""
X_SCALE, SPEED_SCALE, ANGLE_SCALE = 4.8, 2.0, 0.52
"""What the network sees is divided by them: positions (m), velocities (m/s, rad/s) and angles (rad)."""
WINDOW = 100
"""Time steps over which swinging is summed."""
LEAST_SWINGING = 1e-6
"""Less is counted as this, so that perfect rest has a finite fitness."""
GRID = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the range of each of four numbers, in the grid of starts."""
RANGES = (2.16, 1.35, np.radians(3.6), np.radians(8.6))
"""Half of those ranges: position (m), velocity (m/s), angle (rad) and angular velocity (rad/s) of the long pole."""
LONG, SHORT = 100_000, 1000
"""Time steps of the test of endurance, and of each start of the test of generalisation."""
ENOUGH = 200
"""Starts of the grid from which a network must balance."""


class PoleBalancing(ElementwiseTask):
    """Keep one or two poles upright on a cart; fitness is the time steps of 0.02 s, or Gruau's, against swinging.

    Observed: position, velocity, and the angle and angular velocity of each pole, or with `velocities = false` position
    and angles alone. One output: the force, from -1 to 1, in units of 10 N. The three classical forms: `poles = 1`; two
    poles, as it stands; and `velocities = false` with `fitness = "damped"`. The last is solved by a network that holds
    the poles for 100,000 time steps, and from 200 of the grid's 625 starts for 1,000.
    """

    poles: Literal[1, 2] = 2
    """Number of poles."""
    velocities: bool = True
    """Whether the network sees velocities; without them it needs a memory."""
    fitness: Literal["time", "damped", "whole"] = "time"
    """Time steps; Gruau's 0.1 time / limit + 0.9 · 0.75 / (swinging in the last 100); or 1 for lasting to the limit."""
    least_output: Literal[-1, 0] = -1
    """The output that pushes with full force to the left: -1, or 0 for an output of a logistic sigmoid."""
    starts: Literal["fixed", "grid"] = "fixed"
    """The long pole at `angle`, all else at zero; or drawn from a grid of 625 starts, all of them in 625 episodes."""
    angle: float = Field(4.5, ge=0, lt=90)
    """Of the long pole at the start, in degrees."""
    fall: float = Field(36.0, gt=0, le=180)
    """How far a pole may lean, in degrees; 12 where there is one pole and the recipe says nothing."""
    cart_friction: float = Field(0.0005, ge=0)
    """Of the cart on the track, in N."""
    pole_friction: float = Field(0.000002, ge=0)
    """Of a pole's hinge, in N m s."""
    limit: int = Field(100_000, gt=0)
    """Time steps after which an episode is cut off; for a fitness but `time` 1,000 where the recipe says nothing."""

    @model_validator(mode="before")
    @classmethod
    def _literature(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        chosen = {}
        if data.get("poles") == 1:
            chosen["fall"] = 12.0
        if data.get("fitness", "time") != "time":
            chosen["limit"] = SHORT
        return {**chosen, **data}

    @property
    def stochastic(self) -> bool:
        """Whether start states are drawn."""
        return self.starts == "grid"

    @property
    def target(self) -> float | None:
        """All the time steps, or episodes; swinging has no bound from below, so that damped fitness has no target."""
        return {"time": float(self.limit), "damped": None, "whole": 1.0}[self.fitness]

    def examinations(self) -> tuple[tuple["PoleBalancing", float], ...]:
        """Return, for damped fitness, the tests of generalisation and of endurance."""
        if self.fitness != "damped":
            return ()
        grid = {"fitness": "whole", "starts": "grid", "episodes": len(GRID) ** 4, "limit": SHORT}
        long = {"fitness": "time", "starts": "fixed", "episodes": 1, "limit": LONG}
        # the first ends after a thousand time steps, whoever is tested
        return (
            (type(self)(**{**dict(self), **grid}), ENOUGH / len(GRID) ** 4),
            (type(self)(**{**dict(self), **long}), float(LONG)),
        )

    @property
    def inputs(self) -> tuple[int]:
        """Position and velocity of the cart, angle and velocity of each pole; half as many without velocities."""
        return ((1 + self.poles) * (2 if self.velocities else 1),)

    @property
    def outputs(self) -> int:
        """The force."""
        return 1

    @property
    def components(self) -> tuple[str, ...]:
        """Cart and poles, the time balanced in time steps, and how much moved in each of the last time steps."""
        history = WINDOW - 1 if self.fitness == "damped" else 1
        moving = ("x", "velocity", "angle_1", "turning_1", "angle_2", "turning_2")
        return (*moving, "time", *(f"swing_{step}" for step in range(history)))

    @property
    def parameters(self) -> tuple[float, ...]:
        """Limit in time steps, kind of fitness, least output, whether there are two poles, frictions, fall in rad."""
        told = (self.fitness == "damped", self.fitness == "whole", self.least_output, self.poles - 1)
        return (
            float(self.limit),
            *(float(number) for number in told),
            self.cart_friction,
            self.pole_friction,
            float(np.radians(self.fall)),
        )

    def start(self, n: int, rng: Stream) -> tuple[Array, ...]:
        """Return the fixed start n times, or n of the grid: each once before any comes again."""
        states = np.zeros((len(self.components), n), np.float32)
        if self.starts == "grid":
            order = rng.permutation(len(GRID) ** 4)
            states[:4] = grid()[np.resize(order, n)].T
        else:
            states[2] = np.radians(self.angle)
        return tuple(states)

    @property
    def advance(self) -> Callable[..., Any]:
        """See `advance`."""
        return advance

    @property
    def observe(self) -> Callable[..., Any]:
        """What these poles show."""
        if self.poles == 1:
            return observe_one if self.velocities else observe_one_at_rest
        return observe_two if self.velocities else observe_two_at_rest


def grid() -> Array:
    """Return the 625 starts of the test of generalisation, float64 [625, 4]: x, velocity, angle, angular velocity."""
    axes = [(2 * np.array(GRID) - 1) * half for half in RANGES]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 4)


def advance(parameters: Any, state: Any, outputs: Any) -> tuple[Any, Any, Any]:
    """Return (state, reward, ended) after a force held for 0.02 s; a second pole that is not there stays upright."""
    limit, damped, whole, least_output, second, cart_friction, pole_friction, fall = parameters
    x, v, a, w, b, u, time = state[:7]
    history = state[7:]
    # once fallen, all rests: numbers stay small however long it is stepped on
    time_step = TIME_STEP * ((np.abs(x) <= TRACK) & (np.abs(a) <= fall) & (np.abs(b) <= fall))
    said = np.minimum(np.maximum(outputs[0], least_output), 1.0)
    force = FORCE * (2.0 * said - (1.0 + least_output)) / (1.0 - least_output)
    for _ in range(TURNS):
        dx, dv, da, dw, db, du = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        sum_x, sum_v, sum_a, sum_w, sum_b, sum_u = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for reach, weight in STAGES:
            ahead = reach * time_step
            angle_1, angle_2 = a + ahead * da, b + ahead * db
            dx, da, db = v + ahead * dv, w + ahead * dw, u + ahead * du
            cosine_1, sine_1, cosine_2, sine_2 = np.cos(angle_1), np.sin(angle_1), np.cos(angle_2), np.sin(angle_2)
            # what turns each pole besides the cart, and what it exerts on the cart
            fall_1 = GRAVITY * sine_1 - pole_friction * da / (MASS_1 * LENGTH_1)
            fall_2 = GRAVITY * sine_2 - pole_friction * db / (MASS_2 * LENGTH_2)
            push_1 = MASS_1 * (LENGTH_1 * da * da * sine_1 - 0.75 * cosine_1 * fall_1)
            push_2 = second * MASS_2 * (LENGTH_2 * db * db * sine_2 - 0.75 * cosine_2 * fall_2)
            mass_1 = MASS_1 * (1.0 - 0.75 * cosine_1 * cosine_1)
            mass_2 = second * MASS_2 * (1.0 - 0.75 * cosine_2 * cosine_2)
            dv = (force - cart_friction * np.sign(dx) + push_1 + push_2) / (CART_MASS + mass_1 + mass_2)
            dw = 0.75 / LENGTH_1 * (fall_1 - dv * cosine_1)
            du = second * (0.75 / LENGTH_2) * (fall_2 - dv * cosine_2)
            sum_x, sum_v = sum_x + weight * dx, sum_v + weight * dv
            sum_a, sum_w = sum_a + weight * da, sum_w + weight * dw
            sum_b, sum_u = sum_b + weight * db, sum_u + weight * du
        sixth = time_step / 6.0
        x, v = x + sixth * sum_x, v + sixth * sum_v
        a, w = a + sixth * sum_a, w + sixth * sum_w
        b, u = b + sixth * sum_b, u + sixth * sum_u
    upright = (np.abs(x) <= TRACK) & (np.abs(a) <= fall) & (np.abs(b) <= fall)
    time = time + 1.0 * upright
    moved = np.abs(x) + np.abs(v) + np.abs(a) + np.abs(w)
    swinging = moved
    for earlier in history:
        swinging = swinging + earlier
    over = np.logical_not(upright) | (time >= limit)
    calm = (time >= WINDOW) * 0.75 / np.maximum(swinging, LEAST_SWINGING)
    quiet = over * (0.1 * time / limit + 0.9 * calm)
    lasted = upright & (time >= limit)
    reward = damped * quiet + whole * lasted + (1.0 - damped - whole) * upright
    return (x, v, a, w, b, u, time, moved, *history[:-1]), reward, over


def observe_two(parameters: Any, state: Any) -> Any:
    """Return position and velocity of the cart, then angle and angular velocity of both poles, scaled."""
    x, v, a, w, b, u = state[:6]
    return x / X_SCALE, v / SPEED_SCALE, a / ANGLE_SCALE, w / SPEED_SCALE, b / ANGLE_SCALE, u / SPEED_SCALE


def observe_two_at_rest(parameters: Any, state: Any) -> Any:
    """Return position and both angles, scaled."""
    return state[0] / X_SCALE, state[2] / ANGLE_SCALE, state[4] / ANGLE_SCALE


def observe_one(parameters: Any, state: Any) -> Any:
    """Return position and velocity of the cart, then angle and angular velocity of the pole, scaled."""
    x, v, a, w = state[:4]
    return x / X_SCALE, v / SPEED_SCALE, a / ANGLE_SCALE, w / SPEED_SCALE


def observe_one_at_rest(parameters: Any, state: Any) -> Any:
    """Return position and angle, scaled."""
    return state[0] / X_SCALE, state[2] / ANGLE_SCALE
