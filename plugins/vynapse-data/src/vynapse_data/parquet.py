# SPDX-License-Identifier: MIT OR Apache-2.0
"""Parquet files, read block by block through pyarrow: numeric input columns and one or several target columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import DataError
from vynapse_data.table import Block, Column, Layout, layout

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

ROWS = 1 << 14
"""Rows of a block."""


def open_parquet(
    path: str | os.PathLike[str], targets: Sequence[Column], inputs: Sequence[Column] | None = None
) -> Layout:
    """Return where a file's columns are. Raises DataError for no Parquet file, and where pyarrow is not installed."""
    file = Path(path)
    return layout(file, _opened(file).schema_arrow.names, targets, inputs, row="row")


def parquet_rows(path: str | os.PathLike[str]) -> int:
    """Return how many rows a file says that it has. Raises DataError."""
    return int(_opened(Path(path)).metadata.num_rows)


def parquet_blocks(table: Layout) -> Iterator[Block]:
    """Yield the rows of a file, block by block, counted from 1.

    Raises DataError with the row of a missing value, or of an input that is no finite number, and for no rows.
    """
    import pyarrow

    file, row = table.file, 0
    names = [table.names[place] for place in (*table.features, *table.targets)]
    if len(set(table.names)) != len(table.names):
        raise DataError(f"{file}: expected columns of different names, found {', '.join(table.names)}")
    try:
        for batch in _opened(file).iter_batches(ROWS, columns=names):
            if not len(batch):
                continue
            rows = range(row + 1, row + 1 + len(batch))
            columns = {name: batch.column(name) for name in set(names)}
            x = np.empty((len(batch), len(table.features)), np.float32)
            for at, place in enumerate(table.features):
                values = _values(table, place, columns[table.names[place]], rows)
                if isinstance(values, list):
                    raise table.bad_cell(place, rows[0], values[0])
                with np.errstate(over="ignore"):
                    x[:, at] = values
                finite = np.isfinite(x[:, at])
                if not finite.all():
                    first = int(np.argmin(finite))
                    raise table.bad_cell(place, rows[first], str(values[first]))
            targets = [_values(table, place, columns[table.names[place]], rows) for place in table.targets]
            yield Block(x, tuple(targets), rows)
            row += len(batch)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error
    if not row:
        raise DataError(f"{file}: no rows of data")


def _values(table: Layout, place: int, column: Any, rows: range) -> NDArray[np.float64] | list[str]:
    """Return a column as numbers, or as names where it holds text."""
    import pyarrow

    if pyarrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if column.null_count:
        first = next(at for at, value in enumerate(column) if not value.is_valid)
        raise table.bad_cell(place, rows[first], "")
    kind = column.type
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
        texts = [value.strip() for value in column.to_pylist()]
        if "" in texts:
            raise table.bad_cell(place, rows[texts.index("")], "")
        return texts
    if pyarrow.types.is_boolean(kind):
        return np.array(column.to_pylist(), np.float64)
    if pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind):
        return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
    raise DataError(
        f"{table.file}, column {table.names[place]!r}: expected numbers, or text in a target column; found {kind}"
    )


def _opened(file: Path) -> Any:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise DataError('Parquet files need pyarrow: pip install "vynapse-data[parquet]"') from error
    try:
        return parquet.ParquetFile(file)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error
