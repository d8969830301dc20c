# SPDX-License-Identifier: MIT OR Apache-2.0
"""Memory: what evaluating a population takes beside its weights, its data and its results.

    python benchmarks/memory.py                                     # prints Markdown
    python benchmarks/memory.py --markdown-into docs/benchmarks.md
    python benchmarks/memory.py --small                             # small sizes, to try the program

Each case is a process of its own. It notes its memory after each stage: as much as it holds then, and the most that it
has held during the stage. Linux only, whose `/proc` tells both.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
import page
from tables import machine_lines

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
MIB = 2**20
CALLS = 5
"""Evaluations: what the later ones add is not wanted."""


@dataclass(frozen=True)
class Case:
    """Networks to be evaluated on samples."""

    title: str
    layers: tuple[int, ...]
    activation: str
    loss: str
    networks: int
    samples: int
    limit: int | None = None
    """Most bytes that the process may take."""


CASES = {
    "tiny": Case("100,000 networks 2-8-1 on 4 samples", (2, 8, 1), "tanh", "mse", 100_000, 4),
    "images": Case(
        "200 networks 784-64-10 on 60,000 images", (784, 64, 10), "relu", "cross_entropy", 200, 60_000, 2 * 2**30
    ),
}
SMALL = 100
"""By how much `--small` divides the larger of networks and samples."""


def main() -> None:
    """Measure the cases, each in a process that this program starts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="numba", help="name of the device (default: numba)")
    parser.add_argument("--small", action="store_true", help="take small sizes, to try the program")
    parser.add_argument("--mnist", type=Path, help="folder of MNIST's files (default: $VYNAPSE_DATA/mnist)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    parser.add_argument(
        "--markdown-into", type=Path, metavar="FILE", help="put the tables between <!-- memory --> and <!-- /memory -->"
    )
    parser.add_argument("--case", choices=CASES, help="measure one case in this process, and print its stages as JSON")
    arguments = parser.parse_args()
    if not (STATUS.exists() and RESET.exists()):
        parser.error(f"this system has no {STATUS} and {RESET}, which tell a process's memory; Linux has")
    into = arguments.markdown_into
    if into and (missing := page.missing(into, "memory")):
        parser.error(missing)
    if arguments.case:
        print(json.dumps(stages(arguments.case, arguments.device, arguments.small, arguments.mnist)))
        return
    found = {name: _in_a_process(name, arguments) for name in CASES}
    about = machine.described() | {"load_before": machine.load(), "peak": {}}
    lines = [*machine_lines(about), f"- device {arguments.device}"]
    if arguments.small:
        lines.append("- **small sizes only: these figures mean nothing**")
    for name, measured in found.items():
        lines += ["", *case_lines(CASES[name], measured)]
    print(*lines, sep="\n")
    if arguments.json:
        values = {"machine": about, "bytes": found}
        arguments.json.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    if into:
        page.put(into, "memory", lines)


def stages(name: str, device: str, small: bool, mnist: Path | None) -> list[dict[str, Any]]:
    """Return what this process does to evaluate a case: {stage, needed, held, most}, in bytes.

    `needed` is the size of the arrays that a stage makes, `held` what the process holds after it, `most` what it held
    at most meanwhile.
    """
    from images import default_folder, images
    from ours import Samples, experiment
    from threadpoolctl import threadpool_limits
    from workloads import tiny

    from vynapse_core import Streams

    case, found, initial = CASES[name], list[dict[str, Any]](), Streams(0)("initial")

    def note(stage: str, needed: int | None = None) -> None:
        found.append({"stage": stage, "needed": needed, **taken()})

    def evaluations(x: Any, y: Any) -> Any:
        task = Samples.of(x, y, case.layers[-1], case.loss)
        return experiment(task, {"type": "mlp", "layers": case.layers, "activation": case.activation}, {"type": device})

    networks, samples = case.networks, case.samples
    if small:
        networks, samples = (networks // SMALL, samples) if networks > samples else (networks, samples // SMALL)
    # as in a run: devices have threads of their own
    with threadpool_limits(1, "blas"):
        # a few networks on few samples: kernels are then compiled, and belong to the process
        few = images(4, None)[:2] if name == "images" else (tiny.X, tiny.Y)
        made = evaluations(*few)
        made.evaluate(made.genome.initial(4, initial), 0)
        note("Python, libraries, compiled kernels")
        x, y = images(samples, mnist or default_folder())[:2] if name == "images" else (tiny.X, tiny.Y)
        made = evaluations(x, y)
        note("data", x.nbytes + y.nbytes)
        rows = made.genome.initial(networks, initial)
        note("weights", rows.values.nbytes)
        for _ in range(CALLS):
            fitness = made.evaluate(rows, 0)
            note("evaluation", fitness.nbytes)
    first, *later = found[3:]
    again = later[-1] | {"stage": f"evaluation, {CALLS - 1} more", "most": max(one["most"] for one in later)}
    return [*found[:3], first, again]


def taken() -> dict[str, int]:
    """Return the bytes that this process holds, and the most since the last call."""
    fields = dict(line.split(":", 1) for line in STATUS.read_text(encoding="ascii").splitlines())
    RESET.write_text("5", encoding="ascii")
    return {"held": _bytes(fields["VmRSS"]), "most": _bytes(fields["VmHWM"])}


def _bytes(field: str) -> int:
    return int(field.removesuffix("kB")) * 1024


def _in_a_process(name: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    command = [sys.executable, __file__, "--case", name, "--device", arguments.device]
    command += ["--small"] * arguments.small
    command += ["--mnist", str(arguments.mnist)] if arguments.mnist else []
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def case_lines(case: Case, found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a case's table, and what it comes to."""
    yield f"### Memory to evaluate {case.title}"
    yield ""
    yield "| stage | arrays, MiB | held after it, MiB | most during it, MiB |"
    yield "|---|---:|---:|---:|"
    for one in found:
        needed = "" if one["needed"] is None else _mib(one["needed"])
        yield f"| {one['stage']} | {needed} | {_mib(one['held'])} | {_mib(one['most'])} |"
    yield ""
    before, evaluations = found[2]["held"], found[3:]
    added = max(one["most"] for one in evaluations) - before
    most = max(one["most"] for one in found)
    hidden = case.networks * case.samples * sum(case.layers[1:]) * 4
    yield (
        f"- evaluating adds {_mib(added)} MiB at most to the process with its data and weights; all values of all "
        f"layers at once would be {_mib(hidden)} MiB"
    )
    if case.limit:
        word = "reached" if most <= case.limit else "missed"
        yield f"- bar ≤ {case.limit / MIB:,.0f} MiB for the whole process: {word}, {_mib(most)} MiB"
    else:
        yield f"- the whole process: {_mib(most)} MiB at most"


def _mib(number: int) -> str:
    value = number / MIB
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 0.1 else "< 0.1"


if __name__ == "__main__":
    main()
