# SPDX-License-Identifier: MIT OR Apache-2.0
"""CSV files: numeric feature columns and one or several target columns.

A sound table of plain numbers is read by NumPy's own parser, four times as fast. Any other is read again row
by row, which knows class names, quotes, and the line of whatever is wrong; a number costs eight bytes then.
"""

from __future__ import annotations

import csv
import math
from array import array
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from vynapse_core import DataError, nearest

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from typing import TextIO

    from numpy.typing import NDArray

Column = str | int


class Table(NamedTuple):
    """What a CSV file holds: features, targets and their names."""

    x: NDArray[np.float32]
    """Features [n, f]."""
    y: NDArray[Any]
    """Targets: float32 [n] or, of several columns, [n, k]; class ids int64 [n] where `classes` are given."""
    features: tuple[str, ...]
    """Names of the f feature columns; `column 0`, … where the file has no header."""
    classes: tuple[str, ...] | None
    """Class names by id, or None where the targets are numbers."""


@dataclass
class _Columns:
    """The columns of one file while it is read."""

    file: Path
    names: list[str]
    targets: list[int]
    features: list[int]
    values: array[float] = field(default_factory=lambda: array("d"))
    labels: dict[int, list[str]] = field(default_factory=dict)
    lines: array[int] = field(default_factory=lambda: array("q"))

    def feature_names(self) -> tuple[str, ...]:
        return tuple(self.names[index] for index in self.features)


def read_csv(
    path: str | os.PathLike[str],
    target: Column | Sequence[Column] = -1,
    *,
    header: bool | Literal["auto"] = "auto",
    delimiter: str = ",",
    classes: bool | Literal["auto"] = "auto",
    encoding: str = "utf-8-sig",
) -> Table:
    """Read a table of numbers, quoted or not; blank lines are skipped.

    `target` names the target columns by header or by index (negative from the end); all others are
    features. `header="auto"` takes the first line for a header where none of its cells is a number. A
    single target column of names becomes class ids in sorted order; `classes=True` reads numbers as names
    too (sorted by value), `classes=False` insists on numbers. Raises DataError with the line of a missing
    value, a ragged row, a cell that is no finite number, or a name among numeric targets.
    """
    file = Path(path)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise DataError(f"{file}: delimiter: expected one character, found {delimiter!r}")
    wanted = [target] if isinstance(target, str | int) else list(target)
    if header == "auto" and any(isinstance(column, str) for column in wanted):
        header = True
    try:
        with file.open(newline="", encoding=encoding) as stream:
            rows = _rows(stream, file, delimiter)
            line, row = next(rows, (0, []))
            if not row:
                raise DataError(f"{file}: the file is empty")
            named = header if header != "auto" else not any(map(_is_number, row))
            columns = _layout(file, row, wanted, named)
            line, row = next(rows, (0, [])) if named else (line, row)
            if not row:
                raise DataError(f"{file}: no rows of data")
            if classes is not True:
                numbers = _numbers(columns, encoding, delimiter, before=line - 1)
                if numbers is not None:
                    y = numbers[:, columns.targets] if len(wanted) > 1 else numbers[:, columns.targets[0]]
                    x = np.ascontiguousarray(numbers[:, columns.features])
                    return Table(x, np.ascontiguousarray(y), columns.feature_names(), None)
            for start, cells in chain([(line, row)], rows):
                _append(columns, cells, start)
    except (OSError, UnicodeError, LookupError) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error
    values = np.frombuffer(columns.values, np.float64).reshape(len(columns.lines), len(columns.features))
    y, names = _targets(columns, classes)
    return Table(_float32(values, columns.features, columns), y, columns.feature_names(), names)


def _rows(stream: TextIO, file: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank, with the line on which it starts."""
    reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=True, strict=True)
    start = 1
    try:
        for row in reader:
            if row not in ([], [""]):
                yield start, row
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{file}, line {start}: malformed CSV: {error}") from error


def _layout(file: Path, first: list[str], wanted: list[Column], named: bool) -> _Columns:
    names = [cell.strip() for cell in first] if named else [f"column {i}" for i in range(len(first))]
    targets = _indices(wanted, names, named, file)
    features = [index for index in range(len(names)) if index not in targets]
    return _Columns(file, names, targets, features, labels={index: [] for index in targets})


def _numbers(columns: _Columns, encoding: str, delimiter: str, before: int) -> NDArray[np.float32] | None:
    """Read a sound table of nothing but numbers at the speed of NumPy; None leaves it to the reading by rows.

    `before` is the number of lines to skip. NumPy cannot say where a fault lies, so every fault is None too.
    """
    try:
        with columns.file.open(encoding=encoding) as stream, np.errstate(over="ignore"):
            table = np.loadtxt(stream, np.float64, comments=None, delimiter=delimiter, skiprows=before, ndmin=2)
            narrow = table.astype(np.float32)
    except ValueError:
        return None
    return narrow if narrow.shape[1] == len(columns.names) and np.isfinite(narrow).all() else None


def _indices(wanted: list[Column], names: list[str], named: bool, file: Path) -> list[int]:
    """Turn names and negative indices of target columns into indices, in the order asked for."""
    indices = []
    for column in wanted:
        if isinstance(column, int):
            if not -len(names) <= column < len(names):
                raise DataError(f"{file}: target column {column}: the file has {len(names)} columns")
            indices.append(column % len(names))
        elif not named:
            raise DataError(f"{file}: target column {column!r}: a file without header takes indices only")
        elif names.count(column) != 1:
            found = f"{names.count(column)} columns of this name" if column in names else "no such column"
            hint = nearest(column, names)
            raise DataError(
                f"{file}: target column {column!r}: {found}; the header reads {', '.join(names)}"
                + (f" ({hint})" if hint else "")
            )
        else:
            indices.append(names.index(column))
    if len(set(indices)) != len(indices) or not indices:
        raise DataError(f"{file}: target: expected one or several different columns, found {wanted}")
    if len(indices) == len(names):
        raise DataError(f"{file}: no feature column: all {len(names)} columns are targets (delimiter right?)")
    return indices


def _append(columns: _Columns, row: list[str], line: int) -> None:
    if len(row) != len(columns.names):
        raise DataError(
            f"{columns.file}, line {line}: expected {len(columns.names)} cells as in the first line, found {len(row)}"
        )
    for index in sorted(columns.targets, reverse=True):
        label = row.pop(index).strip()
        if not label:
            raise _bad_cell(columns, index, line, label)
        columns.labels[index].append(label)
    try:
        columns.values.extend(map(float, row))
        sound = "_" not in "".join(row)
    except ValueError:
        sound = False
    if not sound:
        index, cell = next(pair for pair in zip(columns.features, row, strict=True) if not _is_number(pair[1]))
        raise _bad_cell(columns, index, line, cell)
    columns.lines.append(line)


def _targets(columns: _Columns, classes: bool | Literal["auto"]) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    first, *others = columns.targets
    labels = columns.labels[first]
    numeric = [_is_number(label) for label in labels]
    if others and classes is True:
        raise DataError(f"{columns.file}: class names need a single target column, found {len(others) + 1}")
    if not others and classes == "auto" and any(numeric) and not all(numeric):
        line, label = columns.lines[numeric.index(False)], labels[numeric.index(False)]
        raise DataError(
            f"{columns.file}, line {line}, column {columns.names[first]!r}: found {label!r} in a target "
            f"column that holds numbers too; correct it, or set classes to true where all of them are names"
        )
    if not others and (classes is True or (classes == "auto" and not any(numeric))):
        names = _sorted_names(set(labels))
        ids = {name: index for index, name in enumerate(names)}
        return np.array([ids[label] for label in labels], np.int64), tuple(names)
    y = np.empty((len(labels), len(columns.targets)))
    for column, index in enumerate(columns.targets):
        for row, label in enumerate(columns.labels[index]):
            if not _is_number(label):
                raise _bad_cell(columns, index, columns.lines[row], label)
            y[row, column] = float(label)
    narrow = _float32(y, columns.targets, columns)
    return (narrow if others else np.ascontiguousarray(narrow[:, 0])), None


def _sorted_names(names: set[str]) -> list[str]:
    if all(_is_number(name) and math.isfinite(float(name)) for name in names):
        return sorted(names, key=lambda name: (float(name), name))
    return sorted(names)


def _float32(values: NDArray[np.float64], indices: list[int], columns: _Columns) -> NDArray[np.float32]:
    """Narrow [n, k] to float32; a number not finite or not in that range is refused with its line."""
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    finite = np.isfinite(narrow)
    if not finite.all():
        row, column = (int(index) for index in np.argwhere(~finite)[0])
        raise _bad_cell(columns, indices[column], columns.lines[row], str(values[row, column]))
    return narrow


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    # Python reads 1_000 as a number; the author of a table did not mean one.
    return "_" not in cell


def _bad_cell(columns: _Columns, index: int, line: int, cell: str) -> DataError:
    found = f"found {cell.strip()!r}" if cell.strip() else "the value is missing"
    expected = "" if index in columns.targets and not cell else "expected a finite number in float32 range, "
    return DataError(f"{columns.file}, line {line}, column {columns.names[index]!r}: {expected}{found}")
