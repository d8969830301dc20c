# SPDX-License-Identifier: MIT OR Apache-2.0
"""Innovation numbers: the same change has the same numbers, whoever proposes it first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from vynapse_core import RunError
from vynapse_neat.innovation import CONNECTION, ENDPOINT, Counters, numbered

splits = st.integers(0, 50)
pairs = st.builds(lambda a, b: CONNECTION + a * ENDPOINT + b, st.integers(0, 9), st.integers(0, 9))
proposals = st.lists(splits | pairs, max_size=60)


def keys_of(found: list[int]) -> np.ndarray:
    return np.array(found, np.int64)


@given(proposals)
def test_equal_proposals_have_equal_numbers_and_others_have_others(found: list[int]) -> None:
    numbers, _ = numbered(keys_of(found), Counters(7, 20))
    used: dict[int, tuple[int, int]] = {}
    for key, (node, innovation) in zip(found, numbers.tolist(), strict=True):
        assert used.setdefault(key, (node, innovation)) == (node, innovation)
    innovations = [i + more for key, (_, i) in used.items() for more in range(1 if key >= CONNECTION else 2)]
    nodes = [node for key, (node, _) in used.items() if key < CONNECTION]
    assert sorted(innovations) == list(range(20, 20 + len(innovations)))
    assert sorted(nodes) == list(range(7, 7 + len(nodes)))


@given(proposals)
def test_the_order_of_children_changes_no_number(found: list[int]) -> None:
    order = np.random.default_rng(len(found)).permutation(len(found))
    numbers, after = numbered(keys_of(found), Counters(3, 5))
    others, after_others = numbered(keys_of(found)[order], Counters(3, 5))
    assert np.array_equal(numbers[order], others)
    assert after == after_others


def test_numbers_ascend_with_keys_and_nodes_come_first() -> None:
    link = CONNECTION + 2 * ENDPOINT + 4
    numbers, after = numbered(keys_of([link, 9, 3, 9]), Counters(10, 100))
    assert numbers.tolist() == [[0, 104], [11, 102], [10, 100], [11, 102]]
    assert after == Counters(12, 105)


def test_no_proposals_leave_the_counters_alone() -> None:
    numbers, after = numbered(keys_of([]), Counters(4, 6))
    assert numbers.shape == (0, 2)
    assert after == Counters(4, 6)


def test_the_last_numbers_can_be_used_and_then_the_run_says_that_there_are_no_more() -> None:
    _, after = numbered(keys_of([0]), Counters(5, ENDPOINT - 2))
    assert after.innovation == ENDPOINT
    with pytest.raises(RunError, match="innovation numbers are used up"):
        numbered(keys_of([0]), after)
