# SPDX-License-Identifier: MIT OR Apache-2.0
"""Mountain car: a car too weak for the hill must swing in the valley to get out of it.

Two tasks, as in Gymnasium, whose constants differ a little: with three actions, and with a force that costs.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from vynapse_core import Array, ElementwiseTask, Stream

LEFT_END, RIGHT_END = -1.2, 0.6
"""Ends of the track."""
TOP_SPEED = 0.07
"""A time step."""
SLOPE = 0.0025
"""Pull of the hill where it is steepest."""
PUSH, GOAL = 0.001, 0.5
"""Force of an action and the position to reach, with three actions."""
POWER, CONTINUOUS_GOAL = 0.0015, 0.45
"""Force of an output of 1 and the position to reach, with a continuous action."""
PRIZE, PRICE = 100.0, 0.1
"""Reward for the goal, and the cost of a force's square."""
HUGE = 1e15
"""An output beyond this costs no more, so that its square is a float32."""


class MountainCar(ElementwiseTask):
    """Drive out of a valley by swinging; each time step costs one, at most 200.

    Observed: position and velocity. Three outputs: the greatest is the action, push left, coast or push right. Equal to
    Gymnasium's MountainCar-v0.  Reference: Moore 1990.
    """

    threshold: ClassVar[float] = -110.0

    limit: int = Field(200, gt=0)
    """Time steps after which an episode is cut off."""

    @property
    def inputs(self) -> tuple[int]:
        """Position and velocity."""
        return (2,)

    @property
    def outputs(self) -> int:
        """Left, nothing, right."""
        return 3

    @property
    def target(self) -> float:
        """The mean return that Gymnasium asks for."""
        return self.threshold

    @property
    def components(self) -> tuple[str, ...]:
        """Position and velocity."""
        return ("x", "velocity")

    def start(self, n: int, rng: Stream) -> tuple[Array, ...]:
        """Return positions between -0.6 and -0.4, at rest."""
        return rng.uniform(n, -0.6, -0.4), np.zeros(n, np.float32)

    @property
    def advance(self) -> Callable[..., Any]:
        """See `advance`."""
        return advance

    @property
    def observe(self) -> Callable[..., Any]:
        """The state as it is."""
        return observe


class MountainCarContinuous(MountainCar):
    """Drive out of a valley by swinging, with as little force as possible; 100 for the goal, at most 999 time steps.

    Observed: position and velocity. One output: the force, from -1 to 1, a tenth of whose square is the cost of a time
    step. Equal to Gymnasium's MountainCarContinuous-v0, which charges for an output beyond 1 as it is.
    """

    threshold: ClassVar[float] = 90.0

    limit: int = Field(999, gt=0)
    """Time steps after which an episode is cut off."""

    @property
    def outputs(self) -> int:
        """The force."""
        return 1

    @property
    def advance(self) -> Callable[..., Any]:
        """See `advance_continuous`."""
        return advance_continuous


def advance(parameters: Any, state: Any, outputs: Any) -> tuple[Any, Any, Any]:
    """Return (state, reward, ended) after the action of the greatest output, the first where several are equal."""
    x, velocity = state
    left, coast, right = outputs
    action = 1.0 * (right > np.maximum(left, coast)) - 1.0 * (left >= np.maximum(coast, right))
    velocity = velocity + (action * PUSH - SLOPE * np.cos(3.0 * x))
    velocity = np.minimum(np.maximum(velocity, -TOP_SPEED), TOP_SPEED)
    x = np.minimum(np.maximum(x + velocity, LEFT_END), RIGHT_END)
    velocity = velocity * np.logical_not((x <= LEFT_END) & (velocity < 0.0))
    return (x, velocity), -1.0, (x >= GOAL) & (velocity >= 0.0)


def advance_continuous(parameters: Any, state: Any, outputs: Any) -> tuple[Any, Any, Any]:
    """Return (state, reward, ended) after the force that the one output says."""
    x, velocity = state
    force = np.minimum(np.maximum(outputs[0], -1.0), 1.0)
    velocity = velocity + (force * POWER - SLOPE * np.cos(3.0 * x))
    velocity = np.minimum(np.maximum(velocity, -TOP_SPEED), TOP_SPEED)
    x = np.minimum(np.maximum(x + velocity, LEFT_END), RIGHT_END)
    velocity = velocity * np.logical_not((x <= LEFT_END) & (velocity < 0.0))
    ended = (x >= CONTINUOUS_GOAL) & (velocity >= 0.0)
    spent = np.minimum(np.abs(outputs[0]), HUGE)
    return (x, velocity), PRIZE * ended - PRICE * (spent * spent), ended


def observe(parameters: Any, state: Any) -> Any:
    """Return the state."""
    return state
