# SPDX-License-Identifier: MIT OR Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Genes
from vynapse_core.devices.reference import Reference
from vynapse_neat import quotas
from vynapse_neat.ranking import best_first
from vynapse_neat.shares import Shares, shares
from vynapse_neat.sharing import Sharing, sharing_rules
from vynapse_neat.species import Species
from vynapse_numba.device import Numba

FAILED = (float("nan"), float("-inf"), float("inf"))
DEVICE = Reference()
fitnesses = st.one_of(
    st.floats(-1e308, 1e308), st.sampled_from([*FAILED, 0.0, -1.0, 5e-324]), st.integers(-3, 3).map(float)
)


def grouped(*groups: list[float], improved: Any = 0, created: Any = 0, step: int = 0) -> tuple[Species, Any]:
    """Return species whose members have these fitnesses, and the fitness of all, the individuals interleaved."""
    of = np.concatenate([np.full(len(group), each, np.int64) for each, group in enumerate(groups)])
    fitness = np.concatenate([np.array(group, np.float64) for group in groups])
    order = np.random.default_rng(0).permutation(len(of))
    count, zeros = len(groups), np.zeros(len(groups), np.int64)
    genes = Genes(np.zeros((count, 1), np.float32))
    nothing, sizes = np.full(count, np.inf), np.bincount(of)
    species = Species(
        np.arange(count), zeros + created, zeros + improved, nothing, genes, of[order], sizes, nothing, nothing, count,
        np.inf, step,
    )  # fmt: skip
    return species, fitness[order]


def proportional(means: Any, size: int, least: int = 0) -> Any:
    return quota_of(quotas.proportional, means, size, least)


def smoothed(means: Any, sizes: Any, size: int, least: int) -> Any:
    return quota_of(quotas.smoothed, means, sizes, size, least)


def ranked(sizes: Any, size: int, least: int) -> Any:
    return quota_of(quotas.ranked, sizes, size, least)


def quota_of(rule: Any, known: Any, *others: Any) -> Any:
    """Return the quotas by a rule for species that all breed, in the order of what is known of them."""
    count = len(known)
    quota, order, space = np.zeros((3, count), np.int64)
    rule(np.arange(count), count, known, *others, quota, order, space, np.zeros(count))
    return quota


@given(st.lists(st.one_of(st.integers(0, 3).map(float), st.sampled_from([-np.inf, np.inf])), max_size=70))
def test_better_ones_come_first_and_equals_in_their_order(worth: list[float]) -> None:
    order, count = np.arange(len(worth) + 2), len(worth)
    best_first(order, 1, count + 1, np.array([0.0, *worth, 0.0]), np.empty_like(order))
    expected = sorted(range(1, count + 1), key=lambda i: -worth[i - 1])
    assert order.tolist() == [0, *expected, count + 1]


def given_to(*groups: list[float], size: int = 100, step: int = 0, improved: Any = 0, **options: Any) -> Shares:
    species, fitness = grouped(*groups, improved=improved, created=options.pop("created", 0), step=step)
    return shares(species, fitness, size, step, sharing_rules(Sharing(**options)), DEVICE)


@given(
    st.lists(st.lists(fitnesses, min_size=1, max_size=8), min_size=1, max_size=12),
    st.integers(1, 300),
    st.integers(0, 60),
    st.sampled_from(["proportional", "neat-python", "tensorneat"]),
    st.integers(0, 4),
    st.integers(0, 4),
)
@settings(max_examples=300, deadline=None)
def test_quotas_sum_to_the_size_whatever_the_fitness(
    groups: Any, size: int, step: int, quotas: Any, least: int, elites: int
) -> None:
    species, fitness = grouped(*groups, created=np.arange(len(groups)))
    sharing = Sharing(quotas=quotas, least=least, elites=elites, young_factor=1.5, old_factor=0.5)
    found = shares(species, fitness, size, step, sharing_rules(sharing), DEVICE)
    compiled = shares(species, fitness, size, step, sharing_rules(sharing), Numba(threads=1))
    for name, array in vars(found).items():
        np.testing.assert_array_equal(array, getattr(compiled, name), name)
    assert found.quota.sum() == size
    assert found.quota.min() >= 0
    assert (found.elites <= found.quota).all()
    assert (found.elites <= species.sizes).all()
    assert ((found.parents >= 1) & (found.parents <= species.sizes)).all()
    assert (found.quota[found.stagnant] == 0).all()


@given(st.lists(st.lists(st.sampled_from([*FAILED, 1.0, 2.0, 3.0]), min_size=1, max_size=9), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_members_are_ordered_by_species_and_fitness_and_equals_by_index(groups: Any) -> None:
    species, fitness = grouped(*groups)
    found = shares(species, fitness, 10, 0, sharing_rules(Sharing()), DEVICE)
    known = np.where(np.isfinite(fitness), fitness, -np.inf)
    expected = sorted(range(len(known)), key=lambda i: (species.species_of[i], -known[i], i))
    assert found.members.tolist() == expected
    assert found.first.tolist() == [expected.index(e) for e in map(found.members.__getitem__, found.first)]
    assert species.species_of[found.members[found.first]].tolist() == list(range(len(groups)))


def test_offspring_follow_the_mean_fitness_not_the_sum() -> None:
    assert given_to([1.0] * 30, [3.0], [2.0, 4.0], size=70).quota.tolist() == [10, 30, 30]


def test_positive_fitness_is_taken_as_it_is_and_negative_is_shifted_by_the_lowest() -> None:
    assert given_to([10.0], [30.0], size=40).quota.tolist() == [10, 30]
    assert given_to([-10.0], [0.0], [20.0], size=40).quota.tolist() == [0, 10, 30]


def test_the_largest_remainders_are_rounded_up_the_first_of_equals() -> None:
    assert proportional(np.array([1.0, 1.0, 1.0]), 10).tolist() == [4, 3, 3]
    assert proportional(np.array([5.6, 3.0, 1.4]), 10).tolist() == [6, 3, 1]
    assert proportional(np.array([0.0, 0.0]), 5).tolist() == [3, 2]


def test_a_least_quota_is_given_as_far_as_it_fits() -> None:
    assert proportional(np.array([1.0, 0.0, 0.0]), 10, 2).tolist() == [6, 2, 2]
    assert proportional(np.array([1.0, 0.0, 0.0]), 2, 2).tolist() == [2, 0, 0]
    assert proportional(np.array([1.0, 0.0, 0.0]), 4, 9).tolist() == [2, 1, 1]


@pytest.mark.parametrize("quotas", ["proportional", "neat-python"])
@pytest.mark.parametrize("value", [*FAILED, -3.0, 0.0, 5e-324, 1.7e308, -1.7e308])
def test_species_that_are_all_alike_have_equal_quotas(quotas: str, value: float) -> None:
    found = given_to([value] * 10, [value] * 10, [value] * 10, size=30, quotas=quotas)
    assert found.quota.tolist() == [10, 10, 10]


def test_a_member_that_failed_counts_as_the_lowest_and_does_not_breed() -> None:
    found = given_to([np.nan, 4.0, -np.inf, 2.0], [3.0], size=10, survival=1.0)
    assert found.quota.tolist() == [5, 5]
    assert found.parents.tolist() == [2, 1]


def test_where_all_fail_all_species_breed_though_they_stagnate() -> None:
    found = given_to([np.nan] * 7, [-np.inf] * 2, size=9, step=50)
    assert (found.quota.tolist(), found.elites.tolist()) == ([5, 4], [0, 0])
    assert not found.stagnant.any()
    assert not found.refocused


def test_a_stagnant_species_has_no_offspring_unless_it_is_the_best() -> None:
    found = given_to([9.0], [1.0], [1.0], size=30, step=15, improved=[0, 0, 1], population_stagnation=0)
    assert found.stagnant.tolist() == [False, True, False]
    assert found.quota.tolist() == [27, 0, 3]
    assert not given_to([9.0], [1.0], [1.0], step=14).stagnant.any()
    assert not given_to([9.0], [1.0], [1.0], step=99, stagnation=0, population_stagnation=0).stagnant.any()


def test_where_all_species_stagnate_the_best_takes_all() -> None:
    found = given_to([1.0, 8.0], [7.0, 7.0], size=12, step=40, population_stagnation=0)
    assert found.quota.tolist() == [12, 0]
    by_mean = given_to([1.0, 8.0], [7.0, 7.0], size=12, step=40, population_stagnation=0, measure="mean")
    assert by_mean.quota.tolist() == [0, 12]


def test_more_than_one_species_may_be_spared() -> None:
    found = given_to([1.0], [3.0], [2.0], size=10, step=40, population_stagnation=0, spared=2)
    assert found.stagnant.tolist() == [True, False, False]


def test_only_the_two_best_species_breed_where_the_population_stagnates() -> None:
    species, fitness = grouped([1.0], [3.0], [2.0], improved=20)
    found = shares(species, fitness, 10, 20, sharing_rules(Sharing()), DEVICE)
    assert (found.quota.tolist(), found.refocused) == ([0, 6, 4], True)
    assert not shares(species, fitness, 10, 19, sharing_rules(Sharing()), DEVICE).refocused
    assert not shares(species, fitness, 10, 99, sharing_rules(Sharing(population_stagnation=0)), DEVICE).refocused


def test_young_species_are_helped_and_old_ones_held_back() -> None:
    ages = {"created": [99, 80, 0], "improved": 99, "step": 100, "population_stagnation": 0}
    found = given_to([1.0], [1.0], [1.0], size=35, young_factor=2.0, old_factor=0.5, **ages)
    assert found.quota.tolist() == [20, 10, 5]


def test_the_best_share_of_a_species_breeds_at_least_one() -> None:
    found = given_to(list(range(30)), [1.0, 2.0], [5.0], survival=0.1)
    assert found.parents.tolist() == [3, 1, 1]
    assert given_to(list(range(30)), [1.0, 2.0], [5.0], survival=0.1, fewest_parents=2).parents.tolist() == [3, 2, 1]


def test_species_with_more_than_five_members_keep_their_champion() -> None:
    found = given_to([1.0] * 5, [1.0] * 6, [0.0] * 7, size=10)
    assert (found.quota.tolist(), found.elites.tolist()) == ([5, 5, 0], [0, 1, 0])
    assert given_to([1.0] * 5, [1.0] * 6, [0.0] * 7, size=10, elites=2).elites.tolist() == [2, 2, 0]


def test_smoothed_quotas_go_half_way() -> None:
    assert smoothed(np.array([0.8, 0.2]), np.array([50, 50]), 100, 1).tolist() == [65, 35]
    assert smoothed(np.array([1.0, 0.0, 0.0]), np.array([4, 3, 3]), 10, 2).tolist() == [6, 2, 2]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(1, 60)), min_size=1, max_size=12),
    st.integers(12, 300),
    st.integers(1, 3),
)
@settings(max_examples=150, deadline=None)
def test_smoothed_quotas_are_those_of_neat_python(species: Any, size: int, least: int) -> None:
    reproduction = pytest.importorskip("neat").DefaultReproduction
    means, sizes = (list(each) for each in zip(*species, strict=True))
    least = min(least, size // len(sizes))
    spawn = reproduction.compute_spawn(means, sizes, size, least)
    try:
        expected = reproduction._adjust_spawn_exact(None, spawn, size, least)
    except RuntimeError:
        return
    assert smoothed(np.array(means), np.array(sizes), size, least).tolist() == expected


def test_nothing_to_share_is_refused() -> None:
    species, fitness = grouped([1.0] * 5)
    with pytest.raises(ValueError, match="cannot share 0 offspring"):
        shares(species, fitness, 0, 0, sharing_rules(Sharing()), DEVICE)


@pytest.mark.parametrize(
    "wrong", [{"survival": 0.0}, {"survival": float("nan")}, {"spared": 0}, {"young_factor": 0.0}, {"quotas": "fair"}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Sharing(**wrong)


def test_by_rank_the_better_species_has_more_and_rounding_is_the_best_ones() -> None:
    # wanted are 5, 3 and 1 of 10; half way from 2, 2, 6 are 3, 2 and 3, and the best one has the two that are left
    assert ranked(np.array([2, 2, 6]), 10, 1).tolist() == [5, 2, 3]


def test_by_rank_the_best_species_lends_only_what_it_has() -> None:
    assert ranked(np.array([1, 1, 28]), 30, 8).tolist() == [8, 8, 14]


def test_ranks_are_those_of_fitness() -> None:
    found = given_to([1.0] * 4, [9.0] * 4, [5.0] * 4, size=12, quotas="tensorneat")
    assert found.quota.tolist() == [3, 5, 4]


def test_the_worst_of_the_old_species_has_no_offspring() -> None:
    groups = [[3.0] * 4, [1.0] * 4, [2.0] * 4, [0.5] * 4]
    found = given_to(*groups, step=40, created=np.array([0, 0, 0, 30]), improved=40, worst_age=30)
    assert found.stagnant.tolist() == [False, True, False, False]
    young = given_to(*groups, step=30, created=0, improved=30, worst_age=30)
    assert not young.stagnant.any()


def test_the_best_species_breeds_however_old_it_is() -> None:
    assert not given_to([1.0] * 3, step=99, improved=99, worst_age=30).stagnant.any()
