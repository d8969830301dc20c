# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which pairs of nodes a connection may join, against a search through all of them; and connections by their ends."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core.devices.reference import Reference
from vynapse_neat.comparing import Comparing
from vynapse_neat.distance import Compatibility
from vynapse_neat.layout import Layout, rounded
from vynapse_neat.pairs import ANY, CYCLIC, FORWARD, pair_among_few
from vynapse_neat.workspace import ALL_CELLS, CHILD, LONGEST, SOURCE, TARGET, at_connection, at_node, count, sizes
from vynapse_numba.device import Numba

NODES = 6


def workspace(layout, links):
    known = sizes(layout, rounded(NODES), rounded(max(len(links), 1)))
    cells = np.zeros(known[ALL_CELLS], np.int32)
    count(cells, known, CHILD, NODES, len(links))
    ids = at_node(known, CHILD, 0)
    cells[ids : ids + NODES] = [v if v < layout.fixed else 7 * v for v in range(NODES)]
    for k, ends in enumerate(links):
        for what, place in zip((SOURCE, TARGET), ends, strict=True):
            cells[at_connection(known, CHILD, what) + k] = cells[ids + place]
    return cells, known, np.zeros(3 * known[LONGEST], np.int32)


def reached(links, first):
    found, waiting = {first}, [first]
    while waiting:
        here = waiting.pop()
        further = {end for origin, end in links if origin == here} - found
        found |= further
        waiting += further
    return found


def allowed(layout, links, wanted, from_outputs):
    outputs = range(layout.inputs, layout.inputs + layout.outputs)
    ends = set(range(layout.inputs, NODES)) - ({layout.fixed - 1} if layout.bias_node else set())
    for origin in range(NODES):
        for end in ends:
            cyclic = origin in reached(links, end) or (origin in outputs and not from_outputs)
            if (origin, end) not in links and (wanted == ANY or cyclic == (wanted == CYCLIC)):
                yield origin, end


@settings(max_examples=60, deadline=None)
@given(st.data(), st.booleans(), st.booleans(), st.sampled_from([ANY, FORWARD, CYCLIC]))
def test_every_pair_that_may_be_joined_is_drawn_and_no_other(data, bias_node, from_outputs, wanted):
    layout = Layout(2, 1, bias_node=bias_node)
    ends = st.tuples(st.integers(0, NODES - 1), st.sampled_from([2, 4, 5]))
    links = data.draw(st.sets(ends, max_size=12))
    cells, known, spots = workspace(layout, sorted(links))
    drawn = {
        int(pair_among_few(cells, known, np.uint64(seed), np.int64(0), NODES, wanted, from_outputs, spots))
        for seed in range(400)
    }
    assert {divmod(pair, NODES) for pair in drawn - {-1}} == set(allowed(layout, links, wanted, from_outputs))


def test_each_pair_is_as_probable():
    cells, known, spots = workspace(Layout(2, 1), [(0, 2), (4, 2), (0, 4)])
    drawn = Counter(
        int(pair_among_few(cells, known, np.uint64(seed), np.int64(0), NODES, ANY, True, spots)) for seed in range(4200)
    )
    # 6 origins to 4 ends but three: 200 each, and 5 standard deviations are 69
    assert len(drawn) == 21
    assert all(abs(times - 200) < 69 for times in drawn.values())


@pytest.mark.parametrize("connections", [0, 1, 9, 64, 65, 300])
@pytest.mark.parametrize("device", [Reference(), Numba(threads=2)], ids=["reference", "numba"])
def test_connections_are_put_in_the_order_of_their_ends(connections, device):
    rng, layout = np.random.default_rng(connections), Layout(2, 1)
    genes = layout.empty(3, 40, connections + 8)
    of = genes.structure
    of["connections"][:], of["nodes"][:] = connections, 40
    for row in range(3):
        pairs = rng.permutation(1600)[:connections]
        of["source"][row, :connections], of["target"][row, :connections] = pairs // 40, pairs % 40
    found = Comparing(Compatibility(rule="neat-python"), layout, device).side(genes)
    for row in range(3):
        ends = of["source"][row].astype(np.int64) * 2**32 + of["target"][row]
        order = np.argsort(ends[:connections])
        assert found.keys[row, :connections].tolist() == ends[order].tolist()
        assert found.places[row, :connections].tolist() == order.tolist()
