# SPDX-License-Identifier: MIT OR Apache-2.0
"""Clustering: genomes of one connection are points on a line, so that distances are plain to see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Genes, Streams
from vynapse_core.devices.reference import Reference
from vynapse_neat.clustering import BLOCK, OLD, first_compatible, nearest_compatible
from vynapse_neat.comparing import Comparing
from vynapse_neat.distance import Compatibility, Side
from vynapse_neat.layout import Layout
from vynapse_neat.medoids import k_medoids
from vynapse_numba.device import Numba

REFERENCE, ONE, TWO = Reference(), Numba(threads=1), Numba(threads=2)
LAYOUT = Layout(1, 1)
RULE = Compatibility(rule="jair2004", weight=1.0)
POINTS = Comparing(RULE, LAYOUT, ONE)
WORDS = Streams(3)("medoids").words(64)

points = st.lists(st.integers(-40, 40).map(lambda x: x / 4), max_size=30)


def line(at: Any, rule: Compatibility = RULE) -> Side:
    """Return genomes whose distances are those of the points `at`."""
    genes = LAYOUT.empty(len(at), 2, 1)
    of = genes.structure
    of["nodes"][:], of["connections"][:], of["node"][:], of["target"][:], of["enabled"][:] = 2, 1, [0, 1], 1, 1
    genes.values[:, 0] = at
    return Comparing(rule, LAYOUT, REFERENCE).side(genes)


def one_by_one(at: list[float], old: list[float], threshold: float) -> tuple[list[int], list[int]]:
    """Return what going through the genomes one by one gives."""
    centres, founders, species_of = list(old), [OLD] * len(old), []
    for row, point in enumerate(at):
        fits = [each for each, centre in enumerate(centres) if abs(point - centre) < threshold]
        if not fits:
            fits = [len(centres)]
            centres.append(point)
            founders.append(row)
        species_of.append(fits[0])
    return species_of, founders


def as_neat_python_does(at: list[float], old: list[float], threshold: float) -> tuple[list[int], list[int]]:
    species_of, centres = [-1] * len(at), []
    for centre in old[: len(at)]:
        free = [row for row in range(len(at)) if row not in centres]
        centres.append(min(free, key=lambda row: abs(at[row] - centre)))
        species_of[centres[-1]] = len(centres) - 1
    centres += [OLD] * (len(old) - len(centres))
    for row, point in enumerate(at):
        if species_of[row] >= 0:
            continue
        fits = [
            (abs(point - at[c]), each) for each, c in enumerate(centres) if c != OLD and abs(point - at[c]) < threshold
        ]
        species_of[row] = min(fits)[1] if fits else len(centres)
        centres += [] if fits else [row]
    return species_of, centres


@given(points, st.lists(st.integers(-10, 10), max_size=5), st.sampled_from([0.3, 1.0, 2.5, 30.0]))
@settings(max_examples=100, deadline=None)
def test_first_compatible_is_what_going_through_the_genomes_one_by_one_gives(
    at: Any, old: Any, threshold: float
) -> None:
    found = first_compatible(POINTS, line(at), line(old), threshold)
    assert (found.species_of.tolist(), found.centres.tolist()) == one_by_one(at, old, threshold)


@given(points, st.lists(st.integers(-10, 10), max_size=5), st.sampled_from([0.3, 1.0, 2.5, 30.0]))
@settings(max_examples=100, deadline=None)
def test_nearest_compatible_is_what_neat_python_does(at: Any, old: Any, threshold: float) -> None:
    found = nearest_compatible(POINTS, line(at), line(old), threshold)
    assert (found.species_of.tolist(), found.centres.tolist()) == as_neat_python_does(at, old, threshold)


@pytest.mark.parametrize("threshold", [1e-6, 0.02, 3.0])
def test_more_founders_than_a_block_change_nothing(threshold: float) -> None:
    at = (np.random.default_rng(1).permutation(4 * BLOCK) / 64).tolist()
    found = first_compatible(POINTS, line(at), line([5.0]), threshold)
    assert (found.species_of.tolist(), found.centres.tolist()) == one_by_one(at, [5.0], threshold)
    nearest = nearest_compatible(POINTS, line(at[:600]), line([5.0]), threshold)
    assert (nearest.species_of.tolist(), nearest.centres.tolist()) == as_neat_python_does(at[:600], [5.0], threshold)


@pytest.mark.parametrize("spread", [0.0, 0.01, 3.0])
def test_species_that_want_the_same_genomes_get_one_each_in_a_large_population_too(spread: float) -> None:
    rng = np.random.default_rng(7)
    # of numbers that float32 holds, differences are exact
    at, old = ((np.round(512 * of) / 512).tolist() for of in (rng.normal(size=300), 1 + spread * rng.normal(size=40)))
    found = nearest_compatible(POINTS, line(at), line(old), 0.3)
    assert (found.species_of.tolist(), found.centres.tolist()) == as_neat_python_does(at, old, 0.3)


def test_a_genome_at_the_threshold_itself_is_not_compatible() -> None:
    assert first_compatible(POINTS, line([0.0, 1.0]), line([]), 1.0).species_of.tolist() == [0, 1]


def test_a_genome_whose_weights_are_no_numbers_is_a_species_of_its_own() -> None:
    found = first_compatible(POINTS, line([0.0, np.nan, 0.1]), line([0.0]), 1.0)
    assert found.species_of.tolist() == [0, 1, 0]


@pytest.mark.parametrize("rule", ["stanley2002", "neat-python"])
@pytest.mark.parametrize("way", [first_compatible, nearest_compatible, k_medoids])
def test_machine_code_and_threads_give_the_species_of_python(way: Any, rule: Any) -> None:
    compatibility = Compatibility(rule=rule, weight=1.0)
    at = np.random.default_rng(2).normal(size=150).astype(np.float32)
    given_to = (line(at, compatibility), line(at[:3], compatibility))
    rest = (7, WORDS) if way is k_medoids else (0.9,)
    ways = [Comparing(compatibility, LAYOUT, device) for device in (REFERENCE, ONE, TWO)]
    found = [way(comparing, *given_to, *rest) for comparing in ways]
    assert len({(each.species_of.tobytes(), each.centres.tobytes()) for each in found}) == 1
    assert len(np.unique(found[0].species_of)) > 3


def test_medoids_find_clusters_that_are_far_apart() -> None:
    rng = np.random.default_rng(4)
    kind = rng.integers(0, 4, 200)
    found = k_medoids(POINTS, line(kind * 50 + rng.normal(size=200)), line([]), 4, WORDS)
    assert len(found.centres) == 4
    assert len({(a, b) for a, b in zip(kind.tolist(), found.species_of.tolist(), strict=True)}) == 4


@given(points, st.lists(st.integers(-10, 10), max_size=5), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_medoids_part_genomes_into_the_wanted_number_where_there_are_so_many(at: Any, old: Any, wanted: int) -> None:
    found = k_medoids(POINTS, line(at), line(old), wanted, WORDS)
    used = np.flatnonzero(found.centres != OLD)
    assert len(used) == min(wanted, len(set(at)))
    assert sorted(set(found.species_of.tolist())) == used.tolist()
    assert found.species_of[found.centres[used]].tolist() == used.tolist()
    centres = np.asarray(at)[found.centres[used]]
    nearest = np.abs(np.asarray(at)[:, None] - centres).min(1, initial=np.inf)
    mine = np.abs(np.asarray(at) - np.asarray([*at, 0.0])[found.centres[found.species_of]])
    assert mine.tolist() == nearest.tolist()


def test_a_medoid_is_in_the_middle_of_its_members() -> None:
    found = k_medoids(POINTS, line([0.0, 1.0, 2.0, 3.0, 4.0]), line([]), 1, WORDS)
    assert found.centres.tolist() == [2]


def test_a_medoid_stays_where_no_member_is_nearer_to_the_middle() -> None:
    assert k_medoids(POINTS, line([0.0, 1.0]), line([1.0]), 1, WORDS).centres.tolist() == [1]


def test_species_live_on_where_medoids_part_the_next_generation() -> None:
    found = k_medoids(POINTS, line([10.2, 0.1, 10.0, 0.0, -0.1, 9.8]), line([0.0, 10.0]), 2, WORDS)
    assert found.species_of.tolist() == [1, 0, 1, 0, 0, 1]
    assert found.centres.tolist() == [3, 2]


def test_of_too_many_species_the_largest_live_on() -> None:
    found = k_medoids(POINTS, line([10.0, 10.1, 0.0, 20.0, 20.1]), line([0.0, 10.0, 20.0]), 2, WORDS)
    assert found.species_of.tolist()[:2] == [1, 1]
    assert found.species_of.tolist()[3:] == [2, 2]
    assert found.centres[0] == OLD


@pytest.mark.parametrize("way", [first_compatible, nearest_compatible])
def test_nobody_has_no_species(way: Any) -> None:
    found = way(POINTS, line([]), line([1.0]), 1.0)
    assert (len(found.species_of), found.centres.tolist()) == (0, [OLD])


def test_genomes_may_be_wider_than_their_representatives() -> None:
    wide = LAYOUT.resized(Genes(*_narrow()), 10, 16)
    narrow = Genes(*_narrow())
    assert first_compatible(POINTS, POINTS.side(wide), POINTS.side(narrow), 0.1).species_of.tolist() == [0, 1]


def _narrow() -> tuple[Any, Any]:
    genes = LAYOUT.empty(2, 2, 1)
    of = genes.structure
    of["nodes"][:], of["connections"][:], of["node"][:], of["target"][:] = 2, 1, [0, 1], 1
    genes.values[:, 0] = [3.0, 4.0]
    return genes.values, of


@pytest.mark.parametrize("rule", ["stanley2002", "jair2004", "neat-python", "tensorneat"])
@pytest.mark.parametrize("quantile", [0.02, 0.2, 0.6])
def test_a_comparison_that_ends_early_changes_nothing(rule: Any, quantile: float) -> None:
    rng = np.random.default_rng(6)
    count, links = 60, 300
    has = rng.random((count, links)) < rng.uniform(0.5, 1, (count, 1))
    genes = LAYOUT.empty(count, 40, links)
    of = genes.structure
    of["nodes"][:], of["node"][:], of["connections"][:] = 40, np.arange(40), has.sum(1)
    for row, chosen in enumerate(has):
        places = np.flatnonzero(chosen)
        of["innovation"][row, : len(places)] = places
        of["source"][row, : len(places)], of["target"][row, : len(places)] = places * 7 % links // 30, 10 + places % 30
        genes.values[row, : len(places)] = rng.normal(size=len(places))
    comparing = Comparing(Compatibility(rule=rule, excess=0.8, weight=2.0), LAYOUT, ONE)
    genomes, rows = comparing.side(genes), np.arange(count)
    apart = comparing.distances(genomes, rows, genomes, rows)
    threshold = float(np.quantile(apart[apart > 0], quantile))
    founders: list[int] = []
    for row in range(count):
        founders += [] if (apart[row, founders] < threshold).any() else [row]
    expected = [int(np.argmax(apart[row, founders] < threshold)) for row in range(count)]
    found = first_compatible(comparing, genomes, comparing.side(genes.take(slice(0))), threshold)
    assert (found.species_of.tolist(), found.centres.tolist()) == (expected, founders)
    assert 1 < len(founders) < count
