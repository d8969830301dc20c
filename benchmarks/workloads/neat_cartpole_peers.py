# SPDX-License-Identifier: MIT OR Apache-2.0
"""The peer of the workload `neat_cartpole`: neat-python with Gymnasium, as its own example of that task does it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sides import Side

from workloads.neat_peers import configuration


@dataclass(frozen=True)
class Problem:
    """What all sides are given."""

    population: int
    episodes: int
    """That each network plays in each generation."""
    generations: int
    """After the first population."""


def neat_python(problem: Problem) -> Side:
    """`Population.run` without reporters; networks play one after the other, by `activate` and `step`."""
    import gymnasium
    import neat

    ends = {"num_inputs": 4, "num_outputs": 2}
    config = configuration(NEAT={"pop_size": problem.population}, DefaultGenome=ends)
    environment = gymnasium.make("CartPole-v1")
    played = 0

    def balanced(network: Any, seed: int) -> int:
        seen, _ = environment.reset(seed=seed)
        for step in range(1, 501):
            left, right = network.activate(seen.tolist())
            seen, _, fallen, cut, _ = environment.step(int(right > left))
            if fallen or cut:
                return step
        return 500

    def evaluate(genomes: Any, config: Any) -> None:
        nonlocal played
        for _, genome in genomes:
            network = neat.nn.FeedForwardNetwork.create(genome, config)
            steps = sum(balanced(network, seed) for seed in range(problem.episodes))
            played += steps
            genome.fitness = steps / problem.episodes

    def call() -> float:
        random.seed(0)
        # its first generation is the first population
        return float(neat.Population(config).run(evaluate, problem.generations + 1).fitness)

    call()
    return Side("", call, units=float(played), reached=float)


PEERS: dict[str, Callable[[Any], Side]] = {"neat-python with Gymnasium": neat_python}
