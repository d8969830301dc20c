# SPDX-License-Identifier: MIT OR Apache-2.0
"""The matrix product: right in all strides and sizes, the same bits wherever a number stands."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_numba.tiles import machine as machine_module
from vynapse_numba.tiles.product import dense, matmul, pack, product, turn

SIZES = st.tuples(st.integers(1, 3), st.integers(0, 21), st.integers(0, 40), st.integers(0, 130))


def drawn(dtype: str, seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@settings(max_examples=80, deadline=None)
@given(SIZES, st.sampled_from(["float32", "float64"]), st.booleans(), st.booleans(), st.booleans(), st.integers(0, 99))
def test_a_product_agrees_with_numpy_in_float64(
    sizes: tuple[int, int, int, int], dtype: str, turned: bool, shared: bool, packed: bool, seed: int
) -> None:
    count, m, k, n = sizes
    a = drawn(dtype, seed, count, k, m).transpose(0, 2, 1) if turned else drawn(dtype, seed, count, m, k)
    b = drawn(dtype, seed + 1, 1 if shared or packed else count, k, n)
    bias = drawn(dtype, seed + 2, count, m)
    exact = a.astype("f8") @ b.astype("f8") + bias[:, :, None]
    c = np.full((count, m, n), np.nan, dtype)
    product(a, pack(b[0]) if packed else b, c, bias, packed)
    np.testing.assert_allclose(c, exact, rtol=0, atol=1e-4 if dtype == "float32" else 1e-12)
    product(a, pack(b[0]) if packed else b, c, packed=packed, add=True)
    np.testing.assert_allclose(c, 2 * exact - bias[:, :, None], rtol=0, atol=1e-4 if dtype == "float32" else 1e-12)


def test_more_terms_than_are_added_in_one_go_are_all_added() -> None:
    a, b = drawn("float32", 0, 2, 9, 2500), drawn("float32", 1, 1, 2500, 50)
    c = np.empty((2, 9, 50), "f4")
    product(a, b, c, bias := drawn("float32", 2, 2, 9))
    np.testing.assert_allclose(c, a.astype("f8") @ b + bias[:, :, None], rtol=0, atol=1e-3)


def test_bits_depend_neither_on_place_nor_on_packing() -> None:
    a, b = drawn("float32", 0, 3, 13, 77), drawn("float32", 1, 1, 77, 150)
    c = np.empty((3, 13, 150), "f4")
    product(a, b, c)
    packed = np.empty_like(c)
    product(a, pack(np.asfortranarray(b[0])), packed, packed=True)
    np.testing.assert_array_equal(c, packed)
    for row, column in ((0, 0), (5, 47), (12, 149)):
        alone = np.empty((1, 1, 1), "f4")
        product(a[1:2, row : row + 1], np.ascontiguousarray(b[:, :, column : column + 1]), alone)
        assert alone[0, 0, 0] == c[1, row, column]


def test_nothing_is_written_beside_the_result() -> None:
    room = np.full((2, 7, 64), 5, "f4")
    product(drawn("float32", 0, 2, 5, 3), drawn("float32", 1, 1, 3, 37), room[:, 1:6, 3:40])
    untouched = np.ones(room.shape, bool)
    untouched[:, 1:6, 3:40] = False
    assert (room[untouched] == 5).all()
    assert not (room[~untouched] == 5).any()


def test_infinity_and_nan_reach_their_own_results_only() -> None:
    a, b = np.ones((1, 3, 4), "f4"), np.ones((1, 4, 20), "f4")
    b[0, 2, 3], b[0, 1, 19] = np.inf, np.nan
    c = np.empty((1, 3, 20), "f4")
    product(a, b, c)
    assert np.isposinf(c[:, :, 3]).all()
    assert np.isnan(c[:, :, 19]).all()
    assert (np.delete(c, [3, 19], axis=2) == 4).all()


@pytest.mark.parametrize("order", ["rows", "columns", "neither"])
def test_a_result_may_lie_in_any_order(order: str) -> None:
    a, b = drawn("float64", 0, 2, 6, 4), drawn("float64", 1, 2, 4, 5)
    out = {
        "rows": np.zeros((2, 6, 5)),
        "columns": np.zeros((2, 5, 6)).transpose(0, 2, 1),
        "neither": np.zeros((2, 6, 5, 3))[..., 1],
    }[order]
    matmul(a, b, out)
    np.testing.assert_allclose(out, a @ b, atol=1e-12)
    matmul(a, b, out, add=True)
    np.testing.assert_allclose(out, 2 * (a @ b), atol=1e-12)
    dense(a, b, out)
    np.testing.assert_allclose(out, a @ b, atol=1e-12)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((2, 3, 4, 5), (2, 3, 5, 6)),
        ((2, 3, 4, 5), (2, 1, 5, 6)),
        ((1, 1, 4, 5), (2, 3, 5, 6)),
        ((2, 7, 1, 4, 5), (1, 1, 3, 5, 2)),
        ((2, 0, 4, 5), (1, 1, 5, 6)),
    ],
)
def test_leading_axes_broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    left, right = drawn("float64", 0, *a), drawn("float64", 1, *b)
    out = np.zeros(np.matmul(left, right).shape)
    matmul(left, right, out)
    np.testing.assert_allclose(out, left @ right, atol=1e-12)
    matmul(left, right, out, add=True)
    np.testing.assert_allclose(out, 2 * (left @ right), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(0, 40),
    st.integers(0, 40),
    st.sampled_from(["float32", "float64"]),
    st.integers(0, 3),
)
def test_rows_become_columns_and_nothing_beside_is_touched(
    count: int, rows: int, columns: int, dtype: str, gap: int
) -> None:
    x = drawn(dtype, 0, count, rows, columns + gap)[:, :, :columns]
    room = np.full((count, columns, rows + gap), 7, dtype)
    turn(x, room[:, :, :rows])
    np.testing.assert_array_equal(room[:, :, :rows], x.transpose(0, 2, 1))
    assert (room[:, :, rows:] == 7).all()


@pytest.mark.parametrize("columns", [1, 15, 16, 48, 50, 113])
def test_packing_gives_the_same_from_either_order_with_zeros_at_the_end(columns: int) -> None:
    b = drawn("float32", 0, 37, columns)
    packed = pack(b)
    np.testing.assert_array_equal(pack(np.asfortranarray(b)), packed)
    assert packed.sum(dtype="f8") == pytest.approx(b.sum(dtype="f8"), abs=1e-4)


def test_packing_reuses_its_room_only_where_it_fits() -> None:
    room = pack(drawn("float32", 0, 7, 30))
    assert pack(drawn("float32", 1, 7, 30), room) is room
    assert pack(drawn("float32", 1, 8, 30), room) is not room
    assert pack(drawn("float64", 1, 7, 30), room) is not room


def test_threads_that_ask_at_once_get_the_same_code(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def machine() -> object:
        made.append(1)
        return object()

    monkeypatch.setattr(machine_module, "Machine", machine)
    machine_module._made.cache_clear()
    try:
        found: list[object] = []
        threads = [threading.Thread(target=lambda: found.append(machine_module.machine())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(made) == len({id(one) for one in found}) == 1
    finally:
        machine_module._made.cache_clear()
