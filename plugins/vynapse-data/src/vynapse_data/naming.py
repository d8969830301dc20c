# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the command line calls data: a recipe, a file or a folder, or the name of a task."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from vynapse_core import Problem, RecipeError, SupervisedTask, Task, installed, load_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

READERS = {".csv": "csv", ".parquet": "parquet", ".npz": "npz"}
"""The task that reads a file, by the ending of its name."""
RECIPES = (".toml", ".json")
OWN = "vynapse-data:"


def named_task(what: str, settings: Sequence[str] = ()) -> SupervisedTask:
    """Return the task that `what` means, with `settings`: `task.batch=32` of a recipe, `batch=32` of anything else.

    Raises RecipeError for what means no data, a file that is not there, and wrong settings.
    """
    path = Path(what)
    if path.suffix.lower() in {*RECIPES, *READERS} and not path.exists():
        raise _refused(what, "there is no such file")
    if path.suffix.lower() in RECIPES and path.is_file():
        task: Task = load_recipe(path, overrides=tuple(settings)).task
    else:
        task = _built(what, dict(map(_setting, settings)))
    if not isinstance(task, SupervisedTask):
        raise _refused(what, f"the task {type(task).__name__} has no data")
    return task


def _built(what: str, settings: Mapping[str, Any]) -> Task:
    catalogue, path = installed(), Path(what)
    if path.is_dir():
        table = {"type": f"{OWN}image_folder", "path": what, **settings}
    elif path.suffix.lower() in READERS:
        table = {"type": OWN + READERS[path.suffix.lower()], "path": what, **settings}
    elif path.exists():
        known = ", ".join(READERS)
        raise _refused(what, f"no reader for such a file; known are {known}, folders of images, and recipes")
    else:
        table = {"type": what, **settings}
    try:
        return catalogue.build(Task, table)
    except ValidationError as error:
        details = [(item["loc"], item.get("ctx", {})) for item in error.errors(include_url=False)]
        problems = [Problem(".".join(map(str, loc)), ctx["text"], ctx["hint"]) for loc, ctx in details]
        raise RecipeError(problems, what) from None
    except PydanticCustomError as error:
        told = error.context or {}
        raise RecipeError([Problem("", told["text"], told["hint"])], what) from None


def _refused(what: str, why: str) -> RecipeError:
    return RecipeError([Problem("", why, "")], what)


def _setting(text: str) -> tuple[str, Any]:
    """Return key and value of `key=value`; a value that is not TOML is a text."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise _refused(f"--set {text}", "expected key=value")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value
