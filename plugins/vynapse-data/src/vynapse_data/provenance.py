# SPDX-License-Identifier: MIT OR Apache-2.0
"""Where data came from: files with their sizes and SHA-256, and digests of what was read from them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vynapse_core import Dataset

MOST_FILES = 20
"""Files that are noted one by one."""
ROWS = 1 << 14


def file_record(path: str | Path) -> dict[str, Any]:
    """Return a file's path, its bytes and the SHA-256 of its content. Raises DataError where it cannot be read."""
    file = Path(path)
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
            return {"path": str(file), "bytes": stream.tell(), "sha256": digest.hexdigest()}
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror or error}") from error


def file_records(files: Sequence[str | Path]) -> list[dict[str, Any]]:
    """Return the records of files; of many a single one, so that a run's notes stay readable.

    It has their common folder, how many there are, and the SHA-256 of all names and digests.
    """
    records = [file_record(file) for file in files]
    if len(records) <= MOST_FILES:
        return records
    folder = os.path.commonpath([record["path"] for record in records])
    digest = hashlib.sha256()
    for record in records:
        digest.update(f"{record['sha256']}  {os.path.relpath(record['path'], folder)}\n".encode())
    total = sum(record["bytes"] for record in records)
    return [{"path": folder, "count": len(records), "bytes": total, "sha256": digest.hexdigest()}]


def data_record(files: Sequence[str | Path], datasets: Mapping[str, Dataset]) -> dict[str, Any]:
    """Return what `run.json` keeps of data: files with their digests, and how many samples each split has."""
    return {
        "files": file_records(files),
        "samples": {split: len(data) for split, data in datasets.items()},
    }


def content_digest(data: Dataset) -> str:
    """Return the SHA-256 of a split's content: types and shapes, then values in little-endian order, x before y."""
    digest = hashlib.sha256()
    for array in (data.x, data.y):
        dtype = array.dtype.newbyteorder("<")
        digest.update(f"{dtype.str}{list(array.shape)}".encode())
        for start in range(0, len(array), ROWS):
            digest.update(np.ascontiguousarray(array[start : start + ROWS], dtype).tobytes())
    return digest.hexdigest()
