# SPDX-License-Identifier: MIT OR Apache-2.0
"""Real functions that optimisers are measured on: minimised in the field, so fitness is the value negated."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from pydantic import Field

from vynapse_core import Array, DirectTask, Genes


class RealFunction(DirectTask):
    """A function of n reals whose minimum is 0."""

    encoding: ClassVar[str] = "real"
    domain: ClassVar[tuple[float, float]]
    """The least and the greatest value of each variable, as in the literature."""

    dimensions: int = Field(10, ge=1)
    """Number of variables."""
    tolerance: float = Field(1e-8, gt=0)
    """Distance from the minimum at which the task counts as solved."""

    @property
    def length(self) -> int:
        """Number of genes."""
        return self.dimensions

    @property
    def bounds(self) -> tuple[float, float]:
        """The domain."""
        return self.domain

    @property
    def target(self) -> float:
        """The minimum, to within `tolerance`."""
        return -self.tolerance

    @abstractmethod
    def value(self, x: Array) -> Array:
        """Return f, float64 [P], at the points `x`, float64 [P, n]."""

    def evaluate(self, genes: Genes) -> Array:
        """Return -f, float64 [P], of `genes` [P, n]; computed in float64, whatever the genes are."""
        return -self.value(genes.values.astype(np.float64))


class Sphere(RealFunction):
    """f = Σ x². Minimum 0 at the origin; domain [-5.12, 5.12].  Reference: De Jong 1975, F1."""

    domain: ClassVar[tuple[float, float]] = (-5.12, 5.12)

    def value(self, x: Array) -> Array:
        """Return the sum of squares."""
        total: Array = (x * x).sum(axis=1)
        return total


class Rastrigin(RealFunction):
    """f = 10 n + Σ (x² - 10 cos 2πx). Minimum 0 at the origin, a local one near every point of whole numbers.

    Domain [-5.12, 5.12].  Reference: Rastrigin 1974; Mühlenbein, Schomisch & Born 1991.
    """

    domain: ClassVar[tuple[float, float]] = (-5.12, 5.12)

    def value(self, x: Array) -> Array:
        """Return the sum over variables."""
        total: Array = (x * x + 10 * (1 - np.cos(2 * np.pi * x))).sum(axis=1)
        return total


class Rosenbrock(RealFunction):
    """f = Σ (100 (xᵢ₊₁ - xᵢ²)² + (1 - xᵢ)²). Minimum 0 at (1, …, 1), at the end of a curved valley.

    Domain [-5, 10].  Reference: Rosenbrock 1960.
    """

    domain: ClassVar[tuple[float, float]] = (-5.0, 10.0)

    dimensions: int = Field(10, ge=2)
    """Number of variables."""

    def value(self, x: Array) -> Array:
        """Return the sum over neighbours."""
        left, right = x[:, :-1], x[:, 1:]
        total: Array = (100 * (right - left**2) ** 2 + (1 - left) ** 2).sum(axis=1)
        return total


class Ackley(RealFunction):
    """f = 20 - 20 exp(-0.2 √(mean x²)) + e - exp(mean cos 2πx). Minimum 0 at the origin, in a narrow funnel.

    Domain [-32.768, 32.768].  Reference: Ackley 1987; in n dimensions, Bäck 1996.
    """

    domain: ClassVar[tuple[float, float]] = (-32.768, 32.768)

    def value(self, x: Array) -> Array:
        """Return f; expm1 in place of differences of exponentials makes it exactly 0 at the origin."""
        distance = np.sqrt((x * x).mean(axis=1))
        waves = (np.cos(2 * np.pi * x) - 1).mean(axis=1)
        total: Array = -20 * np.expm1(-0.2 * distance) - np.e * np.expm1(waves)
        return total
