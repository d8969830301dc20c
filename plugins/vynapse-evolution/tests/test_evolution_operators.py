# SPDX-License-Identifier: MIT OR Apache-2.0
"""Mutation and crossover: what changes, how much of it, and by which distribution."""

from __future__ import annotations

from collections import Counter
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from vynapse_core import Clock, Genes, RunError, Streams
from vynapse_core.schedules import Linear
from vynapse_evolution.crossover import Arithmetic, Blend, Clone, KPoint, UniformCrossover, cuts
from vynapse_evolution.mutation import BitFlip, Gaussian, UniformMutation
from vynapse_evolution.sites import SPARSE, sites

START = Clock(0, 100)
MUTATIONS = {
    "gaussian": lambda **fields: Gaussian(**fields),
    "uniform": lambda **fields: UniformMutation(low=-3.0, high=3.0, **fields),
    "bit_flip": lambda **fields: BitFlip(**fields),
}
CROSSOVERS = {
    "uniform": lambda **fields: UniformCrossover(**fields),
    "uniform 0.3": lambda **fields: UniformCrossover(swap=0.3, **fields),
    "k_point": lambda **fields: KPoint(**fields),
    "arithmetic": lambda **fields: Arithmetic(**fields),
    "blend": lambda **fields: Blend(**fields),
}
SHAPES = {"n": st.integers(0, 12), "w": st.integers(1, 70), "seed": st.integers(0, 1000)}


def rng(seed=1, name="operator"):
    return Streams(seed)(name)


def reals(n, w, seed=1, name="genes", bounds=None):
    values = rng(seed, name).normal((n, w))
    return Genes(values if bounds is None else np.clip(values, *bounds), bounds=bounds)


def bits(n, w, seed=1, name="genes"):
    return Genes(rng(seed, name).bernoulli(0.5, (n, w)).view(np.uint8))


def genes_for(operator, n, w, seed=1, name="genes", bounds=None):
    return bits(n, w, seed, name) if operator == "bit_flip" else reals(n, w, seed, name, bounds)


@given(
    name=st.sampled_from(sorted(MUTATIONS)),
    rate=st.sampled_from([0.0, 0.02, 0.5, 1.0]),
    probability=st.sampled_from([0.0, 0.3, 1.0]),
    bounds=st.sampled_from([None, (-0.5, 0.5)]),
    **SHAPES,
)
@settings(max_examples=150, deadline=None)
def test_mutation_returns_new_genes_of_the_same_kind_within_bounds(name, rate, probability, bounds, n, w, seed):
    mutation, genes = MUTATIONS[name](rate=rate, probability=probability), genes_for(name, n, w, seed, bounds=bounds)
    genes.values.flags.writeable = False
    mutated = mutation.mutate(genes, rng(seed), START)
    assert mutated.values.shape == genes.values.shape
    assert mutated.values.dtype == genes.values.dtype
    assert not np.shares_memory(mutated.values, genes.values) or n == 0
    assert np.array_equal(mutated.values, mutation.mutate(genes, rng(seed), START).values)
    if name == "bit_flip":
        assert not np.any(mutated.values > 1)
    elif bounds and n:
        assert mutated.values.min() >= bounds[0]
        assert mutated.values.max() <= bounds[1]
    if rate == 0 or probability == 0:
        assert np.array_equal(mutated.values, genes.values)
    if rate == probability == 1 and not bounds:
        assert n == 0 or np.mean(mutated.values == genes.values) < 0.1


@pytest.mark.parametrize("name", sorted(MUTATIONS))
@pytest.mark.parametrize("rate", [0.03, 0.4])
@pytest.mark.parametrize("probability", [0.25, 1.0])
def test_the_share_of_changed_genes_is_rate_times_probability(name, rate, probability):
    genes = genes_for(name, 1000, 60)
    mutated = MUTATIONS[name](rate=rate, probability=probability).mutate(genes, rng(), START)
    changed = mutated.values != genes.values
    touched = changed.any(axis=1).mean()
    assert changed[changed.any(axis=1)].mean() == pytest.approx(rate / (1 - (1 - rate) ** 60), rel=0.08)
    assert touched == pytest.approx(probability * (1 - (1 - rate) ** 60), abs=0.07)


def test_gaussian_noise_has_the_standard_deviation_of_the_step():
    genes = Genes(np.full((100, 400), 2.0, np.float32))
    mutation = Gaussian(sigma=Linear(start=1.0, end=0.0, steps=11))
    noise = mutation.mutate(genes, rng(), Clock(5)).values.astype(float) - 2
    assert noise.std() == pytest.approx(0.5, rel=5 / np.sqrt(2 * noise.size))
    assert abs(noise.mean()) < 5 * 0.5 / np.sqrt(noise.size)


def test_uniform_mutation_draws_from_the_genomes_bounds_unless_told_otherwise():
    genes = Genes(np.zeros((100, 50), np.float32), bounds=(2.0, 6.0))
    fresh = UniformMutation(rate=1.0).mutate(genes, rng(), START).values
    assert fresh.min() >= 2
    assert fresh.max() < 6
    assert fresh.mean() == pytest.approx(4, abs=5 * 4 / np.sqrt(12 * fresh.size))
    assert UniformMutation(rate=1.0, low=5.0).mutate(genes, rng(), START).values.min() >= 5


def test_uniform_mutation_without_an_interval_says_what_to_set():
    with pytest.raises(RunError, match="set its 'low' and 'high'"):
        UniformMutation().mutate(reals(2, 2), rng(), START)
    with pytest.raises(RunError, match="5 to 1 is no interval"):
        UniformMutation(rate=1.0, low=5.0).mutate(reals(2, 2, bounds=(-1.0, 1.0)), rng(), START)


def test_bit_flip_changes_one_bit_of_each_on_average():
    genes = bits(2000, 40)
    flipped = (BitFlip().mutate(genes, rng(), START).values != genes.values).sum(axis=1)
    assert flipped.mean() == pytest.approx(1, abs=5 / np.sqrt(2000))


@pytest.mark.parametrize("mutation", [Gaussian(only=[[1, 3], [2, 4]]), Gaussian(rate=0.9, only=[[1, 4]])])
def test_only_the_genes_named_change(mutation):
    genes = reals(50, 6)
    changed = (mutation.mutate(genes, rng(), START).values != genes.values).any(axis=0)
    assert changed.tolist() == [False, True, True, True, False, False]


@pytest.mark.parametrize("only", [[], [[3, 3]], [[-1, 2]]])
def test_ranges_of_genes_without_sense_are_refused(only):
    with pytest.raises(ValidationError):
        Gaussian(only=only)


@pytest.mark.parametrize("rate", [0.001, 0.05, SPARSE, 0.7])
def test_sites_are_chosen_independently_with_their_rate(rate):
    count, trials = 400, 3000
    chosen = np.zeros((trials, count), bool)
    stream = rng()
    for row in chosen:
        places = sites(rate, count, stream)
        assert np.all(np.diff(places) > 0)
        row[places] = True
    tolerance = 5 * np.sqrt(rate * (1 - rate) / trials)
    assert np.all(np.abs(chosen.mean(axis=0) - rate) < tolerance + 1e-3)
    assert chosen.mean() == pytest.approx(rate, abs=tolerance / np.sqrt(count))
    assert chosen.sum(axis=1).var() == pytest.approx(count * rate * (1 - rate), rel=0.25)
    neighbours = (chosen[:, 1:] & chosen[:, :-1]).mean()
    assert neighbours == pytest.approx(rate**2, abs=6 * rate / np.sqrt(trials * count))


@pytest.mark.parametrize("rate", [0.0, 1e-300, 1.0])
def test_extreme_rates_choose_none_or_all(rate):
    assert sites(rate, 1000, rng()).tolist() == (list(range(1000)) if rate == 1 else [])


@given(
    name=st.sampled_from(sorted(CROSSOVERS)),
    rate=st.sampled_from([0.0, 0.2, 0.9, 1.0]),
    bounds=st.sampled_from([None, (-0.5, 0.5)]),
    **SHAPES,
)
@settings(max_examples=150, deadline=None)
def test_crossover_returns_new_genes_of_the_same_kind_within_bounds(name, rate, bounds, n, w, seed):
    crossover = CROSSOVERS[name](rate=rate)
    mothers, fathers = (reals(n, w, seed, who, bounds) for who in ("mothers", "fathers"))
    mothers.values.flags.writeable = fathers.values.flags.writeable = False
    children = crossover.cross(mothers, fathers, rng(seed), START)
    assert children.values.shape == mothers.values.shape
    assert children.values.dtype == np.float32
    assert np.array_equal(children.values, crossover.cross(mothers, fathers, rng(seed), START).values)
    if bounds and n:
        assert children.values.min() >= bounds[0]
        assert children.values.max() <= bounds[1]
    if rate == 0:
        assert np.array_equal(children.values, mothers.values)


@pytest.mark.parametrize("crossover", [UniformCrossover(rate=1.0), UniformCrossover(swap=0.2), KPoint(points=3)])
@pytest.mark.parametrize("make", [reals, bits])
def test_exchanged_genes_are_one_parents_or_the_others(crossover, make):
    mothers, fathers = make(40, 33, name="mothers"), make(40, 33, name="fathers")
    children = crossover.cross(mothers, fathers, rng(), START).values
    assert children.dtype == mothers.values.dtype
    assert np.all((children == mothers.values) | (children == fathers.values))


@pytest.mark.parametrize("name", sorted(CROSSOVERS))
@pytest.mark.parametrize("rate", [0.15, 0.7])
def test_the_rate_is_the_share_of_pairs_that_are_crossed(name, rate):
    mothers, fathers = reals(2000, 30, name="mothers"), reals(2000, 30, name="fathers")
    children = CROSSOVERS[name](rate=rate).cross(mothers, fathers, rng(), START)
    crossed = (children.values != mothers.values).any(axis=1)
    assert crossed.mean() == pytest.approx(rate, abs=5 * np.sqrt(rate * (1 - rate) / 2000) + 0.001)


@pytest.mark.parametrize("swap", [0.5, 0.2])
def test_uniform_crossover_takes_the_fathers_share_gene_by_gene(swap):
    shape = 3000, 70
    mothers, fathers = Genes(np.zeros(shape, np.float32)), Genes(np.ones(shape, np.float32))
    children = UniformCrossover(rate=1.0, swap=swap).cross(mothers, fathers, rng(), START).values
    assert np.allclose(children.mean(axis=0), swap, atol=5.5 * np.sqrt(swap * (1 - swap) / 3000))
    assert children.sum(axis=1).var() == pytest.approx(70 * swap * (1 - swap), rel=0.15)


@pytest.mark.parametrize("points", [1, 2, 5])
def test_k_points_cut_exactly_k_times_and_give_either_parent_the_start(points):
    mothers, fathers = Genes(np.zeros((2000, 9), np.uint8)), Genes(np.ones((2000, 9), np.uint8))
    children = KPoint(rate=1.0, points=points).cross(mothers, fathers, rng(), START).values
    assert np.all((np.diff(children.astype(int), axis=1) != 0).sum(axis=1) == points)
    assert children[:, 0].mean() == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(2000))


@pytest.mark.parametrize(("points", "length"), [(1, 6), (2, 6), (3, 6), (5, 6)])
def test_every_set_of_cuts_is_equally_likely(points, length):
    n = 20_000
    found = Counter(tuple(sorted(row)) for row in cuts(n, points, length, rng()).tolist())
    expected = n / comb(length - 1, points)
    assert len(found) == comb(length - 1, points)
    assert all(len(set(row)) == points and min(row) >= 1 and max(row) < length for row in found)
    assert max(abs(count - expected) for count in found.values()) <= 5 * np.sqrt(expected)


def test_more_cuts_than_places_cut_everywhere():
    mothers, fathers = Genes(np.zeros((5, 4), np.uint8)), Genes(np.ones((5, 4), np.uint8))
    children = KPoint(rate=1.0, points=99).cross(mothers, fathers, rng(), START).values
    assert np.all(np.diff(children.astype(int), axis=1) != 0)
    assert KPoint().cross(bits(3, 1), bits(3, 1, 2), rng(), START).values.shape == (3, 1)


def test_arithmetic_children_lie_on_the_line_between_their_parents():
    mothers, fathers = Genes(np.zeros((3000, 4), np.float32)), Genes(np.ones((3000, 4), np.float32))
    fixed = Arithmetic(rate=1.0, alpha=0.25).cross(mothers, fathers, rng(), START).values
    drawn = Arithmetic(rate=1.0).cross(mothers, fathers, rng(), START).values
    assert np.all(fixed == 0.25)
    assert np.all(drawn == drawn[:, :1])
    assert drawn.mean() == pytest.approx(0.5, abs=5 / np.sqrt(12 * 3000))
    assert drawn.var() == pytest.approx(1 / 12, rel=0.1)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.5])
@pytest.mark.parametrize(("mother", "father"), [(-1.0, 3.0), (3.0, -1.0)])
def test_blend_fills_the_parents_interval_and_alpha_of_its_length_at_each_end(alpha, mother, father):
    mothers, fathers = (Genes(np.full((200, 100), x, np.float32)) for x in (mother, father))
    children = Blend(rate=1.0, alpha=alpha).cross(mothers, fathers, rng(), START).values.astype(float)
    low, high = -1 - 4 * alpha, 3 + 4 * alpha
    assert children.min() == pytest.approx(low, abs=0.01 * (high - low))
    assert children.max() == pytest.approx(high, abs=0.01 * (high - low))
    assert children.var() == pytest.approx((high - low) ** 2 / 12, rel=0.05)
    assert low <= children.min() <= children.max() <= high


def test_without_crossover_children_are_their_mothers():
    mothers = Genes(np.eye(3, dtype=np.float32), {"count": np.arange(3)})
    children = Clone().cross(mothers, mothers.take(np.array([2, 1, 0])), rng(), START)
    assert np.array_equal(children.values, mothers.values)
    assert children.structure["count"].tolist() == [0, 1, 2]
