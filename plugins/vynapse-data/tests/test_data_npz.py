# SPDX-License-Identifier: MIT OR Apache-2.0
"""NPZ files: numbers come back as they are, and nothing else comes in."""

from __future__ import annotations

import contextlib
import io
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from vynapse_core.errors import DataError
from vynapse_data.npz import read_npz

if TYPE_CHECKING:
    from pathlib import Path

X = np.arange(6, dtype=np.float32).reshape(3, 2)
Y = np.array([0, 1, 0], np.int16)


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "data.npz", **arrays)
    return folder / "data.npz"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_both_arrays_are_read_as_they_are(tmp_path: Path, save: Any) -> None:
    save(tmp_path / "data.npz", images=X, labels=Y)
    x, y = read_npz(tmp_path / "data.npz", x="images", y="labels")
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)
    assert (x.dtype, y.dtype) == (X.dtype, Y.dtype)


def test_a_missing_name_lists_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no array 'label'; the file holds 'x', 'labels' \(did you mean 'labels'"):
        read_npz(saved(tmp_path, x=X, labels=Y), y="label")


@pytest.mark.parametrize("bad", [np.array([{}, [], 1], object), np.array(["a", "b", "c"]), np.zeros(3, complex)])
def test_anything_but_numbers_is_refused(tmp_path: Path, bad: Any) -> None:
    with pytest.raises(DataError, match="array 'y'"):
        read_npz(saved(tmp_path, x=X, y=bad))


def test_values_that_are_not_finite_are_refused_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"found nan at index \(1, 0\) \(2 such values"):
        read_npz(saved(tmp_path, x=np.array([[1, 2], [np.nan, 3], [np.inf, 4]]), y=Y))


def test_arrays_of_different_length_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"shapes \(3, 2\) and \(2,\)"):
        read_npz(saved(tmp_path, x=X, y=Y[:2]))


def test_a_single_number_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="one row a sample"):
        read_npz(saved(tmp_path, x=X, y=np.array(3)))


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_array_that_promises_more_than_there_is_is_refused_before_it_is_allocated(tmp_path: Path, kind: int) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 1000)})
    with zipfile.ZipFile(tmp_path / "data.npz", "w", kind) as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(100))
        archive.writestr("y.npy", header.getvalue())
    with pytest.raises(DataError, match=r"array 'x': the header promises 4000000000000000 bytes"):
        read_npz(tmp_path / "data.npz")


def test_other_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "data.npz"
    with pytest.raises(DataError, match="no such file"):
        read_npz(file)
    np.save(tmp_path / "data.npy", X)
    with pytest.raises(DataError, match="not an NPZ archive"):
        read_npz(tmp_path / "data.npy")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x", "text")
    with pytest.raises(DataError, match="array 'x'"):
        read_npz(file)


@given(st.integers(0, 10_000), st.integers(0, 255), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_changed_byte_is_read_or_refused_but_never_a_crash(tmp_path: Path, place: int, value: int, cut: bool) -> None:
    data = bytearray(saved(tmp_path, x=X, y=Y).read_bytes())
    data[place % len(data)] = value
    (tmp_path / "bad.npz").write_bytes(data[: place % len(data)] if cut else data)
    with contextlib.suppress(DataError):
        read_npz(tmp_path / "bad.npz")
