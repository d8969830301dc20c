# SPDX-License-Identifier: MIT OR Apache-2.0
"""A user's own data: tasks that read IDX, NPZ and CSV files."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from vynapse_core import Array, DataError, DataPath, mistake
from vynapse_tasks.data.csv import read_csv
from vynapse_tasks.data.idx import read_idx
from vynapse_tasks.data.npz import read_npz
from vynapse_tasks.split_task import SplitTask, class_ids

Targets = Literal["auto", "classes", "numbers"]


def _column(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise mistake(f"expected a column's name or number, found {value!r}")
    return value


def _several(value: Any) -> Any:
    return value if isinstance(value, tuple) else (value,)


Column = Annotated[str | int, BeforeValidator(_column)]
Columns = Annotated[tuple[Column, ...], BeforeValidator(_several)]


class Idx(SplitTask):
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

    def read(self) -> tuple[Array, Array]:
        """Return images and class ids."""
        x, labels = (read_idx(file) for file in (self.images, self.labels))
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise DataError(f"{self.labels}: expected whole numbers [n], found {labels.dtype} {list(labels.shape)}")
        if x.ndim < 1 or len(x) != len(labels):
            raise DataError(f"{self.source}: expected as many images as labels, found shapes {x.shape}, {labels.shape}")
        scaled = np.divide(x, np.float32(255), dtype=np.float32) if x.dtype == np.uint8 else x
        return scaled, class_ids(labels)


class Npz(SplitTask):
    """Two arrays in a NumPy archive, one row a sample. A malformed file raises DataError."""

    path: DataPath
    """The archive; a relative path starts from the working directory."""
    x: str = "x"
    """Name of the inputs, numbers [n] or [n, ...]."""
    y: str = "y"
    """Name of the targets, [n] or [n, k]."""
    targets: Targets = "auto"
    """Classes, which get ids in sorted order, or numbers; `auto` takes whole numbers [n] for classes."""

    @property
    def source(self) -> str:
        """The file."""
        return self.path

    def read(self) -> tuple[Array, Array]:
        """Return the two arrays."""
        x, y = read_npz(self.path, self.x, self.y)
        if self.targets == "numbers" or (self.targets == "auto" and (y.ndim != 1 or y.dtype.kind == "f")):
            return x, y.astype(np.float64)
        if y.ndim != 1:
            raise DataError(f"{self.path}: classes are an array [n], and {self.y!r} has the shape {list(y.shape)}")
        return x, class_ids(y)


class Csv(SplitTask):
    """A table of numbers, one row a sample. A malformed file raises DataError, with the line."""

    path: DataPath
    """The file; a relative path starts from the working directory."""
    target_columns: Columns = Field((-1,), min_length=1)
    """Names or numbers of the target columns, negative from the end. All others are inputs."""
    targets: Targets = "auto"
    """Classes, which get ids in sorted order, or numbers; `auto` takes names for classes."""
    header: bool | None = None
    """Whether the first line holds the columns' names; without it, where no cell of that line is a number."""
    delimiter: str = Field(",", min_length=1, max_length=1)
    """What parts the cells of a line."""

    @property
    def source(self) -> str:
        """The file."""
        return self.path

    def read(self) -> tuple[Array, Array]:
        """Return the inputs and the target columns."""
        header: bool | Literal["auto"] = "auto" if self.header is None else self.header
        known: dict[Targets, bool | Literal["auto"]] = {"auto": "auto", "classes": True, "numbers": False}
        table = read_csv(
            self.path,
            self.target_columns,
            header=header,
            delimiter=self.delimiter,
            classes=known[self.targets],
        )
        return table.x, table.y
