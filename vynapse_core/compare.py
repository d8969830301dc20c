# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs compared: grouped by recipe, summarised over seeds, tested pair by pair.

Runs that cannot be read become notes beside the comparison. Only a call that leaves nothing to compare is an error.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core.comparison_tables import comparison_markdown, comparison_renderable, number
from vynapse_core.errors import ArgumentError
from vynapse_core.runs import A_RUN, Run, labels, printable, read_run, run_folders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Comparison",
    "Group",
    "Pair",
    "Run",
    "Summary",
    "compare",
    "comparison_markdown",
    "comparison_renderable",
    "holm",
    "number",
    "printable",
    "read_run",
    "run_folders",
    "summarise",
]

REACHED = frozenset({"fitness", "loss", "solved"})
"""Reasons of `result.json` that say the run reached its goal."""

LEAST_RUNS = 3
MOST_NAMED = 3
SCIPY = 'scipy: pip install "vynapse[compare]"'


@dataclass(frozen=True)
class Summary:
    """A quantity over the seeds of a group; what one run alone cannot tell is None."""

    n: int
    mean: float
    deviation: float | None
    """Sample standard deviation (n - 1 in the denominator)."""
    interval: tuple[float, float] | None
    """95% confidence interval of the mean, Student t with n - 1 degrees of freedom; None without scipy too."""


@dataclass(frozen=True)
class Group:
    """The runs of one recipe, one a seed, in the order of their seeds."""

    label: str
    runs: tuple[Run, ...]
    summaries: Mapping[str, Summary]

    @property
    def successes(self) -> int:
        """Number of runs that ended because they reached their goal."""
        return sum(run.reason in REACHED for run in self.runs)

    def values(self, quantity: str) -> list[float]:
        """Return a quantity of all runs that have it, in the order of `runs`."""
        return [run.quantities[quantity] for run in self.runs if quantity in run.quantities]


@dataclass(frozen=True)
class Pair:
    """Two groups set against each other on best fitness; where `why` says why not, no number is given."""

    first: str
    second: str
    p: float | None = None
    """Two-sided Mann-Whitney U."""
    corrected: float | None = None
    """`p` after Holm's correction for the number of pairs tested."""
    effect: float | None = None
    """A12 (Vargha and Delaney 2000): chance that a run of `first` beats one of `second`, ties count half."""
    why: str = ""


@dataclass(frozen=True)
class Comparison:
    """Everything `vynapse compare` shows."""

    groups: tuple[Group, ...]
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]


def compare(folders: Sequence[Path]) -> Comparison:
    """Compare the runs in `folders`, each a run folder or a folder with runs somewhere below it.

    A seed that occurs twice in a group counts once, by its latest run: the same draws are no second sample. Without
    scipy there are neither intervals nor tests, and a note that says so.
    Raises ArgumentError if a folder does not exist, or if no run can be compared.
    """
    found: dict[Path, Path] = {}
    notes: list[str] = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise ArgumentError(f"{printable(folder)}: no such folder. {A_RUN}")
        below = list(run_folders(folder))
        if not below:
            notes.append(f"{printable(folder)}: no run folder in it")
        for path in below:
            found.setdefault(path.resolve(), path)
    runs = [run for path in found.values() if (run := read_run(path, notes)) is not None]
    if not runs:
        reasons = "".join(f"\n  {note}" for note in notes)
        raise ArgumentError(f"no finished run to compare. {A_RUN}{reasons}")
    by_recipe: dict[tuple[tuple[str, str], ...], list[Run]] = {}
    for run in runs:
        by_recipe.setdefault(tuple(sorted(run.settings.items())), []).append(run)
    samples = list(by_recipe.values())
    named = zip(labels([sample[0] for sample in samples]), samples, strict=True)
    groups = tuple(_group(label, sample, notes) for label, sample in named)
    if _scipy_stats() is None and len(runs) > 1:
        notes.append(f"no confidence intervals and no tests, which need {SCIPY}")
    return Comparison(groups, _pairs(groups), tuple(notes))


def _group(label: str, runs: Sequence[Run], notes: list[str]) -> Group:
    """Return a group with one run a seed: the one started last, since the newest code is in question."""
    latest: dict[object, Run] = {}
    for run in sorted(runs, key=lambda run: run.started):
        key = run.folder if run.seed is None else run.seed
        if (earlier := latest.get(key)) is not None:
            notes.append(printable(f"{earlier.folder}: left out, {run.folder} repeats seed {run.seed} of {label!r}"))
        latest[key] = run
    kept = tuple(sorted(latest.values(), key=lambda run: (run.seed is None, run.seed or 0, run.started)))
    if mixed := _mixed(kept):
        text = f"{label!r}: its runs come from different hosts or versions, which may differ in time and in last bits"
        notes.append(printable(f"{text}: {'; '.join(mixed)}"))
    group = Group(label, kept, {})
    names = dict.fromkeys(name for run in kept for name in run.quantities)
    return Group(label, kept, {name: summarise(group.values(name)) for name in names})


def _mixed(runs: Sequence[Run]) -> list[str]:
    """Say in which versions, and whether in hosts, runs differ; one that does not name a package has not used it."""
    mixed = []
    for path in sorted({path for run in runs for path in run.environment}):
        values = list(dict.fromkeys(run.environment[path] for run in runs if path in run.environment))
        if len(values) > 1:
            more = f" and {len(values) - MOST_NAMED} more" if len(values) > MOST_NAMED else ""
            mixed.append(f"{path} {', '.join(value[:60] for value in values[:MOST_NAMED])}{more}")
    return mixed


def summarise(values: Sequence[float]) -> Summary:
    """Return n, mean, sample deviation and 95% interval of at least one value."""
    # Divided by the largest first, so that the square of a diverged run's fitness cannot overflow.
    n, scale = len(values), max(map(abs, values)) or 1.0
    scaled = np.asarray(values, np.float64) / scale
    mean = float(np.mean(scaled)) * scale
    if n < 2:
        return Summary(n, mean, None, None)
    deviation = float(np.std(scaled, ddof=1)) * scale
    if (stats := _scipy_stats()) is None:
        return Summary(n, mean, deviation, None)
    half = float(stats.t.ppf(0.975, n - 1)) * deviation / math.sqrt(n)
    return Summary(n, mean, deviation, (mean - half, mean + half))


def _pairs(groups: Sequence[Group]) -> tuple[Pair, ...]:
    """Test every two groups on best fitness (Mann and Whitney 1947), corrected together (Holm 1979)."""
    pairs = [_pair(first, second) for first, second in itertools.combinations(groups, 2)]
    tested = [pair.p for pair in pairs if pair.p is not None]
    corrected = iter(holm(tested))
    return tuple(
        pair if pair.p is None else Pair(pair.first, pair.second, pair.p, next(corrected), pair.effect)
        for pair in pairs
    )


def _pair(first: Group, second: Group) -> Pair:
    tasks = [group.runs[0].settings.get("task.type") for group in (first, second)]
    a, b = first.values("best_fitness"), second.values("best_fitness")
    if tasks[0] != tasks[1]:
        return Pair(first.label, second.label, why="other task, other scale of fitness: not comparable")
    if min(len(a), len(b)) < LEAST_RUNS:
        why = f"{len(a)} and {len(b)} runs: a test is not meaningful under {LEAST_RUNS} runs a group"
        return Pair(first.label, second.label, why=why)
    if (stats := _scipy_stats()) is None:
        return Pair(first.label, second.label, why=f"a test needs {SCIPY}")
    test = stats.mannwhitneyu(a, b, alternative="two-sided")
    return Pair(first.label, second.label, float(test.pvalue), None, float(test.statistic) / (len(a) * len(b)))


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values corrected by Holm's step-down method, in the order given."""
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1.0, np.asarray(p)[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(steps)
    return [float(value) for value in corrected]


def _scipy_stats() -> Any:
    """Return `scipy.stats`, or None where it is not installed: what needs no statistics is shown all the same."""
    try:
        import scipy.stats
    except ImportError:
        return None
    return scipy.stats
