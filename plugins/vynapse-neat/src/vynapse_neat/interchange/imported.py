# SPDX-License-Identifier: MIT OR Apache-2.0
"""A configuration as a recipe: the tables, and what is not as it was, written on top as comments."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from vynapse_core import Problem, RecipeError
from vynapse_neat.interchange.options import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vynapse_neat.interchange.options import Note, Options

PLACE = "TASK"
"""Stands where the task's name is to be filled in."""


@dataclass(frozen=True)
class Imported:
    """A recipe's tables but for the task, and what is not as it was."""

    source: str
    program: str
    """Whose configuration it was."""
    tree: Mapping[str, Any]
    notes: tuple[Note, ...]

    def recipe(self, task: str | None = None) -> str:
        """Return the recipe in TOML; without a task its place is marked."""
        lines = [f"# From {self.source}, a configuration of {self.program}."]
        if self.notes:
            lines += ["# Not as there:", *(f"#   {note}" for note in self.notes)]
        chosen = f"type = {_value(task or PLACE)}"
        hint = "" if task else "                       # fill in: `vynapse list task` has the names"
        tables = dict(self.tree)
        lines += _table(("experiment",), tables.pop("experiment"))
        lines += ["", "[task]", chosen + hint]
        for name, table in tables.items():
            lines += _table((name,), table)
        return "\n".join(lines) + "\n"


def checked(options: Options, path: Path, program: str, tree: Mapping[str, Any]) -> Imported:
    """Return what was imported. Raises RecipeError for problems, and for tables that no recipe may have."""
    from vynapse_neat.genome import Neat
    from vynapse_neat.trainer import NeatTrainer

    options.note_unknown()
    options.check()
    problems = []
    for name, model in (("genome", Neat), ("trainer", NeatTrainer)):
        try:
            model.model_validate({key: value for key, value in tree[name].items() if key != "type"})
        except ValidationError as error:
            problems += [
                Problem(".".join([name, *map(str, detail["loc"])]), detail["msg"])
                for detail in error.errors(include_url=False)
            ]
    if problems:
        raise RecipeError(problems, options.source)
    notes = tuple(sorted(options.notes, key=lambda note: note.line or 0))
    return Imported(printable(path.name), program, tree, notes)


def named(path: Path) -> str:
    """Return an experiment's name made of a file's."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", path.name.split(".")[0], flags=re.ASCII).strip("-_")[:100] or "imported"


def _table(path: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"[{'.'.join(path)}]"
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    for key, value in table.items():
        if key not in inner:
            yield f"{key} = {_value(value)}"
    for key, value in inner.items():
        yield from _table((*path, key), value)


def _value(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    if not math.isfinite(value):
        raise ValueError(f"no recipe holds {value}")
    return repr(value)
