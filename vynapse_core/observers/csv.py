# SPDX-License-Identifier: MIT OR Apache-2.0
"""`metrics.csv`: one row a step."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TextIO

from pydantic import PrivateAttr

from vynapse_core.contracts.observer import Observer
from vynapse_core.contracts.trainer import Report
from vynapse_core.errors import CheckpointError
from vynapse_core.files import replace_file
from vynapse_core.hooks import hookimpl
from vynapse_core.stop import Progress

if TYPE_CHECKING:
    from vynapse_core.run import Result

TIME_COLUMNS = ("seconds", "evaluations_per_second")
"""Columns that differ from run to run; all others are the same for the same seed."""


class Csv(Observer):
    """Writes `metrics.csv` into the run's folder, each row at once, so that a killed run loses none."""

    name: ClassVar[str] = "metrics.csv"
    _file: TextIO | None = PrivateAttr(None)
    _columns: tuple[str, ...] = PrivateAttr(())

    @hookimpl
    def vynapse_run_started(self, folder: Path, resumed_at: int | None) -> None:
        """Open the table; on resuming, drop what was written after the checkpoint."""
        path = folder / self.name
        self._columns = cut_after(path, resumed_at) if resumed_at else ()
        self._file = path.open("a" if self._columns else "w", encoding="utf-8", newline="")

    @hookimpl
    def vynapse_step_finished(self, report: Report, progress: Progress) -> None:
        """Write a row, and before the first one the names of the columns."""
        if self._file is None:
            return
        values = row(report, progress)
        if not self._columns:
            self._columns = tuple(values)
            self._file.write(",".join(self._columns) + "\n")
        self._file.write(",".join(str(values.get(name, "")) for name in self._columns) + "\n")
        self._file.flush()

    @hookimpl
    def vynapse_run_finished(self, result: "Result") -> None:
        """Close the table; where the run has failed already, a disk that is full is no more news."""
        if self._file is not None:
            with suppress(*(() if result.status == "finished" else (OSError,))):
                self._file.close()


def row(report: Report, progress: Progress) -> Mapping[str, object]:
    """Return the columns of a step; floats are written so that reading them gives the same bits."""
    return {
        "step": report.step,
        "evaluations": report.evaluations,
        "seconds": f"{progress.seconds:.6f}",
        "best": float(report.best),
        "mean": float(report.mean),
        "worst": float(report.worst),
        "evaluations_per_second": f"{progress.evaluations_per_second:.1f}",
        **report.columns,
    }


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
