# SPDX-License-Identifier: MIT OR Apache-2.0
"""NEAT learns what its papers say it learns, over many seeds; without growth or without species it does not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vynapse_core import catalogue, load_recipe, wire
from vynapse_core.experiment import Experiment, with_seed
from vynapse_core.folder import named_folder
from vynapse_core.recipe import build
from vynapse_core.run import run_experiment
from vynapse_core.source import Source
from vynapse_neat.genome import Neat

EXAMPLES = Path(__file__).parents[3] / "examples"
SEEDS = range(1, 21)
MOST = 500
"""Generations."""


def xor(preset: str, criterion: str, **trainer: object) -> Experiment:
    recipe = {
        "task": {"type": "xor", "criterion": criterion},
        "genome": {"type": "neat", "preset": preset},
        "trainer": {"type": "neat", "preset": preset, "population": 150, **trainer},
        "device": {"type": "numba", "threads": 1},
    }
    return wire(build(Source(recipe, "test"), catalogue.installed()))


def evaluations(experiment: Experiment, seed: int, most: int = MOST) -> tuple[float, int]:
    """Return what it took to reach the task's target, inf where it was not, and the hidden nodes."""
    experiment = with_seed(experiment, seed)
    target = experiment.task.target
    assert target is not None
    state = experiment.trainer.start(experiment)
    while state.best < target and state.step < most:
        state, _ = experiment.trainer.step(experiment, state)
    assert isinstance(experiment.genome, Neat)
    hidden = int(state.champion.genes.structure["nodes"][0]) - experiment.genome.layout.fixed
    return (state.evaluations if state.best >= target else np.inf), hidden


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "criterion", "fewest", "most"),
    [
        ("stanley2002", "stanley2002", 20, 9_000),
        ("jair2004", "stanley2002", 19, 16_000),
        ("neat-python", "neat-python", 18, 15_000),
    ],
)
def test_xor_is_solved_from_nothing_hidden(preset: str, criterion: str, fewest: int, most: int) -> None:
    experiment = xor(preset, criterion)
    needed, hidden = np.array([evaluations(experiment, seed) for seed in SEEDS]).T
    solved = np.isfinite(needed)
    assert solved.sum() >= fewest
    assert 2000 < needed[solved].mean() < most
    assert hidden[solved].min() >= 1
    assert hidden[solved].mean() < 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("without", "trainer"),
    [
        ("growth", {"mutation": {"add_node": 0.0, "add_connection": 0.0}}),
        ("species", {"speciation": {"threshold": 1e9}}),
    ],
)
def test_xor_is_out_of_reach_without(without: str, trainer: Mapping[str, Any]) -> None:
    experiment = xor("stanley2002", "stanley2002", **trainer)
    solved = [np.isfinite(evaluations(experiment, seed, most=150)[0]) for seed in range(1, 9)]
    # with growth and species, 19 of 20 runs have ended by then
    assert sum(solved) <= 2


@pytest.mark.slow
def test_two_poles_are_balanced_for_half_an_hour() -> None:
    recipe = load_recipe(EXAMPLES / "neat_double_pole.toml", overrides=('device={type="numba", threads=1}',))
    experiment = wire(recipe)
    needed = np.array([evaluations(experiment, seed, most=200)[0] for seed in range(1, 11)])
    assert np.isfinite(needed).sum() >= 9
    assert needed[np.isfinite(needed)].mean() < 7_000


@pytest.mark.slow
def test_two_poles_are_balanced_without_velocities(tmp_path: Path) -> None:
    own = ('device={type="numba"}', "stop.steps=60", "observers=[]")
    experiment = wire(load_recipe(EXAMPLES / "neat_double_pole_memory.toml", overrides=own))
    results = [run_experiment(with_seed(experiment, seed), named_folder(tmp_path / str(seed))) for seed in (1, 2, 3)]
    # nine of ten runs have passed the examinations by then
    assert sum(result.reason == "solved" for result in results) >= 2
