# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pendulum: swing a rod up with a motor too weak to lift it, and hold it there. The equations are Gymnasium's."""

from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic import Field

from vynapse_core import Array, ElementwiseTask, Stream

GRAVITY = 10.0
"""In m/s²; the rod is 1 m long and weighs 1 kg."""
TIME_STEP = 0.05
"""In s."""
TOP_SPEED = 8.0
"""In rad/s."""
TORQUE = 2.0
"""The motor's strongest, in N m."""


class Pendulum(ElementwiseTask):
    """Swing a rod up and hold it; what an episode of 200 time steps costs is the squared angle, speed and torque.

    Observed: cosine and sine of the angle from upright, angular velocity. One output: the torque, from -2 to 2 N m.
    Equal to Gymnasium's Pendulum-v1.
    """

    limit: int = Field(200, gt=0)
    """Time steps after which an episode is cut off."""

    @property
    def inputs(self) -> tuple[int]:
        """Cosine and sine of the angle, angular velocity."""
        return (3,)

    @property
    def outputs(self) -> int:
        """The torque."""
        return 1

    @property
    def components(self) -> tuple[str, ...]:
        """The angle from upright in rad, and its velocity."""
        return ("angle", "turning")

    def start(self, n: int, rng: Stream) -> tuple[Array, ...]:
        """Return any angle, and a velocity of at most 1 rad/s."""
        return rng.uniform(n, -np.pi, np.pi), rng.uniform(n, -1.0, 1.0)

    @property
    def advance(self) -> Callable[..., Any]:
        """See `advance`."""
        return advance

    @property
    def observe(self) -> Callable[..., Any]:
        """See `observe`."""
        return observe


def advance(parameters: Any, state: Any, outputs: Any) -> tuple[Any, Any, Any]:
    """Return (state, reward, ended) after a torque; the reward is that of the state before, and there is no end."""
    angle, turning = state
    torque = np.minimum(np.maximum(outputs[0], -TORQUE), TORQUE)
    lean = angle - 2 * np.pi * np.floor((angle + np.pi) / (2 * np.pi))
    cost = lean * lean + 0.1 * (turning * turning) + 0.001 * (torque * torque)
    turning = turning + (1.5 * GRAVITY * np.sin(angle) + 3.0 * torque) * TIME_STEP
    turning = np.minimum(np.maximum(turning, -TOP_SPEED), TOP_SPEED)
    return (angle + turning * TIME_STEP, turning), -cost, False


def observe(parameters: Any, state: Any) -> Any:
    """Return cosine and sine of the angle, and the angular velocity."""
    angle, turning = state
    return np.cos(angle), np.sin(angle), turning
