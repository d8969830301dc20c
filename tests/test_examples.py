# SPDX-License-Identifier: MIT OR Apache-2.0
"""The recipes in examples/: all of them fit together, and the quick ones solve what they set out to solve."""

from __future__ import annotations

from pathlib import Path

import pytest

from vynapse_core import load_recipe, wire
from vynapse_core.stop import Progress

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.toml"))
SOLVED_IN_SECONDS = ("onemax", "powers_of_two", "rastrigin", "trap", "xor")


@pytest.mark.parametrize("recipe", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_fits_together(recipe: Path) -> None:
    assert wire(load_recipe(recipe)).recipe.experiment.name == recipe.stem


@pytest.mark.parametrize("name", SOLVED_IN_SECONDS)
def test_a_quick_example_solves_its_task(name: str) -> None:
    experiment = wire(load_recipe(Path(__file__).parents[1] / "examples" / f"{name}.toml"))
    trainer, stop, target = experiment.trainer, experiment.recipe.stop, experiment.task.target
    state, progress = trainer.start(experiment), Progress()
    while (reason := stop.reached(progress, target)) is None:
        state, report = trainer.step(experiment, state)
        progress = progress.after(report, 0.0)
    assert reason == "solved"


def test_deceptive_traps_need_a_crossover_that_keeps_blocks_together() -> None:
    scattering = 'trainer.crossover={type = "uniform", rate = 0.9}'
    path = Path(__file__).parents[1] / "examples" / "trap.toml"
    experiment = wire(load_recipe(path, overrides=(scattering, "stop.steps=100")))
    state = experiment.trainer.start(experiment)
    for _ in range(100):
        state, report = experiment.trainer.step(experiment, state)
    assert experiment.task.target is not None
    assert report.best < experiment.task.target
