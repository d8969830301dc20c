# SPDX-License-Identifier: MIT OR Apache-2.0
"""Crossovers: one child of each pair. A pair that is not crossed gives a copy of its mother."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from vynapse_core import Array, Clock, Crossover, Device, Genes, Scheduled, Stream, value_at
from vynapse_evolution.probe import first_genes
from vynapse_evolution.sites import sites

if TYPE_CHECKING:
    from vynapse_core import Experiment


MOST = 0.5
"""Rate from which all pairs are crossed, and those put back that should not be: it is quicker than to choose them."""


class Clone(Crossover):
    """No crossover: a child is a copy of its mother, to be changed by mutation alone."""

    encodings: ClassVar[frozenset[str]] = frozenset({"real", "binary", "permutation", "tree", "topology"})

    def cross(self, mothers: Genes, fathers: Genes, rng: Stream, clock: Clock) -> Genes:
        """Return copies of `mothers` [n]."""
        return mothers.with_values(mothers.values.copy())


class PairWise(Crossover):
    """A crossover of some pairs."""

    rate: Scheduled = Field(0.8, ge=0, le=1)
    """Probability that a pair is crossed."""

    @abstractmethod
    def children(self, mothers: Array, fathers: Array, rng: Stream, clock: Clock) -> Array:
        """Return the values [n, w] of the children of `mothers` and `fathers` [n, w], every pair crossed."""

    def cross(self, mothers: Genes, fathers: Genes, rng: Stream, clock: Clock) -> Genes:
        """Return n children of `mothers` [n] and `fathers` [n]."""
        rate = value_at(self.rate, clock)
        if rate >= 1:
            return mothers.with_values(self.children(mothers.values, fathers.values, rng, clock))
        pairs = sites(rate, len(mothers), rng)
        if rate < MOST:
            values = mothers.values.copy()
            values[pairs] = self.children(mothers.values[pairs], fathers.values[pairs], rng, clock)
        else:
            others = np.delete(np.arange(len(mothers)), pairs)
            values = self.children(mothers.values, fathers.values, rng, clock)
            values[others] = mothers.values[others]
        return mothers.with_values(values)


class Exchange(PairWise):
    """A crossover that takes each gene from one parent or the other."""

    encodings: ClassVar[frozenset[str]] = frozenset({"real", "binary"})

    @abstractmethod
    def from_father(self, n: int, length: int, rng: Stream, clock: Clock) -> Array:
        """Return bool [n, length]: which genes come from the father."""

    def children(self, mothers: Array, fathers: Array, rng: Stream, clock: Clock) -> Array:
        """Return the mothers' values with some of the fathers'."""
        mask = self.from_father(len(mothers), mothers.shape[1], rng, clock)
        # by bits, since a branch for each gene on a random mask takes three times as long
        bits = np.dtype(f"i{mothers.dtype.itemsize}")
        mixed = mothers.view(bits) ^ fathers.view(bits)
        mixed &= np.negative(mask.view(np.int8))
        mixed ^= mothers.view(bits)
        child: Array = mixed.view(mothers.dtype)
        return child


class UniformCrossover(Exchange):
    """Take each gene from either parent, gene by gene.  Reference: Syswerda 1989."""

    swap: Scheduled = Field(0.5, ge=0, le=1)
    """Probability that a gene comes from the father, who is the less fit of the two."""

    def from_father(self, n: int, length: int, rng: Stream, clock: Clock) -> Array:
        """Return independent draws; for a half, a bit of a random word each, lowest first."""
        swap = value_at(self.swap, clock)
        if swap != 0.5:
            return rng.bernoulli(swap, (n, length))
        words = rng.words((n, -(-length // 64))).astype("<u8", copy=False)
        return np.unpackbits(words.view(np.uint8), axis=1, count=length, bitorder="little").view(np.bool_)

    def on(self, device: Device) -> Callable[[Genes, Array, Array, Stream, Clock], Genes]:
        """Return `cross`, as a loop where the device compiles and a pair is mostly crossed, half and half."""
        plain = super().on(device)
        if not device.compiles:
            return plain
        from vynapse_evolution.routines import BITS, for_genes
        from vynapse_evolution.routines.crossover import uniform_crossover

        form = for_genes(device, uniform_crossover)

        def cross(genes: Genes, mothers: Array, fathers: Array, rng: Stream, clock: Clock) -> Genes:
            rate, values = value_at(self.rate, clock), genes.values
            bits = BITS.get(values.dtype, values.dtype)
            parents = np.ascontiguousarray(values).view(bits)
            run = form(parents)
            if run is None or rate < MOST or value_at(self.swap, clock) != 0.5 or genes.structure:
                return plain(genes, mothers, fathers, rng, clock)
            n, w = len(mothers), values.shape[1]
            words = n * -(-w // 64) + (-(-n // 2) if rate < 1 else 0)
            children = np.empty((n, w), bits)
            run(n, *rng.reserve(words), rate, parents, mothers, fathers, children)
            return Genes(children.view(values.dtype), bounds=genes.bounds)

        return cross


class KPoint(Exchange):
    """Cut both parents at the same k places and take the pieces by turns.  Reference: De Jong 1975.

    Either parent gives the first piece, with the same probability.
    """

    points: int = Field(2, ge=1)
    """Number of cuts, all at different places between two genes."""

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where there are more cuts than places to cut at."""
        genes = first_genes(experiment)
        if genes is not None and self.points >= genes.values.shape[1]:
            yield "points", f"{self.points} cuts do not fit between {genes.values.shape[1]} genes"

    def from_father(self, n: int, length: int, rng: Stream, clock: Clock) -> Array:
        """Return alternating pieces."""
        turns = np.zeros((n, length), np.uint8)
        if length == 0:
            return turns.view(np.bool_)
        turns[:, 0] = rng.bernoulli(0.5, n)
        turns[np.arange(n)[:, None], cuts(n, min(self.points, length - 1), length, rng)] = 1
        return np.bitwise_xor.accumulate(turns, axis=1).view(np.bool_)


class Arithmetic(PairWise):
    """Take a weighted mean of the parents.  Reference: Michalewicz 1996, ch. 6."""

    alpha: Scheduled | None = Field(None, ge=0, le=1)
    """Weight of the father; without it, drawn anew for each child, uniform in [0, 1)."""

    def children(self, mothers: Array, fathers: Array, rng: Stream, clock: Clock) -> Array:
        """Return points on the lines between the parents."""
        share = rng.uniform((len(mothers), 1)) if self.alpha is None else value_at(self.alpha, clock)
        return mothers * (1 - share) + fathers * share


class Blend(PairWise):
    """BLX-α: draw each gene uniformly from the parents' interval, made longer at both ends.

    Reference: Eshelman & Schaffer 1993.
    """

    alpha: Scheduled = Field(0.5, ge=0)
    """By what share of its length the interval grows at each end."""

    def children(self, mothers: Array, fathers: Array, rng: Stream, clock: Clock) -> Array:
        """Return values uniform in mother ± around the father: which of the two is greater does not matter."""
        alpha = value_at(self.alpha, clock)
        place = rng.uniform(mothers.shape, -alpha, 1 + alpha, dtype=mothers.dtype)
        place *= fathers - mothers
        place += mothers
        return place


def cuts(n: int, points: int, length: int, rng: Stream) -> Array:
    """Return `points` different cuts out of 1 .. length-1 for each of n pairs, int64 [n, points].

    Every set of cuts is equally likely.  Reference: Floyd's algorithm (Bentley & Floyd 1987), for all pairs at once.
    """
    chosen = np.zeros((n, points), np.int64)
    for index, last in enumerate(range(length - points, length)):
        draw = rng.integers(1, last + 1, n)
        taken = (chosen[:, :index] == draw[:, None]).any(axis=1)
        chosen[:, index] = np.where(taken, last, draw)
    return chosen
