# SPDX-License-Identifier: MIT OR Apache-2.0
"""Representatives as columns: the same distances as one by one."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from vynapse_core import Genes, routine
from vynapse_core.devices.reference import Reference
from vynapse_neat.columns import COLUMNS, LANES, compared
from vynapse_neat.comparing import Comparing
from vynapse_neat.distance import SIDE, Compatibility, Rule
from vynapse_neat.layout import Layout
from vynapse_numba.device import Numba

LAYOUT = Layout(2, 1, activations=("sigmoid", "tanh"), aggregations=("sum", "max"), response=True)


@routine(f"float64[:], {SIDE}, {COLUMNS}, float64[:, :], float64[:, :], int32[:], float64[:, :]")
def _all(
    first: int, last: int, terms: Any, connections: Any, keys: Any, places: Any, values: Any, enabled: Any, nodes: Any,
    node: Any, activation: Any, aggregation: Any, all_keys: Any, links: Any, left: Any, sizes: Any, ids: Any,
    traits: Any, counts: Any, coming: Any, apart: Any, scratch: Any, spots: Any, found: Any,
) -> None:  # fmt: skip
    for row in range(first, last):
        for block in range(all_keys.shape[0]):
            compared(
                terms, apart[0], scratch[0], scratch[1], spots,
                row, connections, keys, places, values, enabled, nodes, node, activation, aggregation,
                all_keys[block], links[block], left[block], sizes[block], ids[block], traits[block], counts[block],
            )  # fmt: skip
            for s in range(min(LANES, found.shape[1] - block * LANES)):
                found[row, block * LANES + s] = apart[0, s]


def crowd(seed: int, count: int, most: int) -> Genes:
    """Return genomes, some of them without connections, with genes that others have too."""
    rng = np.random.default_rng(seed)
    genes = LAYOUT.empty(count, 9, most)
    of = genes.structure
    for row in range(count):
        chosen = np.sort(rng.choice(most, 0 if row % 7 == 3 else rng.integers(0, most + 1), replace=False))
        hidden = np.sort(rng.choice(6, rng.integers(0, 7), replace=False)) + LAYOUT.fixed
        places, links = np.concatenate([np.arange(LAYOUT.fixed), hidden]), len(chosen)
        of["nodes"][row], of["connections"][row] = len(places), links
        of["node"][row, : len(places)] = places
        for name in ("activation", "aggregation"):
            of[name][row, : len(places)] = rng.integers(0, 2, len(places))
        of["innovation"][row, :links], of["enabled"][row, :links] = chosen, rng.integers(0, 2, links)
        of["source"][row, :links], of["target"][row, :links] = chosen % 5, chosen // 5
        genes.values[row] = rng.normal(size=genes.values.shape[1])
        for name in ("activation", "aggregation"):
            of[name][row, : LAYOUT.inputs] = 0
    # inputs have no traits
    for traits in (LAYOUT.biases(genes), LAYOUT.responses(genes)):
        traits[:, : LAYOUT.inputs] = 0
    return genes


@pytest.mark.parametrize("rule", get_args(Rule))
@pytest.mark.parametrize("device", [Reference(), Numba(threads=1)], ids=["reference", "numba"])
@pytest.mark.parametrize(("count", "most"), [(1, 5), (8, 30), (19, 30), (20, 300)])
def test_distances_from_columns_have_the_bits_of_those_one_by_one(
    rule: Rule, device: Any, count: int, most: int
) -> None:
    comparing = Comparing(Compatibility(rule=rule, excess=1.1, disjoint=0.9, weight=0.3), LAYOUT, device)
    some, others = comparing.side(crowd(1, 40, most)), comparing.side(crowd(2, 25, most))
    rows = np.random.default_rng(3).permutation(25)[:count]
    expected = comparing.distances(some, np.arange(40), others, rows)
    found = np.empty_like(expected)
    for _ in range(2):
        # what is done with may be filled again
        made = comparing.columns(others, rows)
        given = (40, comparing.terms, *some, *made)
        comparing.run(_all)(
            *given, np.empty((1, LANES)), np.empty((2, LANES)), np.empty(most + 2 * LANES, np.int32), found
        )
        comparing.done(made)
        assert found.tobytes() == expected.tobytes()
