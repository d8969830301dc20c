# SPDX-License-Identifier: MIT OR Apache-2.0
"""Speciation at work: the species of a generation, by those of the generation before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vynapse_neat.clustering import Placement, first_compatible, nearest_compatible
from vynapse_neat.comparing import Comparing
from vynapse_neat.medoids import k_medoids
from vynapse_neat.species import Measure, Species, succeeded

if TYPE_CHECKING:
    from vynapse_core import Device, Population, Streams
    from vynapse_neat.layout import Layout
    from vynapse_neat.speciation import Speciation


@dataclass(frozen=True)
class Parting:
    """How populations are parted into species: `Parting.on(device, layout, speciation, measure, streams)`."""

    way: Speciation
    measure: Measure
    """What a species is worth."""
    comparing: Comparing
    streams: Streams
    """Those named `medoids` and `representatives` are drawn from."""
    device: Device

    @classmethod
    def on(cls, device: Device, layout: Layout, way: Speciation, measure: Measure, streams: Streams) -> Parting:
        """Return how populations of a layout are parted on a device."""
        return cls(way, measure, Comparing(way.distance, layout, device), streams, device)

    def species(self, before: Species, population: Population, threshold: float, step: int) -> Species:
        """Return the species of a population; genomes nearer than `threshold` are of one."""
        comparing, genes, words = self.comparing, population.genes, None
        ours, theirs = comparing.side(genes), comparing.side(before.representatives)
        placement: Placement
        if self.way.clustering == "k_medoids":
            drawn = self.streams("medoids", step).words(self.way.wanted)
            placement = k_medoids(comparing, ours, theirs, self.way.wanted, drawn)
        elif self.way.clustering == "nearest_compatible":
            placement = nearest_compatible(comparing, ours, theirs, threshold)
        else:
            placement = first_compatible(comparing, ours, theirs, threshold)
            words = self.streams("representatives", step).words(len(placement.centres))
        return succeeded(before, placement, genes, population.fitness, step, self.device, self.measure, words)
