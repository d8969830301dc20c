# SPDX-License-Identifier: MIT OR Apache-2.0
"""NEAT on XOR by neat-python's configuration: `vynapse run`'s own loop with its files against whole libraries.

All run for as many generations, solved or not; the best fitness reached is printed beside the time.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from ours import Stopwatch, catalogue, devices
from sides import OURS, Bar, Contest, Options, Side, gathered

from vynapse_core import Array, Experiment, wire
from vynapse_core.experiment import with_seed
from vynapse_core.folder import named_folder
from vynapse_core.recipe import build
from vynapse_core.run import run_experiment
from vynapse_core.source import Source
from workloads.neat_peers import PEERS

SIZES = {
    "neat_150": (150, 200, (Bar(20, "neat-python"),)),
    "neat_1000": (1_000, 60, (Bar(100, "neat-python"),)),
    "neat_10000": (10_000, 20, (Bar(200, "neat-python"), Bar(30, "TensorNEAT"))),
}
"""Population, generations and bars by workload."""
SLOW = ("reference",)
"""Devices on which routines are Python's own loops."""


@dataclass(frozen=True)
class Problem:
    """What all sides are given."""

    population: int
    generations: int
    genes: Array
    """Networks without hidden nodes that all must find equally fit, float32 [n, 3]: two weights and a bias."""


def contests(name: str, options: Options) -> Iterator[Contest]:
    """Yield the contest of a population's size."""
    population, generations, bars = SIZES[name]
    if options.small:
        population, generations = max(population // 100, 10), 3
    genes = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
    problem = Problem(population, generations, genes)
    with TemporaryDirectory() as folder:
        ours = {
            f"{OURS}, {device} device{', whole run' * (not loop)}": _vynapse(device, Path(folder), loop)
            for device in devices()
            if options.small or device not in SLOW
            for loop in (True, False)
        }
        made = _experiment("reference", problem)
        sides, absent = gathered(ours | PEERS, problem, expected=_fitness(made, genes))
        yield Contest(
            f"NEAT on XOR, neat-python's configuration, population {population:,}",
            sides,
            absent,
            unit="generations",
            bars=bars,
            quality="best fitness",
            notes=(
                f"{generations} generations from a first population of one's own; 4 is the highest fitness, 3.9 counts "
                "as solved",
                "Vynapse writes metrics.csv, species.csv, events.jsonl, the checkpoint and the result, others nothing",
            ),
        )


def evolving(device: str, task: Mapping[str, Any], population: int, generations: int) -> Experiment:
    """Return NEAT by neat-python's configuration on a task, solved or not, with a stopwatch."""
    tree = {
        "task": task,
        "genome": {"type": "neat", "preset": "neat-python"},
        "trainer": {"type": "neat", "preset": "neat-python", "population": population},
        "stop": {"steps": generations, "solved": False},
        "device": {"type": device},
        "observers": ["stopwatch"],
    }
    made = wire(build(Source(tree, "benchmark"), catalogue()), catalogue=catalogue())
    # without what prints to the terminal, as `vynapse run --quiet` does
    kept = tuple(observer for observer in made.recipe.observers if type(observer).__name__ != "Console")
    return replace(made, recipe=made.recipe.model_copy(update={"observers": kept}))


def _experiment(device: str, problem: Problem) -> Experiment:
    return evolving(device, {"type": "xor", "criterion": "neat-python"}, problem.population, problem.generations)


def _vynapse(device: str, root: Path, loop: bool) -> Callable[[Problem], Side]:
    """Return the run, of which the loop counts or all that `vynapse run` does once the recipe is read."""
    numbers = iter(range(10**9))

    def make(problem: Problem) -> Side:
        # reading and checking a recipe is start-up, which has a workload of its own
        made = _experiment(device, problem)
        (watch,) = (observer for observer in made.recipe.observers if isinstance(observer, Stopwatch))

        def run() -> float:
            number = next(numbers)
            folder = root / f"{device}-{loop}-{number}"
            result = run_experiment(with_seed(made, number), named_folder(folder))
            shutil.rmtree(folder)
            return result.best_fitness or 0.0

        return Side(
            "",
            run,
            units=problem.generations,
            proof=lambda: _fitness(made, problem.genes),
            reached=float,
            clock=(lambda: watch.seconds) if loop else None,
        )

    return make


def _fitness(made: Experiment, networks: Array) -> Array:
    """Return the fitness of networks of two weights and a bias."""
    genes = made.genome.initial(len(networks), made.streams("initial"))
    values, places = np.zeros_like(genes.values), genes.structure["innovation"].shape[1]
    values[:, :2], values[:, places + 2] = networks[:, :2], networks[:, 2]
    return made.evaluate(replace(genes, values=values), 0)
