# SPDX-License-Identifier: MIT OR Apache-2.0
"""Files replaced whole: whoever opens one, even after a power cut, sees the old contents or the new."""

from __future__ import annotations

import errno
import json
import math
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` to `path` in place of what was there, which an OSError leaves as it was."""
    temporary = path.with_name(temporary_name(path.name))
    try:
        _write_through(temporary, data)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def synchronise(path: Path) -> None:
    """Wait until the disk has what was written to `path`, by whatever process."""
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary_name(name: str) -> str:
    """Return the name under which this process writes the file `name` before it takes its place."""
    return f".{name}.{os.getpid()}.tmp"


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as JSON: indented, keys in the order given, a newline at the end.

    NaN and infinities become null, as JSON has no word for them. Raises TypeError for what JSON cannot hold.
    """
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    replace_file(path, (text + "\n").encode())


def _finite(value: Any) -> Any:
    """Return plain `value` with None for every float that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _write_through(path: Path, data: bytes) -> None:
    """Write `data` to `path` and wait until the disk has it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Wait until the disk has the folder's new entry, where the system lets a folder be synchronised."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
