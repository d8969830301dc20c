# SPDX-License-Identifier: MIT OR Apache-2.0
"""What this plugin keeps in the cache folder: downloaded collections and converted data."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vynapse_core import DataError
from vynapse_data.cifar10 import CIFAR10
from vynapse_data.converted import entries_folder, entry_of
from vynapse_data.describe import sized
from vynapse_data.folders import cache_folder
from vynapse_data.idx_images import FASHION_MNIST, MNIST

COLLECTIONS = (MNIST, FASHION_MNIST, CIFAR10)


@dataclass(frozen=True)
class Kept:
    """Something in the cache."""

    name: str
    """As it is deleted by."""
    path: Path
    about: str

    @property
    def bytes(self) -> int:
        """Size on disk."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())

    def __str__(self) -> str:
        return f"{self.name}  {sized(self.bytes)}  {self.about}"

    def delete(self) -> None:
        """Delete it. Raises DataError."""
        try:
            shutil.rmtree(self.path)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be deleted: {error.strerror or error}") from error


def kept() -> list[Kept]:
    """Return what is cached: collections, then converted data, what was left half-written included."""
    found = [
        Kept(collection.name, folder, f"downloaded {collection.title}")
        for collection in COLLECTIONS
        if (folder := cache_folder(collection.name)).is_dir()
    ]
    with suppress(FileNotFoundError):
        for folder in sorted(entries_folder().iterdir()):
            entry = entry_of(folder)
            about = f"of {entry.about['files'][0]['path']}" if entry else "half-written or damaged"
            found.append(Kept(folder.name.lstrip("."), folder, about))
    return found
