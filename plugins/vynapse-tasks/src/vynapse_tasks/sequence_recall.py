# SPDX-License-Identifier: MIT OR Apache-2.0
"""Sequence recall: bits are seen one after the other, and are to be said again after a delay.

A network without a memory can only guess: what it sees while it is asked is the same for all sequences.
"""

from collections.abc import Mapping

import numpy as np
from pydantic import Field

from vynapse_core import Array, Dataset, Loss, SampledTask
from vynapse_tasks.logic import SOLVED_LOSS, all_patterns
from vynapse_tasks.losses import MeanSquaredError


class SequenceRecall(SampledTask):
    """See a string of bits, wait, and say it again, for networks with a memory; all 2^bits strings.

    Two inputs: the bit as -1 or 1, 0 where there is none, and 1 at each time step where a bit is asked for. One output,
    which counts only where it is asked for. Solved at a mean loss of 0.01; where accuracy is the fitness, by every bit
    right.
    """

    loss: Loss = MeanSquaredError()
    """What is minimised: `mse` for outputs 0 and 1, `binary_cross_entropy` for logits."""
    bits: int = Field(3, ge=1, le=12)
    """Bits to recall."""
    delay: int = Field(2, ge=0, le=10_000)
    """Time steps between the last bit seen and the first that is asked for."""

    @property
    def sequential(self) -> bool:
        """Networks see one time step after the other."""
        return True

    @property
    def inputs(self) -> tuple[int, ...]:
        """The bit, and whether one is asked for."""
        return (2,)

    @property
    def outputs(self) -> int:
        """The bit recalled."""
        return 1

    @property
    def classification(self) -> bool:
        """A bit is set or not."""
        return True

    @property
    def target(self) -> float:
        """A mean loss of 0.01; where accuracy is the fitness, every bit right."""
        return 1.0 if self.fitness == "accuracy" else -SOLVED_LOSS

    def load(self) -> Mapping[str, Dataset]:
        """Return all strings: x [2^bits, 2 bits + delay, 2] and y [2^bits, bits, 1] of the last time steps."""
        strings: Array = all_patterns(self.bits)
        x = np.zeros((len(strings), 2 * self.bits + self.delay, 2), np.float32)
        x[:, : self.bits, 0] = 2 * strings - 1
        x[:, -self.bits :, 1] = 1
        return {"train": Dataset(x, strings[:, :, None].astype(np.float32))}
