# SPDX-License-Identifier: MIT OR Apache-2.0
"""`metrics.csv`: one row a step; and beside it the tables of a report, with several."""

from collections.abc import Sequence
from contextlib import closing, suppress
from math import inf
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

import orjson
from pydantic import PrivateAttr

from vynapse_core.contracts.observer import Observer
from vynapse_core.contracts.trainer import Report
from vynapse_core.errors import CheckpointError
from vynapse_core.files import replace_file
from vynapse_core.hooks import hookimpl
from vynapse_core.observers.lines import Lines
from vynapse_core.observers.tables import Tables
from vynapse_core.stop import Progress

if TYPE_CHECKING:
    from vynapse_core.run import Result

TIME_COLUMNS = ("seconds", "evaluations_per_second")
"""Columns that differ from run to run; all others are the same for the same seed."""


EVERY = 0.02
"""Seconds for which rows may wait; who follows the file does not see that."""


class Csv(Observer):
    """Writes `metrics.csv` into the run's folder; what a run resumed from a checkpoint needs is never lost.

    A table of several rows a step, such as a trainer's `species`, goes into a file of its name, `species.csv`.
    """

    name: ClassVar[str] = "metrics.csv"
    _rows: "Rows | None" = PrivateAttr(None)

    @hookimpl
    def vynapse_run_started(self, folder: Path, resumed_at: int | None) -> None:
        """Open what is there to open; on resuming, drop what was written after the checkpoint."""
        path = folder / self.name
        columns = cut_after(path, resumed_at) if resumed_at else ()
        tables = Tables(folder, resumed_at)
        self._rows = Rows(Table(Lines(path, "ab" if columns else "wb"), columns), tables)

    @hookimpl
    def vynapse_step_finished(self, report: Report, progress: Progress) -> None:
        """Write a row, and before the first one the names of the columns."""
        if (rows := self._rows) is not None:
            rows.add(report, progress)

    @hookimpl
    def vynapse_checkpoint_started(self) -> None:
        """Wait until the disk has all rows: a resumed run needs those up to its checkpoint, after a power cut too."""
        if (rows := self._rows) is not None:
            rows.synchronise()

    @hookimpl
    def vynapse_run_finished(self, result: "Result") -> None:
        """Close the tables; where the run has failed already, a disk that is full is no more news."""
        if (rows := self._rows) is not None:
            with suppress(*(() if result.status == "finished" else (OSError,))):
                rows.close()


class Rows:
    """The rows of steps, which wait a little for those of the next ones.

    Many together take less than half the time that they take one by one, as a step drives all else out of the caches.
    """

    def __init__(self, table: "Table", tables: Tables) -> None:
        self._table = table
        self._tables = tables
        self._waiting: list[tuple[Report, Progress]] = []
        self._due = -inf

    def add(self, report: Report, progress: Progress) -> None:
        """Add the rows of a step; write them and those before, if some time has passed since."""
        self._waiting.append((report, progress))
        now = monotonic()
        if now >= self._due:
            self._make()
            self._table.lines.write()
            self._tables.write()
            self._due = now + EVERY

    def synchronise(self) -> None:
        """Write all rows, and wait until the disk has them."""
        self._make()
        self._table.lines.synchronise()
        self._tables.synchronise()

    def close(self) -> None:
        """Write all rows and close the files."""
        with closing(self._tables), closing(self._table.lines):
            self._make()

    def _make(self) -> None:
        waiting, self._waiting = self._waiting, []
        for report, progress in waiting:
            self._table.add(report, progress)
            if report.tables:
                self._tables.add(report.step, report.tables)


class Table:
    """Rows under the same columns: those of the first row, or of the table that is gone on with."""

    def __init__(self, lines: Lines, columns: tuple[str, ...] = ()) -> None:
        self.lines = lines
        self.columns = columns

    def add(self, report: Report, progress: Progress) -> None:
        """Add the row of a step; floats are written so that reading them gives the same bits."""
        row = {
            "step": report.step,
            "evaluations": report.evaluations,
            "seconds": round(progress.seconds, 6),
            "best": float(report.best),
            "mean": float(report.mean),
            "worst": float(report.worst),
            "evaluations_per_second": round(progress.evaluations_per_second, 1),
            **report.columns,
        }
        head = b""
        if not self.columns:
            self.columns = tuple(row)
            head = ",".join(self.columns).encode() + b"\n"
        same = tuple(row) == self.columns
        self.lines.add(head + written(list(row.values() if same else (row.get(name, "") for name in self.columns))))


def written(values: Sequence[object]) -> bytes:
    """Return a line of numbers. JSON writes them ten times as fast as Python, and has no infinities."""
    line = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY, default=str)[1:-1] + b"\n"
    return (",".join(map(str, values)) + "\n").encode() if b"null" in line else line


def cut_after(path: Path, step: int) -> tuple[str, ...]:
    """Drop the rows of `path` after `step`, a last broken one too, and return the names of its columns.

    Raises CheckpointError where rows up to `step` are missing, so that a resumed table is never silently wrong.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from None
    head, *rows = text.splitlines() or [""]
    kept = rows[:step]
    steps = [row.split(",")[0] for row in kept]
    whole = all(row.count(",") == head.count(",") for row in kept)
    if not whole or steps != [str(n) for n in range(1, step + 1)]:
        raise CheckpointError(
            f"{path} lacks rows up to step {step} of the checkpoint; put the file back, or start anew"
        )
    replace_file(path, ("\n".join([head, *kept]) + "\n").encode())
    return tuple(head.split(","))
