# SPDX-License-Identifier: MIT OR Apache-2.0
"""Finished runs, found in folders and read from them.

A run folder may come from a stranger or from a crash, so whatever cannot be read becomes a note and the other runs are
read all the same.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson
import tomli

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MARKS = ("run.json", "result.json", "metrics.csv")
"""Files of which a run folder has at least one; a recipe alone may as well be one that nobody has run."""

UNRELATED = ("experiment.seed", "experiment.output", "experiment.description", "observers", "checkpoint")
"""Key paths in which two runs of one recipe may differ: what changes no number but by the seed."""

MEASURED = ("best_fitness", "steps", "evaluations", "seconds")
ENVIRONMENT = ("versions.", "host.")
NOT_FINISHED = frozenset({"failed", "interrupted", "running"})
A_RUN = "A run folder is what `vynapse run` writes: recipe.toml, run.json, metrics.csv, result.json"


@dataclass(frozen=True)
class Run:
    """One finished run as its folder tells it."""

    folder: Path
    name: str
    seed: int | None
    started: str
    reason: str
    settings: Mapping[str, str]
    """The resolved recipe as key path -> value, without `UNRELATED`: equal for all seeds of one recipe."""
    quantities: Mapping[str, float]
    """Those of `MEASURED` and each metric as `split.name`, such as `test.accuracy`; finite numbers only."""
    environment: Mapping[str, str]
    """Versions and host that `run.json` names, such as `versions.numpy`; nothing where it cannot be read."""


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
        settings={path: _text(value) for path, value in recipe.items() if not _unrelated(path)},
        quantities=quantities,
        environment={path: printable(value) for path, value in about.items() if path.startswith(ENVIRONMENT)},
    )


def printable(value: object) -> str:
    """Return `str(value)` without control characters: names come from files and go to a terminal."""
    return "".join(c if c.isprintable() else "�" for c in " ".join(str(value).split()))


def _unrelated(path: str) -> bool:
    return any(path == key or path.startswith(f"{key}.") for key in UNRELATED)


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


def labels(firsts: Sequence[Run]) -> list[str]:
    """Name each group, given by its first run; groups of one name add the settings in which they differ."""
    named = []
    for run in firsts:
        rivals = [other.settings for other in firsts if other.name == run.name]
        paths = dict.fromkeys(path for rival in rivals for path in rival)
        differing = [path for path in paths if len({rival.get(path) for rival in rivals}) > 1]
        # A part of another type has other fields throughout, so its type says it all.
        swapped = [path.removesuffix("type") for path in differing if path.endswith(".type")]
        shown = [p for p in differing if not any(p.startswith(t) and p != f"{t}type" for t in swapped)]
        values = [run.settings.get(path, "none").strip('"') for path in shown]
        named.append(printable(" ".join([run.name, *map("{}={}".format, shown, values)])))
    return named
