# SPDX-License-Identifier: MIT OR Apache-2.0
"""Training on data: the same bits wherever a run is interrupted, however its steps are cut, and where data lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

from vynapse_core.cli import main

RECIPE = """
[task]
type = "digits"
batch = 100
augment = [{{ type = "crop", padding = 1 }}, {{ type = "flip" }}, {{ type = "rotate" }}, {{ type = "noise" }}]
[genome]
type = "mlp"
layers = [64, 8, 10]
[trainer]
type = "{trainer}"
"""


def vynapse(*arguments: Any) -> None:
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 0, done.output


def best(folder: Path) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in load_file(folder / "best" / "genes.safetensors").items()}


@pytest.mark.parametrize("trainer", ["sgd", "evolution"])
def test_a_resumed_run_on_augmented_images_goes_on_to_the_same_bits(tmp_path: Path, trainer: str) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.format(trainer=trainer))
    vynapse("run", recipe, "--out", tmp_path / "whole", "--set", "stop.steps=5")
    vynapse("run", recipe, "--out", tmp_path / "parts", "--set", "stop.steps=2")
    vynapse("resume", tmp_path / "parts", "--set", "stop.steps=5")
    assert best(tmp_path / "whole") == best(tmp_path / "parts")
    vynapse("run", recipe, "--out", tmp_path / "plain", "--set", "stop.steps=5", "--set", "task.augment=[]")
    assert best(tmp_path / "whole") != best(tmp_path / "plain")


def test_steps_of_other_sizes_see_the_same_augmented_batches(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.format(trainer="sgd"))
    for batches, steps in ((7, 4), (14, 2)):
        settings = [f"trainer.batches={batches}", f"stop.steps={steps}", "checkpoint.steps=1"]
        given = [part for setting in settings for part in ("--set", setting)]
        vynapse("run", recipe, "--out", tmp_path / str(batches), *given)
    states = [next((tmp_path / name / "checkpoint").glob("*.safetensors")) for name in ("7", "14")]
    first, second = (load_file(state) for state in states)
    moved = [name for name in first if "arrays" in name]
    assert moved
    for name in moved:
        assert first[name].tobytes() == second[name].tobytes()


@pytest.mark.parametrize("device", ["numba", "reference"])
def test_a_run_on_a_mapped_table_has_the_bits_of_one_in_memory(
    tmp_path: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    recipe = Path(__file__).parents[1] / "examples" / "csv_regression.toml"
    table = recipe.parent / "data" / "throws.csv"
    for memory in ("0", "256"):
        told = {"memory": memory, "standardise": "false", "path": f'"{table}"'}
        given = [part for key, value in told.items() for part in ("--set", f"task.{key}={value}")]
        given += ["--set", "stop.steps=3", "--device", device]
        vynapse("run", recipe, "--out", tmp_path / memory, *given)
    assert len(list((tmp_path / "cache" / "vynapse" / "data").iterdir())) == 1
    assert best(tmp_path / "0") == best(tmp_path / "256")
