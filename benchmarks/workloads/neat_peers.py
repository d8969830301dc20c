# SPDX-License-Identifier: MIT OR Apache-2.0
"""The peers of the workload `neat`: NEAT on XOR by neat-python's configuration, as their pages recommend it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sides import AbsentError, Side

X = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
Y = (0.0, 1.0, 1.0, 0.0)


def _real(name: str, power: float, rate: float, replace: float, spread: float = 1.0, mean: float = 0.0) -> Any:
    """Return the options of a kind of real genes."""
    options = {
        "init_mean": mean,
        "init_stdev": spread,
        "init_type": "gaussian",
        "max_value": 30.0,
        "min_value": -30.0,
        "mutate_power": power,
        "mutate_rate": rate,
        "replace_rate": replace,
    }
    return {f"{name}_{option}": value for option, value in options.items()}


def _one(name: str, value: str) -> Any:
    """Return the options of genes that are all of one sort."""
    return {f"{name}_default": value, f"{name}_options": value, f"{name}_mutate_rate": 0.0}


XOR: Mapping[str, Mapping[str, Any]] = {
    "NEAT": {
        "fitness_criterion": "max",
        "fitness_threshold": 3.9,
        "no_fitness_termination": True,
        "reset_on_extinction": False,
    },
    "DefaultGenome": {
        **_one("activation", "sigmoid"),
        **_one("aggregation", "sum"),
        **_real("bias", 0.5, 0.7, 0.1),
        **_real("response", 0.0, 0.0, 0.0, spread=0.0, mean=1.0),
        **_real("weight", 0.5, 0.8, 0.1),
        "compatibility_disjoint_coefficient": 1.0,
        "compatibility_weight_coefficient": 0.5,
        "conn_add_prob": 0.5,
        "conn_delete_prob": 0.5,
        "node_add_prob": 0.2,
        "node_delete_prob": 0.2,
        "single_structural_mutation": False,
        "structural_mutation_surer": "default",
        "enabled_default": True,
        "enabled_mutate_rate": 0.01,
        "enabled_rate_to_true_add": 0.0,
        "enabled_rate_to_false_add": 0.0,
        "feed_forward": True,
        "initial_connection": "full",
        "num_hidden": 0,
        "num_inputs": 2,
        "num_outputs": 1,
    },
    "DefaultSpeciesSet": {"compatibility_threshold": 3.0},
    "DefaultStagnation": {"species_fitness_func": "max", "max_stagnation": 20, "species_elitism": 2},
    "DefaultReproduction": {"elitism": 2, "survival_threshold": 0.2, "min_species_size": 2},
}
"""neat-python's configuration of its example `xor`, without the end that a solution would make of the run."""


def configuration(**changes: Mapping[str, Any]) -> Any:
    """Return neat-python's configuration of its example `xor`, with some options changed: `NEAT={"pop_size": 150}`."""
    import neat

    tables = {name: {**table, **changes.get(name, {})} for name, table in XOR.items()}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config"
        path.write_text("\n".join(_ini(tables)), encoding="utf-8")
        parts = (neat.DefaultGenome, neat.DefaultReproduction, neat.DefaultSpeciesSet, neat.DefaultStagnation)
        return neat.Config(*parts, str(path))


def neat_python(problem: Any) -> Side:
    """`Population.run` without reporters."""
    import neat

    config = configuration(NEAT={"pop_size": problem.population})

    def fitness(network: Any) -> float:
        return 4.0 - sum((network.activate(x)[0] - y) ** 2 for x, y in zip(X, Y, strict=True))

    def evaluate(genomes: Any, config: Any) -> None:
        for _, genome in genomes:
            genome.fitness = fitness(neat.nn.FeedForwardNetwork.create(genome, config))

    def proof() -> Any:
        found = []
        for w1, w2, bias in problem.genes.tolist():
            genome = neat.DefaultGenome(0)
            genome.configure_new(config.genome_config)
            genome.nodes[0].bias = bias
            for number, weight in ((-1, w1), (-2, w2)):
                genome.connections[number, 0].weight = weight
            found.append(fitness(neat.nn.FeedForwardNetwork.create(genome, config)))
        return found

    count = iter(range(10**9))

    def call() -> float:
        random.seed(next(count))
        return float(neat.Population(config).run(evaluate, problem.generations).fitness)

    # a genome can only be made by someone who numbers innovations
    neat.Population(config)
    return Side("", call, units=problem.generations, proof=proof, reached=float)


def _ini(tables: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [line for name, table in tables.items() for line in (f"[{name}]", *(f"{k} = {v}" for k, v in table.items()))]


def tensorneat(problem: Any) -> Side:
    """Nothing: its authors publish it as a repository only, so that no environment of these benchmarks has it."""
    raise AbsentError("not in the package registry, so not run")


PEERS: dict[str, Callable[[Any], Side]] = {"neat-python": neat_python, "TensorNEAT": tensorneat}
