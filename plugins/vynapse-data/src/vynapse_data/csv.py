# SPDX-License-Identifier: MIT OR Apache-2.0
"""CSV files, read block by block: numeric input columns and one or several target columns.

A block without quotes is read by NumPy's own parser, several times as fast. Any other, and any with a fault, is read
row by row, which knows quotes and the line of whatever is wrong.
"""

from __future__ import annotations

import csv
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from vynapse_core import DataError
from vynapse_data.table import Block, Classes, Column, Layout, Table, Targets, is_number, layout

if TYPE_CHECKING:
    import _csv
    import os
    from collections.abc import Iterator, Sequence
    from typing import TextIO

BLOCK = 1 << 22
"""Characters of a block."""


class CsvFile(NamedTuple):
    """A CSV file whose header has been read."""

    layout: Layout
    skipped: int
    """Lines before the first row of data."""
    delimiter: str
    encoding: str


def read_csv(
    path: str | os.PathLike[str],
    target: Column | Sequence[Column] = -1,
    *,
    inputs: Sequence[Column] | None = None,
    header: bool | Literal["auto"] = "auto",
    delimiter: str = ",",
    classes: Classes = "auto",
    encoding: str = "utf-8-sig",
) -> Table:
    """Read a table of numbers, quoted or not; blank lines are skipped.

    `target` names the target columns by header or by index (negative from the end); `inputs` those that are inputs,
    by default all others. `header="auto"` takes the first line for a header where none of its cells is a number. A
    single target column of names becomes class ids in sorted order; `classes=True` reads numbers as names
    too (sorted by value), `classes=False` insists on numbers. Raises DataError with the line of a missing
    value, a ragged row, a cell that is no finite number, or a name among numeric targets.
    """
    wanted = [target] if isinstance(target, str | int) else list(target)
    file = open_csv(path, wanted, inputs, header=header, delimiter=delimiter, encoding=encoding)
    targets = Targets(file.layout, classes)
    parts = []
    for block in csv_blocks(file):
        targets.add(block)
        parts.append(block.x)
    y, names = targets.finish()
    return Table(np.concatenate(parts), y, file.layout.feature_names, names)


def open_csv(
    path: str | os.PathLike[str],
    targets: Sequence[Column],
    inputs: Sequence[Column] | None = None,
    *,
    header: bool | Literal["auto"] = "auto",
    delimiter: str = ",",
    encoding: str = "utf-8-sig",
) -> CsvFile:
    """Read a file's first line and return where its columns are. Raises DataError."""
    file = Path(path)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise DataError(f"{file}: delimiter: expected one character, found {delimiter!r}")
    if header == "auto" and any(isinstance(column, str) for column in (*targets, *(inputs or ()))):
        header = True
    try:
        with file.open(newline="", encoding=encoding) as stream:
            reader = _reader(stream, delimiter)
            row = next((row for row in reader if row not in ([], [""])), None)
            after = reader.line_num
    except (OSError, UnicodeError, LookupError) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error
    except csv.Error as error:
        raise DataError(f"{file}, line {reader.line_num}: malformed CSV: {error}") from error
    if row is None:
        raise DataError(f"{file}: the file is empty")
    named = header if header != "auto" else not any(map(is_number, row))
    names = [cell.strip() for cell in row] if named else [f"column {i}" for i in range(len(row))]
    return CsvFile(layout(file, names, targets, inputs, named=named), after if named else 0, delimiter, encoding)


def csv_blocks(file: CsvFile) -> Iterator[Block]:
    """Yield the rows of a file, block by block. Raises DataError with the line of what is wrong, or for no rows."""
    path, line, rows = file.layout.file, file.skipped, 0
    try:
        with path.open(newline="", encoding=file.encoding) as stream:
            for _ in islice(stream, line):
                pass
            while lines := stream.readlines(BLOCK):
                block = _numbers(file, lines, line)
                if block is None:
                    block, used = _cells(file, lines, stream, line)
                    line += used
                else:
                    line += len(lines)
                rows += len(block.rows)
                if block.rows:
                    yield block
    except (OSError, UnicodeError, LookupError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if not rows:
        raise DataError(f"{path}: no rows of data")


def _numbers(file: CsvFile, lines: list[str], before: int) -> Block | None:
    """Read sound lines at the speed of NumPy; None leaves them to the reading by cells, which can name a fault."""
    table, delimiter = file.layout, file.delimiter
    spaces = "" if delimiter == " " else " "
    kept = [(at, cells) for at, line in enumerate(lines, before + 1) if (cells := line.rstrip("\r\n")).strip(spaces)]
    texts = [cells for _, cells in kept]
    commas = len(table.names) - 1
    if not texts or any('"' in text or text.count(delimiter) != commas for text in texts):
        return None
    try:
        with np.errstate(over="ignore"):
            x = np.loadtxt(
                texts, np.float64, comments=None, delimiter=delimiter, usecols=table.features, ndmin=2
            ).astype(np.float32)
    except ValueError:
        return None
    if len(x) != len(texts) or not np.isfinite(x).all():
        return None
    targets = tuple([_cell(text, place, commas, delimiter) for text in texts] for place in table.targets)
    if not all(all(column) for column in targets):
        return None
    return Block(x, targets, [at for at, _ in kept])


def _cell(text: str, place: int, last: int, delimiter: str) -> str:
    """Return one of a line's cells, the others left uncut where it is near an end."""
    if 2 * place > last:
        return text.rsplit(delimiter, last - place + 1)[place - last - 1].strip()
    return text.split(delimiter, place + 1)[place].strip()


def _cells(file: CsvFile, lines: list[str], stream: TextIO, before: int) -> tuple[Block, int]:
    """Read lines cell by cell, and more of the stream where a quoted cell goes on; return how many lines that took."""
    table = file.layout
    reader = _reader(chain(lines, stream), file.delimiter)
    values: list[list[float]] = []
    targets: tuple[list[str], ...] = tuple([] for _ in table.targets)
    rows: list[int] = []
    start = before + 1
    try:
        while reader.line_num < len(lines):
            row = next(reader)
            if row not in ([], [""]):
                values.append(_checked(table, row, start, targets))
                rows.append(start)
            start = before + reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{table.file}, line {start}: malformed CSV: {error}") from error
    numbers = np.array(values, np.float64).reshape(len(rows), len(table.features))
    with np.errstate(over="ignore"):
        x = numbers.astype(np.float32)
    finite = np.isfinite(x)
    if not finite.all():
        at, column = (int(index) for index in np.argwhere(~finite)[0])
        raise table.bad_cell(table.features[column], rows[at], str(numbers[at, column]))
    return Block(x, targets, rows), reader.line_num


def _checked(table: Layout, row: list[str], line: int, targets: tuple[list[str], ...]) -> list[float]:
    """Return the inputs of a row, and put its targets to those before."""
    if len(row) != len(table.names):
        raise DataError(
            f"{table.file}, line {line}: expected {len(table.names)} cells as in the first line, found {len(row)}"
        )
    for index, labels in zip(table.targets, targets, strict=True):
        label = row[index].strip()
        if not label:
            raise table.bad_cell(index, line, label)
        labels.append(label)
    for index in table.features:
        if not is_number(row[index]):
            raise table.bad_cell(index, line, row[index])
    return [float(row[index]) for index in table.features]


def _reader(lines: Iterator[str] | TextIO, delimiter: str) -> _csv.Reader:
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
