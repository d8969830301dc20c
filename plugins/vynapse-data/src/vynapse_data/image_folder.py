# SPDX-License-Identifier: MIT OR Apache-2.0
"""The task `image_folder`: a user's own images, a folder a class."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from vynapse_core import Array, DataPath, Dataset
from vynapse_data.augmented_task import AugmentedTask
from vynapse_data.conversion import cut
from vynapse_data.converted import Entry, converted, reserve
from vynapse_data.images import Listed, decode, image_shape, list_images
from vynapse_data.split_task import SplitTask


class ImageFolder(SplitTask, AugmentedTask):
    """Images in folders, one a class; the classes' ids are in the order of the folders' names. Needs Pillow.

    Inputs are float32 [n, channels, rows, columns] in [0, 1]. Images are decoded once into a file in the cache,
    which is mapped: what is looked at is read. A file that is no image raises DataError.
    """

    path: DataPath
    """The folder of the classes' folders; a relative path starts from the working directory."""
    size: tuple[int, int] | None = None
    """Rows and columns to which images are scaled; without it, all have to be of one size."""
    channels: Literal[1, 3] = 3
    """3 for colour, 1 for grey."""
    memory: float = Field(0.0, ge=0)
    """Size of the inputs, in MiB, up to which images are decoded anew at each start and kept in memory, not in the
    cache."""

    @property
    def source(self) -> str:
        """The folder."""
        return self.path

    @property
    def files(self) -> tuple[str, ...]:
        """All images."""
        return tuple(map(str, self._listed.files))

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the folders."""
        return self._listed.classes

    def read(self) -> tuple[Array, Array]:
        """Return images float32 [n, C, H, W] and class ids."""
        x = np.empty((len(self._listed.files), *self._shape), np.float32)
        decode(self._listed.files, self._shape, self.size, x)
        return x, self._listed.ids

    def load(self) -> Mapping[str, Dataset]:
        """Return the splits that have samples, mapped unless they are small. Raises DataError."""
        return super().load() if self._small else self._entry().datasets()

    def provenance(self) -> Mapping[str, Any]:
        """Return one digest of all images, and the splits' sizes."""
        if self._small:
            return super().provenance()
        about = self._entry().about
        return {"files": about["files"], "samples": about["samples"]}

    @cached_property
    def _listed(self) -> Listed:
        return list_images(self.path)

    @cached_property
    def _shape(self) -> tuple[int, int, int]:
        return image_shape(self._listed.files[0], self.channels, self.size)

    @property
    def _small(self) -> bool:
        return 4 * len(self._listed.files) * int(np.prod(self._shape)) <= self.memory * (1 << 20)

    def _entry(self) -> Entry:
        told = self.model_dump(
            mode="json", exclude={"loss", "fitness", "batch", "metrics", "augment", "memory", "path"}
        )

        def make(folder: Path) -> dict[str, Any]:
            raw, shape = folder / "raw", (len(self._listed.files), *self._shape)
            images = np.memmap(raw, np.float32, "w+", shape=shape)
            reserve(raw)
            decode(self._listed.files, self._shape, self.size, images)
            noted = cut(self, images, self._listed.ids, folder)
            raw.unlink()
            return {**noted, "classes": self._listed.classes}

        return converted(self._listed.files, {"reader": "image_folder", "path": self.path, **told}, make)
