# SPDX-License-Identifier: MIT OR Apache-2.0
"""How many evaluations NEAT needs, over many seeds, beside the figures of its papers.

    python benchmarks/neat_learning.py                    # XOR over 100 seeds, two poles over 50
    python benchmarks/neat_learning.py neat_xor --seeds 20

A run ends when the task's own criterion is met, or after 500 generations, which counts as a failure.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vynapse_core import load_recipe, wire
from vynapse_core.experiment import with_seed

EXAMPLES = Path(__file__).parents[1] / "examples"
MOST = 500
"""Generations."""


@dataclass(frozen=True)
class Problem:
    """A recipe, and what a paper says of its problem."""

    seeds: int
    evaluations: str
    hidden: str


PROBLEMS = {
    "neat_xor": Problem(100, "4,755", "2.35"),
    "neat_double_pole": Problem(50, "3,600", "–"),
}
"""Stanley & Miikkulainen 2002, sections 4.1 and 4.3.1."""


def row(name: str, seeds: int) -> str:
    """Return a line of the table: runs of one recipe."""
    recipe = load_recipe(EXAMPLES / f"{name}.toml", overrides=("device.type=numba", "device.threads=1"))
    first = wire(recipe)
    needed, hidden = [], []
    for seed in range(seeds):
        experiment = with_seed(first, seed)
        target = experiment.task.target
        state = experiment.trainer.start(experiment)
        while state.best < target and state.step < MOST:
            state, _ = experiment.trainer.step(experiment, state)
        if state.best >= target:
            nodes = int(state.champion.genes.structure["nodes"][0])
            needed.append(state.evaluations)
            hidden.append(nodes - experiment.genome.layout.fixed)
    problem = PROBLEMS[name]
    cells = (f"{np.mean(needed):,.0f} ± {_error(needed):,.0f}", f"{np.mean(hidden):.2f} ± {_error(hidden):.2f}")
    return f"| {name} | {len(needed)} of {seeds} | {cells[0]} | {problem.evaluations} | {cells[1]} | {problem.hidden} |"


def _error(values: list[int]) -> float:
    return float(np.std(values, ddof=1) / len(values) ** 0.5)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="*", default=list(PROBLEMS), help="examples, without .toml")
    parser.add_argument("--seeds", type=int, help="number of seeds, from 0 on")
    given = parser.parse_args()
    print("| example | solved | evaluations, mean ± standard error | paper | hidden nodes | paper |")
    print("|---|---|---:|---:|---:|---:|")
    for name in given.name:
        print(row(name, given.seeds or PROBLEMS[name].seeds), flush=True)


if __name__ == "__main__":
    main()
