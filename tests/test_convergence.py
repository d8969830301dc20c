# SPDX-License-Identifier: MIT OR Apache-2.0
"""Convergence trials over many seeds: what the examples promise, with bounds that a broken operator would miss."""

import os
from pathlib import Path

import numpy as np
import pytest

from vynapse_core import load_recipe, wire
from vynapse_core.folder import named_folder
from vynapse_core.run import run_experiment

EXAMPLES = Path(__file__).parents[1] / "examples"
MNIST = Path(os.environ.get("VYNAPSE_DATA", "")) / "mnist"

pytestmark = pytest.mark.slow


def results(name, seeds, folder, *overrides):
    """Run an example for each seed and return the results."""
    found = []
    for seed in seeds:
        changed = (f"experiment.seed={seed}", "observers=[]", *overrides)
        experiment = wire(load_recipe(EXAMPLES / f"{name}.toml", overrides=changed))
        found.append(run_experiment(experiment, named_folder(folder / f"{name}-{seed}")))
    return found


def test_xor_is_learnt_to_a_hundredth_with_every_seed(tmp_path):
    for result in results("xor", range(1, 21), tmp_path):
        assert result.metrics["train"] == {"loss": pytest.approx(0, abs=0.01), "accuracy": 1}
        assert result.evaluations < 30_000


def test_powers_of_two_are_learnt_with_every_seed(tmp_path):
    for result in results("powers_of_two", range(1, 21), tmp_path):
        assert result.metrics["train"]["loss"] < 1e-4


def test_onemax_takes_as_long_as_theory_says(tmp_path):
    found = results("onemax", range(1, 21), tmp_path)
    assert all(result.reason == "solved" for result in found)
    # with truncation of half or more, generations grow as sqrt(bits): Mühlenbein & Schlierkamp-Voosen 1993
    assert 2 * np.sqrt(100) < np.mean([result.steps for result in found]) < 6 * np.sqrt(100)


def test_rastrigin_is_minimised_with_every_seed(tmp_path):
    assert all(result.reason == "solved" for result in results("rastrigin", range(1, 6), tmp_path))


def test_digits_are_classified_by_evolution_alone(tmp_path):
    accuracies = [result.metrics["test"]["accuracy"] for result in results("digits", range(1, 4), tmp_path)]
    assert min(accuracies) > 0.9


@pytest.mark.skipif(not MNIST.is_dir(), reason="$VYNAPSE_DATA is not set or holds no mnist")
def test_mnist_is_classified_by_evolution_alone(tmp_path):
    (result,) = results("mnist_evolution", [1], tmp_path, "stop.steps=200")
    assert result.metrics["test"]["accuracy"] > 0.75
