# SPDX-License-Identifier: MIT OR Apache-2.0
"""What pictures need of a run's folder. A folder may come from a stranger: nothing of it is trusted or executed."""

from __future__ import annotations

import io
import json
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import DataError, Folder, Genes
from vynapse_neat.layout import COUNTS, OF_CONNECTIONS, OF_NODES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vynapse_core import Array
    from vynapse_neat.layout import Layout


@dataclass(frozen=True)
class NeatRun:
    """A run whose genomes are of the encoding "topology"."""

    folder: Folder
    name: str
    seed: int | None
    layout: Layout
    fitness: float | None
    """The best fitness, where the run has ended."""
    steps: int | None
    """Steps taken, where the run has ended."""

    @property
    def title(self) -> str:
        """The run's name and seed."""
        return self.name if self.seed is None else f"{self.name}, seed {self.seed}"


def open_run(path: Path) -> NeatRun:
    """Return the run in a folder. Raises DataError where there is none, or its genome is another one."""
    folder = Folder(path)
    try:
        recipe = tomllib.loads(folder.recipe.read_text(encoding="utf-8"))
    except FileNotFoundError:
        inside = sorted(found.parent for found in path.glob("*/recipe.toml"))
        hint = f"; did you mean {inside[-1]}?" if inside else ""
        raise DataError(f"{path} is no run's folder: it has no {folder.recipe.name}{hint}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{folder.recipe} cannot be read: {error}") from None
    about, result = _table(recipe.get("experiment")), _json(folder.result)
    seed, fitness, steps = about.get("seed"), result.get("best_fitness"), result.get("steps")
    return NeatRun(
        folder,
        str(about.get("name", path.name)),
        seed if isinstance(seed, int) else None,
        _layout(folder, _table(recipe.get("genome"))),
        float(fitness) if isinstance(fitness, int | float) else None,
        steps if isinstance(steps, int) else None,
    )


def best_genes(run: NeatRun) -> Genes:
    """Return the best genome of a run, [1]. Raises DataError where there is none, or it breaks the layout's rules."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = run.folder.best / "genes.safetensors"
    try:
        arrays = load_file(path)
    except FileNotFoundError:
        text = "it is written at the end of a run, and beside checkpoints"
        raise DataError(f"{path}: there is no best genome yet; {text}") from None
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    names = {"values", *(f"structure.{name}" for name in (*COUNTS, *OF_NODES, *OF_CONNECTIONS))}
    if missing := sorted(names - set(arrays)):
        raise DataError(f"{path} holds no genome of NEAT: it lacks {', '.join(missing)}")
    structure = {name.removeprefix("structure."): array for name, array in arrays.items() if name != "values"}
    genes = Genes(arrays["values"], structure)
    if flaws := run.layout.validate(genes):
        raise DataError(f"{path} does not fit the run's recipe: {flaws[0]}")
    return genes.take(slice(0, 1))


def read_columns(path: Path, names: Sequence[str]) -> dict[str, Array]:
    """Return columns of a table, float64 [rows], by name, at least one row. Raises DataError where they are not there.

    A last line without its newline was cut off while it was written, and is no row.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise DataError(
            f"there is no {path}; the observer 'csv' writes it during a run of the trainer 'neat'"
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    head, _, body = text[: text.rfind("\n") + 1].partition("\n")
    found = head.split(",")
    if missing := [name for name in names if name not in found]:
        raise DataError(f"{path} has no column {', '.join(missing)}; the trainer 'neat' writes them")
    if not body:
        raise DataError(f"{path} has no rows yet")
    try:
        rows = np.loadtxt(
            io.StringIO(body), np.float64, comments=None, delimiter=",", usecols=list(map(found.index, names)), ndmin=2
        )
    except ValueError as error:
        raise DataError(f"{path} has a row that is not numbers: {error}") from None
    return dict(zip(names, rows.T, strict=True))


def _layout(folder: Folder, genome: dict[str, Any]) -> Layout:
    from pydantic import ValidationError

    from vynapse_neat.genome import Neat

    kind = str(genome.pop("type", "none")).rpartition(":")[2]
    if kind != "neat":
        raise DataError(f"{folder.path} is a run of the genome {kind!r}; pictures are drawn of runs of 'neat' alone")
    try:
        return Neat(**genome).layout
    except (ValidationError, ValueError, TypeError) as error:
        raise DataError(f"{folder.recipe}: its genome cannot be read: {error}") from None


def _json(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds; nothing where it is not there or malformed, as pictures can do without."""
    try:
        return _table(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return {}


def _table(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}
