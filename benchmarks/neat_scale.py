# SPDX-License-Identifier: MIT OR Apache-2.0
"""NEAT's networks in numbers: how fast they are evaluated beside what the machine can do, and what memory they take.

    python benchmarks/neat_scale.py                                     # prints Markdown
    python benchmarks/neat_scale.py --markdown-into docs/benchmarks.md
    python benchmarks/neat_scale.py --small                             # few networks, to try the program

Networks have grown by mutation alone, a node and a connection at a time, so that no two are alike. Memory is that of
processes of their own, which `/proc` tells on Linux only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import machine
import numpy as np
import page
from memory import MIB, RESET, STATUS, taken
from tables import machine_lines

NETWORKS, LINKS, SAMPLES = 1_000, 200, 1_000
INDIVIDUALS, GENERATIONS = 10_000, 5
LIMIT = 1024 * MIB
"""Most bytes that the process of a population may take."""
INPUTS = 8
SECONDS = 3.0
"""Time given to repetitions, of which the fastest counts."""


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="take few networks, to try the program")
    parser.add_argument("--markdown-into", type=Path, metavar="PAGE", help="put the lines into its section neat-scale")
    parser.add_argument("--population", action="store_true", help="evolve the population in this process, print JSON")
    arguments = parser.parse_args()
    if not (STATUS.exists() and RESET.exists()):
        parser.error(f"this system has no {STATUS} and {RESET}, which tell a process's memory; Linux has")
    if arguments.markdown_into and (lack := page.missing(arguments.markdown_into, "neat-scale")):
        parser.error(lack)
    if arguments.population:
        print(json.dumps(population(INDIVIDUALS // 100 if arguments.small else INDIVIDUALS)))
        return
    peak = machine.peak(SECONDS / 6)
    lines = [*machine_lines(machine.described() | {"load_before": machine.load(), "peak": peak}), ""]
    lines += evaluation_lines(NETWORKS // 100 if arguments.small else NETWORKS, max(peak.values()))
    command = [sys.executable, __file__, "--population", *["--small"] * arguments.small]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    word = "reached" if found["most"] <= LIMIT else "missed"
    lines += [
        f"- {found['individuals']:,} genomes of {found['connections']:.0f} connections on average, {GENERATIONS} "
        f"generations of the trainer: at most {found['most'] / MIB:,.0f} MiB for the whole process, "
        f"{found['before'] / MIB:,.0f} MiB of it Python, libraries and machine code; the genes of a generation are "
        f"{found['genes'] / MIB:,.0f} MiB",
        f"- bar ≤ {LIMIT / MIB:,.0f} MiB: {word}",
    ]
    print("\n".join(lines))
    if arguments.markdown_into:
        page.put(arguments.markdown_into, "neat-scale", lines)


def evaluation_lines(networks: int, peak: float) -> list[str]:
    """Return what evaluating networks on samples takes; `peak` is in GFLOP/s."""
    from ours import Samples, experiment

    rng = np.random.default_rng(0)
    x = rng.standard_normal((SAMPLES, INPUTS)).astype(np.float32)
    task = Samples.of(x, rng.standard_normal((SAMPLES, 1)).astype(np.float32), 1, "mse")
    seconds = {}
    for activation in ("identity", "tanh"):
        genome = {"type": "neat", "inputs": INPUTS, "outputs": 1, "activations": [activation]}
        made = experiment(task, genome, {"type": "numba"}, {"type": "neat", "population": networks})
        genes = grown(made, networks, LINKS)
        seconds[activation] = fastest(lambda made=made, genes=genes: made.evaluate(genes, 0))
    decode = made.genome.on(made.recipe.device)
    decoding = fastest(lambda: decode(genes))
    arrays = decode(genes).arrays
    links = int(arrays["ends"][np.arange(networks), arrays["evaluated"] - 1].sum())
    nodes, whole = int(arrays["evaluated"].sum()), seconds["tanh"]
    rate = links * SAMPLES / whole
    # the rest of a network stays in the nearest caches
    from_memory = genes.values.nbytes + sum(each.nbytes for each in genes.structure.values()) + x.nbytes
    return [
        f"- {networks:,} networks of {links / networks:.0f} connections and {nodes / networks:.0f} nodes that count, "
        f"on {SAMPLES:,} samples: {whole * 1000:.1f} ms, **{rate / 1e9:.2f} billion connections/s**",
        f"- of this, decoding the genes takes {decoding * 1000:.1f} ms, and {nodes * SAMPLES / 1e6:.0f} million tanh "
        f"{(whole - seconds['identity']) * 1000:.1f} ms: what a network of identities does not take",
        f"- arithmetic: 2 operations a connection are {2 * rate / 1e9:.1f} GFLOP/s, {2 * rate / 1e9 / peak:.1%} of the "
        "peak, which large products reach; activations are not counted in this",
        f"- memory: genes and samples, {from_memory / MIB:.1f} MiB, read once: {from_memory / whole / 1e9:.2f} GB/s",
    ]


def fastest(call: Any) -> float:
    """Return the seconds of the fastest call."""
    for _ in range(2):
        call()
    seconds, began = np.inf, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        before = time.perf_counter()
        call()
        seconds = min(seconds, time.perf_counter() - before)
    return seconds


def grown(made: Any, n: int, links: int) -> Any:
    """Return n genomes that have grown until they have so many enabled connections on average."""
    from vynapse_neat.breeding import mutate
    from vynapse_neat.innovation import Counters
    from vynapse_neat.rates import Change, Rates

    genome, rates = made.genome, Rates(weight=Change(genome=0.0), add_node=0.5, add_connection=1.0)
    genes, step = genome.initial(n, made.streams("initial")), 0
    counters = Counters(genome.next_node, genome.next_innovation)
    while genes.structure["enabled"].sum() < links * n:
        genes, counters = mutate(genes, genome.layout, rates, counters, made.streams("grown", step), made.recipe.device)
        step += 1
    return genes


def population(n: int) -> dict[str, float]:
    """Evolve n genomes of 200 connections each, and return what memory this process takes, in bytes."""
    from ours import Samples, experiment

    # 20 hidden nodes between 9 inputs and an output are 200 connections from the start
    tree = {"type": "neat", "preset": "neat-python", "hidden": 20, "inputs": 9, "outputs": 1}
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 9)).astype(np.float32)
    task = Samples.of(x, rng.standard_normal((4, 1)).astype(np.float32), 1, "mse")
    # machine code for a few first, which belongs to the process
    few = experiment(task, tree, {"type": "numba"}, {"type": "neat", "preset": "neat-python", "population": 20})
    few.trainer.step(few, few.trainer.start(few))
    before = taken()["held"]
    made = experiment(task, tree, {"type": "numba"}, {"type": "neat", "preset": "neat-python", "population": n})
    state = made.trainer.start(made)
    for _ in range(GENERATIONS):
        state, _ = made.trainer.step(made, state)
    genes = state.population.genes
    return {
        "individuals": n,
        "before": before,
        "most": taken()["most"],
        "connections": float(genes.structure["connections"].mean()),
        "genes": genes.values.nbytes + sum(each.nbytes for each in genes.structure.values()),
    }


if __name__ == "__main__":
    main()
