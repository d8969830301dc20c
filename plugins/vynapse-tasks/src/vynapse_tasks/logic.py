# SPDX-License-Identifier: MIT OR Apache-2.0
"""Logic functions of bits: XOR, the smallest problem that needs a hidden layer, and parity of more bits."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from vynapse_core import Array, Dataset, Loss, Streams
from vynapse_tasks.losses import MeanSquaredError
from vynapse_tasks.sampled_task import SampledTask

SOLVED_LOSS = 0.01
"""Mean loss at which a logic function counts as learnt: with `mse`, a root mean square error of 0.1."""


class LogicTask(SampledTask):
    """The parity of bits: inputs float32 [n, bits] and targets float32 [n, 1], all of them 0 or 1."""

    loss: Loss = MeanSquaredError()
    """What is minimised: `mse` for outputs 0 and 1, `binary_cross_entropy` for logits."""

    @abstractmethod
    def patterns(self) -> Array:
        """Return the inputs, integers 0 or 1, [n, bits]."""

    @property
    def classification(self) -> bool:
        """The answer is yes or no."""
        return True

    @property
    def target(self) -> float:
        """A mean loss of 0.01; where accuracy is the fitness, every pattern right."""
        return 1.0 if self.fitness == "accuracy" else -SOLVED_LOSS

    def load(self) -> Mapping[str, Dataset]:
        """Return the patterns with their parity."""
        bits = self.patterns()
        odd = bits.sum(axis=1, keepdims=True) % 2
        return {"train": Dataset(bits.astype(np.float32), odd.astype(np.float32))}

    def default_genome(self) -> Mapping[str, Any]:
        """Return a network with two hidden units a bit."""
        (bits,) = self.inputs
        return {"type": "vynapse-evolution:mlp", "layers": (bits, 2 * bits, 1)}


class Xor(LogicTask):
    """Exclusive or: two inputs, one output, four patterns. Solved at a mean loss of 0.01."""

    def patterns(self) -> Array:
        """Return 00, 01, 10, 11."""
        return all_patterns(2)


class Parity(LogicTask):
    """Whether an odd number of bits is set: no bit tells anything alone. Solved at a mean loss of 0.01."""

    bits: int = Field(3, ge=2, le=64)
    """Number of inputs."""
    samples: int = Field(4096, gt=0, le=2**20)
    """Most patterns to learn from: all 2^bits where they are no more, else this many draws."""
    sample_seed: int = Field(0, ge=0, lt=2**63)
    """Seed of that draw, apart from the run's seed, so that all runs learn from the same patterns."""

    def patterns(self) -> Array:
        """Return all patterns in counting order, or a draw of them."""
        if 2**self.bits <= self.samples:
            return all_patterns(self.bits)
        return Streams(self.sample_seed)("patterns").integers(0, 2, (self.samples, self.bits))


def all_patterns(bits: int) -> Array:
    """Return all 2^bits patterns in counting order, int64 [2^bits, bits], the highest bit first."""
    numbers = np.arange(2**bits)[:, None]
    return (numbers >> np.arange(bits)[::-1]) & 1
