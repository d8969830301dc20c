# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tasks on tables: CSV and Parquet files, read into memory, or converted and mapped where they are larger."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from vynapse_core import Array, DataError, DataPath, Dataset, mistake
from vynapse_data.conversion import cut
from vynapse_data.converted import Entry, converted
from vynapse_data.csv import csv_blocks, open_csv
from vynapse_data.parquet import open_parquet, parquet_blocks, parquet_rows
from vynapse_data.provenance import data_record
from vynapse_data.split_task import SplitTask, TargetKind
from vynapse_data.table import Block, Classes, Layout, Targets

MEGABYTE = 1 << 20


def _column(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise mistake(f"expected a column's name or number, found {value!r}")
    return value


def _several(value: Any) -> Any:
    return value if isinstance(value, tuple) else (value,)


Name = Annotated[str, Field(min_length=1)]
OneColumn = Annotated[Name | int, BeforeValidator(_column)]
SeveralColumns = Annotated[tuple[OneColumn, ...], Field(min_length=1)]
Columns = Annotated[SeveralColumns, BeforeValidator(_several, json_schema_input_type=Name | int | SeveralColumns)]


class TableTask(SplitTask):
    """A table of numbers, one row a sample."""

    path: DataPath
    """The file; a relative path starts from the working directory."""
    target_columns: Columns = (-1,)
    """Names or numbers of the target columns, negative from the end."""
    input_columns: Columns | None = None
    """Names or numbers of the input columns; without it, all that are no targets."""
    targets: TargetKind = "auto"
    """Classes, which get ids in sorted order, or numbers; `auto` takes names for classes."""
    memory: float = Field(256.0, ge=0)
    """Size of the file, or of a compressed one's numbers, in MiB, up to which it is read into memory. A larger one is
    converted once into a file in the cache, of four bytes a number, which is mapped: what is looked at is read."""

    @abstractmethod
    def table(self) -> tuple[Layout, Iterable[Block]]:
        """Return the file's columns, and its rows, block by block. Raises DataError."""

    @property
    def source(self) -> str:
        """The file."""
        return self.path

    @property
    def files(self) -> tuple[str, ...]:
        """The file."""
        return (self.path,)

    @property
    def bytes(self) -> int:
        """What is compared with `memory`: the size of the file. Raises DataError where it is missing."""
        try:
            return Path(self.path).stat().st_size
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {error}") from error

    @property
    def mapped(self) -> bool:
        """Whether the file is larger than what is read into memory."""
        return self.bytes > self.memory * MEGABYTE

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names in the target column by class id; asking reads a table that is not mapped once more."""
        names = self._entry().about["classes"] if self.mapped else self._whole()[1]
        return tuple(names or ())

    def read(self) -> tuple[Array, Array]:
        """Return inputs and targets of the whole table."""
        return self._whole()[0]

    def load(self) -> Mapping[str, Dataset]:
        """Return the splits that have samples, mapped where the file is large. Raises DataError."""
        return self._entry().datasets() if self.mapped else super().load()

    def provenance(self) -> Mapping[str, Any]:
        """Return the file with its SHA-256, and the splits' sizes."""
        if not self.mapped:
            return data_record(self.files, self.datasets)
        about = self._entry().about
        return {"files": about["files"], "samples": about["samples"]}

    def _whole(self) -> tuple[tuple[Array, Array], tuple[str, ...] | None]:
        """Return inputs and targets of the whole table, and the names of classes."""
        columns, rows = self.table()
        targets, inputs = self._collected(columns), []
        for block in rows:
            targets.add(block)
            inputs.append(block.x)
        y, names = targets.finish()
        return (np.concatenate(inputs), y), names

    def _collected(self, columns: Layout) -> Targets:
        known: dict[TargetKind, Classes] = {"auto": "auto", "classes": True, "numbers": False}
        return Targets(columns, known[self.targets])

    def _entry(self) -> Entry:
        told = self.model_dump(mode="json", exclude={"loss", "fitness", "batch", "metrics", "memory", "path"})

        def make(folder: Path) -> dict[str, Any]:
            columns, rows = self.table()
            targets, raw = self._collected(columns), folder / "raw"
            with raw.open("wb") as stream:
                for block in rows:
                    targets.add(block)
                    block.x.tofile(stream)
            y, names = targets.finish()
            noted = cut(self, np.memmap(raw, np.float32, "r", shape=(len(y), len(columns.features))), y, folder)
            raw.unlink()
            return {**noted, "features": columns.feature_names, "classes": names}

        return converted([self.path], {"reader": type(self).__name__, **told}, make)


class Csv(TableTask):
    """A table of numbers in a text file, one row a sample. A malformed file raises DataError, with the line."""

    header: bool | None = None
    """Whether the first line holds the columns' names; without it, where no cell of that line is a number."""
    delimiter: str = Field(",", min_length=1, max_length=1)
    """What parts the cells of a line."""

    def table(self) -> tuple[Layout, Iterable[Block]]:
        """Return the file's columns and rows."""
        header: bool | Literal["auto"] = "auto" if self.header is None else self.header
        file = open_csv(self.path, self.target_columns, self.input_columns, header=header, delimiter=self.delimiter)
        return file.layout, csv_blocks(file)


class Parquet(TableTask):
    """A table of numbers in a Parquet file, one row a sample; needs pyarrow. A malformed file raises DataError."""

    def table(self) -> tuple[Layout, Iterable[Block]]:
        """Return the file's columns and rows."""
        columns = open_parquet(self.path, self.target_columns, self.input_columns)
        return columns, parquet_blocks(columns)

    @property
    def bytes(self) -> int:
        """What is compared with `memory`: four bytes for each number, as a file may pack them tightly."""
        return 4 * parquet_rows(Path(self.path)) * len(self.table()[0].features)
