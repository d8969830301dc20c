# SPDX-License-Identifier: MIT OR Apache-2.0
"""The screen: a live display on a terminal, plain lines elsewhere. A screen that goes away does not end a run."""

import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, PrivateAttr

from vynapse_core.contracts.observer import Observer
from vynapse_core.contracts.trainer import Report
from vynapse_core.folder import Folder
from vynapse_core.hooks import hookimpl
from vynapse_core.observers.screen import View, ending, frame, line
from vynapse_core.stop import Progress, Stop

if TYPE_CHECKING:
    from vynapse_core.experiment import Experiment
    from vynapse_core.run import Result

FRAME = 0.25
"""Seconds between two frames of the live display."""
SPEED_FRAMES = 20
"""Frames over which the speed is averaged, so that it can be read."""


class Console(Observer):
    """Shows how a run goes: live on a terminal, as lines where the output is a file or a pipe."""

    every: float = Field(1.0, gt=0)
    """Time between two lines where there is no terminal, in seconds."""

    _silent: bool = PrivateAttr(False)
    _live: Any = PrivateAttr(None)
    _gone: bool = PrivateAttr(False)
    _due: float = PrivateAttr(0.0)
    _folder: Folder | None = PrivateAttr(None)
    _stop: Stop = PrivateAttr(Stop())
    _goal: float | None = PrivateAttr(None)
    _best: list[float] = PrivateAttr([])
    _marks: deque[Progress] = PrivateAttr(deque())
    _last: tuple[Report, Progress] | None = PrivateAttr(None)
    _printed: int | None = PrivateAttr(None)

    def silent(self) -> Self:
        """Return this screen as one that shows nothing."""
        copy = self.model_copy()
        copy._silent = True
        return copy

    @hookimpl
    def vynapse_run_started(self, experiment: "Experiment", folder: Path, resumed_at: int | None) -> None:
        """Print what is run, and open the display."""
        recipe = experiment.recipe
        self._folder, self._stop, self._goal = Folder(folder), recipe.stop, _goal(experiment)
        self._live, self._gone, self._due = None, self._silent, float("-inf")
        self._best, self._marks, self._last, self._printed = [], deque(maxlen=SPEED_FRAMES), None, None
        self._say(title(experiment) + (f" · resumed after step {resumed_at:,}" if resumed_at is not None else ""))
        if experiment.choice is not None:
            self._say(str(experiment.choice))
        if not self._gone and sys.stdout is not None and sys.stdout.isatty():
            self._open()

    @hookimpl
    def vynapse_step_finished(self, report: Report, progress: Progress) -> None:
        """Show the step, if enough time has passed since the last one shown."""
        if self._gone:
            return
        self._last = (report, progress)
        now = time.monotonic()
        if now < self._due:
            return
        if self._live is None:
            self._due = now + self.every
            self._print(report, progress)
        else:
            self._draw(report, progress)
            self._due = time.monotonic() + FRAME

    # before other observers, so that no failure of theirs leaves the terminal without its cursor
    @hookimpl(tryfirst=True)
    def vynapse_run_finished(self, result: "Result") -> None:
        """Close the display and say how the run ended."""
        if self._live is not None:
            self._guarded(self._live.stop)
            self._live = None
        elif self._last is not None and self._printed != self._last[0].step:
            self._print(*self._last)
        for text in ending(result, self._folder) if self._folder else ():
            self._say(text)
        self._folder = None

    def _open(self) -> None:
        from rich.console import Console as Terminal
        from rich.live import Live
        from rich.text import Text

        terminal = Terminal(highlight=False)
        if terminal.is_terminal and not terminal.is_dumb_terminal:
            self._live = Live(console=terminal, auto_refresh=False, transient=True)
            self._guarded(self._live.start)
            self._guarded(lambda: self._live.update(Text("taking the first step", style="dim"), refresh=True))

    def _draw(self, report: Report, progress: Progress) -> None:
        self._best.append(progress.best)
        self._marks.append(progress)
        first = self._marks[0] if len(self._marks) > 1 else Progress()
        seconds = max(progress.seconds - first.seconds, 1e-9)
        view = View(
            report,
            progress,
            self._stop,
            self._goal,
            self._best,
            (progress.step - first.step) / seconds,
            (progress.evaluations - first.evaluations) / seconds,
        )
        self._guarded(lambda: self._live.update(frame(view, self._live.console.width), refresh=True))

    def _print(self, report: Report, progress: Progress) -> None:
        self._printed = report.step
        self._say(line(report, progress))

    def _say(self, text: str) -> None:
        if not self._gone:
            self._guarded(lambda: print(text, flush=True))

    def _guarded(self, show: Any) -> None:
        """Show something; where the reader of a pipe or the terminal has gone, or its disk is full, show no more."""
        try:
            show()
        except OSError:
            self._gone = True


def title(experiment: "Experiment") -> str:
    """Return what is run, in a line: `xor · xor by evolution on the reference device · seed 0`."""
    recipe, names = experiment.recipe, experiment.catalogue.name_of
    task, trainer, device = (names(type(part)) for part in (recipe.task, recipe.trainer, recipe.device))
    return f"{recipe.experiment.name} · {task} by {trainer} on the {device} device · seed {recipe.experiment.seed}"


def _goal(experiment: "Experiment") -> float | None:
    """Return the least fitness at which the run ends, where its criteria name one."""
    stop, target = experiment.recipe.stop, experiment.task.target
    goals = [stop.fitness, target if stop.solved else None]
    return min((goal for goal in goals if goal is not None), default=None)
