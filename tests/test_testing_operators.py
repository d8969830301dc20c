# SPDX-License-Identifier: MIT OR Apache-2.0
"""Broken mutations and crossovers, and what the kit says of each."""

import random
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from vynapse_core import Crossover, Genes, Genome, Mutation
from vynapse_core.testing import ContractError, check, check_crossover, check_mutation


class Noise(Mutation):
    """Add normal noise."""

    def mutate(self, genes, rng, clock):
        return genes.with_values(genes.values + rng.normal(genes.values.shape))


class Writing(Noise):
    """Writes into what it is given."""

    def mutate(self, genes, rng, clock):
        genes.values[...] += rng.normal(genes.values.shape)
        return genes


class Widening(Noise):
    """Works in float64."""

    def mutate(self, genes, rng, clock):
        return replace(genes, values=genes.values + rng.normal(genes.values.shape, dtype=np.float64))


class Losing(Noise):
    """Loses an individual."""

    def mutate(self, genes, rng, clock):
        return super().mutate(genes, rng, clock).take(slice(1, None))


class Escaping(Noise):
    """Ignores the bounds."""

    def mutate(self, genes, rng, clock):
        return Genes(genes.values + rng.normal(genes.values.shape), genes.structure, genes.bounds)


class Unbinding(Noise):
    """Forgets the bounds."""

    def mutate(self, genes, rng, clock):
        return Genes(genes.values + rng.normal(genes.values.shape))


class OwnGenerator(Noise):
    """Draws from a generator of its own."""

    def mutate(self, genes, rng, clock):
        noise = np.random.default_rng().standard_normal(genes.values.shape, np.float32)
        return genes.with_values(genes.values + noise)


class OtherwiseFast(Noise):
    """Does something else where a device compiles."""

    def on(self, device):
        if not device.compiles:
            return self.mutate
        return lambda genes, rng, clock: genes.with_values(genes.values + 2 * rng.normal(genes.values.shape))


class GreedyFast(Noise):
    """Draws more where a device compiles."""

    def on(self, device):
        def mutate(genes, rng, clock):
            changed = self.mutate(genes, rng, clock)
            rng.words(2)
            return changed

        return mutate if device.compiles else self.mutate


class FixedGenerator(Noise):
    """Draws the same numbers whatever its stream."""

    def mutate(self, genes, rng, clock):
        noise = np.random.default_rng(1).standard_normal(genes.values.shape, np.float32)
        return genes.with_values(genes.values + noise)


class GlobalGenerator(Noise):
    """Draws from NumPy's global generator."""

    def mutate(self, genes, rng, clock):
        return genes.with_values(genes.values + np.random.standard_normal(genes.values.shape).astype(np.float32))  # noqa: NPY002


class PythonGenerator(Noise):
    """Draws from Python's global generator."""

    def mutate(self, genes, rng, clock):
        return genes.with_values(genes.values * np.float32(random.random()))


class NeedingOne(Noise):
    """Cannot do with nobody."""

    def mutate(self, genes, rng, clock):
        genes.values[0]
        return super().mutate(genes, rng, clock)


class NotANumber(Noise):
    """Divides by nothing."""

    def mutate(self, genes, rng, clock):
        return genes.with_values(genes.values + rng.normal(genes.values.shape) + np.float32(np.nan))


class Arrays(Noise):
    """Returns an array."""

    def mutate(self, genes, rng, clock):
        return genes.values + rng.normal(genes.values.shape)


class Flip(Mutation):
    """Flip bits."""

    encodings: ClassVar[frozenset[str]] = frozenset({"binary"})

    def mutate(self, genes, rng, clock):
        return genes.with_values(genes.values ^ rng.bernoulli(0.5, genes.values.shape).astype(np.uint8))


class Count(Flip):
    """Makes more of a bit than one."""

    def mutate(self, genes, rng, clock):
        return genes.with_values(genes.values + rng.bernoulli(0.5, genes.values.shape).astype(np.uint8))


class Shuffle(Mutation):
    """Draw another order."""

    encodings: ClassVar[frozenset[str]] = frozenset({"permutation"})

    def mutate(self, genes, rng, clock):
        order = np.argsort(rng.uniform(genes.values.shape), axis=1)
        return genes.with_values(np.take_along_axis(genes.values, order, axis=1))


class Resample(Shuffle):
    """Draws numbers that may repeat."""

    def mutate(self, genes, rng, clock):
        n, w = genes.values.shape
        return genes.with_values(rng.integers(0, w, (n, w)))


class Listed(Noise):
    """Names its encodings in a list."""

    encodings: ClassVar[frozenset[str]] = ["real"]


@pytest.mark.parametrize("mutation", [Noise(), Flip(), Shuffle()])
def test_a_sound_mutation_passes(mutation):
    check_mutation(mutation)


@pytest.mark.parametrize(
    ("mutation", "words"),
    [
        (Writing(), r"writes nothing that it is given.*\n.*arguments\[0\]\.values"),
        (Widening(), r"keeps the values' shape \[n, w\] and dtype.*\n.*float64 \(0, 5\) from float32"),
        (Losing(), "as many individuals"),
        (Escaping(), "keeps values within the bounds"),
        (Unbinding(), "keeps structure and bounds"),
        (OwnGenerator(), "same bits for the same stream"),
        (OtherwiseFast(), r"a form that does what mutate does.*\n.*compiles is True, values differ"),
        (GreedyFast(), r"a form that draws what mutate draws.*\n.*words where mutate takes"),
        (FixedGenerator(), "another stream gives another result.*\n.*drew nothing"),
        (GlobalGenerator(), "from nothing else.*\n.*global generator"),
        (PythonGenerator(), "from nothing else.*\n.*global generator"),
        (NeedingOne(), "serves 0 individuals.*\n.*IndexError"),
        (NotANumber(), "finite values"),
        (Arrays(), "returns Genes"),
        (Count(), "keeps bits 0 or 1"),
        (Resample(), "keeps permutations"),
        (Listed(), "`encodings` is a frozenset"),
    ],
)
def test_a_broken_mutation_is_caught(mutation, words):
    with pytest.raises(ContractError, match=words):
        check(mutation)


def test_a_mutation_may_be_deterministic_where_the_test_says_so():
    class Double(Mutation):
        """Double every gene."""

        def mutate(self, genes, rng, clock):
            return genes.with_values(genes.values * np.float32(2))

    check_mutation(Double(), deterministic=True)
    with pytest.raises(ContractError, match="deterministic=True"):
        check_mutation(Double())


class Pairs(Genome):
    """An encoding that has structure."""

    encoding: ClassVar[str] = "pairs"

    def initial(self, n, rng):
        return Genes(rng.normal((n, 4)), {"links": rng.integers(0, 4, (n, 2))})


class PairNoise(Noise):
    """Add noise to pairs."""

    encodings: ClassVar[frozenset[str]] = frozenset({"pairs"})


class PairBreaking(PairNoise):
    """Drops the structure."""

    def mutate(self, genes, rng, clock):
        return Genes(genes.values + rng.normal(genes.values.shape))


def test_genes_with_structure_come_from_a_genome():
    check_mutation(PairNoise(), genome=Pairs())
    with pytest.raises(ContractError, match="pass `genome=`"):
        check_mutation(PairNoise())
    with pytest.raises(ContractError, match="keeps structure"):
        check_mutation(PairBreaking(), genome=Pairs())
    with pytest.raises(ContractError, match="it serves pairs genes"):
        check_mutation(Noise(), genome=Pairs())


class Swap(Crossover):
    """Take each gene from either parent."""

    encodings: ClassVar[frozenset[str]] = frozenset({"real", "binary"})

    def cross(self, mothers, fathers, rng, clock):
        return mothers.with_values(np.where(rng.bernoulli(0.5, mothers.values.shape), mothers.values, fathers.values))


class Middle(Crossover):
    """Take the mean."""

    def cross(self, mothers, fathers, rng, clock):
        return mothers.with_values((mothers.values + fathers.values) / 2)


class Moody(Middle):
    """Takes either parent whole, by a generator of its own."""

    def cross(self, mothers, fathers, rng, clock):
        weight = np.random.default_rng().random(mothers.values.shape, np.float32)
        return mothers.with_values(mothers.values * weight + fathers.values * (1 - weight))


class InPlace(Swap):
    """Writes into the fathers."""

    def cross(self, mothers, fathers, rng, clock):
        fathers.values[::2] = mothers.values[::2]
        return fathers


class Twins(Swap):
    """Makes two children of a pair."""

    def cross(self, mothers, fathers, rng, clock):
        return Genes.concatenated([mothers, fathers])


class Order(Swap):
    """Mixes permutations gene by gene."""

    encodings: ClassVar[frozenset[str]] = frozenset({"permutation"})


@pytest.mark.parametrize("crossover", [Swap(), Middle()])
def test_a_sound_crossover_passes_even_if_it_draws_nothing(crossover):
    check_crossover(crossover)


@pytest.mark.parametrize(
    ("crossover", "words"),
    [
        (Moody(), "same bits for the same stream"),
        (InPlace(), r"writes nothing.*\n.*arguments\[1\]"),
        (Twins(), "as many individuals"),
        (Order(), "keeps permutations"),
    ],
)
def test_a_broken_crossover_is_caught(crossover, words):
    with pytest.raises(ContractError, match=words):
        check(crossover)


def test_a_part_of_another_kind_is_refused():
    with pytest.raises(ContractError, match="instance of Mutation"):
        check_mutation(Swap())
