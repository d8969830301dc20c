# SPDX-License-Identifier: MIT OR Apache-2.0
"""Machine code kept on disk, named by what it was made from, so that a second start compiles nothing.

A file is its own checksum and its content: one that was cut short or written over is made again. The folder belongs to
the user alone, since what lies there is run.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

_MAGIC = b"vynapse1"
PATIENCE = 1.0
"""Seconds after which a user is told that something is compiled."""
_TELLING = threading.Event()


def folder() -> Path:
    """Return where compiled code is kept: `$VYNAPSE_CACHE`, or the platform's folder for caches."""
    chosen = os.environ.get("VYNAPSE_CACHE")
    if chosen:
        return Path(chosen) / "kernels"
    named = os.environ.get("XDG_CACHE_HOME", "")
    if named and Path(named).is_absolute():
        return Path(named) / "vynapse" / "kernels"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "vynapse" / "kernels"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "vynapse" / "kernels"
    return Path.home() / ".cache" / "vynapse" / "kernels"


def kept(kind: str, source: Sequence[str], make: Callable[[], bytes]) -> bytes:
    """Return what `make` makes from `source`, from the disk where it lies there; versions of the compiler count."""
    key = "\0".join([kind, *source, *_versions()])
    name = f"{kind}-{hashlib.sha256(key.encode()).hexdigest()}"
    try:
        place = folder() / name
    except RuntimeError:
        # no home folder: nothing can be kept
        return make()
    found = _read(place)
    if found is not None:
        return found
    with _told():
        made = make()
    with suppress(OSError):
        _write(place, made)
    return made


@contextmanager
def _told() -> Iterator[None]:
    """Tell a user at a terminal why nothing happens, once, if it takes long."""
    if not sys.stderr.isatty() or _TELLING.is_set():
        yield
        return
    timer = threading.Timer(PATIENCE, _tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _tell() -> None:
    if not _TELLING.is_set():
        _TELLING.set()
        print("compiling for this machine, once; later starts take what is kept", file=sys.stderr, flush=True)


def described() -> str:
    """Return what is kept, in words: `lanes 3, tiles 12, 1.2 MB in /home/ada/.cache/vynapse/kernels`."""
    try:
        place = folder()
        files = [file for file in place.iterdir() if not file.name.startswith(".")]
        size = sum(file.stat().st_size for file in files)
    except RuntimeError:
        return "none is kept, as there is no home folder"
    except OSError:
        files, size = [], 0
    kinds = sorted(Counter(file.name.partition("-")[0] for file in files).items())
    counted = ", ".join(f"{kind} {count}" for kind, count in kinds)
    return f"{counted}, {size / 1e6:.1f} MB in {place}" if files else f"none yet in {place}"


@cache
def _versions() -> tuple[str, ...]:
    return tuple(f"{name} {version(name)}" for name in ("llvmlite",))


def _read(place: Path) -> bytes | None:
    try:
        if not _own(place):
            return None
        stored = place.read_bytes()
    except OSError:
        return None
    head = len(_MAGIC) + 32
    content = stored[head:]
    whole = stored[:head] == _MAGIC + hashlib.sha256(content).digest()
    return content if whole else None


def _own(place: Path) -> bool:
    """Return whether nobody else may have written the file; where owners are not known, it counts as so."""
    if not hasattr(os, "getuid"):
        return True
    state = place.stat()
    return state.st_uid in (os.getuid(), 0) and not state.st_mode & 0o022


def _write(place: Path, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(content).digest() + content)
        # a reader finds the whole file or none
        Path(name).replace(place)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
