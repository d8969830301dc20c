# SPDX-License-Identifier: MIT OR Apache-2.0
"""Genome: how an individual is encoded. Initialiser: how weights are first drawn."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Self

from vynapse_core.component import Component
from vynapse_core.contracts.device import Device
from vynapse_core.contracts.task import Task
from vynapse_core.networks import Networks
from vynapse_core.population import Array, Genes
from vynapse_core.streams import Stream


class Genome(Component):
    """An encoding of individuals as genes."""

    kind: ClassVar[str] = "genome"

    encoding: ClassVar[str]
    """What the genes are: `real`, `binary`, `permutation`, `tree` or `topology`; operators name what they serve."""

    @abstractmethod
    def initial(self, n: int, rng: Stream) -> Genes:
        """Return the genes of n individuals, drawn from `rng`."""

    def fitted(self, task: Task) -> Self:
        """Return this genome with what it left open (a length, bounds) taken from the task."""
        return self

    def networks(self, genes: Genes) -> Networks:
        """Return the networks that `genes` [n] encode; a genome that encodes none raises TypeError."""
        raise TypeError(f"{type(self).__name__} encodes no networks")

    def on(self, device: Device) -> Callable[[Genes], Networks]:
        """Return `networks` in the form that suits a device: the same networks, sooner."""
        return self.networks

    def absorb(self, genes: Genes, arrays: Mapping[str, Array]) -> Genes:
        """Return `genes` [n] with learned `arrays`, {name: [n, ...]} as in `networks`, written back."""
        raise TypeError(f"{type(self).__name__} encodes no networks")


class Initialiser(Component):
    """A distribution of first weights."""

    kind: ClassVar[str] = "initialiser"

    @abstractmethod
    def draw(self, n: int, fan_out: int, fan_in: int, rng: Stream) -> Array:
        """Return weights float32 [n, fan_out, fan_in] of n networks."""
