# SPDX-License-Identifier: MIT OR Apache-2.0
"""Data converted once into arrays that are mapped into memory, for files larger than it or slow to read.

What is converted lies in the cache under the SHA-256 of the files' paths, sizes and times and of the settings, so that
another file or another setting is another entry. An entry gets its name when it is whole.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import DataError, Dataset
from vynapse_data.folders import cache_folder
from vynapse_data.provenance import file_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

FORM = 1
"""Of entries; another one is not read."""
ABOUT = "about.json"
MOVED = 1 << 24
"""Bytes that are moved at a time."""


@dataclass(frozen=True)
class Entry:
    """Converted data in the cache."""

    folder: Path
    about: Mapping[str, Any]
    """Where it came from, the splits' sizes, and what the reader noted."""

    def datasets(self) -> dict[str, Dataset]:
        """Return the splits, mapped: what is looked at is read. Raises DataError where they are damaged."""
        try:
            x, y = (np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in "xy")
        except (OSError, ValueError) as error:
            raise DataError(f"{self.folder}: damaged: {error}; delete it by 'vynapse data cache --remove'") from error
        ends = np.cumsum(list(self.about["samples"].values())).tolist()
        starts = [0, *ends[:-1]]
        # plain arrays over the mapping: a slice of np.memmap costs more than a small batch
        x, y = x.view(np.ndarray), y.view(np.ndarray)
        return {
            name: Dataset(x[start:end], y[start:end])
            for name, start, end in zip(self.about["samples"], starts, ends, strict=True)
        }


def converted(
    files: Sequence[str | Path], settings: Mapping[str, Any], make: Callable[[Path], Mapping[str, Any]]
) -> Entry:
    """Return the entry of these files and settings, made where there is none.

    `make` writes `x.npy` and `y.npy` into a folder, samples in the order of the splits, and returns what is noted, with
    `samples`, the size of each split. Raises DataError where a file is missing, or changes meanwhile, or the cache
    cannot be written.
    """
    key = _key(files, settings)
    folder = entries_folder() / key
    found = entry_of(folder)
    if found is not None:
        return found
    part = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # of this conversion alone: threads share a process's number, and containers a cache
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{key}.", suffix=".part"))
        part.chmod(0o755)
        noted = make(part)
        about = {"form": FORM, "files": file_records(files), "settings": dict(settings), **noted}
        if _key(files, settings) != key:
            raise DataError(f"{files[0]}: changed while it was converted; start again once it is whole")
        (part / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        try:
            part.rename(folder)
        except OSError:
            # another process may have been quicker, and its entry is as good
            if not folder.exists():
                raise
    except OSError as error:
        raise DataError(f"{folder.parent}: the converted data cannot be written: {error}") from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
    found = entry_of(folder)
    if found is None:
        raise DataError(f"{folder}: this entry of the cache is damaged; delete it by 'vynapse data cache --remove'")
    return found


def entries_folder() -> Path:
    """Return where converted data is kept."""
    return cache_folder("data")


def in_order(source: NDArray[Any], order: NDArray[np.intp], target: Path) -> NDArray[Any]:
    """Write the rows of `source` in this order to an .npy file, some at a time, and return it mapped for writing."""
    out = np.lib.format.open_memmap(target, "w+", source.dtype, (len(order), *source.shape[1:]))
    reserve(target)
    for rows in blocks(len(order), out.nbytes):
        out[rows] = source[order[rows]]
    return out


def reserve(file: Path) -> None:
    """Take the room of a file on the disk before it is written through a mapping.

    A disk that fills up meanwhile ends the process by a signal. Raises OSError where there is no room; where the
    system cannot tell, nothing happens.
    """
    take = getattr(os, "posix_fallocate", None)
    if take is None:
        return
    with file.open("r+b") as stream:
        try:
            take(stream.fileno(), 0, file.stat().st_size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                raise


def blocks(count: int, size: int) -> Iterator[slice]:
    """Yield slices that cut `count` rows of `size` bytes in all into blocks of moderate size."""
    each = max(1, MOVED * count // max(size, 1))
    for start in range(0, count, each):
        yield slice(start, min(start + each, count))


def _key(files: Sequence[str | Path], settings: Mapping[str, Any]) -> str:
    told: list[Any] = [FORM, dict(settings)]
    for file in files:
        try:
            state = Path(file).stat()
        except OSError as error:
            raise DataError(f"{file}: cannot be read: {error.strerror or error}") from error
        told.append([str(file), state.st_size, state.st_mtime_ns])
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def entry_of(folder: Path) -> Entry | None:
    """Return the entry of a folder, or None where it is none, or half-written, or of another form."""
    if folder.name.startswith("."):
        return None
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Entry(folder, about) if isinstance(about, dict) and about.get("form") == FORM else None
