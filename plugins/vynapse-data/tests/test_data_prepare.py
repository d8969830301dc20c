# SPDX-License-Identifier: MIT OR Apache-2.0
"""Splits, scaling and targets, against scikit-learn and by their properties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from vynapse_core.errors import DataError
from vynapse_data.prepare import one_hot, split, standardise


def test_counts_cut_the_permutation_in_order() -> None:
    train, test = split(6, [3, 2], [5, 3, 1, 0, 2, 4])
    assert train.tolist() == [5, 3, 1]
    assert test.tolist() == [0, 2]


@given(st.integers(3, 300), st.integers(0, 2**32), st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_fractions_that_sum_to_one_use_every_sample_once(n: int, seed: int, weights: list[int]) -> None:
    order = np.random.default_rng(seed).permutation(n)
    shares = [weight / sum(weights) for weight in weights]
    try:
        parts = split(n, shares, order)
    except DataError:
        assert min(shares) * n < 1
        return
    np.testing.assert_array_equal(np.concatenate(parts), order)
    for part, share in zip(parts, shares, strict=True):
        assert abs(len(part) - share * n) <= 1


@given(
    st.lists(st.integers(0, 4), min_size=20, max_size=200),
    st.integers(0, 2**32),
    st.floats(0.2, 0.8),
)
def test_a_stratified_split_gives_each_part_its_share_of_each_class(labels: list[int], seed: int, share: float) -> None:
    n = len(labels)
    order = np.random.default_rng(seed).permutation(n)
    first, second = split(n, [share, 1 - share], order, labels)
    assert sorted([*first, *second]) == list(range(n))
    assert abs(len(first) - share * n) <= 1
    counts = np.bincount(labels, minlength=5)
    found = np.bincount(np.array(labels)[first], minlength=5)
    assert np.all(np.abs(found - share * counts) <= 4)


def test_a_stratified_split_of_equal_classes_is_exact_and_follows_the_permutation() -> None:
    labels = np.repeat(np.arange(10), 50)
    rng = np.random.default_rng(3)
    one, other = (split(500, [0.8, 0.2], rng.permutation(500), labels) for _ in range(2))
    for parts in (one, other):
        assert np.bincount(labels[parts[0]]).tolist() == [40] * 10
        assert np.bincount(labels[parts[1]]).tolist() == [10] * 10
    assert set(one[0].tolist()) != set(other[0].tolist())


@pytest.mark.parametrize(
    ("n", "parts", "order"),
    [
        (4, [3, 2], [0, 1, 2, 3]),
        (4, [0.7, 0.4], [0, 1, 2, 3]),
        (4, [0.5, -0.5], [0, 1, 2, 3]),
        (4, [float("nan")], [0, 1, 2, 3]),
        (4, [], [0, 1, 2, 3]),
        (4, [0.99, 0.01], [0, 1, 2, 3]),
        (4, [0.5, 0.5], [0, 1, 2, 2]),
        (4, [0.5, 0.5], [0, 1, 2]),
    ],
)
def test_parts_or_permutations_that_do_not_fit_are_refused(n: int, parts: list[float], order: list[int]) -> None:
    with pytest.raises(DataError, match="split"):
        split(n, parts, order)


def test_labels_of_another_length_are_refused() -> None:
    with pytest.raises(DataError, match="one label for each of 3"):
        split(3, [1, 2], [0, 1, 2], [0, 1])


def test_standardising_agrees_with_scikit_learn() -> None:
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(5)
    train, test = rng.normal(1e6, [1, 50, 1e-3], (40, 3)), rng.normal(0, 1, (7, 3))
    scaler = StandardScaler().fit(train)
    mine = standardise(train, test)
    np.testing.assert_allclose(mine[0], scaler.transform(train), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(mine[1], scaler.transform(test), rtol=1e-6)
    assert [array.dtype for array in mine] == [np.float32] * 2


def test_a_constant_column_is_centred_and_not_scaled() -> None:
    train = np.full((7, 2), 0.1)
    train[:, 1] = 5e-324 * np.arange(7)
    scaled, other = standardise(train, [[0.1, 0.0], [2.1, 1.0]])
    assert np.abs(scaled[:, 0]).max() < 1e-12
    assert np.isfinite(scaled).all()
    np.testing.assert_allclose(other[1], [2.0, 1.0])


def test_inputs_of_standardise_are_not_written() -> None:
    train: Any = np.arange(6.0).reshape(3, 2)
    train.flags.writeable = False
    standardise(train, train)


@pytest.mark.parametrize(
    "arrays",
    [
        [np.zeros((0, 2))],
        [np.zeros((3, 2)), np.zeros((3, 1))],
        [np.array([[np.nan], [1.0]])],
        [np.float64(1)],
    ],
)
def test_arrays_that_cannot_be_standardised_are_refused(arrays: list[Any]) -> None:
    with pytest.raises(DataError, match="standardise"):
        standardise(*arrays)


def test_one_hot_rows_hold_a_single_one() -> None:
    hot = one_hot(np.array([2, 0, 1], np.uint8), 4)
    assert hot.dtype == np.float32
    assert hot.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]
    assert one_hot(np.zeros(0, int), 2).shape == (0, 2)


@pytest.mark.parametrize("ids", [[3], [-1], [0.5], [[0]]])
def test_ids_that_name_no_class_are_refused(ids: Any) -> None:
    with pytest.raises(DataError, match="one_hot"):
        one_hot(ids, 3)
