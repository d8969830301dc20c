# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every recipe in `examples/` runs, for a few steps, in each of its modes, and again from what it resolved to."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from vynapse_core.cli import main
from vynapse_core.observers.csv import TIME_COLUMNS
from vynapse_core.source import modes_of

EXAMPLES = Path(__file__).parents[1] / "examples"
RECIPES = sorted(path for path in EXAMPLES.rglob("*.toml") if path.name != "pyproject.toml")
CASES = [(path, mode) for path in RECIPES for mode in (None, *modes_of(path))]
STEPS = 3


def run(recipe: Path, folder: Path, mode: str | None = None) -> None:
    """Run a recipe for a few steps through the command line."""
    command = ["run", str(recipe), "--out", str(folder), "--set", f"stop.steps={STEPS}", "--quiet"]
    done = CliRunner().invoke(main, [*command, *(["--mode", mode] if mode else [])])
    assert done.exit_code == 0, done.output


def rows(folder: Path) -> list[dict[str, str]]:
    """Return the metrics of a run without what depends on the clock."""
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return [
            {name: value for name, value in row.items() if name not in TIME_COLUMNS} for row in csv.DictReader(file)
        ]


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with noise in MNIST's format: what is run here is the recipe, not the learning."""
    folder = tmp_path_factory.mktemp("data") / "mnist"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, count in (("train", 60_000), ("t10k", 10_000)):
        for kind, shape in (("images-idx3", (count, 28, 28)), ("labels-idx1", (count,))):
            header = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
            values = rng.integers(0, 256 if len(shape) > 1 else 10, shape, dtype=np.uint8)
            (folder / f"{name}-{kind}-ubyte").write_bytes(header + values.tobytes())
    return folder.parent


@pytest.mark.parametrize(("recipe", "mode"), CASES, ids=lambda part: part.stem if isinstance(part, Path) else part)
def test_an_example_runs_and_its_resolved_recipe_gives_the_same_bits(
    recipe: Path, mode: str | None, tmp_path: Path, noise: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VYNAPSE_DATA", str(noise))
    run(recipe, tmp_path / "first", mode)
    assert json.loads((tmp_path / "first" / "result.json").read_text(encoding="utf-8"))["status"] == "finished"
    run(tmp_path / "first" / "recipe.toml", tmp_path / "second")
    assert rows(tmp_path / "first") == rows(tmp_path / "second")
    genes = [(tmp_path / name / "best" / "genes.safetensors").read_bytes() for name in ("first", "second")]
    assert genes[0] == genes[1]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_an_example_says_what_it_is_for(recipe: Path) -> None:
    assert recipe.read_text(encoding="utf-8").startswith("# "), "the first line is a comment: what a newcomer sees here"


def test_there_are_examples() -> None:
    assert len(RECIPES) >= 5
