# SPDX-License-Identifier: MIT OR Apache-2.0
"""Mutation and crossover: what makes offspring out of parents, whole populations at a time."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

from vynapse_core.clock import Clock
from vynapse_core.component import Component
from vynapse_core.contracts.device import Device
from vynapse_core.population import Array, Genes
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

    def on(self, device: Device) -> Callable[[Genes, Stream, Clock], Genes]:
        """Return `mutate` in the form that suits a device: the same draws and changes, sooner.

        That form may write to the genes it is given, which are the caller's own.
        """
        return self.mutate


class Crossover(Component):
    """A mixture of two parents' genes."""

    kind: ClassVar[str] = "crossover"

    encodings: ClassVar[frozenset[str]] = frozenset({"real"})
    """The encodings it serves; a recipe that pairs it with another genome is refused."""

    @abstractmethod
    def cross(self, mothers: Genes, fathers: Genes, rng: Stream, clock: Clock) -> Genes:
        """Return n children of `mothers` [n], the fitter of each pair, and `fathers` [n]; neither is written."""

    def on(self, device: Device) -> Callable[[Genes, Array, Array, Stream, Clock], Genes]:
        """Return `cross` in the form that suits a device: the same draws and children, sooner.

        It takes a whole population's genes, and which of them are the mothers and the fathers, int64 [n] each.
        """

        def cross(genes: Genes, mothers: Array, fathers: Array, rng: Stream, clock: Clock) -> Genes:
            return self.cross(genes.take(mothers), genes.take(fathers), rng, clock)

        return cross
