# SPDX-License-Identifier: MIT OR Apache-2.0
"""Mutation and crossover: what makes offspring out of parents, whole populations at a time."""

from abc import abstractmethod
from typing import ClassVar

from vynapse_core.clock import Clock
from vynapse_core.component import Component
from vynapse_core.population import Genes
from vynapse_core.streams import Stream


class Mutation(Component):
    """A random change of genes."""

    kind: ClassVar[str] = "mutation"

    encodings: ClassVar[frozenset[str]] = frozenset({"real"})
    """The encodings it serves; a recipe that pairs it with another genome is refused."""

    @abstractmethod
    def mutate(self, genes: Genes, rng: Stream, clock: Clock) -> Genes:
        """Return changed copies of `genes` [n]; `genes` is not written.

        `genes.with_values(...)` holds the new values [n, w] within the genome's bounds.
        """


class Crossover(Component):
    """A mixture of two parents' genes."""

    kind: ClassVar[str] = "crossover"

    encodings: ClassVar[frozenset[str]] = frozenset({"real"})
    """The encodings it serves; a recipe that pairs it with another genome is refused."""

    @abstractmethod
    def cross(self, mothers: Genes, fathers: Genes, rng: Stream, clock: Clock) -> Genes:
        """Return n children of `mothers` [n], the fitter of each pair, and `fathers` [n]; neither is written."""
