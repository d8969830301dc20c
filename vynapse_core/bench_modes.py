# SPDX-License-Identifier: MIT OR Apache-2.0
"""A recipe's modes beside each other on this machine: time, processor use, memory and quality, as a Markdown table.

Each is run in a process of its own, so that the peak of its memory is its own, and what it has compiled is known.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vynapse_core.source import modes_of, read_source

AS_IT_IS = "(none)"
"""What stands in the table for the recipe without a mode."""
SPLITS = ("test", "validation", "train")
"""Where quality is read, the first that there is."""


@dataclass(frozen=True)
class Usage:
    """What a process took."""

    seconds: float
    """From its start to its end."""
    processor: float | None
    """Seconds of processors, of all its threads; None where the system does not tell."""
    peak: float | None
    """Most memory that it held, in MiB."""
    failure: str
    """The last line of what it said where it failed."""


def bench_modes(recipe: Path, overrides: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the lines of the table: the recipe as it is, and each of its modes, as `overrides` of `--set` change it.

    Before a run that counts, one of a single step makes sure that what it compiles is kept on disk. Raises RecipeError
    for a recipe that cannot be parsed, ArgumentError for a wrong override.
    """
    yield "| mode | trainer | stopped by | steps | s in the loop | s in all | CPU | peak MiB | best fitness | quality |"
    yield "|---|---|---|---:|---:|---:|---:|---:|---:|---|"
    for mode in (None, *modes_of(recipe)):
        table = read_source(recipe, mode=mode, overrides=overrides).tree.get("trainer", "")
        trainer = table.get("type", "") if isinstance(table, dict) else table
        with TemporaryDirectory() as folder:
            warm = _run(recipe, mode, (*overrides, "stop.steps=1"), Path(folder) / "warm")
            used = warm if warm.failure else _run(recipe, mode, overrides, Path(folder) / "run")
            yield _row(mode or AS_IT_IS, str(trainer).replace("|", "\\|"), used, Path(folder) / "run" / "result.json")


def _run(recipe: Path, mode: str | None, overrides: tuple[str, ...], folder: Path) -> Usage:
    """Run a mode of a recipe into a folder, in a process of its own, and return what that took."""
    chosen = [] if mode is None else ["--mode", mode]
    set_to = [part for override in overrides for part in ("--set", override)]
    command = [sys.executable, "-m", "vynapse_core.cli", "run", str(recipe), "--quiet", "--out", str(folder)]
    said = folder.with_suffix(".txt")
    with said.open("w", encoding="utf-8") as errors:
        began = time.perf_counter()
        process = subprocess.Popen([*command, *chosen, *set_to], stdout=subprocess.DEVNULL, stderr=errors)
        try:
            processor, peak = _waited(process)
        except BaseException:
            process.kill()
            raise
        seconds = time.perf_counter() - began
    lines = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    failed = process.returncode != 0
    return Usage(seconds, processor, peak, (lines or [f"exit code {process.returncode}"])[-1].strip() if failed else "")


def _waited(process: subprocess.Popen[bytes]) -> tuple[float | None, float | None]:
    """Wait for a process and return its processor seconds and the peak of its memory in MiB, where these are told."""
    if sys.platform == "win32":
        process.wait()
        return None, None
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # macOS counts bytes, all others KiB
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return used.ru_utime + used.ru_stime, used.ru_maxrss / unit


def _row(mode: str, trainer: str, used: Usage, result: Path) -> str:
    if used.failure:
        failure = used.failure.replace("|", "\\|")
        return f"| {mode} | {trainer} | {failure} |  |  |  |  |  |  |  |"
    told: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    share = "" if used.processor is None else f"{used.processor / used.seconds:.0%}"
    peak = "" if used.peak is None else f"{used.peak:,.0f}"
    best = "" if told["best_fitness"] is None else f"{told['best_fitness']:.4g}"
    cells = (mode, trainer, told["reason"], told["steps"], f"{told['seconds']:.2f}", f"{used.seconds:.2f}", share, peak)
    return f"| {' | '.join(map(str, cells))} | {best} | {_quality(told['metrics'])} |"


def _quality(metrics: dict[str, dict[str, Any]]) -> str:
    """Return the numbers measured on the first of the splits that there is."""
    split = next((name for name in SPLITS if name in metrics), next(iter(metrics), ""))
    values = metrics.get(split, {})
    told = ", ".join(f"{name} {value:.4g}" for name, value in values.items() if isinstance(value, int | float))
    return f"{split}: {told}" if told else ""
