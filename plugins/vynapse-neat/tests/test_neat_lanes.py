# SPDX-License-Identifier: MIT OR Apache-2.0
"""Parts of breeding and decoding that go several genes at a time, against what Python says of one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Genes, Streams
from vynapse_core.devices.reference import Reference
from vynapse_neat import decoding
from vynapse_neat.breeding import cross, mutate
from vynapse_neat.genome import Neat
from vynapse_neat.growth import closed_up
from vynapse_neat.innovation import Counters
from vynapse_neat.layout import Layout
from vynapse_neat.mixing import Crossing, matched
from vynapse_neat.paths import SCANNED, place_of, placed
from vynapse_neat.rates import Change, Rates
from vynapse_neat.workspace import CHILD, LANES, at_node, count, sizes

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


@settings(deadline=None)
@given(numbers, numbers, st.integers(0, 120))
def test_equal_numbers_of_two_lists_are_found_whatever_stands_behind_them(
    ours: list[int], theirs: list[int], behind: int
) -> None:
    cells, (one, other) = laid_out(ours, theirs, behind=behind)
    spots = np.zeros(len(ours) + LANES, np.int32)
    matched(cells, one, len(ours), other, len(theirs), spots)
    assert spots[: len(ours)].tolist() == [theirs.index(each) if each in theirs else -1 for each in ours]
    rest = -len(ours) % LANES
    assert (spots[len(ours) : len(ours) + rest] == -1).all()


@settings(deadline=None)
@given(st.lists(st.integers(0, 99), min_size=1, max_size=40), st.data())
def test_a_list_without_one_number_is_closed_up(given_numbers: list[int], data: Any) -> None:
    gone = data.draw(st.integers(0, len(given_numbers) - 1))
    cells, (first,) = laid_out(given_numbers, behind=7)
    closed_up(cells, first, gone, len(given_numbers))
    assert cells[: len(given_numbers) - 1].tolist() == given_numbers[:gone] + given_numbers[gone + 1 :]


@pytest.mark.parametrize("hidden", [0, 1, 5, SCANNED, SCANNED + 9])
def test_nodes_are_placed_together_as_one_by_one(hidden: int) -> None:
    layout = Layout(3, 2)
    nodes = layout.fixed + hidden
    known = sizes(layout, -(-nodes // LANES) * LANES, 64)
    cells, spots = np.zeros(6000, np.int32), np.zeros(200, np.int32)
    count(cells, known, CHILD, nodes, 0)
    ids = np.array([*range(layout.fixed), *(3 * np.arange(hidden) + 11)])
    own = at_node(known, CHILD, 0)
    cells[own : own + nodes] = ids
    cells[5000 : 5000 + nodes] = ids[::-1]
    placed(cells, known, 5000, nodes, spots, 2)
    assert spots[2 : 2 + nodes].tolist() == [place_of(cells, known, CHILD, each) for each in ids[::-1]]
    assert spots[2 : 2 + nodes].tolist() == list(range(nodes))[::-1]


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
