# SPDX-License-Identifier: MIT OR Apache-2.0
"""Vynapse against its peers: the same work in the same process, the sides taking turns.

    python benchmarks/compare_peers.py                              # all workloads
    python benchmarks/compare_peers.py xor tiny --seconds 1 --json peers.json
    python benchmarks/compare_peers.py --small --rounds 1           # a small part of the work, to try the programs

Prints Markdown. A peer that is not installed is a row that says so; all of them come with
`pip install numpy scipy jax torch evosax evotorch deap pygad pymoo neat-python gymnasium`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import machine
import page
from images import default_folder
from rounds import measure
from sides import Contest, Options
from tables import as_values, contest_lines, machine_lines
from workloads import WORKLOADS


def main() -> None:
    """Measure the workloads that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(WORKLOADS)}; by default all")
    parser.add_argument("--seconds", type=float, default=0.3, help="time of a side in each round (default: 0.3)")
    parser.add_argument("--rounds", type=int, default=7, help="how often each side has its turn (default: 7)")
    parser.add_argument("--small", action="store_true", help="do a small part of the work, to try the programs")
    parser.add_argument("--mnist", type=Path, help="folder of MNIST's files (default: $VYNAPSE_DATA/mnist)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    parser.add_argument(
        "--markdown-into", type=Path, metavar="FILE", help="put the tables between <!-- peers --> and <!-- /peers -->"
    )
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.workloads if name not in WORKLOADS]:
        parser.error(f"unknown workload {', '.join(unknown)}; known: {', '.join(WORKLOADS)}")
    if arguments.rounds < 1 or arguments.seconds < 0:
        parser.error("--rounds must be at least 1, and --seconds at least 0")
    if arguments.markdown_into and (missing := page.missing(arguments.markdown_into, "peers")):
        parser.error(missing)
    # threads of OpenMP that spin while they wait hold up whoever comes next; a setting of the user's own stands
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    options = Options(arguments.seconds, arguments.rounds, arguments.small, arguments.mnist or default_folder())
    values, lines = compare(arguments.workloads or list(WORKLOADS), options)
    if arguments.json:
        arguments.json.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    if arguments.markdown_into:
        page.put(arguments.markdown_into, "peers", lines)


def compare(names: list[str], options: Options) -> tuple[dict[str, Any], list[str]]:
    """Measure the named workloads; return the figures and the lines of Markdown, which are printed on the way."""
    lines: list[str] = []

    def tell(*more: str) -> None:
        lines.extend(more)
        print(*more, sep="\n", flush=True)

    about = machine.described() | {"load_before": machine.load(), "peak": machine.peak(options.seconds)}
    highest = max(about["peak"].values())
    tell(*machine_lines(about))
    if options.small:
        tell("- **a small part of the work only: these figures mean nothing**")
    contests = {}
    for name in names:
        for contest in import_module(f"workloads.{WORKLOADS[name]}").contests(name, options):
            if contest.flops:
                # what else the machine does changes, and a ceiling is what it can do at its best
                highest = max(highest, *machine.peak(options.seconds).values())
            tell("", *_measured(contest, options, highest, contests))
    about["load_after"] = machine.load()
    tell("", f"Load average after: {about['load_after']}.")
    return {"machine": about, "options": {**vars(options), "mnist": options.mnist is not None}, **contests}, lines


def _measured(contest: Contest, options: Options, peak: float, contests: dict[str, Any]) -> list[str]:
    before, began = machine.load(), time.perf_counter()
    found = measure(contest, options)
    taken = f"load average {before} before, {machine.load()} after {time.perf_counter() - began:.0f} s of measuring"
    contests.setdefault("workloads", []).append(as_values(contest, found, peak) | {"taken": taken})
    return [*contest_lines(contest, found, peak), f"- {taken}"]


if __name__ == "__main__":
    sys.exit(main())
