# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a screen shows of a run, as text: a frame of the live display, a line in a pipe, the end."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

    from vynapse_core.contracts.trainer import Report
    from vynapse_core.folder import Folder
    from vynapse_core.run import Result
    from vynapse_core.stop import Progress, Stop

BARS = "▁▂▃▄▅▆▇█"
WIDEST = 72
"""Columns of the bar and the curve where the terminal has more."""
SETTLED = 2.0
"""Seconds after which an estimate of the time left is worth showing."""
REASONS = {
    "steps": "the last step was taken",
    "evaluations": "all evaluations were made",
    "seconds": "the time was up",
    "fitness": "the fitness was reached",
    "loss": "the loss was reached",
    "patience": "the fitness had stopped rising",
    "solved": "the task was solved",
}

Part = tuple[str, str]
"""A label, empty or dim on the screen, and what it labels."""


@dataclass(frozen=True)
class View:
    """What a frame shows."""

    report: Report
    progress: Progress
    stop: Stop
    goal: float | None
    """Fitness at which the run ends, where there is one."""
    best: Sequence[float]
    """Best fitness so far, frame by frame."""
    steps_per_second: float
    evaluations_per_second: float


def frame(view: View, width: int) -> Text:
    """Return a frame as something that rich draws, its lines within `width` columns."""
    from rich.text import Text

    done, wide = fraction(view.stop, view.progress), min(width, WIDEST)
    step, fitness, speed = (_line(fitting(parts, width)) for parts in lines(view, done))
    drawn = [step, fitness, Text(sparkline(view.best, wide), style="green"), speed]
    if done is not None:
        full = round(min(done, 1.0) * wide)
        drawn.insert(1, Text.assemble(("━" * full, "green"), ("─" * (wide - full), "dim")))
    # room for the "^C" that a terminal writes behind it, so that it does not begin a line that is never cleared
    hint = Text("Ctrl-C stops, 'vynapse resume' goes on", style="dim")
    hint.truncate(max(width - 2, 1), overflow="ellipsis")
    shown = Text("\n", no_wrap=True, overflow="ellipsis").join([*drawn, hint])
    shown.no_wrap, shown.overflow = True, "ellipsis"
    return shown


def _line(parts: Sequence[Part]) -> Text:
    from rich.text import Text

    text = Text()
    for index, (label, value) in enumerate(parts):
        text.append("   " if index else "")
        text.append(f"{label} " if label else "", style="dim")
        text.append(value)
    return text


def lines(view: View, done: float | None) -> list[list[Part]]:
    """Return the labelled numbers of a frame, line by line, those first that a narrow terminal must show."""
    report, progress, stop = view.report, view.progress, view.stop
    taken = f"{report.step:,}" + (f" of {stop.steps:,}" if stop.steps else "")
    step = [("step", taken), ("", clock(progress.seconds))]
    if done is not None and done > 0:
        step.insert(1, ("", f"{min(done, 1):.0%}"))
        if progress.seconds >= SETTLED and done < 1:
            step.append(("", f"{clock(progress.seconds * (1 - done) / done)} left"))
    if failed := report.columns.get("failed"):
        step.append(("failed", f"{failed:,.0f}"))
    fitness = [("best", number(progress.best)), ("mean", number(report.mean)), ("worst", number(report.worst))]
    if view.goal is not None:
        fitness.insert(1, ("goal", number(view.goal)))
    speed = [("", f"{view.steps_per_second:,.0f} steps/s"), ("", f"{view.evaluations_per_second:,.0f} evaluations/s")]
    if stop.patience:
        speed.append(("", f"no better for {progress.step - progress.improved:,} of {stop.patience:,} steps"))
    return [step, fitness, speed]


def fitting(parts: Iterable[Part], width: int) -> list[Part]:
    """Return the first parts that fit side by side into `width` columns, one at least."""
    kept: list[Part] = []
    used = 0
    for label, value in parts:
        used += len(label) + bool(label) + len(value) + (3 if kept else 0)
        if kept and used > width:
            break
        kept.append((label, value))
    return kept


def fraction(stop: Stop, progress: Progress) -> float | None:
    """Return how much of the run is done by the limit that is nearest, or None where it has none."""
    limits = ((progress.step, stop.steps), (progress.evaluations, stop.evaluations), (progress.seconds, stop.seconds))
    return max((done / limit for done, limit in limits if limit), default=None)


def line(report: Report, progress: Progress) -> str:
    """Return a step as a line of text."""
    failed = report.columns.get("failed")
    return (
        f"step {report.step:>7,}  best {report.best:>12.6g}  mean {report.mean:>12.6g}  worst {report.worst:>12.6g}  "
        f"{report.evaluations:>11,} evaluations  {progress.seconds:>7.1f} s"
        + (f"  {failed:,.0f} failed" if failed else "")
    )


def ending(result: Result, folder: Folder) -> list[str]:
    """Return how a run ended, as lines of text."""
    if result.status == "failed":
        lines = [f"failed after {steps(result.steps)}; what there is lies in {folder.path}"]
        if (folder.checkpoint / "state.json").exists():
            lines.append(f"once the cause is gone, go on from the last checkpoint with: {folder.resume_command}")
        return lines
    if result.status == "interrupted":
        how = "" if result.reason == "interrupted" else f", {result.reason}"
        lines = [f"interrupted after {steps(result.steps)}{how}; go on with: {folder.resume_command}"]
    else:
        work = f"{steps(result.steps)}, {result.evaluations:,} evaluations, {result.seconds:.2f} s"
        lines = [f"finished: {REASONS.get(result.reason, result.reason)} ({work})"]
    if result.best_fitness is not None:
        lines.append(f"best fitness {result.best_fitness:.6g}")
    for split, values in result.metrics.items():
        numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
        lines.append(f"{split}: " + ", ".join(f"{name} {value:.4g}" for name, value in numbers.items()))
    return [*lines, f"files in {folder.path}"]


def sparkline(values: Sequence[float], width: int = WIDEST) -> str:
    """Draw values as a row of bars, from the least to the greatest; what is not finite is a blank.

    Values of one sign that span more than a factor of 100, as losses do, are drawn by their order of magnitude.
    """
    last = len(values) - 1
    shown = values if last < width else [values[i * last // max(width - 1, 1)] for i in range(width)]
    finite = [value for value in shown if math.isfinite(value)]
    if not finite:
        return " " * len(shown) if any(map(math.isfinite, values)) else ""
    least, greatest = sorted((abs(min(finite)), abs(max(finite))))
    by_magnitude = min(finite) * max(finite) > 0 and greatest > 100 * least
    # halves, as the difference of two floats may be greater than any float
    heights = [_height(value, by_magnitude) / 2 for value in shown]
    low = min(height for height in heights if math.isfinite(height))
    span = (max(height for height in heights if math.isfinite(height)) - low) or 1.0
    return "".join(BARS[int((h - low) / span * (len(BARS) - 1))] if math.isfinite(h) else " " for h in heights)


def _height(value: float, by_magnitude: bool) -> float:
    if not by_magnitude or not math.isfinite(value):
        return value
    return math.log(value) if value > 0 else -math.log(-value)


def steps(count: int) -> str:
    """Return a number of steps in words."""
    return f"{count:,} step{'' if count == 1 else 's'}"


def number(value: float) -> str:
    """Return a fitness in five digits, in a column wide enough for any, so that a frame does not jump."""
    return f"{value:<11.5g}"


def clock(seconds: float) -> str:
    """Return a duration as `0:07`, `1:02:03` or `2 days 3:04:05`."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if not hours:
        return f"{minute}:{second:02}"
    day = f"{days} day{'' if days == 1 else 's'} " if days else ""
    return f"{day}{hour}:{minute:02}:{second:02}"
