# SPDX-License-Identifier: MIT OR Apache-2.0
from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Array, Genes, Streams
from vynapse_core.devices.reference import Reference
from vynapse_core.state_tree import decode, encode
from vynapse_neat.clustering import OLD, Placement
from vynapse_neat.species import Measure, Species, no_species, refocused, succeeded
from vynapse_numba.device import Numba


def people(n: int) -> Genes:
    """Return n genomes; the only value of each is its index."""
    return Genes(np.arange(n, dtype=np.float32)[:, None], {"nodes": np.arange(n, dtype=np.int32)})


def placed(species_of: list[int], existing: int) -> Placement:
    """Return a placement whose new species were founded by their first members."""
    count = max([existing - 1, *species_of]) + 1
    centres = [OLD if each < existing else species_of.index(each) for each in range(count)]
    return Placement(np.array(species_of, np.int64), np.array(centres, np.int64))


WORDS = np.full(9, 2**64 - 1, np.uint64)
DEVICE = Reference()


def begun(
    species_of: list[int], fitness: list[float] | None = None, step: int = 0, measure: Measure = "best"
) -> Species:
    genes, known = people(len(species_of)), np.array(fitness or [0.0] * len(species_of))
    return succeeded(no_species(genes), placed(species_of, 0), genes, known, step, DEVICE, measure)


def after(
    species: Species,
    species_of: list[int],
    fitness: list[float] | None = None,
    step: int = 1,
    measure: Measure = "best",
) -> Species:
    """Return the species of a next generation whose members are placed so, of those before by their index."""
    genes, known = people(len(species_of)), np.array(fitness or [0.0] * len(species_of))
    return succeeded(species, placed(species_of, len(species)), genes, known, step, DEVICE, measure, WORDS)


def test_new_species_get_the_next_ids_and_empty_ones_are_gone() -> None:
    first = begun([0, 1, 2, 2])
    second = after(first, [0, 2, 3, 4])
    assert second.ids.tolist() == [0, 2, 3, 4]
    assert second.created.tolist() == [0, 0, 1, 1]
    assert second.species_of.tolist() == [0, 1, 2, 3]
    third = after(second, [4, 4, 4, 4], step=2)
    assert (third.ids.tolist(), third.next_id) == ([5], 6)


def test_founders_represent_their_species_where_no_words_are_given() -> None:
    assert begun([0, 0, 1, 0, 2]).representatives.values.tolist() == [[0], [2], [4]]


def test_a_species_without_a_centre_needs_words_for_its_representative() -> None:
    with pytest.raises(ValueError, match="no centre"):
        succeeded(begun([0, 0]), placed([0, 0], 1), people(2), np.zeros(2), 1, DEVICE)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_representatives_are_members_of_their_species(names: list[int], seed: int) -> None:
    names = np.unique(names, return_inverse=True)[1].tolist()
    words = Streams(seed)("representatives").words(9)
    placement = Placement(np.array(names) + 1, np.full(max(names) + 2, OLD))
    found = succeeded(
        begun([0]), placement, people(len(names)), np.zeros(len(names)), 1, DEVICE, words=words
    )  # fmt: skip
    rows = found.representatives.values[:, 0].astype(int)
    assert found.species_of[rows].tolist() == list(range(len(found)))


def test_each_member_represents_its_species_equally_often() -> None:
    genes, placement = people(5), placed([0, 0, 1, 0, 0], 0)
    counts = np.zeros(5)
    for seed in range(2000):
        words = Streams(seed)("representatives").words(2)
        found = succeeded(no_species(genes), placement, genes, np.zeros(5), 0, DEVICE, words=words)
        counts[found.representatives.values[:, 0].astype(int)] += 1
    assert counts[2] == 2000
    # five standard deviations of a binomial with p = 1/4
    assert np.abs(counts[[0, 1, 3, 4]] - 500).max() < 5 * (2000 * 0.25 * 0.75) ** 0.5


def test_a_species_improves_when_it_surpasses_its_best() -> None:
    species = begun([0, 0, 1], [1.0, 3.0, 5.0])
    species = after(species, [0, 0, 1], [2.5, 2.0, 5.5], 4)
    assert species.best.tolist() == [3.0, 5.5]
    assert species.improved.tolist() == [0, 4]
    assert (species.record, species.record_step) == (5.5, 4)


def test_the_mean_of_a_species_can_be_what_improves() -> None:
    species = begun([0, 0], [0.0, 4.0], measure="mean")
    assert after(species, [0, 0], [3.0, 2.0], measure="mean").best.tolist() == [2.5]
    assert after(species, [0, 0], [0.0, 3.0], measure="mean").improved.tolist() == [0]


def test_a_fitness_that_is_not_finite_is_no_improvement() -> None:
    failed = begun([0, 0, 1, 1], [np.nan, -np.inf, np.inf, 2.0])
    assert (failed.tops.tolist(), failed.means.tolist()) == ([-np.inf, 2.0], [-np.inf, 2.0])
    for measure in get_args(Measure):
        species = after(begun([0] * 4, [np.nan] * 4, 0, measure), [0] * 4, [np.nan] * 4, 3, measure)
        assert (species.improved.tolist(), species.record, species.record_step) == ([0], -np.inf, 0)


def test_a_mean_of_great_fitnesses_does_not_overflow() -> None:
    assert begun([0, 0, 0], [1.7e308] * 3).means.tolist() == pytest.approx([1.7e308])


@given(st.lists(st.tuples(st.integers(0, 4), st.floats()), min_size=1, max_size=40), st.sampled_from(get_args(Measure)))
@settings(max_examples=60, deadline=None)
def test_compiled_code_finds_the_same_species(members: list[tuple[int, float]], measure: Measure) -> None:
    names, fitness = [name for name, _ in members], np.array([worth for _, worth in members])
    genes, before = people(len(names)), begun([0, 1, 2], [1.0, 2.0, 3.0])
    placement = placed(np.unique(names, return_inverse=True)[1].tolist(), 3)
    one, other = (
        succeeded(before, placement, genes, fitness, 1, device, measure, WORDS) for device in (DEVICE, Numba(threads=1))
    )
    for name in ("ids", "created", "improved", "best", "species_of", "sizes", "tops", "means"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    np.testing.assert_array_equal(one.representatives.values, other.representatives.values)
    assert (one.record, one.record_step, one.next_id) == (other.record, other.record_step, other.next_id)


def test_after_a_new_focus_time_begins_again() -> None:
    species = refocused(begun([0, 1, 2], [1.0, 2.0, 3.0]), np.array([0, 2]), 20)
    assert species.improved.tolist() == [20, 0, 20]
    assert (species.record, species.record_step) == (3.0, 20)


def test_a_checkpoint_holds_the_species() -> None:
    arrays: dict[str, Array] = {}
    species = begun([0, 1, 1], [1.0, 2.0, 3.0])
    back = decode(encode(species, Species, "s", arrays), Species, "s", lambda key, _: arrays[key])
    np.testing.assert_array_equal(back.species_of, species.species_of)
    np.testing.assert_array_equal(back.representatives.values, species.representatives.values)
    assert (back.next_id, back.record) == (2, 3.0)
