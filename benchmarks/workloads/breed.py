# SPDX-License-Identifier: MIT OR Apache-2.0
"""Breed and evaluate a generation of 200 networks of 50,890 weights, of which 7% are mutated.

A generation is: parents by tournaments of three, normal noise on 7% of the offspring's genes, the offspring evaluated
on 200 images, and the best of parents and offspring survive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from images import images
from ours import Samples, devices, experiment, first_genes
from sides import OURS, Bar, Contest, Maker, Options, Side, gathered

from vynapse_core import Experiment, Genes
from workloads.breed_peers import PEERS
from workloads.evaluate_peers import Problem

LAYERS = (784, 64, 10)
GENERATIONS = 5
TRAINER = {
    "type": "evolution",
    "selection": {"type": "tournament", "size": 3},
    "crossover": "none",
    "mutation": {"type": "gaussian", "sigma": 0.05, "rate": 0.07},
    "replacement": "plus",
}


def contests(name: str, options: Options) -> Iterator[Contest]:
    """Yield the one contest."""
    networks, samples = (20, 20) if options.small else (200, 200)
    x, y, source = images(samples, options.mnist)
    task = Samples.of(x, y, LAYERS[-1], "cross_entropy")
    genome = {"type": "mlp", "layers": LAYERS, "activation": "relu"}
    trainer = TRAINER | {"population": networks}
    reference = experiment(task, genome, {"type": "reference"}, trainer)
    genes = first_genes(reference, networks)
    expected = -reference.evaluate(Genes(genes), 0)
    ours = {f"{OURS}, {device} device": _maker(task, genome, device, trainer) for device in devices()}
    sides, absent = gathered(ours | PEERS, Problem(genes, x, y, LAYERS), GENERATIONS, expected=expected)
    yield Contest(
        f"Breed and evaluate {networks} networks of 50,890 weights on {samples} images, 7% of the weights mutated",
        sides,
        absent,
        bars=(Bar(5, "PyTorch, plain"),),
        quality=f"loss after {GENERATIONS} generations",
        notes=(f"{source}; the time of a generation, of {GENERATIONS} from the same first population",),
    )


def _maker(task: Samples, genome: Any, device: str, trainer: Any) -> Maker:
    def make(problem: Problem, generations: int) -> Side:
        made = experiment(task, genome, {"type": device}, trainer)
        first = _started(made, problem.genes)

        def call() -> float:
            state = first
            for _ in range(generations):
                state, report = made.trainer.step(made, state)
            return -report.best

        return Side(
            device,
            call,
            units=generations,
            blas_threads=1,
            proof=lambda: -made.evaluate(Genes(problem.genes), 0),
            reached=float,
        )

    return make


def _started(made: Experiment, genes: Any) -> Any:
    """Return the trainer's state whose first population has the given genes."""
    state = made.trainer.start(made)
    population = replace(state.population, genes=Genes(genes), fitness=made.evaluate(Genes(genes), 0))
    return replace(state, population=population)
