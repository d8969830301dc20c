# SPDX-License-Identifier: MIT OR Apache-2.0
"""Selector: who becomes a parent. Replacement: who lives on."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

from vynapse_core.component import Component
from vynapse_core.contracts.device import Device
from vynapse_core.population import Array, Population
from vynapse_core.streams import Stream


class Selector(Component):
    """A choice of parents by fitness."""

    kind: ClassVar[str] = "selector"

    weight: float = 1.0
    """Share of the parents that it chooses, where a recipe lists several selectors."""

    @abstractmethod
    def select(self, fitness: Array, n: int, rng: Stream) -> Array:
        """Return the indices, int64 [n], of the chosen; `fitness` float64 [P] or [P, M], −inf for those that failed."""

    def on(self, device: Device) -> Callable[[Array, int, Stream], Array]:
        """Return `select` in the form that suits a device: the same draws and choice, sooner."""
        return self.select


class Replacement(Component):
    """A choice of survivors among parents and offspring."""

    kind: ClassVar[str] = "replacement"

    keeps_parents: ClassVar[bool] = True
    """Whether parents may live on, so that a task whose fitness changes from step to step must evaluate them again."""

    def offspring(self, population: int) -> int:
        """Return how many offspring a population of this size should have, where the recipe leaves it open."""
        return population

    @abstractmethod
    def survive(self, parents: Population, offspring: Population, rng: Stream) -> Population:
        """Return the next population, of as many individuals as `parents`; survivors among the parents grow older."""

    def on(self, device: Device) -> Callable[[Population, Population, Stream], Population]:
        """Return `survive` in the form that suits a device: the same draws and survivors, sooner."""
        return self.survive
