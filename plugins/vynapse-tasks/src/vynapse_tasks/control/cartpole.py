# SPDX-License-Identifier: MIT OR Apache-2.0
"""Cart-pole: keep a pole upright by pushing its cart left or right.

The equations, Euler's steps included, are Gymnasium's, so that returns can be compared with published ones.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic import Field

from vynapse_core import Array, ElementwiseTask, Stream

GRAVITY = 9.8
"""In m/s²."""
CART_MASS, POLE_MASS = 1.0, 0.1
"""In kg."""
HALF_LENGTH = 0.5
"""Of the pole, in m."""
FORCE = 10.0
"""Of a push, in N."""
TIME_STEP = 0.02
"""In s."""
TRACK = 2.4
"""How far from the middle the cart may go, in m."""
FALLEN = 12 * 2 * np.pi / 360
"""How far the pole may lean, in rad."""

TOTAL_MASS = CART_MASS + POLE_MASS
POLE_MOMENT = POLE_MASS * HALF_LENGTH


class CartPole(ElementwiseTask):
    """Keep a pole upright on a cart that is pushed left or right; one for each time step, at most 500.

    Observed: position (m), velocity, angle (rad), angular velocity. Two outputs: the greater one is the push, left or
    right. Equal to Gymnasium's CartPole-v1.  Reference: Barto, Sutton & Anderson 1983.
    """

    limit: int = Field(500, gt=0)
    """Time steps after which an episode is cut off."""

    @property
    def inputs(self) -> tuple[int]:
        """Position, velocity, angle, angular velocity."""
        return (4,)

    @property
    def outputs(self) -> int:
        """Left and right."""
        return 2

    @property
    def target(self) -> float:
        """A mean return of 475 in 500 steps, as Gymnasium has it, and in proportion for another limit."""
        return 0.95 * self.limit

    @property
    def components(self) -> tuple[str, ...]:
        """Position, velocity, angle, angular velocity."""
        return ("x", "velocity", "angle", "turning")

    def start(self, n: int, rng: Stream) -> tuple[Array, ...]:
        """Return four numbers within 0.05 of zero."""
        return tuple(rng.uniform((4, n), -0.05, 0.05))

    @property
    def advance(self) -> Callable[..., Any]:
        """See `advance`."""
        return advance

    @property
    def observe(self) -> Callable[..., Any]:
        """The state as it is."""
        return observe


def advance(parameters: Any, state: Any, outputs: Any) -> tuple[Any, Any, Any]:
    """Return (state, reward, ended) after a push to the left, or to the right where the second output is greater."""
    x, velocity, angle, turning = state
    # once fallen, it rests: numbers stay small however long it is stepped on
    time = TIME_STEP * ((np.abs(x) <= TRACK) & (np.abs(angle) <= FALLEN))
    force = FORCE * (2.0 * (outputs[1] > outputs[0]) - 1.0)
    cosine, sine = np.cos(angle), np.sin(angle)
    thrust = (force + POLE_MOMENT * (turning * turning) * sine) / TOTAL_MASS
    lever = HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * (cosine * cosine) / TOTAL_MASS)
    spin = (GRAVITY * sine - cosine * thrust) / lever
    acceleration = thrust - POLE_MOMENT * spin * cosine / TOTAL_MASS
    x, velocity = x + time * velocity, velocity + time * acceleration
    angle, turning = angle + time * turning, turning + time * spin
    upright = (np.abs(x) <= TRACK) & (np.abs(angle) <= FALLEN)
    return (x, velocity, angle, turning), 1.0, np.logical_not(upright)


def observe(parameters: Any, state: Any) -> Any:
    """Return the state."""
    return state
