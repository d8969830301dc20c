# SPDX-License-Identifier: MIT OR Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Array, Genes, Streams
from vynapse_core.state_tree import decode, encode
from vynapse_neat.clustering import OLD, Placement
from vynapse_neat.species import Species, measured, no_species, refocused, succeeded, worths


def people(n: int) -> Genes:
    """Return n genomes; the only value of each is its index."""
    return Genes(np.arange(n, dtype=np.float32)[:, None], {"nodes": np.arange(n, dtype=np.int32)})


def placed(species_of: list[int], existing: int) -> Placement:
    """Return a placement whose new species were founded by their first members."""
    count = max([existing - 1, *species_of]) + 1
    centres = [OLD if each < existing else species_of.index(each) for each in range(count)]
    return Placement(np.array(species_of, np.int64), np.array(centres, np.int64))


def begun(species_of: list[int], step: int = 0) -> Species:
    genes = people(len(species_of))
    return succeeded(no_species(genes), placed(species_of, 0), genes, step)


WORDS = np.full(9, 2**64 - 1, np.uint64)


def test_new_species_get_the_next_ids_and_empty_ones_are_gone() -> None:
    first = begun([0, 1, 2, 2])
    second = succeeded(first, placed([0, 2, 3, 4], 3), people(4), 1, WORDS)
    assert second.ids.tolist() == [0, 2, 3, 4]
    assert second.created.tolist() == [0, 0, 1, 1]
    assert second.species_of.tolist() == [0, 1, 2, 3]
    third = succeeded(second, placed([4, 4, 4, 4], 4), people(4), 2)
    assert (third.ids.tolist(), third.next_id) == ([5], 6)


def test_founders_represent_their_species_where_no_words_are_given() -> None:
    assert begun([0, 0, 1, 0, 2]).representatives.values.tolist() == [[0], [2], [4]]


def test_a_species_without_a_centre_needs_words_for_its_representative() -> None:
    with pytest.raises(ValueError, match="no centre"):
        succeeded(begun([0, 0]), placed([0, 0], 1), people(2), 1)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_representatives_are_members_of_their_species(names: list[int], seed: int) -> None:
    names = np.unique(names, return_inverse=True)[1].tolist()
    words = Streams(seed)("representatives").words(9)
    found = succeeded(
        begun([0]), Placement(np.array(names) + 1, np.full(max(names) + 2, OLD)), people(len(names)), 1, words
    )
    rows = found.representatives.values[:, 0].astype(int)
    assert found.species_of[rows].tolist() == list(range(len(found)))


def test_each_member_represents_its_species_equally_often() -> None:
    genes, placement = people(5), placed([0, 0, 1, 0, 0], 0)
    counts = np.zeros(5)
    for seed in range(2000):
        words = Streams(seed)("representatives").words(2)
        found = succeeded(no_species(genes), placement, genes, 0, words)
        counts[found.representatives.values[:, 0].astype(int)] += 1
    assert counts[2] == 2000
    # five standard deviations of a binomial with p = 1/4
    assert np.abs(counts[[0, 1, 3, 4]] - 500).max() < 5 * (2000 * 0.25 * 0.75) ** 0.5


def test_a_species_improves_when_it_surpasses_its_best() -> None:
    species = measured(begun([0, 0, 1]), np.array([1.0, 3.0, 5.0]), 0)
    species = measured(species, np.array([2.5, 2.0, 5.5]), 4)
    assert species.best.tolist() == [3.0, 5.5]
    assert species.improved.tolist() == [0, 4]
    assert (species.record, species.record_step) == (5.5, 4)


def test_the_mean_of_a_species_can_be_what_improves() -> None:
    species = measured(begun([0, 0]), np.array([0.0, 4.0]), 0, "mean")
    assert measured(species, np.array([3.0, 2.0]), 1, "mean").best.tolist() == [2.5]
    assert measured(species, np.array([0.0, 3.0]), 1, "mean").improved.tolist() == [0]


@pytest.mark.parametrize("measure", ["best", "mean"])
def test_a_fitness_that_is_not_finite_is_no_improvement(measure: str) -> None:
    failed = np.array([np.nan, -np.inf, np.inf, 2.0])
    assert worths(begun([0, 0, 1, 1]), failed, measure).tolist() == [-np.inf, 2.0]
    species = measured(begun([0, 0, 0, 0]), np.full(4, np.nan), 3, measure)
    assert (species.improved.tolist(), species.record, species.record_step) == ([0], -np.inf, 0)


def test_a_mean_of_great_fitnesses_does_not_overflow() -> None:
    assert worths(begun([0, 0, 0]), np.full(3, 1.7e308), "mean").tolist() == pytest.approx([1.7e308])


def test_after_a_new_focus_time_begins_again() -> None:
    species = refocused(measured(begun([0, 1, 2]), np.array([1.0, 2.0, 3.0]), 0), np.array([0, 2]), 20)
    assert species.improved.tolist() == [20, 0, 20]
    assert (species.record, species.record_step) == (3.0, 20)


def test_a_checkpoint_holds_the_species() -> None:
    arrays: dict[str, Array] = {}
    species = measured(begun([0, 1, 1]), np.array([1.0, 2.0, 3.0]), 0)
    back = decode(encode(species, Species, "s", arrays), Species, "s", lambda key, _: arrays[key])
    np.testing.assert_array_equal(back.species_of, species.species_of)
    np.testing.assert_array_equal(back.representatives.values, species.representatives.values)
    assert (back.next_id, back.record) == (2, 3.0)
