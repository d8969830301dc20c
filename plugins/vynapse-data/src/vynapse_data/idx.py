# SPDX-License-Identifier: MIT OR Apache-2.0
"""IDX files, the format of MNIST: a magic number, big-endian sizes, then the elements.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section on file formats.
A file may come from a stranger: nothing is allocated or inflated beyond what its header promises and its
size can hold.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from vynapse_core import DataError

if TYPE_CHECKING:
    import os
    from io import BufferedReader
    from typing import BinaryIO

    from numpy.typing import NDArray

_ELEMENTS = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
DEFLATE_AT_MOST = 1032
"""Bytes out for a byte in: the limit of the deflate format."""
_BLOCK = 1 << 20


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read one IDX file, gzipped or not (its first bytes decide, not its name).

    Returns an array of the file's own rank, shape and element type, in the machine's byte order. Raises
    DataError where the file is missing, no IDX, shorter or longer than its header says, or corrupt.
    """
    file = Path(path)
    try:
        size = file.stat().st_size
        with file.open("rb") as raw, gunzipped(raw) as stream:
            limit = size if stream is raw else size * DEFLATE_AT_MOST
            return _read(stream, file, limit)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error


def gunzipped(stream: BufferedReader) -> BinaryIO:
    """Return `stream` itself, or what it inflates to where its first two bytes are those of gzip."""
    if stream.peek(2)[:2] != b"\x1f\x8b":
        return stream
    return cast("BinaryIO", gzip.GzipFile(fileobj=stream, mode="rb"))


def _read(stream: BinaryIO, file: Path, limit: int) -> NDArray[Any]:
    magic = _exactly(stream, 4, file, "magic number")
    if magic[:2] != b"\0\0" or magic[2] not in _ELEMENTS:
        raise DataError(
            f"{file}: not an IDX file: expected two zero bytes and an element type out of "
            f"{', '.join(f'0x{code:02x}' for code in _ELEMENTS)}, found {magic[:3].hex(' ')}"
        )
    rank, dtype = magic[3], np.dtype(_ELEMENTS[magic[2]])
    sizes = np.frombuffer(_exactly(stream, 4 * rank, file, f"{rank} sizes"), ">u4")
    shape = tuple(int(size) for size in sizes)
    expected = math.prod(shape) * dtype.itemsize
    if expected > limit:
        raise DataError(
            f"{file}: the header promises {expected} bytes of data (shape {shape}, {dtype.name}); "
            f"a file of this size holds at most {limit}"
        )
    data = _exactly(stream, expected, file, f"data of shape {shape}, {dtype.name}")
    if stream.read(1):
        raise DataError(
            f"{file}: more data than its header says: expected the end after {expected} bytes of data "
            f"(shape {shape}, {dtype.name})"
        )
    try:
        return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
    except ValueError as error:
        raise DataError(f"{file}: no array can have the shape {shape} of its header: {error}") from error


def _exactly(stream: BinaryIO, count: int, file: Path, what: str) -> bytearray:
    """Read `count` bytes block by block, so that memory grows with what is there, not what is claimed."""
    data = bytearray()
    while len(data) < count:
        block = stream.read(min(_BLOCK, count - len(data)))
        if not block:
            raise DataError(f"{file}: truncated: expected {count} bytes of {what}, found {len(data)}")
        data += block
    return data
