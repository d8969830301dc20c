# SPDX-License-Identifier: MIT OR Apache-2.0
"""Examinations: where no fitness tells that a task is solved, each new best network is tested."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from vynapse_core import Array, EpisodicTask, Experiment, RecipeError, wire
from vynapse_core.catalogue import Entry, installed
from vynapse_core.folder import Folder, named_folder
from vynapse_core.recipe import build
from vynapse_core.run import Result, run_experiment
from vynapse_core.source import Source


class Jump(EpisodicTask):
    """Jump once: the farther the better. Who jumps 1 far with a load of 1 and 1 far with a load of 2 has solved it."""

    load: float = 0.0
    """Taken off the way."""
    examining: bool = True
    """Whether there are examinations."""
    limit: int = 1
    """Time steps."""
    inputs: ClassVar[tuple[int, ...]] = (1,)
    outputs: ClassVar[int] = 1
    stochastic: ClassVar[bool] = False
    jumped: ClassVar[list[tuple[float, float]]] = []

    def examinations(self) -> tuple[tuple[EpisodicTask, float], ...]:
        return ((Jump(load=1.0), 1.0), (Jump(load=2.0), 1.0)) if self.examining else ()

    def reset(self, n: int, rng: Any) -> tuple[Mapping[str, Array], Array]:
        return {"place": np.zeros(n, np.float32)}, np.ones((n, 1), np.float32)

    def step(self, state: Mapping[str, Array], outputs: Array) -> tuple[Mapping[str, Array], Array, Array, Array]:
        way = outputs[:, 0] - np.float32(self.load)
        if self.load:
            self.jumped.append((self.load, float(way[0])))
        return state, np.ones((len(way), 1), np.float32), way, np.ones(len(way), bool)


def experiment(**changed: Any) -> Experiment:
    known = installed()
    entries = (*known.entries, Entry("task", "jump", Jump, "tests", "1"))
    catalogue = type(known)(known.plugins, entries, known.ops, known.kernels, known.gradients)
    tree = {
        "task": {"type": "jump"},
        "genome": {"type": "mlp", "layers": [1, 1]},
        "trainer": {"type": "evolution", "population": 8, "mutation": {"type": "gaussian", "sigma": 0.3}},
        "device": {"type": "reference"},
        "stop": {"solved": True, "steps": 200},
        **changed,
    }
    return wire(build(Source(tree), catalogue), catalogue=catalogue)


def run(folder: Folder) -> tuple[Result, list[float]]:
    Jump.jumped.clear()
    result = run_experiment(experiment(), folder)
    with folder.metrics.open(newline="") as file:
        return result, [float(row["best"]) for row in csv.DictReader(file)]


def test_the_run_ends_with_the_first_network_that_passes_them_all(tmp_path: Path) -> None:
    result, best = run(named_folder(tmp_path / "run"))
    assert (result.reason, result.status) == ("solved", "finished")
    assert result.best_fitness is not None
    assert result.best_fitness >= 3 > max(best[:-1])
    assert result.best_fitness == best[-1]


def test_a_network_sits_them_once_and_the_next_only_after_passing_the_first(tmp_path: Path) -> None:
    _, best = run(named_folder(tmp_path / "run"))
    improved = [now for step, now in enumerate(best) if now > max(best[:step], default=-np.inf)]
    first = [way for load, way in Jump.jumped if load == 1]
    second = [way for load, way in Jump.jumped if load == 2]
    np.testing.assert_allclose(first, np.array(improved[-len(first) :]) - 1, atol=1e-6)
    assert len(improved) - len(first) in (0, 1)
    np.testing.assert_allclose(second, [way - 1 for way in first if way >= 1], atol=1e-6)
    assert len(first) > len(second) > 1


def test_without_a_target_or_examinations_a_task_is_never_solved() -> None:
    with pytest.raises(RecipeError, match="does not say when it is solved"):
        experiment(task={"type": "jump", "examining": False})


def test_nobody_is_examined_where_the_recipe_does_not_ask(tmp_path: Path) -> None:
    Jump.jumped.clear()
    result = run_experiment(experiment(stop={"steps": 60}), named_folder(tmp_path / "run"))
    assert (result.reason, Jump.jumped) == ("steps", [])
