# SPDX-License-Identifier: MIT OR Apache-2.0
"""Evaluation in this process."""

from collections.abc import Callable

from vynapse_core.contracts.distribution import Distribution
from vynapse_core.population import Array, Genes


class Local(Distribution):
    """One rank: this process."""

    def evaluate(self, evaluate: Callable[[Genes, int | None], Array], genes: Genes, step: int | None) -> Array:
        """Return `evaluate(genes, step)`."""
        return evaluate(genes, step)

    def exchange(self, genes: Genes) -> tuple[Genes, ...]:
        """Return `genes`, the only rank's."""
        return (genes,)

    def sum(self, array: Array) -> Array:
        """Return `array`."""
        return array
