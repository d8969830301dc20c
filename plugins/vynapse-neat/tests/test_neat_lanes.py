# SPDX-License-Identifier: MIT OR Apache-2.0
"""Parts of breeding and decoding that go several genes at a time, against what Python says of one after the other."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Genes, Streams
from vynapse_core.devices.reference import Reference
from vynapse_neat import decoding
from vynapse_neat.breeding import cross, mutate
from vynapse_neat.draws import bits_in, trailing_zeros
from vynapse_neat.genome import Neat
from vynapse_neat.growth import closed_up
from vynapse_neat.innovation import Counters
from vynapse_neat.layout import Layout
from vynapse_neat.mixing import Crossing, crossing_table, mixed
from vynapse_neat.paths import SCANNED, ends_placed, place_of
from vynapse_neat.perturbation import noises_found
from vynapse_neat.rates import Change, Rates
from vynapse_neat.workspace import (
    ALL_CELLS,
    CHILD,
    FATHER,
    ID,
    INNOVATION,
    LANES,
    LINKS,
    LONGEST,
    NOBODY,
    SOURCE,
    TARGET,
    VALUES,
    WIDE,
    at_connection,
    at_node,
    count,
    sizes,
)

REFERENCE = Reference()
RATES = Rates(
    weight=Change(noise="normal", fresh="normal"),
    add_node=0.4,
    add_connection=0.5,
    delete_node=0.3,
    delete_connection=0.4,
    flip=0.2,
)

numbers = st.lists(st.integers(0, 120), max_size=100, unique=True).map(sorted)


def laid_out(*lists: list[int], behind: int) -> tuple[Any, list[int]]:
    """Return lists in an array, each with room behind it that holds a number, and where each begins."""
    cells, begins = np.full(sum(len(each) + 2 * LANES for each in lists), behind, np.int32), []
    first = 0
    for each in lists:
        cells[first : first + len(each)] = each
        begins.append(first)
        first += len(each) + 2 * LANES
    return cells, begins


def filled(cells: Any, values: Any, known: Any, genome: Any, innovations: list[int], nodes: int, scale: float) -> None:
    """Put a genome of these innovations, and of nodes whose ids are twice their place, into a workspace."""
    count(cells, known, genome, nodes, len(innovations))
    first, ids = at_connection(known, genome, INNOVATION), at_node(known, genome, ID)
    cells[first : first + known[LINKS]] = cells[ids : ids + known[WIDE]] = NOBODY
    cells[first : first + len(innovations)] = innovations
    cells[ids : ids + nodes] = np.arange(nodes) * (1 if genome == CHILD else 2)
    cells[ids + known[WIDE] : ids + 2 * known[WIDE]] = int(genome)
    values[genome * known[VALUES] : (genome + 1) * known[VALUES]] = scale * np.arange(known[VALUES])


@settings(deadline=None, max_examples=40)
@given(numbers, numbers, st.integers(3, 60), st.integers(3, 60))
def test_what_both_parents_have_is_averaged_and_nothing_else_is_changed(
    ours: list[int], theirs: list[int], nodes: int, others: int
) -> None:
    known = sizes(Layout(2, 1, response=True), 64, 104)
    cells, values = np.zeros(known[ALL_CELLS], np.int32), np.zeros(3 * known[VALUES], np.float32)
    filled(cells, values, known, CHILD, ours, nodes, 1.0)
    filled(cells, values, known, FATHER, theirs, others, -0.5)
    before = values.copy()
    spots, shares = np.zeros(3 * known[LONGEST], np.int32), np.zeros(3 * known[LONGEST])
    table = crossing_table(Crossing(average=1.0))
    mixed(cells, values, known, table, np.uint64(7), FATHER, spots, shares)
    pairs = [(k, theirs.index(each)) for k, each in enumerate(ours) if each in theirs]
    for begin in (known[LINKS], known[LINKS] + known[WIDE]):
        pairs += [(begin + 2 * j, begin + j) for j in range(1, others) if 2 <= 2 * j < nodes]
    expected, one, other = before.copy(), CHILD * known[VALUES], FATHER * known[VALUES]
    for k, j in pairs:
        expected[one + k] = (before[one + k] + before[other + j]) / 2
    np.testing.assert_array_equal(values, expected)


@settings(deadline=None)
@given(st.lists(st.floats(-0.499, 0.499), min_size=1, max_size=150))
def test_noise_near_the_middle_and_far_from_it_is_normal(given_middles: list[float]) -> None:
    places = -(-len(given_middles) // LANES) * LANES
    middles, noises = np.zeros(places), np.zeros(places)
    middles[: len(given_middles)] = given_middles
    noises_found(places, middles, noises)
    expected = [NormalDist().inv_cdf(each + 0.5) for each in middles]
    np.testing.assert_allclose(noises, expected, rtol=1e-6, atol=1e-12)


@given(st.integers(0, 2**64 - 1))
def test_bits_are_counted_and_the_lowest_is_found(bits: int) -> None:
    with np.errstate(over="ignore"):
        assert bits_in(np.uint64(bits)) == bits.bit_count()
        if bits:
            assert trailing_zeros(np.uint64(bits)) == (bits & -bits).bit_length() - 1


@settings(deadline=None)
@given(st.lists(st.integers(0, 99), min_size=1, max_size=40), st.data())
def test_a_list_without_one_number_is_closed_up(given_numbers: list[int], data: Any) -> None:
    gone = data.draw(st.integers(0, len(given_numbers) - 1))
    cells, (first,) = laid_out(given_numbers, behind=7)
    closed_up(cells, first, gone, len(given_numbers))
    assert cells[: len(given_numbers) - 1].tolist() == given_numbers[:gone] + given_numbers[gone + 1 :]


@pytest.mark.parametrize("hidden", [0, 1, 5, SCANNED, SCANNED + 9])
def test_ends_of_connections_are_placed_together_as_one_by_one(hidden: int) -> None:
    layout = Layout(3, 2)
    nodes = layout.fixed + hidden
    known = sizes(layout, -(-nodes // LANES) * LANES, 64)
    cells, spots = np.zeros(known[ALL_CELLS], np.int32), np.zeros(3 * known[LONGEST], np.int32)
    count(cells, known, CHILD, nodes, nodes)
    ids = np.array([*range(layout.fixed), *(3 * np.arange(hidden) + 11)])
    for what, each in ((ID, ids), (SOURCE, ids[::-1]), (TARGET, np.roll(ids, 2))):
        begin = at_node(known, CHILD, what) if what is ID else at_connection(known, CHILD, what)
        cells[begin : begin + nodes] = each
    ends_placed(cells, known, nodes, spots)
    assert spots[:nodes].tolist() == list(range(nodes))[::-1]
    assert spots[known[LONGEST] :][:nodes].tolist() == np.roll(np.arange(nodes), 2).tolist()
    assert [place_of(cells, known, CHILD, each) for each in ids] == list(range(nodes))


def evolved(genome: Neat, steps: int, n: int = 20) -> Genes:
    """Return individuals that were mutated some times."""
    genes, counters = genome.initial(n, Streams(1)("x")), Counters(1000, 10000)
    for step in range(steps):
        genes, counters = mutate(genes, genome.layout, RATES, counters, Streams(2)("m", step), REFERENCE)
    return genes


def same(one: Genes, other: Genes) -> bool:
    """Return whether two populations have the same bits."""
    return one.values.tobytes() == other.values.tobytes() and all(
        one.structure[name].tobytes() == other.structure[name].tobytes() for name in one.structure
    )


@pytest.mark.parametrize("response", [False, True])
def test_children_do_not_depend_on_how_wide_the_arrays_of_their_parents_are(response: bool) -> None:
    genome = Neat(inputs=3, outputs=2, response=response)
    layout, genes = genome.layout, evolved(genome, 4)
    wider = layout.resized(genes, 29, 43)
    pairs = np.arange(20), np.arange(20)[::-1].copy()
    equal = np.arange(20) % 2 == 0
    narrow, wide = (
        cross(each, *pairs, equal, layout, Crossing(disable=None), Streams(3)("c"), REFERENCE)
        for each in (genes, wider)
    )
    assert same(layout.trimmed(narrow), layout.trimmed(wide))
    narrow, wide = (
        mutate(each, layout, RATES, Counters(2000, 20000), Streams(4)("m"), REFERENCE)[0] for each in (genes, wider)
    )
    assert same(layout.trimmed(narrow), layout.trimmed(wide))


@pytest.mark.parametrize("recurrent", [False, True])
def test_few_nodes_are_ordered_as_many_are(monkeypatch: pytest.MonkeyPatch, recurrent: bool) -> None:
    genome = Neat(inputs=3, outputs=2, recurrent=recurrent)
    genes = evolved(genome, 12)
    few = genome.networks(genes).arrays
    monkeypatch.setattr(decoding, "MOST_BITS", 0)
    many = genome.networks(genes).arrays
    assert few["evaluated"].max() > 4
    for name, array in few.items():
        np.testing.assert_array_equal(array, many[name], err_msg=name)
