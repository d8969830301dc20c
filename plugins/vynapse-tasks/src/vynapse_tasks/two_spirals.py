# SPDX-License-Identifier: MIT OR Apache-2.0
"""Two spirals: points of two intertwined spirals, to be told apart.

Source: Lang & Witbrock, Learning to tell two spirals apart (1988), after an idea of Wieland; points, density and the
displaced test set as in the generator of the CMU neural network benchmarks.
"""

from collections.abc import Mapping

import numpy as np
from pydantic import Field

from vynapse_core import Array, Dataset, Loss, SampledTask
from vynapse_tasks.losses import MeanSquaredError

TURN, TURNS = 32, 3
"""Points in a turn of a spiral, and turns."""
CENTRE = 8
"""Points that are missing in the middle, where the spirals would meet."""
SHIFT = 0.1
"""How far the test split is displaced upwards, in units of the inputs."""


class TwoSpirals(SampledTask):
    """Tell two spirals apart that wind round each other three times: 2 inputs, one output, 194 points.

    The test split has the same points, displaced upwards by 0.1. With `fitness = "accuracy"` solved when all points
    are right.  Reference: Lang & Witbrock 1988.
    """

    loss: Loss = MeanSquaredError()
    """What is minimised: `mse` for outputs 0 and 1, `binary_cross_entropy` for logits."""
    density: int = Field(1, ge=1, le=1000)
    """Points: 96 times this and one more on each spiral."""
    radius: float = Field(6.5, gt=0, allow_inf_nan=False)
    """Of the outermost points."""

    @property
    def classification(self) -> bool:
        """The answer is one spiral or the other."""
        return True

    @property
    def target(self) -> float | None:
        """Every point right; a mean loss does not tell."""
        return 1.0 if self.fitness == "accuracy" else None

    def load(self) -> Mapping[str, Dataset]:
        """Return the points and the displaced ones; targets are 1 on the first spiral and 0 on the other."""
        first = spiral(self.density, self.radius)
        x = np.concatenate([first, -first]).astype(np.float32)
        y = np.repeat(np.array([[1], [0]], np.float32), len(first), axis=0)
        return {"train": Dataset(x, y), "test": Dataset(x + np.array([0, SHIFT], np.float32), y)}


def spiral(density: int, radius: float) -> Array:
    """Return the points float64 [96 density + 1, 2] of a spiral, from the outermost inwards."""
    place = np.arange(TURN * TURNS * density + 1) / density
    angle = 2 * np.pi * place / TURN
    distance = radius * (1 - place / (TURN * TURNS + CENTRE))
    points: Array = distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return points
