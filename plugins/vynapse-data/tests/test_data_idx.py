# SPDX-License-Identifier: MIT OR Apache-2.0
"""IDX files: every element type and rank, and every way in which a file can lie."""

from __future__ import annotations

import contextlib
import gzip
import struct
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from vynapse_core.errors import DataError
from vynapse_data.idx import read_idx

if TYPE_CHECKING:
    from pathlib import Path

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array: np.ndarray[Any, Any]) -> bytes:
    code = CODES[array.dtype.str[1:]]
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def written(folder: Path, data: bytes | bytearray) -> Path:
    file = folder / "data.idx"
    file.write_bytes(data)
    return file


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (0, 4), (2, 1, 3, 2)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_what_was_written_is_read(tmp_path: Path, dtype: str, shape: tuple[int, ...], pack: Any) -> None:
    array = np.random.default_rng(1).integers(-100, 100, shape).astype(dtype)
    back = read_idx(written(tmp_path, pack(idx_bytes(array))))
    assert back.dtype == np.dtype(dtype)
    assert back.dtype.isnative
    np.testing.assert_array_equal(back, array)


SOUND = idx_bytes(np.arange(12, dtype="u1").reshape(3, 4))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "truncated: expected 4 bytes of magic number, found 0"),
        (SOUND[:7], "truncated: expected 8 bytes of 2 sizes, found 3"),
        (b"\x01" + SOUND[1:], "not an IDX file.*found 01 00 08"),
        (b"\0\0\x0a" + SOUND[3:], "not an IDX file.*found 00 00 0a"),
        (SOUND + b"!", "more data than its header says: expected the end after 12 bytes"),
    ],
)
def test_a_malformed_file_is_refused_with_what_was_expected(
    tmp_path: Path, pack: Any, data: bytes, message: str
) -> None:
    with pytest.raises(DataError, match=rf"data\.idx: {message}"):
        read_idx(written(tmp_path, pack(data)))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"truncated: expected 12 bytes of data.*found 0"):
        read_idx(written(tmp_path, SOUND[:12]))
    with pytest.raises(DataError, match=r"truncated: expected 12 bytes of data of shape \(3, 4\), uint8, found 7"):
        read_idx(written(tmp_path, SOUND[:-5]))
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(written(tmp_path, gzip.compress(SOUND)[:-12]))


def test_a_damaged_gzip_file_is_refused(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(SOUND))
    packed[-6] ^= 1
    with pytest.raises(DataError, match="CRC"):
        read_idx(written(tmp_path, packed))
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(written(tmp_path, gzip.compress(SOUND) + b"garbage"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.idx"):
        read_idx(tmp_path / "nothing.idx")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_header_that_claims_more_than_the_file_can_hold_costs_no_memory(tmp_path: Path, pack: Any) -> None:
    head = struct.pack(">BBBB3I", 0, 0, 0x0E, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1)
    with pytest.raises(DataError, match="header promises"):
        read_idx(written(tmp_path, pack(head + b"1234")))


def test_a_rank_beyond_any_array_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no array can have the shape"):
        read_idx(written(tmp_path, struct.pack(">BBBB100I", 0, 0, 8, 100, *[1] * 100) + b"x"))


def test_a_decompression_bomb_is_not_inflated_past_its_header(tmp_path: Path) -> None:
    file = written(tmp_path, gzip.compress(SOUND + bytes(50_000_000)))
    tracemalloc.start()
    with pytest.raises(DataError, match="more data than its header says"):
        read_idx(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


@given(st.integers(0, len(SOUND) - 1), st.integers(0, 255), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_byte_is_read_or_refused_but_never_a_crash(
    tmp_path: Path, place: int, value: int, packed: bool
) -> None:
    data = bytearray(gzip.compress(SOUND, mtime=0) if packed else SOUND)
    data[place % len(data)] = value
    with contextlib.suppress(DataError):
        read_idx(written(tmp_path, data))
