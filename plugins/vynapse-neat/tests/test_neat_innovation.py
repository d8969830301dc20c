# SPDX-License-Identifier: MIT OR Apache-2.0
"""Innovation numbers: the same change has the same numbers, whoever proposes it first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import RunError
from vynapse_core.devices.reference import Reference
from vynapse_neat.innovation import (
    ABSENT,
    CONNECTION,
    ENDPOINT,
    FACTS,
    MOST_CONNECTIONS,
    MOST_NODES,
    PROPOSED,
    Counters,
    numbered,
)
from vynapse_neat.radix import BASE, DIGITS
from vynapse_numba.device import Numba

REFERENCE = Reference()
splits = st.integers(0, 50)
pairs = st.builds(lambda a, b: CONNECTION + a * ENDPOINT + b, st.integers(0, 9), st.integers(0, 9))
proposals = st.lists(splits | pairs, max_size=60)


def counted(found: list[int], counters: Counters, device: Any = REFERENCE, genes: int = 0) -> tuple[Any, Any]:
    """Return the numbers of proposals, each by a child of its own that has so many nodes and connections; the facts."""
    n = len(found)
    keys, numbers = np.full((n, 2), ABSENT, np.int64), np.empty((2 * n, 2), np.int32)
    places = np.array([int(key >= CONNECTION) for key in found], np.int64)
    keys[np.arange(n), places] = found
    facts, of_genes = np.zeros(FACTS, np.int64), np.full(n, genes, np.int32)
    facts[:2] = counters.node, counters.innovation
    order, space = np.empty((2, 2 * n), np.int64)
    counts = np.empty((DIGITS, BASE), np.int32)
    unsigned = keys.view(np.uint64).ravel()
    device.routine(numbered)(1, unsigned, of_genes, of_genes, order, space, counts, facts, numbers)
    return numbers.reshape(n, 2, 2)[np.arange(n), places], facts


def numbers_of(found: list[int], counters: Counters, device: Any = REFERENCE) -> tuple[Any, Counters]:
    numbers, facts = counted(found, counters, device)
    return numbers, Counters.after(facts)


@given(proposals)
def test_equal_proposals_have_equal_numbers_and_others_have_others(found: list[int]) -> None:
    numbers, _ = numbers_of(found, Counters(7, 20))
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
    numbers, after = numbers_of(found, Counters(3, 5))
    others, after_others = numbers_of(np.array(found, np.int64)[order].tolist(), Counters(3, 5))
    assert np.array_equal(numbers[order], others)
    assert after == after_others


def test_numbers_ascend_with_keys_and_nodes_come_first() -> None:
    link = CONNECTION + 2 * ENDPOINT + 4
    numbers, after = numbers_of([link, 9, 3, 9], Counters(10, 100))
    assert numbers.tolist() == [[0, 104], [11, 102], [10, 100], [11, 102]]
    assert after == Counters(12, 105)


def test_no_proposals_leave_the_counters_alone() -> None:
    numbers, after = numbers_of([], Counters(4, 6))
    assert numbers.shape == (0, 2)
    assert after == Counters(4, 6)


def test_the_last_numbers_can_be_used_and_then_the_run_says_that_there_are_no_more() -> None:
    _, after = numbers_of([0], Counters(5, ENDPOINT - 2))
    assert after.innovation == ENDPOINT
    with pytest.raises(RunError, match="innovation numbers are used up"):
        numbers_of([0], after)


@given(proposals)
@settings(max_examples=50, deadline=None)
def test_machine_code_numbers_alike(found: list[int]) -> None:
    numbers, after = numbers_of(found, Counters(3, 5))
    compiled, after_compiled = numbers_of(found, Counters(3, 5), Numba(threads=1))
    assert numbers.tobytes() == compiled.tobytes()
    assert after == after_compiled


def test_the_facts_say_how_large_the_largest_child_will_be() -> None:
    facts = counted([CONNECTION, CONNECTION], Counters(0, 0), genes=7)[1]
    assert facts[[PROPOSED, MOST_NODES, MOST_CONNECTIONS]].tolist() == [2, 7, 8]
    facts = counted([CONNECTION, 3], Counters(0, 0), genes=7)[1]
    assert facts[[PROPOSED, MOST_NODES, MOST_CONNECTIONS]].tolist() == [2, 8, 9]
