# SPDX-License-Identifier: MIT OR Apache-2.0
"""A user's own data: tasks that read IDX and NPZ files."""

import numpy as np

from vynapse_core import Array, DataError, DataPath
from vynapse_data.augmented_task import AugmentedTask
from vynapse_data.idx import read_idx
from vynapse_data.npz import read_npz
from vynapse_data.split_task import SplitTask, TargetKind, class_ids


class Idx(SplitTask, AugmentedTask):
    """Images and labels in IDX files, MNIST's format, gzipped or not.

    Inputs keep the shape of the file, [n, rows, columns]; unsigned bytes are scaled to [0, 1], other types
    are taken as they are. Labels become class ids in sorted order. A malformed file raises DataError.
    """

    images: DataPath
    """File of the inputs; a relative path starts from the working directory."""
    labels: DataPath
    """File of the labels, whole numbers [n]."""

    @property
    def source(self) -> str:
        """The files."""
        return f"{self.images} and {self.labels}"

    @property
    def files(self) -> tuple[str, ...]:
        """The two files."""
        return self.images, self.labels

    def read(self) -> tuple[Array, Array]:
        """Return images and class ids."""
        x, labels = (read_idx(file) for file in (self.images, self.labels))
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise DataError(f"{self.labels}: expected whole numbers [n], found {labels.dtype} {list(labels.shape)}")
        if x.ndim < 1 or len(x) != len(labels):
            raise DataError(f"{self.source}: expected as many images as labels, found shapes {x.shape}, {labels.shape}")
        scaled = np.divide(x, np.float32(255), dtype=np.float32) if x.dtype == np.uint8 else x
        return scaled, class_ids(labels)


class Npz(SplitTask, AugmentedTask):
    """Two arrays in a NumPy archive, one row a sample. A malformed file raises DataError."""

    path: DataPath
    """The archive; a relative path starts from the working directory."""
    x: str = "x"
    """Name of the inputs, numbers [n] or [n, ...]."""
    y: str = "y"
    """Name of the targets, [n] or [n, k]."""
    targets: TargetKind = "auto"
    """Classes, which get ids in sorted order, or numbers; `auto` takes whole numbers [n] for classes."""

    @property
    def source(self) -> str:
        """The file."""
        return self.path

    @property
    def files(self) -> tuple[str, ...]:
        """The file."""
        return (self.path,)

    def read(self) -> tuple[Array, Array]:
        """Return the two arrays."""
        x, y = read_npz(self.path, self.x, self.y)
        if self.targets == "numbers" or (self.targets == "auto" and (y.ndim != 1 or y.dtype.kind == "f")):
            return x, y.astype(np.float64)
        if y.ndim != 1:
            raise DataError(f"{self.path}: classes are an array [n], and {self.y!r} has the shape {list(y.shape)}")
        return x, class_ids(y)
