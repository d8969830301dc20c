# SPDX-License-Identifier: MIT OR Apache-2.0
"""How NEAT learns: evaluations until a task is solved, over many seeds, beside the figures of the paper.

    python benchmarks/neat_learning.py                                     # all studies; prints Markdown
    python benchmarks/neat_learning.py xor "xor, no mating" --seeds 1-20   # some of them, with other seeds
    python benchmarks/neat_learning.py --markdown-into docs/benchmarks.md

Each run has one thread. A run that has not solved its task by the end of its recipe has failed;
means are of the others, as the paper's are. The study `neat-python` runs that program beside ours, by its own example.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from math import nan, sqrt
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any

import machine
import page
from tables import machine_lines

EXAMPLES = Path(__file__).parents[1] / "examples"
GENERATIONS = 500
"""After so many, neat-python has failed."""


@dataclass(frozen=True)
class Study:
    """One row of the table."""

    recipe: str
    seeds: int
    changes: tuple[str, ...] = ()
    mode: str | None = None
    paper: str = ""
    """The paper's evaluations, failures and hidden nodes."""


FIXED = ("trainer.mutation.add_node=0.0", "trainer.mutation.add_connection=0.0")
ONE_SPECIES = ("trainer.speciation.threshold=1e9",)
NO_MATING = ("trainer.mating.crossover=0.0",)
PRESET = ('trainer={type="neat", preset="stanley2002"}',)
STUDIES = {
    "xor": Study("neat_xor", 100, paper="4,755 ± 255; none of 100 fails; 2.35 hidden nodes"),
    "xor, the preset alone": Study("neat_xor", 100, PRESET),
    "xor, any connection split": Study("neat_xor", 100, ("trainer.mutation.old_first=0",)),
    "xor, distance divided by the number of genes": Study(
        "neat_xor", 100, ("trainer.speciation.distance={rule='stanley2002'}",)
    ),
    "xor, no growth": Study("neat_xor", 20, (*FIXED, "stop.steps=200")),
    "xor, no growth, three hidden nodes from the start": Study("neat_xor", 50, (*FIXED, "genome.hidden=3")),
    "xor, no speciation": Study("neat_xor", 50, (*ONE_SPECIES, "stop.steps=500")),
    "xor, no mating": Study("neat_xor", 50, NO_MATING),
    "poles": Study("neat_double_pole", 50, paper="3,600; none fails"),
    "poles, no growth, ten hidden nodes from the start": Study(
        "neat_double_pole", 20, (*FIXED, "genome.hidden=10"), paper="30,239; 8 in 10 fail"
    ),
    "poles, no speciation": Study("neat_double_pole", 20, ONE_SPECIES),
    "poles, no speciation, ten hidden nodes from the start": Study(
        "neat_double_pole", 20, (*ONE_SPECIES, "genome.hidden=10"), paper="25,600; 1 in 4 fails"
    ),
    "poles, no mating": Study("neat_double_pole", 50, NO_MATING, paper="5,557; none fails"),
    "poles, no velocities": Study("neat_double_pole_memory", 20, paper="33,184; none of 20 fails"),
    "cartpole": Study("neat_cartpole", 20),
    "recall": Study("neat_recall", 20),
    "neat-python": Study("neat_xor", 50, mode="neat-python"),
}


@dataclass(frozen=True)
class Outcome:
    """What became of a run."""

    solved: bool
    steps: int
    evaluations: int
    hidden: int
    """Hidden nodes of the best network."""
    connections: int
    """Its connections that are enabled."""


def main() -> None:
    """Run the studies that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="*", default=list(STUDIES), help=f"some of: {', '.join(STUDIES)}")
    parser.add_argument("--seeds", help="such as 1-20; by default each study's own")
    parser.add_argument("--processes", type=int, default=2, help="how many runs go on at a time (default: 2)")
    parser.add_argument("--markdown-into", type=Path, metavar="PAGE", help="write the table there too")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.studies if name not in STUDIES]
    if unknown:
        parser.error(f"no study is called {unknown[0]!r}; known: {', '.join(STUDIES)}")
    if arguments.markdown_into and (lack := page.missing(arguments.markdown_into, "neat")):
        parser.error(lack)
    lines = [*machine_lines(machine.described() | {"load_before": machine.load(), "peak": {}}), "", *HEAD]
    print("\n".join(lines), flush=True)
    below: list[str] = []
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool:
        for name in arguments.studies:
            study = STUDIES[name]
            first, last = map(int, (arguments.seeds or f"1-{study.seeds}").split("-"))
            seeds = range(first, last + 1)
            found = list(pool.map(outcome, [study] * len(seeds), seeds))
            lines.append(row(name, found, study.paper))
            print(lines[-1], flush=True)
            if name == "neat-python":
                theirs = list(pool.map(neat_python, seeds))
                lines.append(row("neat-python itself", theirs, ""))
                print(lines[-1], flush=True)
                below = ["", compared(found, theirs)]
    print("\n".join(below))
    if arguments.markdown_into:
        page.put(arguments.markdown_into, "neat", [*lines, *below])


HEAD = (
    "| study | solved | evaluations, mean ± standard error | most | generations, mean | hidden nodes, mean "
    "| enabled connections, mean | paper |",
    "|---|---:|---:|---:|---:|---:|---:|---|",
)


def row(name: str, outcomes: Sequence[Outcome], paper: str) -> str:
    """Return a study's row of the table: means are of the runs that solved the task."""
    solved = [each for each in outcomes if each.solved]
    start = f"| {name} | {len(solved)} of {len(outcomes)} "
    if not solved:
        return f"{start}| – | – | – | – | – | {paper} |"
    evaluations = [each.evaluations for each in solved]
    error = stdev(evaluations) / sqrt(len(evaluations)) if len(evaluations) > 1 else nan
    means = [mean(getattr(each, what) for each in solved) for what in ("steps", "hidden", "connections")]
    return (
        f"{start}| {mean(evaluations):,.0f} ± {error:,.0f} | {max(evaluations):,} "
        f"| {means[0]:.1f} | {means[1]:.2f} | {means[2]:.2f} | {paper} |"
    )


def compared(ours: Sequence[Outcome], theirs: Sequence[Outcome]) -> str:
    """Return in words whether ours need more generations than theirs; a failure counts as more than any success."""
    from scipy.stats import mannwhitneyu

    some, others = ([each.steps if each.solved else 10 * GENERATIONS for each in side] for side in (ours, theirs))
    test = mannwhitneyu(some, others)
    below = test.statistic / (len(some) * len(others))
    return (
        f"Vynapse needs more generations than neat-python in {below:.0%} of pairs of runs "
        f"(Mann–Whitney, two-sided, p = {test.pvalue:.2g})."
    )


def outcome(study: Study, seed: int) -> Outcome:
    """Run a study with a seed."""
    from safetensors.numpy import load_file

    from vynapse_core import load_recipe, run_experiment, wire
    from vynapse_core.folder import named_folder

    own = ('device={type="numba", threads=1}', f"experiment.seed={seed}")
    experiment = wire(load_recipe(EXAMPLES / f"{study.recipe}.toml", mode=study.mode, overrides=(*study.changes, *own)))
    with TemporaryDirectory() as parent:
        folder = named_folder(Path(parent) / "run")
        # the observer `console` is of every run
        with redirect_stdout(StringIO()):
            result = run_experiment(experiment, folder)
        genes = load_file(folder.path / "best" / "genes.safetensors")
    hidden = int(genes["structure.nodes"][0]) - experiment.genome.layout.fixed
    enabled = int(genes["structure.enabled"].sum())
    return Outcome(result.reason == "solved", result.steps, result.evaluations, hidden, enabled)


def neat_python(seed: int) -> Outcome:
    """Run neat-python's example `xor` with a seed."""
    import neat
    from workloads.neat_peers import X, Y, configuration

    config = configuration(NEAT={"pop_size": 150, "no_fitness_termination": False})

    def evaluate(genomes: Any, config: Any) -> None:
        for _, genome in genomes:
            network = neat.nn.FeedForwardNetwork.create(genome, config)
            genome.fitness = 4.0 - sum((network.activate(x)[0] - y) ** 2 for x, y in zip(X, Y, strict=True))

    random.seed(seed)
    population = neat.Population(config)
    best = population.run(evaluate, GENERATIONS)
    steps = population.generation
    enabled = sum(gene.enabled for gene in best.connections.values())
    return Outcome(best.fitness >= 3.9, steps, 150 * (steps + 1), len(best.nodes) - 1, enabled)


if __name__ == "__main__":
    main()
