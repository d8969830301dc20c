# SPDX-License-Identifier: MIT OR Apache-2.0
"""Selection against closed forms, mixtures of selectors, and who survives a replacement."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from vynapse_core import Genes, Population, RunError, Streams
from vynapse_core.devices.reference import Reference
from vynapse_evolution.mixture import mixture, shares
from vynapse_evolution.replacement import Comma, Generational, Plus
from vynapse_evolution.selection import Elitism, Random, Rank, Roulette, Tournament

SELECTORS = [Tournament(), Roulette(), Rank(), Elitism(), Random()]
DRAWS = 40_000


def rng(seed=1):
    return Streams(seed)("selection")


def frequencies(selector, fitness):
    chosen = selector.select(np.asarray(fitness, float), DRAWS, rng())
    return np.bincount(chosen, minlength=len(fitness)) / DRAWS


def close(found, expected):
    """Whether each share lies within five standard deviations of what is expected."""
    expected = np.asarray(expected, float)
    return np.all(np.abs(found - expected) <= 5 * np.sqrt(expected * (1 - expected) / DRAWS) + 1e-12)


def population(fitness, first_id=0):
    values = np.arange(len(fitness), dtype=np.float32)[:, None] + first_id
    return Population.born(Genes(values), np.asarray(fitness, float), first_id)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_tournaments_are_won_with_the_probability_of_the_rank(size):
    p = 6
    fitness = np.array([3.0, -1.0, 7.0, 0.5, 2.0, 100.0])
    rank = fitness.argsort().argsort() + 1
    assert close(frequencies(Tournament(size=size), fitness), (rank**size - (rank - 1.0) ** size) / p**size)


def test_roulette_chooses_in_proportion_to_the_distance_from_the_worst():
    assert close(frequencies(Roulette(), [-3, 1, 5, -np.inf, -1]), np.array([0, 4, 8, 0, 2]) / 14)


def test_roulette_without_a_shift_chooses_in_proportion_to_fitness():
    assert close(frequencies(Roulette(shift=False), [3, 1, 6, 0]), [0.3, 0.1, 0.6, 0])


def test_roulette_without_a_shift_refuses_negative_fitness():
    with pytest.raises(RunError, match="fitness -2 is negative; set shift = true"):
        Roulette(shift=False).select(np.array([1.0, -2.0]), 3, rng())


def test_roulette_bears_fitness_as_large_as_numbers_go():
    assert close(frequencies(Roulette(), [-1.7e308, 0, 1.7e308]), [0, 1 / 3, 2 / 3])
    assert close(frequencies(Roulette(), [0.0, 5e-324]), [0, 1])


@pytest.mark.parametrize("pressure", [1.2, 2.0])
def test_linear_ranking_has_the_published_probabilities(pressure):
    fitness = np.array([10.0, 1000.0, -5.0, 11.0])
    i = np.array([2, 4, 1, 3])
    assert close(frequencies(Rank(pressure=pressure), fitness), (2 - pressure + 2 * (pressure - 1) * (i - 1) / 3) / 4)


def test_equals_share_their_rank():
    assert close(frequencies(Rank(pressure=2.0), [1, 0, 1, 1]), [2 / 6, 0, 2 / 6, 2 / 6])


def test_truncation_chooses_the_best_share_equally_often():
    chosen = Elitism(share=0.4).select(np.array([1.0, 9.0, 3.0, 8.0, 0.0]), 7, rng())
    assert np.bincount(chosen, minlength=5).tolist() == [0, 4, 0, 3, 0]


def test_truncation_leaves_out_those_that_failed():
    fitness = np.array([-np.inf, 2.0, -np.inf, 1.0])
    assert set(Elitism(share=1.0).select(fitness, 20, rng())) == {1, 3}


@pytest.mark.parametrize("selector", SELECTORS)
@pytest.mark.parametrize("value", [0.0, -7.5, 1e300, -np.inf])
def test_equal_individuals_are_chosen_equally_often(selector, value):
    fitness = np.full(5, value)
    assert close(frequencies(selector if not isinstance(selector, Elitism) else Elitism(share=1.0), fitness), [0.2] * 5)


@pytest.mark.parametrize("selector", SELECTORS)
@pytest.mark.parametrize("n", [0, 1, 7])
def test_a_population_of_one_is_chosen_always(selector, n):
    assert selector.select(np.array([-3.0]), n, rng()).tolist() == [0] * n


@pytest.mark.parametrize("selector", SELECTORS[:-1])
def test_one_that_failed_is_not_preferred(selector):
    share = frequencies(selector, [-np.inf, 1, 2, 3, 4])
    assert share[0] <= share[1:].min() + 0.01


@pytest.mark.parametrize("selector", SELECTORS[:-1])
def test_several_objectives_are_refused_with_a_reason(selector):
    with pytest.raises(RunError, match="the task has 2 objectives"):
        selector.select(np.zeros((4, 2)), 3, rng())


@given(
    weights=st.lists(st.floats(0, 1e6), min_size=1, max_size=6).filter(lambda w: sum(w) > 1e-3),
    n=st.integers(0, 300),
)
def test_shares_sum_to_the_whole_and_are_rounded_by_less_than_one(weights, n):
    counts = shares(weights, n)
    assert counts.sum() == n
    assert np.all(counts >= 0)
    assert np.all(np.abs(counts - np.array(weights) / sum(weights) * n) < 1 + 1e-9)


def test_what_is_left_goes_to_the_largest_remainders():
    assert shares([0.5, 0.3, 0.2], 11).tolist() == [6, 3, 2]
    assert shares([1, 1, 1], 5).tolist() == [2, 2, 1]


def test_a_mixture_chooses_by_weight_in_random_order():
    fitness = np.array([0.0, 0.0, 0.0, 1.0])
    selectors = (Elitism(share=0.1, weight=3.0), Random(weight=1.0))
    chosen = mixture(selectors, Reference())(fitness, 4000, rng())
    assert len(chosen) == 4000
    assert (chosen == 3).mean() == pytest.approx(0.75 + 0.25 / 4, abs=0.03)
    halves = (chosen == 3).reshape(2, -1).mean(axis=1)
    assert halves[0] == pytest.approx(halves[1], abs=0.04)


def test_plus_keeps_the_best_of_both_and_they_grow_older():
    parents, offspring = population([5, 1, -np.inf]), population([2, 9, 0, -np.inf], first_id=10)
    survivors = Plus().survive(parents, offspring, rng())
    assert sorted(survivors.fitness) == [2, 5, 9]
    ages = dict(zip(survivors.ids.tolist(), survivors.ages.tolist(), strict=True))
    assert ages == {0: 1, 10: 0, 11: 0}
    assert dict(zip(survivors.ids.tolist(), survivors.genes.values[:, 0].tolist(), strict=True)) == {
        0: 0,
        10: 10,
        11: 11,
    }


def test_of_equals_the_younger_live():
    survivors = Plus().survive(population([1, 1]), population([1, 1, 1], first_id=10), rng())
    assert survivors.ids.tolist() == [10, 11]


def test_comma_keeps_offspring_only():
    survivors = Comma().survive(population([99, 98]), population([1, 3, 2], first_id=10), rng())
    assert survivors.ids.tolist() == [11, 12]
    assert survivors.ages.tolist() == [0, 0]


def test_comma_needs_as_many_offspring_as_parents():
    with pytest.raises(RunError, match="at least 2 offspring, found 1"):
        Comma().survive(population([1, 2]), population([3]), rng())
    assert Comma().offspring(10) == 70
    assert Comma(ratio=1.05).offspring(10) == 11


@pytest.mark.parametrize(
    ("elites", "born", "ids"),
    [(0, 3, {10, 11, 12}), (1, 3, {10, 11, 1}), (2, 5, {10, 1, 0}), (0, 1, {10, 1, 0}), (1, 1, {10, 1, 0})],
)
def test_generational_replaces_all_but_the_elite(elites, born, ids):
    survivors = Generational(elites=elites).survive(population([5, 9, -np.inf]), population([0] * born, 10), rng())
    assert set(survivors.ids.tolist()) == ids


def test_generational_asks_for_the_places_that_the_elite_leaves():
    assert Generational(elites=2).offspring(10) == 8


@pytest.mark.parametrize(
    ("component", "fields"),
    [(Tournament, {"size": 0}), (Rank, {"pressure": 1.0}), (Rank, {"pressure": 2.1}), (Elitism, {"share": 0.0})],
)
def test_settings_without_sense_are_refused(component, fields):
    with pytest.raises(ValidationError):
        component(**fields)
