# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tables of several rows a step: what a report's `tables` hold, each in a file of its name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import orjson

from vynapse_core.errors import CheckpointError, RunError
from vynapse_core.files import replace_file
from vynapse_core.folder import Folder
from vynapse_core.observers.lines import Lines

if TYPE_CHECKING:
    from pathlib import Path

    from vynapse_core.population import Array

    Columns: TypeAlias = Mapping[str, Sequence[float] | Array]

TAKEN = ("metrics",)
"""Names that a table cannot have, as another file of the folder has them."""


class Tables:
    """The tables of a run, each opened when a report first has it; `run.json` names them for who resumes the run.

    It does so from the first checkpoint on.
    """

    def __init__(self, folder: Path, resumed_at: int | None) -> None:
        self._folder = Folder(folder)
        self._unnoted = False
        self._open: dict[str, tuple[Lines, tuple[str, ...]]] = {}
        for name in self._noted() if resumed_at else ():
            path = self._path(name)
            if columns := cut_rows_after(path, resumed_at or 0):
                self._open[name] = Lines(path, "ab"), columns

    def add(self, step: int, tables: Mapping[str, Columns]) -> None:
        """Add the rows of a step to each table. Raises RunError for one that has none, or columns that do not fit."""
        for name, columns in tables.items():
            found = self._open.get(name)
            if found is None:
                self._begin(name, step, columns)
            else:
                lines, names = found
                lines.add(rows_written(name, step, [columns.get(column) for column in names], columns))

    def write(self) -> None:
        """Write all rows."""
        for lines, _ in self._open.values():
            lines.write()

    def synchronise(self) -> None:
        """Write all rows, wait until the disk has them, and name the tables."""
        for lines, _ in self._open.values():
            lines.synchronise()
        if self._unnoted:
            # after its first rows, so that a table that is named and not there is one that was lost
            self._folder.note(tables=[*dict.fromkeys([*self._noted(), *self._open])])
            self._unnoted = False

    def close(self) -> None:
        """Write all rows and close the files, every one of them even where another's disk is full."""
        with ExitStack() as stack:
            for lines, _ in self._open.values():
                stack.callback(lines.close)

    def _begin(self, name: str, step: int, columns: Columns) -> None:
        path, names = self._path(name), tuple(columns)
        rows = rows_written(name, step, list(columns.values()), columns)
        lines = Lines(path, "wb")
        self._open[name] = lines, names
        lines.add(",".join(("step", *names)).encode() + b"\n" + rows)
        self._unnoted = True

    def _noted(self) -> list[str]:
        names = self._folder.noted().get("tables", [])
        return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []

    def _path(self, name: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9_]+", name) or name.lower() in TAKEN:
            text = f"a table's name has letters, digits and _ alone and is not {' or '.join(map(repr, TAKEN))}"
            raise RunError(f"{text}; found {name!r}")
        return self._folder.path / f"{name}.csv"


def rows_written(name: str, step: int, values: Sequence[Any], columns: Columns) -> bytes:
    """Return the rows of a step as lines: the step, then `values`, a sequence of numbers for each column.

    `name` and `columns` are for the message of the RunError that is raised where lengths differ or are 0.
    """
    lists = [each.tolist() if isinstance(each, np.ndarray) else each for each in values]
    try:
        rows = list(zip([step] * len(lists[0]), *lists, strict=True))
    except (TypeError, ValueError, IndexError):
        rows = []
    if not rows:
        found = ", ".join(f"{column} {np.size(values)}" for column, values in columns.items()) or "no column"
        raise RunError(
            f"the table {name!r} of step {step} does not fit: expected a row at least, and as many values in each of "
            f"the columns that it has had from the start; found {found}"
        )
    line = orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY)
    if b"null" in line:
        # JSON has no infinities
        return "".join(",".join(map(str, row)) + "\n" for row in rows).encode()
    return line[2:-2].replace(b"],[", b"\n") + b"\n"


def cut_rows_after(path: Path, step: int) -> tuple[str, ...]:
    """Drop the rows of `path` of steps after `step`, and return the names of its columns but the first, the step.

    Nothing is returned, and the file is left alone, where the table was begun after that step. Raises CheckpointError
    where rows up to `step` are missing, so that a resumed table is never silently wrong.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from None
    head, *rows = text[: text.rfind("\n") + 1].splitlines() or [""]
    steps = np.array([int(first) if (first := row.split(",")[0]).isdecimal() else -1 for row in rows], np.int64)
    if len(steps) and steps[0] > step:
        return ()
    last = int(np.searchsorted(steps, step, side="right"))
    kept, steps = rows[:last], steps[:last]
    whole = all(row.count(",") == head.count(",") for row in kept)
    if not whole or not last or steps[-1] != step or not np.isin(np.diff(steps), (0, 1)).all():
        raise CheckpointError(
            f"{path} lacks rows up to step {step} of the checkpoint; put the file back, or start anew"
        )
    replace_file(path, ("\n".join([head, *kept]) + "\n").encode())
    return tuple(head.split(",")[1:])
