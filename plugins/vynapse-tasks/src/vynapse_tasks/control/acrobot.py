# SPDX-License-Identifier: MIT OR Apache-2.0
"""Acrobot: two links hang from a bar, a motor sits between them, and the tip must swing above the bar.

The equations are those of the book (Sutton & Barto), as Gymnasium integrates them: Runge and Kutta's fourth order.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic import Field

from vynapse_core import Array, ElementwiseTask, Stream

GRAVITY = 9.8
"""In m/s²; each link is 1 m long, weighs 1 kg and has a moment of inertia of 1 kg m²."""
CENTRE = 0.5
"""Of a link's mass, from its upper end, in m."""
INERTIA = 1.0
"""Of a link, in kg m²."""
TIME_STEP = 0.2
"""In s."""
TOP_SPEED_1, TOP_SPEED_2 = 4 * np.pi, 9 * np.pi
"""Of the upper and of the lower link, in rad/s."""
STAGES = ((0.0, 1.0), (0.5, 2.0), (0.5, 2.0), (1.0, 1.0))
"""Runge and Kutta's: how far along the last slope to look, and the weight of the slope found there."""


class Acrobot(ElementwiseTask):
    """Swing the tip of a double pendulum one link above the bar; each time step costs one, at most 500.

    Observed: cosine and sine of both angles, both angular velocities. Three outputs: the greatest is the torque, -1, 0
    or 1 N m. Equal to Gymnasium's Acrobot-v1.  Reference: Sutton 1996.
    """

    limit: int = Field(500, gt=0)
    """Time steps after which an episode is cut off."""

    @property
    def inputs(self) -> tuple[int]:
        """Cosine and sine of both angles, both angular velocities."""
        return (6,)

    @property
    def outputs(self) -> int:
        """A torque to the left, none, one to the right."""
        return 3

    @property
    def target(self) -> float:
        """The mean return that Gymnasium asks for."""
        return -100.0

    @property
    def components(self) -> tuple[str, ...]:
        """The angle of the upper link from hanging, that of the lower from the upper, and their velocities."""
        return ("angle_1", "angle_2", "turning_1", "turning_2")

    def start(self, n: int, rng: Stream) -> tuple[Array, ...]:
        """Return four numbers within 0.1 of zero."""
        return tuple(rng.uniform((4, n), -0.1, 0.1))

    @property
    def advance(self) -> Callable[..., Any]:
        """See `advance`."""
        return advance

    @property
    def observe(self) -> Callable[..., Any]:
        """See `observe`."""
        return observe


def advance(parameters: Any, state: Any, outputs: Any) -> tuple[Any, Any, Any]:
    """Return (state, reward, ended) after the torque of the greatest output, the first where several are equal."""
    angle_1, angle_2, turning_1, turning_2 = state
    left, none, right = outputs
    torque = 1.0 * (right > np.maximum(left, none)) - 1.0 * (left >= np.maximum(none, right))
    slope_1, slope_2, spin_1, spin_2 = 0.0, 0.0, 0.0, 0.0
    moved_1, moved_2, turned_1, turned_2 = 0.0, 0.0, 0.0, 0.0
    for reach, weight in STAGES:
        ahead = reach * TIME_STEP
        a, b = angle_1 + ahead * slope_1, angle_2 + ahead * slope_2
        slope_1, slope_2 = turning_1 + ahead * spin_1, turning_2 + ahead * spin_2
        cosine, sine = np.cos(b), np.sin(b)
        d1 = CENTRE * CENTRE + (1.0 + CENTRE * CENTRE + 2.0 * CENTRE * cosine) + 2.0 * INERTIA
        d2 = CENTRE * CENTRE + CENTRE * cosine + INERTIA
        phi2 = CENTRE * GRAVITY * np.cos(a + b - np.pi / 2)
        swing = CENTRE * sine * (slope_2 * slope_2 + 2.0 * slope_2 * slope_1)
        phi1 = (CENTRE + 1.0) * GRAVITY * np.cos(a - np.pi / 2) + phi2 - swing
        pull = torque + d2 / d1 * phi1 - CENTRE * (slope_1 * slope_1) * sine - phi2
        spin_2 = pull / (CENTRE * CENTRE + INERTIA - d2 * d2 / d1)
        spin_1 = -(d2 * spin_2 + phi1) / d1
        moved_1, moved_2 = moved_1 + weight * slope_1, moved_2 + weight * slope_2
        turned_1, turned_2 = turned_1 + weight * spin_1, turned_2 + weight * spin_2
    angle_1, angle_2 = angle_1 + TIME_STEP / 6.0 * moved_1, angle_2 + TIME_STEP / 6.0 * moved_2
    turning_1, turning_2 = turning_1 + TIME_STEP / 6.0 * turned_1, turning_2 + TIME_STEP / 6.0 * turned_2
    angle_1 = angle_1 - 2 * np.pi * np.floor((angle_1 + np.pi) / (2 * np.pi))
    angle_2 = angle_2 - 2 * np.pi * np.floor((angle_2 + np.pi) / (2 * np.pi))
    turning_1 = np.minimum(np.maximum(turning_1, -TOP_SPEED_1), TOP_SPEED_1)
    turning_2 = np.minimum(np.maximum(turning_2, -TOP_SPEED_2), TOP_SPEED_2)
    above = -np.cos(angle_1) - np.cos(angle_1 + angle_2) > 1.0
    return (angle_1, angle_2, turning_1, turning_2), 1.0 * above - 1.0, above


def observe(parameters: Any, state: Any) -> Any:
    """Return cosine and sine of both angles, and both angular velocities."""
    angle_1, angle_2, turning_1, turning_2 = state
    return np.cos(angle_1), np.sin(angle_1), np.cos(angle_2), np.sin(angle_2), turning_1, turning_2
