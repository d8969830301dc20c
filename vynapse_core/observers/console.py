# SPDX-License-Identifier: MIT OR Apache-2.0
"""The screen: a live display on a terminal, plain lines elsewhere."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, PrivateAttr

from vynapse_core.contracts.observer import Observer
from vynapse_core.contracts.trainer import Report
from vynapse_core.hooks import hookimpl
from vynapse_core.stop import Progress, Stop

if TYPE_CHECKING:
    from vynapse_core.experiment import Experiment
    from vynapse_core.run import Result

BARS = "▁▂▃▄▅▆▇█"
FRAME = 0.2
"""Seconds between two frames of the live display: a frame costs some 7 ms."""


class Console(Observer):
    """Shows how a run goes: live on a terminal, as lines where the output is a file or a pipe."""

    every: float = Field(1.0, gt=0)
    """Time between two lines where there is no terminal, in seconds."""

    _live: Any = PrivateAttr(None)
    _shown: float = PrivateAttr(0.0)
    _title: str = PrivateAttr("")
    _folder: Path = PrivateAttr(Path())
    _stop: Stop = PrivateAttr(Stop())
    _best: list[float] = PrivateAttr([])
    _last: tuple[Report, Progress] | None = PrivateAttr(None)

    @hookimpl
    def vynapse_run_started(self, experiment: "Experiment", folder: Path, resumed_at: int | None) -> None:
        """Print what is run, and open the display."""
        from rich.console import Console as Terminal
        from rich.live import Live

        recipe = experiment.recipe
        names = {
            part: experiment.catalogue.name_of(type(getattr(recipe, part)))
            for part in ("task", "trainer", "device")
        }
        self._title = f"{recipe.experiment.name} · {names['task']} by {names['trainer']} on the {names['device']} device"
        self._title += f" · seed {recipe.experiment.seed}"
        self._folder, self._stop, self._best, self._last, self._shown = folder, recipe.stop, [], None, 0.0
        terminal = Terminal(highlight=False)
        if terminal.is_terminal:
            self._live = Live(console=terminal, auto_refresh=False, transient=True)
            self._live.start()
        print(
            self._title + (f" · resumed after step {resumed_at}" if resumed_at is not None else ""),
            flush=True,
        )

    @hookimpl
    def vynapse_step_finished(self, report: Report, progress: Progress) -> None:
        """Show the step, if enough time has passed since the last one shown."""
        self._last = (report, progress)
        now = time.monotonic()
        if self._live is None:
            if now - self._shown >= self.every:
                self._shown = now
                print(line(report, progress), flush=True)
        elif now - self._shown >= FRAME:
            self._shown = now
            self._best.append(progress.best)
            self._live.update(self._frame(report, progress), refresh=True)

    @hookimpl
    def vynapse_run_finished(self, result: "Result") -> None:
        """Close the display and say how the run ended."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._last is not None:
            print(line(*self._last))
        for text in summary(result, self._folder):
            print(text)

    def _frame(self, report: Report, progress: Progress) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        table.add_row("step", f"{report.step:,}" + (f" of {self._stop.steps:,}" if self._stop.steps else ""))
        table.add_row("evaluations", f"{report.evaluations:,}   {progress.evaluations_per_second:,.0f}/s")
        table.add_row(
            "fitness", f"best {progress.best:.6g}   mean {report.mean:.6g}   worst {report.worst:.6g}"
        )
        table.add_row("best", Text(sparkline(self._best), style="green"))
        parts: list[Any] = [table]
        if self._stop.steps:
            parts.append(ProgressBar(total=self._stop.steps, completed=report.step, width=60))
        return Group(*parts)


def line(report: Report, progress: Progress) -> str:
    """Return a step as a line of text."""
    return (
        f"step {report.step:>7,}  best {report.best:>12.6g}  mean {report.mean:>12.6g}  worst {report.worst:>12.6g}  "
        f"{report.evaluations:>11,} evaluations  {progress.seconds:>7.1f} s"
    )


def summary(result: "Result", folder: Path) -> list[str]:
    """Return how a run ended, as lines of text."""
    if result.status == "failed":
        return [f"failed after {result.steps:,} steps; what there is lies in {folder}"]
    reasons = {
        "steps": "the last step was taken",
        "evaluations": "all evaluations were made",
        "seconds": "the time was up",
        "fitness": "the fitness was reached",
        "loss": "the loss was reached",
        "patience": "the fitness had stopped rising",
        "solved": "the task was solved",
    }
    if result.status == "interrupted":
        lines = [f"interrupted after {result.steps:,} steps; go on with: vynapse resume {folder}"]
    else:
        steps = f"{result.steps:,} steps, {result.evaluations:,} evaluations, {result.seconds:.2f} s"
        lines = [f"finished: {reasons[result.reason]} ({steps})"]
    if result.best_fitness is not None:
        lines.append(f"best fitness {result.best_fitness:.6g}")
    for split, values in result.metrics.items():
        lines.append(f"{split}: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()))
    return [*lines, f"files in {folder}"]


def sparkline(values: list[float], width: int = 60) -> str:
    """Draw values as a row of bars, from the least to the greatest; what is not finite is a blank."""
    shown = (
        values[-width:] if len(values) <= width else [values[i * len(values) // width] for i in range(width)]
    )
    finite = [value for value in shown if abs(value) != float("inf")]
    if not finite:
        return ""
    low, span = min(finite), (max(finite) - min(finite)) or 1.0
    return "".join(
        BARS[int((value - low) / span * (len(BARS) - 1))] if abs(value) != float("inf") else " "
        for value in shown
    )
