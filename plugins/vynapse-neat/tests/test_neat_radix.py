# SPDX-License-Identifier: MIT OR Apache-2.0
"""Indices in the order of whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings, strategies as st

from vynapse_core import routine
from vynapse_core.devices.reference import Reference
from vynapse_neat.radix import ALL, BASE, DIGITS, ascending, falling
from vynapse_numba.device import Numba

numbers = st.integers(0, 2**64 - 1) | st.integers(0, 300) | st.integers(0, 7).map(lambda i: 255 << (8 * i))
DEVICES = (Reference(), Numba(threads=1))


@routine("uint64[:], int64, int64[:], int64[:], int32[:, :]", distinct=True)
def _ascending(first: Any, last: Any, keys: Any, count: Any, order: Any, space: Any, counts: Any) -> None:
    ascending(keys, order, count, space, counts)


@routine("uint64[:], uint64[:]")
def _falling(first: Any, last: Any, bits: Any, keys: Any) -> None:
    for i in range(first, last):
        keys[i] = falling(bits[i])


@given(st.lists(numbers, max_size=80), st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_indices_stand_in_the_order_of_their_keys_and_equals_in_the_order_they_had(keys: list[int], left: int) -> None:
    known, count = np.array(keys, np.uint64), max(len(keys) - left, 0)
    begin = np.random.default_rng(len(keys)).permutation(len(keys))
    expected = [*sorted(begin[:count].tolist(), key=lambda i: keys[i]), *begin[count:].tolist()]
    for device in DEVICES:
        order, counts = begin.copy(), np.empty((DIGITS, BASE), np.int32)
        device.routine(_ascending)(1, known, count, order, np.empty_like(order), counts)
        assert order.tolist() == expected


@given(st.lists(st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, 5e-324, -5e-324, np.inf, -np.inf])))
@settings(max_examples=150, deadline=None)
def test_keys_fall_as_numbers_grow_and_both_zeros_are_one(found: list[float]) -> None:
    values = np.array(found)
    for device in DEVICES:
        keys = np.empty(len(values), np.uint64)
        device.routine(_falling)(len(values), values.view(np.uint64), keys)
        assert np.array_equal(np.argsort(keys, kind="stable"), np.argsort(-values, kind="stable"))
        assert all(
            (a == b) == (i == j) for a, i in zip(found, keys, strict=True) for b, j in zip(found, keys, strict=True)
        )
        assert (keys < ALL).all()
