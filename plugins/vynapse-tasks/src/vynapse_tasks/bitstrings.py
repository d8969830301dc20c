# SPDX-License-Identifier: MIT OR Apache-2.0
"""Functions of bit strings: one that any hill climber solves, and one that is made to mislead it."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from vynapse_core import Array, DirectTask, Genes


class OneMax(DirectTask):
    """The number of ones. Fitness 0 to `bits`; solved by all ones.  Reference: Ackley 1987."""

    encoding: ClassVar[str] = "binary"

    bits: int = Field(100, gt=0)
    """Length of the bit string."""

    @property
    def length(self) -> int:
        """Number of genes."""
        return self.bits

    @property
    def target(self) -> float:
        """All ones."""
        return float(self.bits)

    def evaluate(self, genes: Genes) -> Array:
        """Return the ones of `genes`, bits [P, length], as float64 [P]."""
        ones: Array = genes.values.sum(axis=1, dtype=np.float64)
        return ones


class Trap(DirectTask):
    """Concatenated deceptive traps: within a block fewer ones are better, except that all ones are best.

    A block of k bits with u ones is worth k - 1 - u, or k where u = k. Fitness is the sum over blocks; solved
    by all ones, worth blocks · k. All zeros is the local optimum that misleads, one less a block. What keeps
    the bits of a block together, such as crossover with few cuts, helps.  Reference: Deb & Goldberg 1993.
    """

    encoding: ClassVar[str] = "binary"

    blocks: int = Field(10, gt=0)
    """Number of blocks, which lie one after the other."""
    block_size: int = Field(5, ge=3)
    """Bits in a block; from 4 on, a block of zeros misleads every smaller group of its bits."""

    @property
    def length(self) -> int:
        """Number of genes."""
        return self.blocks * self.block_size

    @property
    def target(self) -> float:
        """All blocks at their best."""
        return float(self.length)

    def evaluate(self, genes: Genes) -> Array:
        """Return the worth of `genes`, bits [P, length], as float64 [P]."""
        k = self.block_size
        ones = genes.values.reshape(len(genes), self.blocks, k).sum(axis=2, dtype=np.int64)
        total: Array = np.where(ones == k, k, k - 1 - ones).sum(axis=1, dtype=np.float64)
        return total
