# SPDX-License-Identifier: MIT OR Apache-2.0
"""The Griewank function: from afar a bowl, from nearby thousands of hollows."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from vynapse_core import Array, DirectTask, Genes


class Griewank(DirectTask):
    """Maximise the Griewank function with its sign changed; the optimum is 0, at the origin.

    f = 1 + Σ x_i² / 4000 - Π cos(x_i / √i), i from 1.  Reference: Griewank 1981.
    """

    encoding: ClassVar[str] = "real"

    dimensions: int = Field(10, ge=1)
    """Number of variables."""
    tolerance: float = Field(0.1, gt=0)
    """Distance from the optimum at which the task counts as solved; the best local optima lie within 0.01."""

    @property
    def length(self) -> int:
        """One gene per variable."""
        return self.dimensions

    @property
    def bounds(self) -> tuple[float, float]:
        """The usual domain."""
        return -600.0, 600.0

    @property
    def target(self) -> float:
        """The optimum less the tolerance."""
        return -self.tolerance

    def evaluate(self, genes: Genes) -> Array:
        """Return the fitness float64 [P], of float32 genes [P, dimensions] computed in float64."""
        x = genes.values.astype(np.float64)
        waves = np.cos(x / np.sqrt(np.arange(1, self.dimensions + 1)))
        fitness: Array = waves.prod(axis=1) - (x * x).sum(axis=1) / 4000 - 1
        return fitness
