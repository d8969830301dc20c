# SPDX-License-Identifier: MIT OR Apache-2.0
"""Lines of a file, which wait to be written together: a call of the system takes longer than to make a line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal


class Lines:
    """A file that lines are added to. What a full disk leaves unwritten waits, so that no line is lost or torn."""

    def __init__(self, path: Path, mode: Literal["wb", "ab"]) -> None:
        self._file = path.open(mode, buffering=0)
        self._waiting: list[bytes] = []

    def add(self, line: bytes) -> None:
        """Add a line, which ends with its newline."""
        self._waiting.append(line)

    def write(self) -> None:
        """Write all lines that wait."""
        rest = b"".join(self._waiting)
        try:
            while rest:
                rest = rest[os.write(self._file.fileno(), rest) :]
        finally:
            self._waiting = [rest] if rest else []

    def synchronise(self) -> None:
        """Write all lines, and wait until the disk has them."""
        self.write()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write all lines and close the file."""
        try:
            self.write()
        finally:
            self._file.close()
