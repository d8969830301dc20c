# SPDX-License-Identifier: MIT OR Apache-2.0
"""The powers of two as a function to fit: a steep curve through few points, the smallest regression."""

from collections.abc import Mapping

import numpy as np
from pydantic import Field

from vynapse_core import Dataset, Loss, SampledTask
from vynapse_tasks.losses import MeanSquaredError

SOLVED_LOSS = 1e-4


class PowersOfTwo(SampledTask):
    """Regression: from the number n of a power to 2^n, both scaled to [0, 1].

    Inputs are n / (count - 1), float32 [count, 1], and targets 2^n / 2^(count - 1), float32 [count, 1], for n
    from 0 to count - 1. Solved at a loss of 0.0001: with `mse`, a root mean square error of 1% of the range.
    """

    loss: Loss = MeanSquaredError()
    """What is minimised."""
    count: int = Field(8, ge=2, le=64)
    """How many powers, from 2^0 on."""

    @property
    def target(self) -> float:
        """A loss of 0.0001."""
        return -SOLVED_LOSS

    def load(self) -> Mapping[str, Dataset]:
        """Return the points of the curve."""
        n = np.arange(self.count, dtype=np.float32)[:, None]
        last = np.float32(self.count - 1)
        return {"train": Dataset(n / last, np.exp2(n - last))}
