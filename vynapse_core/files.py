# SPDX-License-Identifier: MIT OR Apache-2.0
"""Files replaced whole: whoever opens one, even after a power cut, sees the old contents or the new."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

TRIES = 20 if os.name == "nt" else 1
"""How often a file is put in another's place."""
PAUSE = 0.05
"""Seconds between two tries."""
LEFT = 60.0
"""Seconds after which a half-written file of a process that is gone counts as left."""
_TEMPORARY = re.compile(r"\.(.+)\.([0-9]{1,9})\.tmp", re.DOTALL)
"""What `temporary_name` returns: the file's name and the process."""


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` to `path` in place of what was there, which an OSError leaves as it was."""
    replace_files(path.parent, {path.name: data})


def replace_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files {name: data} of a folder in place of what was there; none takes its place before all are written."""
    _sweep(folder, files)
    left = {name: folder / temporary_name(name) for name in files}
    try:
        for name, data in files.items():
            _write_through(left[name], data)
        for name in files:
            _replace(left[name], folder / name)
            del left[name]
    except BaseException:
        for temporary in left.values():
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        raise
    _sync_folder(folder)


def _replace(temporary: Path, path: Path) -> None:
    """Put `temporary` in the place of `path`; where another program has it open, as Windows minds, try for a while."""
    for _ in range(TRIES - 1):
        try:
            temporary.replace(path)
        except PermissionError:
            time.sleep(PAUSE)
        else:
            return
    temporary.replace(path)


def _sweep(folder: Path, names: Iterable[str]) -> None:
    """Delete what processes that were killed left half-written of files; what will not go is no harm."""
    with suppress(OSError):
        for left in folder.iterdir():
            found = _TEMPORARY.fullmatch(left.name)
            gone = found and found[1] in names and _is_gone(int(found[2]))
            # the age spares a process of another machine, on a disk that both share
            if gone and left.stat().st_mtime < time.time() - LEFT:
                left.unlink()


def _is_gone(process: int) -> bool:
    """Whether no process has that number. On Windows, where asking would end it, none counts as gone."""
    if os.name != "posix":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def temporary_name(name: str) -> str:
    """Return the name under which this process writes the file `name` before it takes its place."""
    return f".{name}.{os.getpid()}.tmp"


def as_json(value: Any) -> bytes:
    """Return `value` as JSON for a file: indented, keys in the order given, a newline at the end.

    NaN and infinities become null, as JSON has no word for them. Raises TypeError for what JSON cannot hold.
    """
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


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
