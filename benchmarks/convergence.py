# SPDX-License-Identifier: MIT OR Apache-2.0
"""How long the examples take over many seeds, each run a process of its own, start-up included.

    python benchmarks/convergence.py                       # all examples below
    python benchmarks/convergence.py xor powers_of_two --seeds 1-20

Prints a Markdown table: what was reached, and the wall-clock time of the whole command.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"
SEEDS = {
    "xor": "1-20",
    "powers_of_two": "1-20",
    "onemax": "1-20",
    "digits": "1-5",
    "mnist_evolution": "1-3",
    "mnist_mlp": "42-44",
    "mnist_cnn": "42-44",
}


def main() -> None:
    """Run the examples that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("examples", nargs="*", default=list(SEEDS))
    parser.add_argument("--seeds", help="such as 1-20; by default each example's own")
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}\n")
    print("| example | seeds | ended by | steps, median (most) | seconds, median (most) | reached, median (worst) |")
    print("|---|---|---|---:|---:|---|")
    for name in arguments.examples:
        first, last = map(int, (arguments.seeds or SEEDS[name]).split("-"))
        runs = [timed(EXAMPLES / f"{name}.toml", seed) for seed in range(first, last + 1)]
        print(row(name, f"{first}–{last}", runs), flush=True)


def timed(recipe: Path, seed: int) -> dict[str, object]:
    """Run a recipe in a fresh process; return its result with the seconds from command to exit."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "vynapse_core.cli", "run", str(recipe), "--seed", str(seed), "--out", str(out)]
        began = time.perf_counter()
        subprocess.run([*command, "--quiet"], check=True)
        taken = time.perf_counter() - began
        return {**json.loads((out / "result.json").read_text()), "taken": taken}


def row(name: str, seeds: str, runs: list[dict[str, object]]) -> str:
    """Return an example's row of the table."""
    reasons = ", ".join(sorted({str(run["reason"]) for run in runs}))
    steps = [int(str(run["steps"])) for run in runs]
    taken = [float(str(run["taken"])) for run in runs]
    return (
        f"| {name} | {seeds} | {reasons} | {statistics.median(steps):,.0f} ({max(steps):,}) "
        f"| {statistics.median(taken):.2f} ({max(taken):.2f}) | {reached(runs)} |"
    )


def reached(runs: list[dict[str, object]]) -> str:
    """Say what the best solutions are worth: on the test split where there is one."""
    metrics = [run["metrics"] for run in runs if isinstance(run["metrics"], dict) and run["metrics"]]
    if not metrics:
        fitness = [float(str(run["best_fitness"])) for run in runs]
        return f"fitness {statistics.median(fitness):.4g} ({min(fitness):.4g})"
    split = "test" if "test" in metrics[0] else "train"
    if split == "test" and "accuracy" in metrics[0][split]:
        values = [metric[split]["accuracy"] for metric in metrics]
        return f"{split} accuracy {statistics.median(values):.4f} ({min(values):.4f})"
    values = [metric[split]["loss"] for metric in metrics]
    return f"{split} loss {statistics.median(values):.3g} ({max(values):.3g})"


if __name__ == "__main__":
    main()
