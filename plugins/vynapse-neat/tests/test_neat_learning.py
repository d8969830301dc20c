# SPDX-License-Identifier: MIT OR Apache-2.0
"""NEAT learns XOR from nothing hidden, over many seeds; without growth it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from vynapse_core import catalogue, wire
from vynapse_core.recipe import build
from vynapse_core.source import Source

SEEDS = range(20)
MOST = 500
"""Generations."""


def evaluations(preset: str, criterion: str, seed: int, **trainer: object) -> tuple[float, int]:
    """Return what it took to solve XOR by a criterion, inf where it was not, and the hidden nodes."""
    recipe = {
        "experiment": {"seed": seed},
        "task": {"type": "xor", "criterion": criterion},
        "genome": {"type": "neat", "preset": preset},
        "trainer": {"type": "neat", "preset": preset, "population": 150, **trainer},
    }
    experiment = wire(build(Source(recipe, "test"), catalogue.installed()))
    state = experiment.trainer.start(experiment)
    while state.best < experiment.task.target and state.step < MOST:
        state, _ = experiment.trainer.step(experiment, state)
    hidden = int(state.champion.genes.structure["nodes"][0]) - experiment.genome.layout.fixed
    return (state.evaluations if state.best >= experiment.task.target else np.inf), hidden


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "criterion", "fewest", "most"),
    [
        ("stanley2002", "stanley2002", 19, 10_000),
        ("jair2004", "stanley2002", 19, 10_000),
        ("neat-python", "neat-python", 18, 15_000),
    ],
)
def test_xor_is_solved_from_nothing_hidden(preset, criterion, fewest, most):
    needed, hidden = np.array([evaluations(preset, criterion, seed) for seed in SEEDS]).T
    solved = np.isfinite(needed)
    assert solved.sum() >= fewest
    assert 2000 < needed[solved].mean() < most
    assert hidden[solved].min() >= 1
    assert hidden[solved].mean() < 8


@pytest.mark.slow
def test_without_growth_xor_is_out_of_reach():
    rates = {"add_node": 0.0, "add_connection": 0.0}
    runs = [evaluations("stanley2002", "stanley2002", seed, mutation=rates) for seed in range(3)]
    assert all(np.isinf(needed) for needed, _ in runs)
