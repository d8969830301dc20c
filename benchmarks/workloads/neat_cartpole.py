# SPDX-License-Identifier: MIT OR Apache-2.0
"""NEAT on CartPole, neat-python's parameters: what counts is the time steps of the environment played in a second.

The whole loop is measured, from the first population on: episodes, species, offspring, and on our side the run's files.
Each side plays the same evolution again in each call, and has counted its time steps beforehand.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ours import Stopwatch, devices
from sides import OURS, Bar, Contest, Options, Side, gathered

from vynapse_core import Experiment
from vynapse_core.folder import named_folder
from vynapse_core.run import run_experiment
from workloads.neat import evolving
from workloads.neat_cartpole_peers import PEERS, Problem

SIZES = {"neat_cartpole_150": Problem(150, 5, 10), "neat_cartpole_1000": Problem(1_000, 5, 3)}
SLOW = ("reference",)
"""Devices on which routines are Python's own loops."""


def contests(name: str, options: Options) -> Iterator[Contest]:
    """Yield the contest of a population's size."""
    problem = SIZES[name]
    if options.small:
        problem = replace(problem, population=10, generations=1)
    with TemporaryDirectory() as folder:
        ours = {
            f"{OURS}, {device} device": _vynapse(device, Path(folder))
            for device in devices()
            if options.small or device not in SLOW
        }
        sides, absent = gathered(ours | PEERS, problem)
        yield Contest(
            f"NEAT on CartPole, population {problem.population:,}, {problem.episodes} episodes a network",
            sides,
            absent,
            unit="time steps",
            bars=(Bar(100, "neat-python"),),
            quality="best mean return",
            notes=(
                f"{problem.generations} generations from a first population of one's own, so that episodes are short",
                "Vynapse writes metrics.csv, species.csv, events.jsonl, the checkpoint and the result, others nothing",
            ),
        )


def _vynapse(device: str, root: Path) -> Callable[[Problem], Side]:
    """Return the loop of `vynapse run`."""

    def make(problem: Problem) -> Side:
        task = {"type": "cartpole", "episodes": problem.episodes}
        made = evolving(device, task, problem.population, problem.generations)
        (watch,) = (observer for observer in made.recipe.observers if isinstance(observer, Stopwatch))

        def run() -> float:
            folder = root / device
            result = run_experiment(made, named_folder(folder))
            shutil.rmtree(folder)
            return result.best_fitness or 0.0

        return Side(
            "",
            run,
            units=_played(made, problem),
            reached=float,
            clock=lambda: watch.seconds,
        )

    return make


def _played(made: Experiment, problem: Problem) -> float:
    """Return the time steps of all episodes of a run: a return is the time steps of an episode."""
    state = made.trainer.start(made)
    played = state.population.fitness.sum()
    for _ in range(problem.generations):
        state, _ = made.trainer.step(made, state)
        played += state.population.fitness.sum()
    return float(played) * problem.episodes
