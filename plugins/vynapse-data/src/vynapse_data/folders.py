# SPDX-License-Identifier: MIT OR Apache-2.0
"""Folders outside a run: the user's data, and the cache for what can be downloaded or converted again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vynapse_core import DataError


def data_folder(name: str) -> Path | None:
    """Return `$VYNAPSE_DATA/<name>`, or None where the variable is not set."""
    data = os.environ.get("VYNAPSE_DATA")
    return Path(data).expanduser() / name if data else None


def cache_folder(name: str) -> Path:
    """Return where this user's files of `name` are kept: below `$XDG_CACHE_HOME`, or the platform's place for caches.

    Raises DataError where there is no home folder.
    """
    return _caches(sys.platform) / "vynapse" / name


def _caches(platform: str) -> Path:
    named = os.environ.get("XDG_CACHE_HOME", "")
    local = os.environ.get("LOCALAPPDATA", "")
    # The XDG specification asks to ignore a relative path.
    if Path(named).is_absolute():
        return Path(named)
    if platform == "win32" and local:
        return Path(local)
    try:
        home = Path.home()
    except RuntimeError as error:
        raise DataError("no home folder to keep downloads in: set XDG_CACHE_HOME to a folder") from error
    if platform == "win32":
        return home / "AppData" / "Local"
    return home / "Library" / "Caches" if platform == "darwin" else home / ".cache"
