# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tables: which columns are inputs and which are targets, and what target columns hold.

A table is read block by block, whatever its format, so that one larger than memory can be converted as it is read.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from vynapse_core import DataError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

EXACT = 2.0**53
"""Where float64 stops to tell whole numbers apart."""
Column = str | int
Classes = bool | Literal["auto"]


class Table(NamedTuple):
    """What a file holds: inputs, targets and their names."""

    x: NDArray[np.float32]
    """Inputs [n, f]."""
    y: NDArray[Any]
    """Targets: float32 [n] or, of several columns, [n, k]; class ids int64 [n] where `classes` are given."""
    features: tuple[str, ...]
    """Names of the f input columns; `column 0`, … where the file has no header."""
    classes: tuple[str, ...] | None
    """Class names by id, or None where the targets are numbers."""


class Block(NamedTuple):
    """Some rows of a table, in order."""

    x: NDArray[np.float32]
    """Inputs [m, f]."""
    targets: tuple[NDArray[np.float64] | list[str], ...]
    """The m values of each target column."""
    rows: Sequence[int]
    """For messages: the line of each row in a text, else its number."""


@dataclass(frozen=True)
class Layout:
    """The columns of a file."""

    file: Path
    names: tuple[str, ...]
    targets: tuple[int, ...]
    """Places of the target columns, in the order asked for."""
    features: tuple[int, ...]
    """Places of the input columns."""
    row: str = "line"
    """What a row's number counts."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the input columns."""
        return tuple(self.names[index] for index in self.features)

    def bad_cell(self, index: int, row: int, cell: str) -> DataError:
        """Return the error of a cell that is no number, or empty."""
        found = f"found {cell.strip()!r}" if cell.strip() else "the value is missing"
        expected = "" if index in self.targets and not cell else "expected a finite number in float32 range, "
        return DataError(f"{self.file}, {self.row} {row}, column {self.names[index]!r}: {expected}{found}")


def layout(
    file: Path,
    names: Sequence[str],
    targets: Sequence[Column],
    inputs: Sequence[Column] | None,
    *,
    named: bool = True,
    row: str = "line",
) -> Layout:
    """Return the layout of a file with these columns; without `inputs`, all that are no targets are inputs.

    A column is given by its name, where the file has names, or by its place, negative from the end. Raises DataError
    for columns that do not exist, stand twice, or are both.
    """
    place = [_place(file, names, column, "target", named) for column in targets]
    if len(set(place)) != len(place) or not place:
        raise DataError(f"{file}: target: expected one or several different columns, found {list(targets)}")
    if len(place) == len(names):
        raise DataError(f"{file}: no feature column: all {len(names)} columns are targets (delimiter right?)")
    if inputs is None:
        features = [index for index in range(len(names)) if index not in place]
    else:
        features = [_place(file, names, column, "input", named) for column in inputs]
        if len(set(features)) != len(features) or not features or set(features) & set(place):
            raise DataError(f"{file}: input: expected different columns that are no targets, found {list(inputs)}")
    return Layout(file, tuple(names), tuple(place), tuple(features), row)


def _place(file: Path, names: Sequence[str], column: Column, what: str, named: bool) -> int:
    if isinstance(column, int):
        if not -len(names) <= column < len(names):
            raise DataError(f"{file}: {what} column {column}: the file has {len(names)} columns")
        return column % len(names)
    if not named:
        raise DataError(f"{file}: {what} column {column!r}: a file without header takes indices only")
    if names.count(column) != 1:
        found = f"{names.count(column)} columns of this name" if column in names else "no such column"
        hint = nearest(column, names)
        raise DataError(
            f"{file}: {what} column {column!r}: {found}; the header reads {', '.join(names)}"
            + (f" ({hint})" if hint else "")
        )
    return names.index(column)


@dataclass
class Targets:
    """The target columns of a table while it is read. A name costs its eight bytes of id, a number its own."""

    layout: Layout
    classes: Classes
    """Whether a single target column holds class names; "auto" finds out."""
    ids: dict[str, int] = field(default_factory=dict)
    chosen: array[int] = field(default_factory=lambda: array("q"))
    numbers: list[NDArray[np.float32]] = field(default_factory=list)
    named: bool | None = None
    first: tuple[int, str] = (0, "")
    """Row and text of the first name."""

    def __post_init__(self) -> None:
        several = len(self.layout.targets) > 1
        if several and self.classes is True:
            count = len(self.layout.targets)
            raise DataError(f"{self.layout.file}: class names need a single target column, found {count}")
        self.named = False if several or self.classes is False else True if self.classes is True else None

    def add(self, block: Block) -> None:
        """Take the targets of the next block. Raises DataError with the row of a name among numbers."""
        if self.named is None and block.rows:
            column = block.targets[0]
            self.named = isinstance(column, list) and not is_number(column[0])
        if self.named:
            self._add_names(block)
        else:
            columns = [self._numbers(place, column, block) for place, column in enumerate(block.targets)]
            self.numbers.append(np.stack(columns, axis=1))

    def finish(self) -> tuple[NDArray[Any], tuple[str, ...] | None]:
        """Return the targets of all rows, and the class names by id where they are classes."""
        if not self.named:
            y = np.concatenate(self.numbers) if self.numbers else np.zeros((0, len(self.layout.targets)), np.float32)
            return (y if len(self.layout.targets) > 1 else np.ascontiguousarray(y[:, 0])), None
        names = _sorted_names(self.ids)
        rank = np.empty(len(names), np.int64)
        rank[[self.ids[name] for name in names]] = np.arange(len(names))
        return rank[np.frombuffer(self.chosen, np.int64)], tuple(names)

    def _add_names(self, block: Block) -> None:
        column = block.targets[0]
        names = column if isinstance(column, list) else [self._name(block, at, each) for at, each in enumerate(column)]
        if not self.first[0] and names:
            self.first = block.rows[0], names[0]
        if self.classes == "auto" and any(is_number(name) for name in set(names)):
            raise self._mixed(*self.first)
        self.chosen.extend(self.ids.setdefault(name, len(self.ids)) for name in names)

    def _name(self, block: Block, at: int, value: float) -> str:
        """Return the name of a class that is a number, with all of its digits."""
        if not abs(value) < EXACT:
            column = self.layout.names[self.layout.targets[0]]
            raise DataError(
                f"{self.layout.file}, {self.layout.row} {block.rows[at]}, column {column!r}: expected a class as text, "
                f"or as a number below 2^53, found {value:g}"
            )
        return str(int(value)) if value == int(value) else repr(float(value))

    def _numbers(self, place: int, column: NDArray[np.float64] | list[str], block: Block) -> NDArray[np.float32]:
        index = self.layout.targets[place]
        if isinstance(column, list):
            for row, cell in zip(block.rows, column, strict=True):
                if not is_number(cell):
                    raise (
                        self._mixed(row, cell)
                        if self.classes == "auto" and len(block.targets) == 1
                        else (self.layout.bad_cell(index, row, cell))
                    )
            column = np.array([float(cell) for cell in column])
        with np.errstate(over="ignore"):
            narrow = column.astype(np.float32)
        finite = np.isfinite(narrow)
        if not finite.all():
            at = int(np.argmin(finite))
            raise self.layout.bad_cell(index, block.rows[at], str(column[at]))
        return narrow

    def _mixed(self, row: int, cell: str) -> DataError:
        name = self.layout.names[self.layout.targets[0]]
        return DataError(
            f"{self.layout.file}, {self.layout.row} {row}, column {name!r}: found {cell!r} in a target "
            f"column that holds numbers too; correct it, or set classes to true where all of them are names"
        )


def _sorted_names(names: dict[str, int]) -> list[str]:
    if all(is_number(name) and math.isfinite(float(name)) for name in names):
        return sorted(names, key=lambda name: (float(name), name))
    return sorted(names)


def is_number(cell: str) -> bool:
    """Whether a cell is a number as the author of a table writes one."""
    try:
        float(cell)
    except ValueError:
        return False
    # Python reads 1_000 as a number; the author of a table did not mean one.
    return "_" not in cell
