# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs compared: grouped by recipe, summarised over seeds, tested pair by pair, written as a table.

A run folder may come from a stranger or from a crash, so whatever cannot be read becomes a note beside the
table and the other runs are compared all the same. Only a call that leaves nothing to compare is an error.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import orjson
import tomli

from vynapse_core.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import Group as Renderable

MARKS = ("run.json", "result.json", "metrics.csv")
"""Files of which a run folder has at least one; a recipe alone may as well be one that nobody has run."""

SEED_ONLY = ("experiment.seed", "experiment.output", "experiment.description")
"""Key paths in which two runs of one recipe may differ."""

REACHED = frozenset({"fitness", "loss", "solved"})
"""Reasons of `result.json` that say the run reached its goal."""

MEASURED = ("best_fitness", "steps", "evaluations", "seconds")
NOT_FINISHED = frozenset({"failed", "interrupted", "running"})
LEAST_RUNS = 3
LONGEST_LABEL = 24
NOTHING = "–"
A_RUN = "A run folder is what `vynapse run` writes: recipe.toml, run.json, metrics.csv result.json"


@dataclass(frozen=True)
class Run:
    """One finished run as its folder tells it."""

    folder: Path
    name: str
    seed: int | None
    started: str
    reason: str
    settings: Mapping[str, str]
    """The resolved recipe as key path -> value, without `SEED_ONLY`: equal for all seeds of one recipe."""
    quantities: Mapping[str, float]
    """Those of `MEASURED` and each metric as `split.name`, such as `test.accuracy`; finite numbers only."""


@dataclass(frozen=True)
class Summary:
    """A quantity over the seeds of a group; what one run alone cannot tell is None."""

    n: int
    mean: float
    deviation: float | None
    """Sample standard deviation (n - 1 in the denominator)."""
    interval: tuple[float, float] | None
    """95% confidence interval of the mean, Student t with n - 1 degrees of freedom."""


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

    A seed that occurs twice in a group counts once, by its latest run: the same draws are no second sample.
    Raises ArgumentError if a folder does not exist, if no run can be compared, or if scipy is missing.
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
    labels = _labels([sample[0] for sample in samples])
    groups = tuple(_group(label, sample, notes) for label, sample in zip(labels, samples, strict=True))
    return Comparison(groups, _pairs(groups), tuple(notes))


def run_folders(folder: Path) -> Iterator[Path]:
    """Yield `folder` if it is a run's, else the run folders below it in order of path; follows no link."""
    for place, inner, files in os.walk(folder):
        if any(mark in files for mark in MARKS):
            inner.clear()
            yield Path(place)
        inner.sort()


def read_run(folder: Path, notes: list[str]) -> Run | None:
    """Read a run folder. What is wrong with it goes to `notes`; None if that leaves nothing to compare."""

    def note(text: str) -> None:
        notes.append(printable(f"{folder}: {text}"))

    def read(name: str) -> dict[str, Any] | None:
        try:
            content = (folder / name).read_bytes()
            tree = tomli.loads(content.decode()) if name.endswith(".toml") else orjson.loads(content)
            if isinstance(tree, dict):
                return dict(_leaves(tree))
            note(f"{name} holds {type(tree).__name__} where a table is expected")
        except FileNotFoundError:
            pass
        except (OSError, ValueError, RecursionError) as error:
            note(f"{name} cannot be read: {error}")
        return None

    about, result, recipe = read("run.json") or {}, read("result.json"), read("recipe.toml")
    if result is None:
        note(f"left out: no usable result.json (status {about.get('status', 'unknown')})")
        return None
    if status := {str(result.get("status")), str(result.get("reason"))} & NOT_FINISHED:
        note(f"left out: {min(status)}, so its result is not final")
        return None
    if recipe is None:
        note("left out: no usable recipe.toml, which says with which runs it belongs")
        return None
    quantities = {
        path.removeprefix("metrics."): float(value)
        for path, value in sorted(result.items(), key=lambda item: (*MEASURED, item[0]).index(item[0]))
        if (path in MEASURED or path.startswith("metrics.")) and _is_finite(value)
    }
    if "best_fitness" not in quantities:
        note("best_fitness is not a finite number and enters no statistic")
    seed = about.get("seed", recipe.get("experiment.seed"))
    return Run(
        folder=folder,
        name=printable(about.get("name") or recipe.get("experiment.name", "run")),
        seed=seed if isinstance(seed, int) else None,
        started=str(about.get("started", "")),
        reason=printable(result.get("reason", "unknown")),
        settings={path: _text(value) for path, value in recipe.items() if path not in SEED_ONLY},
        quantities=quantities,
    )


def printable(value: object) -> str:
    """Return `str(value)` without control characters: names come from files and go to a terminal."""
    return "".join(c if c.isprintable() else "�" for c in " ".join(str(value).split()))


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _text(value: object) -> str:
    """Return a setting as JSON text; a whole float is written like the integer it equals."""
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return json.dumps(int(cast("float", value)) if whole else value, default=str, ensure_ascii=False)


def _leaves(tree: object, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (key path, value) of all values; a list of tables is numbered, any other list is a value."""
    if isinstance(tree, dict) and (tree or not path):
        parts: Iterable[tuple[object, Any]] = tree.items()
    elif isinstance(tree, list) and tree and all(isinstance(item, dict) for item in tree):
        parts = enumerate(tree)
    else:
        yield path, tree
        return
    for key, value in parts:
        yield from _leaves(value, f"{path}.{key}" if path else str(key))


def _labels(firsts: Sequence[Run]) -> list[str]:
    """Name each group, given by its first run; groups of one name add the settings in which they differ."""
    labels = []
    for run in firsts:
        rivals = [other.settings for other in firsts if other.name == run.name]
        paths = dict.fromkeys(path for rival in rivals for path in rival)
        differing = [path for path in paths if len({rival.get(path) for rival in rivals}) > 1]
        # A part of another type has other fields throughout, so its type says it all.
        swapped = [path.removesuffix("type") for path in differing if path.endswith(".type")]
        shown = [p for p in differing if not any(p.startswith(t) and p != f"{t}type" for t in swapped)]
        values = [run.settings.get(path, "none").strip('"') for path in shown]
        labels.append(printable(" ".join([run.name, *map("{}={}".format, shown, values)])))
    return labels


def _group(label: str, runs: Sequence[Run], notes: list[str]) -> Group:
    """Return a group with one run a seed: the one started last, since the newest code is in question."""
    latest: dict[object, Run] = {}
    for run in sorted(runs, key=lambda run: run.started):
        key = run.folder if run.seed is None else run.seed
        if (earlier := latest.get(key)) is not None:
            notes.append(
                printable(f"{earlier.folder}: left out, {run.folder} repeats seed {run.seed} of {label!r}")
            )
        latest[key] = run
    kept = tuple(sorted(latest.values(), key=lambda run: (run.seed is None, run.seed or 0, run.started)))
    group = Group(label, kept, {})
    names = dict.fromkeys(name for run in kept for name in run.quantities)
    return Group(label, kept, {name: summarise(group.values(name)) for name in names})


def summarise(values: Sequence[float]) -> Summary:
    """Return n, mean, sample deviation and 95% interval of at least one value."""
    # Divided by the largest first, so that the square of a diverged run's fitness cannot overflow.
    n, scale = len(values), max(map(abs, values)) or 1.0
    scaled = np.asarray(values, np.float64) / scale
    mean = float(np.mean(scaled)) * scale
    if n < 2:
        return Summary(n, mean, None, None)
    deviation = float(np.std(scaled, ddof=1)) * scale
    half = float(_scipy_stats().t.ppf(0.975, n - 1)) * deviation / math.sqrt(n)
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
    test = _scipy_stats().mannwhitneyu(a, b, alternative="two-sided")
    return Pair(
        first.label, second.label, float(test.pvalue), None, float(test.statistic) / (len(a) * len(b))
    )


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values corrected by Holm's step-down method, in the order given."""
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1.0, np.asarray(p)[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(steps)
    return [float(value) for value in corrected]


def _scipy_stats() -> Any:
    try:
        import scipy.stats
    except ImportError as error:
        raise ArgumentError('comparing runs needs scipy: install "vynapse[compare]"') from error
    return scipy.stats


@dataclass(frozen=True)
class _Table:
    """A table as text, for terminal and Markdown alike; a line is drawn under the rows in `sections`."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    sections: frozenset[int] = frozenset()


def number(value: float | None) -> str:
    """Return a number to read: four significant digits, whole numbers in full up to nine, – for None."""
    if value is None:
        return NOTHING
    whole = abs(value) < 1e9 and (abs(value) >= 9999.5 or value.is_integer())
    return f"{value + 0.0:,.0f}" if whole else f"{value:.4g}"


def _tables(comparison: Comparison) -> list[_Table]:
    groups = comparison.groups
    # Long labels are written once, in the first table, and stand as numbers in the others.
    long = any(len(group.label) > LONGEST_LABEL for group in groups)
    short = {group.label: f"#{i}" if long else group.label for i, group in enumerate(groups, 1)}
    rows: list[tuple[str, ...]] = []
    for group in groups:
        reasons = ", ".join(
            f"{reason} {n}" for reason, n in Counter(run.reason for run in group.runs).items()
        )
        share = f"{group.successes}/{len(group.runs)} ({group.successes / len(group.runs):.0%})"
        label = f"{short[group.label]} {group.label}" if long else group.label
        rows.append((label, str(len(group.runs)), share, reasons))
    tables = [_Table("Groups", ("group", "runs", "success", "stopped by"), rows)]
    rows, ends = [], set()
    for name in dict.fromkeys(name for group in groups for name in group.summaries):
        for group in groups:
            if (of := group.summaries.get(name)) is not None:
                interval = " … ".join(map(number, of.interval)) if of.interval else NOTHING
                place = (name.replace("_", " "), short[group.label], str(of.n))
                rows.append((*place, number(of.mean), number(of.deviation), interval))
        ends.add(len(rows) - 1)
    header = ("quantity", "group", "n", "mean", "deviation", "95% interval of the mean")
    tables.append(_Table("Over seeds", header, rows, frozenset(ends)))
    if comparison.pairs:
        rows = [
            (*names, *map(number, (pair.p, pair.corrected, pair.effect)), _verdict(pair, *names))
            for pair in comparison.pairs
            for names in [(short[pair.first], short[pair.second])]
        ]
        header = ("A", "B", "p", "p (Holm)", "A12", "verdict")
        tables.append(_Table("Best fitness, A against B (Mann–Whitney U, two-sided)", header, rows))
    return tables


def _verdict(pair: Pair, first: str, second: str) -> str:
    """Say what a tested pair shows at the 5% level; sizes of effect as in Vargha and Delaney 2000."""
    if pair.corrected is None or pair.effect is None:
        return pair.why
    distance = abs(pair.effect - 0.5)
    sizes = ((0.21, "large"), (0.14, "medium"), (0.06, "small"), (0.0, "negligible"))
    size = next(word for least, word in sizes if distance >= least - 1e-12)
    if pair.corrected >= 0.05:
        return f"no significant difference ({size} effect)"
    return f"{first if pair.effect > 0.5 else second} is better ({size} effect)"


def comparison_markdown(comparison: Comparison) -> str:
    """Return the tables and notes as Markdown, for files and pipes."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    parts = []
    for table in _tables(comparison):
        rule = line(["---" for _ in table.header])
        parts.append("\n".join([f"## {table.title}", "", line(table.header), rule, *map(line, table.rows)]))
    if comparison.notes:
        parts.append("\n".join(["## Notes", "", *(f"- {note}" for note in comparison.notes)]))
    return "\n\n".join(parts) + "\n"


def comparison_renderable(comparison: Comparison) -> Renderable:
    """Return the tables and notes for a rich console."""
    from rich.console import Group as Stack
    from rich.table import Table
    from rich.text import Text

    parts: list[Table | Text] = []
    for table in _tables(comparison):
        drawn = Table(title=Text(table.title), title_justify="left", title_style="bold")
        for column in table.header:
            right = column in ("runs", "n", "mean", "deviation", "p", "p (Holm)", "A12")
            drawn.add_column(column, justify="right" if right else "left", no_wrap=right, overflow="fold")
        for index, row in enumerate(table.rows):
            drawn.add_row(*map(Text, row), end_section=index in table.sections)
        parts.append(drawn)
    parts.extend(Text(f"note: {note}") for note in comparison.notes)
    return Stack(*parts)
