# SPDX-License-Identifier: MIT OR Apache-2.0
"""A genetic algorithm on XOR, 2-4-1: `vynapse run`'s own loop with its files against whole libraries.

Everybody evaluates as many offspring as there are individuals, crosses them and adds noise to all genes; operators and
survival are those of each library that come nearest to the recipe, and the loss reached is printed beside the time.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from ours import Stopwatch, catalogue, devices
from sides import OURS, Bar, Contest, Maker, Options, Side, gathered

from vynapse_core import Array, Experiment, load_recipe, wire
from vynapse_core.experiment import with_seed
from vynapse_core.folder import named_folder
from vynapse_core.run import run_experiment
from workloads.xor_peers import PEERS, Training

RECIPE = Path(__file__).parents[2] / "examples" / "xor.toml"
GENERATIONS = 200
FEWEST = 2
BARS = {
    "xor": (100, (Bar(10, "DEAP"), Bar(5, "EvoTorch"), Bar(1, "evosax, compiled scan"))),
    "xor_large": (10_000, (Bar(2, "evosax"), Bar(100, "DEAP"))),
}


def contests(name: str, options: Options) -> Iterator[Contest]:
    """Yield the contest of a population's size."""
    population, bars = BARS[name]
    generations = 20 if options.small else GENERATIONS
    problem = Problem.of(population // 10 if options.small else population, generations)
    expected = problem.losses(problem.genes[:50])
    with TemporaryDirectory() as folder:
        ours = {
            f"{OURS}, {device} device{', whole run' * (not loop)}": _maker(_vynapse(device, Path(folder), loop))
            for device in devices()
            for loop in (True, False)
        }
        peers = {peer: _maker(train) for peer, train in PEERS.items()}
        sides, absent = gathered(ours | peers, problem, options.seconds, expected=expected)
        yield Contest(
            f"Genetic algorithm on XOR, 2-4-1, population {problem.population:,}",
            sides,
            absent,
            unit="generations",
            bars=bars,
            quality="loss reached",
            notes=(
                f"{generations} generations from the same first population, unless a side says otherwise; "
                "Vynapse writes metrics.csv, events.jsonl, the checkpoint and the result, the others write nothing",
            ),
        )


@dataclass(frozen=True)
class Problem:
    """What all sides are given."""

    population: int
    generations: int
    genes: Array
    """The first population, float32 [P, 17]: weights [4, 2], biases [4], weights [1, 4], bias."""
    experiment: Experiment

    @staticmethod
    def of(population: int, generations: int) -> Problem:
        """Return the problem of a population's size."""
        made = _experiment("reference", population, generations)
        return Problem(population, generations, made.genome.initial(population, made.streams("initial")).values, made)

    def losses(self, genes: Array) -> Array:
        """Return the mean squared errors [P] of `genes` on the reference device."""
        return _losses(self.experiment, genes)


def _experiment(device: str, population: int, generations: int) -> Experiment:
    overrides = (
        f"trainer.population={population}",
        f"stop.steps={generations}",
        "stop.solved=false",
        f"device.type={device}",
        'observers=["stopwatch"]',
    )
    made = wire(load_recipe(RECIPE, overrides=overrides, catalogue=catalogue()), catalogue=catalogue())
    # without what prints to the terminal, as `vynapse run --quiet` does
    kept = tuple(observer for observer in made.recipe.observers if type(observer).__name__ != "Console")
    return replace(made, recipe=made.recipe.model_copy(update={"observers": kept}))


def _vynapse(device: str, root: Path, loop: bool) -> Callable[[Problem], Training]:
    """Return the run, of which the loop counts or all that `vynapse run` does once the recipe is read."""
    numbers = iter(range(10**9))

    def make(problem: Problem) -> Training:
        # reading and checking a recipe is start-up, which has a workload of its own
        taken: list[float] = []
        wired = cache(lambda generations: _experiment(device, problem.population, generations))

        def train(generations: int) -> float:
            number, made = next(numbers), wired(generations)
            folder = root / f"{device}-{loop}-{number}"
            result = run_experiment(with_seed(made, number), named_folder(folder))
            shutil.rmtree(folder)
            (watch,) = (observer for observer in made.recipe.observers if isinstance(observer, Stopwatch))
            taken[:] = [watch.seconds]
            return result.metrics["train"]["loss"]

        def losses(genes: Array) -> Array:
            return _losses(wired(problem.generations), genes)

        return Training(train, losses, clock=taken.pop if loop else None)

    return make


def _losses(made: Experiment, genes: Array) -> Array:
    like = made.genome.initial(1, made.streams("initial"))
    return -made.evaluate(replace(like, values=genes), 0)


def _maker(make: Callable[[Problem], Training]) -> Maker:
    """Return the maker of a side that trains for as many generations as its time allows, all of them if it can."""

    def side(problem: Problem, seconds: float) -> Side:
        training = make(problem)
        generations = _affordable(training, problem.generations, seconds)
        fewer = f"{generations} generations a call"
        return Side(
            "",
            lambda: training.train(generations),
            units=generations,
            proof=lambda: training.losses(problem.genes[:50]),
            reached=float,
            clock=training.clock,
            note="; ".join(filter(None, (training.note, fewer * (generations < problem.generations)))),
        )

    return side


def _affordable(training: Training, wanted: int, seconds: float) -> int:
    # of the same length, since a compiled scan is compiled for its length
    training.train(FEWEST)
    began = time.perf_counter()
    training.train(FEWEST)
    taken = (time.perf_counter() - began) / FEWEST
    return int(np.clip(20 * seconds / taken, FEWEST, wanted))
