# SPDX-License-Identifier: MIT OR Apache-2.0
"""The recipe: an object tree written in TOML or JSON. No table is special-cased; one with `type` is that component."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from vynapse_core import catalogue as catalogues
from vynapse_core.catalogue import Catalogue
from vynapse_core.component import Component
from vynapse_core.contracts import Device, Distribution, Genome, Observer, Task, Trainer
from vynapse_core.errors import Problem, RecipeError
from vynapse_core.locate import line_of
from vynapse_core.settings import Settings
from vynapse_core.source import OVERRIDDEN, Source, read_source, written
from vynapse_core.stop import Stop

STANDARD_OBSERVERS = ("vynapse:console", "vynapse:csv", "vynapse:jsonl")
"""Observers of every run; a recipe that lists one of them sets its fields."""
FASTEST_FIRST = ("vynapse-numba:numba", "vynapse:reference")
"""The device of a recipe that names none: the first of these that is installed."""


class Description(Settings):
    """What an experiment is called, and the seed from which all its random numbers come."""

    name: str = Field("experiment", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    """Name, also of the folder of its runs: letters, digits, `.`, `_` and `-`."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of all random streams."""
    description: str = ""
    """What it is for, in a sentence."""
    output: str = Field("runs", min_length=1)
    """Folder in which runs get their folders."""


class Checkpointing(Settings):
    """When a run's state is written, besides at its end."""

    steps: int | None = Field(None, gt=0)
    """Steps between two checkpoints."""
    seconds: float = Field(30.0, gt=0)
    """Time between two checkpoints, in seconds."""

    def due(self, step: int, since: float) -> bool:
        """Whether to write one after `step`, the last being `since` seconds old."""
        by_steps = self.steps is not None and step % self.steps == 0
        return by_steps or since >= self.seconds


class Recipe(Settings):
    """An experiment, whole: what `recipe.toml` says, validated and with every default."""

    experiment: Description = Description()
    """Name, seed and output folder."""
    task: Task
    """What is to be solved."""
    genome: Genome | None = None
    """How individuals are encoded; by default what suits the task."""
    trainer: Trainer
    """The method of learning."""
    stop: Stop = Stop()
    """When to stop."""
    device: Device
    """What computes; by default numba where it is installed, else the reference."""
    distribution: Distribution
    """Where evaluations happen; by default here."""
    observers: tuple[Observer, ...]
    """What watches the run: console, CSV and JSONL always, and what is listed here."""
    checkpoint: Checkpointing = Checkpointing()
    """When the state is written."""

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict):
            return data
        catalogue = (info.context or {}).get("catalogue") or catalogues.installed()
        offered = {entry.full for entry in catalogue.of_kind("device")}
        fastest = next((name for name in FASTEST_FIRST if name in offered), FASTEST_FIRST[-1])
        data = {"device": fastest, "distribution": "vynapse:local", "observers": ()} | data
        if isinstance(data["observers"], tuple):
            listed = {_full_name(observer, catalogue) for observer in data["observers"]}
            data["observers"] += tuple(name for name in STANDARD_OBSERVERS if name not in listed)
        return data


def load_recipe(
    path: Path | str,
    *,
    mode: str | None = None,
    overrides: tuple[str, ...] = (),
    catalogue: Catalogue | None = None,
) -> Recipe:
    """Return the recipe in a TOML or JSON file, with `--mode` and `--set` applied.

    Raises RecipeError with every problem, each with its line, key path, what was found and what is expected.
    """
    return build(read_source(Path(path), mode=mode, overrides=overrides), catalogue)


def build(source: Source, catalogue: Catalogue | None = None) -> Recipe:
    """Return the recipe of a parsed source. Raises RecipeError."""
    try:
        return Recipe.model_validate(dict(source.tree), context={"catalogue": catalogue or catalogues.installed()})
    except ValidationError as error:
        raise RecipeError(
            [_problem(detail, source) for detail in error.errors(include_url=False)], source.name
        ) from None


def tree(value: Any, catalogue: Catalogue | None = None) -> Any:
    """Return a recipe or a part of one as plain tables, every default written out; what is None is left out."""
    if isinstance(value, Settings):
        known = catalogue or catalogues.installed()
        table = {"type": known.name_of(type(value))} if isinstance(value, Component) else {}
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        return table | {name: tree(field, known) for name, field in fields.items() if field is not None}
    if isinstance(value, tuple):
        return [tree(item, catalogue) for item in value]
    if isinstance(value, Mapping):
        return {key: tree(item, catalogue) for key, item in value.items() if item is not None}
    return value


def to_toml(recipe: Recipe, catalogue: Catalogue | None = None) -> str:
    """Return the resolved recipe as TOML; running it gives the same bits."""
    import tomli_w

    return tomli_w.dumps(tree(recipe, catalogue))


def components(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Component]]:
    """Yield every component of a recipe with its key path, outer ones first."""
    if isinstance(value, Component):
        yield path, value
    if isinstance(value, Settings):
        for name in type(value).model_fields:
            yield from components(getattr(value, name), (*path, name))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from components(item, (*path, index))
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from components(item, (*path, name))


def problem(path: tuple[str | int, ...], message: str, hint: str, source: Source | None) -> Problem:
    """Return a problem at a key path, with its line where the source has one."""
    line = line_of(source.lines, path) if source else None
    if line == OVERRIDDEN:
        hint = "; ".join(filter(None, (hint, "given by --set")))
    return Problem(written(path), message, hint, line or None)


def _problem(detail: Any, source: Source) -> Problem:
    context = detail.get("ctx", {})
    return problem(detail["loc"], context.get("text", detail["msg"]), context.get("hint", ""), source)


def _full_name(observer: Any, catalogue: Catalogue) -> str:
    """Return `package:name` of a listed observer, or nothing where what is listed names none."""
    if isinstance(observer, Component):
        observer = catalogue.name_of(type(observer))
    try:
        return catalogue.entry("observer", observer.get("type") if isinstance(observer, dict) else observer).full
    except PydanticCustomError:
        return ""
