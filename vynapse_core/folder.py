# SPDX-License-Identifier: MIT OR Apache-2.0
"""A run's folder: what its files are called, and how they are written and read."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vynapse_core.errors import ArgumentError
from vynapse_core.files import as_json, replace_files


@dataclass(frozen=True)
class Folder:
    """The files of one run."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.toml"

    @property
    def run(self) -> Path:
        """Versions, host, seed, times and status."""
        return self.path / "run.json"

    @property
    def metrics(self) -> Path:
        """One row a step."""
        return self.path / "metrics.csv"

    @property
    def events(self) -> Path:
        """The structured log."""
        return self.path / "events.jsonl"

    @property
    def checkpoint(self) -> Path:
        """The latest state."""
        return self.path / "checkpoint"

    @property
    def best(self) -> Path:
        """The best solution."""
        return self.path / "best"

    @property
    def result(self) -> Path:
        """How the run ended."""
        return self.path / "result.json"

    @property
    def resume_command(self) -> str:
        """The command that goes on with this run, as one types it."""
        path = str(self.path)
        quoted = shlex.quote(path) if os.name == "posix" else f'"{path}"' if " " in path else path
        return f"vynapse resume {quoted}"

    def noted(self) -> dict[str, Any]:
        """Return what `run.json` holds. Raises ArgumentError where it is malformed."""
        try:
            noted = json.loads(self.run.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise ArgumentError(f"{self.run} cannot be read: {error}") from None
        if not isinstance(noted, dict):
            raise ArgumentError(f"{self.run} is no run's description")
        return noted

    def note(self, files: Mapping[str, bytes] | None = None, /, **values: Any) -> None:
        """Add values to `run.json`, and replace `files` {name: data} with it."""
        replace_files(self.path, {**(files or {}), self.run.name: as_json(self.noted() | values)})


def new_folder(output: Path, name: str, seed: int) -> Folder:
    """Make `<output>/<name>/<UTC time>-s<seed>`, numbered where two runs start in one second."""
    parent = output / name
    stem = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-s{seed}"
    for suffix in ("", *(f"-{n}" for n in range(2, 1000))):
        try:
            (parent / f"{stem}{suffix}").mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise ArgumentError(f"cannot make a folder in {parent}: {error.strerror or error}") from None
        return Folder(parent / f"{stem}{suffix}")
    raise ArgumentError(f"{parent} holds a thousand runs of this second")


def named_folder(path: Path) -> Folder:
    """Make the folder that `--out` names. Raises ArgumentError where it holds something already."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"cannot use {path} for a run: {error.strerror or error}") from None
    return Folder(unused(path))


def unused(path: Path) -> Path:
    """Return `path`, where there is nothing yet or an empty folder. Raises ArgumentError for anything else."""
    try:
        held = next(path.iterdir(), None)
    except FileNotFoundError:
        return path
    except OSError as error:
        raise ArgumentError(f"cannot use {path} for a run: {error.strerror or error}") from None
    if held is None:
        return path
    if (path / "run.json").exists():
        raise ArgumentError(
            f"{path} holds a run already; go on with it by '{Folder(path).resume_command}', or name another folder"
        )
    raise ArgumentError(f"{path} is not empty, it holds {held.name}; name another folder")


def existing_folder(path: Path) -> Folder:
    """Return the folder of a run that was started. Raises ArgumentError for anything else."""
    folder = Folder(path)
    if not path.is_dir():
        raise ArgumentError(f"there is no folder {path}")
    for file in (folder.recipe, folder.run):
        if not file.is_file():
            inside = sorted(found.parent for found in path.glob("*/run.json"))
            hint = f"; did you mean {inside[-1]}?" if inside else ""
            raise ArgumentError(f"{path} is no run's folder: it has no {file.name}{hint}")
    return folder


@contextmanager
def revision() -> Iterator[Callable[[], str | None]]:
    """Ask git for the revision of the working directory, and give what waits for its answer: None where there is none.

    It takes longer to answer than a run's other beginnings.
    """
    import subprocess

    command = ["git", "rev-parse", "HEAD"]
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        yield lambda: None
        return

    def answer() -> str | None:
        try:
            said, _ = process.communicate(timeout=5)
        except (OSError, subprocess.SubprocessError):
            return None
        return said.strip() if process.returncode == 0 else None

    with process:
        try:
            yield answer
        finally:
            if process.returncode is None:
                process.kill()


def environment(packages: Mapping[str, str]) -> dict[str, Any]:
    """Return what a run's numbers may depend on besides the git revision: versions and host."""
    import platform
    import sys

    import numpy

    return {
        "versions": {"python": platform.python_version(), "numpy": numpy.__version__, **packages},
        "host": {"name": platform.node(), "system": platform.platform(), "machine": platform.machine()},
        "command": sys.argv[1:],
    }
