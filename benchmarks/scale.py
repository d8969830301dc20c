# SPDX-License-Identifier: MIT OR Apache-2.0
"""Time against size: a generation of XOR against the population, an evaluation of image networks against the samples.

    python benchmarks/scale.py                                      # prints Markdown
    python benchmarks/scale.py --markdown-into docs/benchmarks.md   # and draws images/scale.svg beside that page
    python benchmarks/scale.py --small --rounds 1                   # small sizes, to try the program

Sizes take turns in rounds, and a size's time is the median of its rounds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import machine
import page
from curves import Panel, draw, exponent
from images import default_folder, images
from ours import Samples, experiment, first_genes
from rounds import measure
from sides import Contest, Options, Side
from tables import machine_lines
from threadpoolctl import threadpool_limits

from vynapse_core import Array, Experiment, Genes, load_recipe, wire

RECIPE = Path(__file__).parents[1] / "examples" / "xor.toml"
POPULATIONS = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
WARM = 2
"""Generations that are not counted: in them the device compiles and takes its memory."""
FEWEST = 2
"""Generations that a population is given in each round at least."""

LAYERS = (784, 64, 10)
NETWORKS = 200
SAMPLES = (100, 200, 600, 2_000, 6_000, 20_000, 60_000)

SMALL = 100
"""By how much `--small` divides the sizes that are above it."""


def main() -> None:
    """Measure both curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="numba", help="name of the device (default: numba)")
    parser.add_argument("--seconds", type=float, default=0.3, help="time of a size in each round (default: 0.3)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each size has its turn (default: 5)")
    parser.add_argument("--small", action="store_true", help="take small sizes, to try the program")
    parser.add_argument("--mnist", type=Path, help="folder of MNIST's files (default: $VYNAPSE_DATA/mnist)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the curves there, as SVG")
    parser.add_argument(
        "--markdown-into",
        type=Path,
        metavar="FILE",
        help="put the tables between <!-- scale --> and <!-- /scale -->, and the picture into images/ beside it",
    )
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.seconds < 0:
        parser.error("--rounds must be at least 1, and --seconds at least 0")
    into = arguments.markdown_into
    if into and (missing := page.missing(into, "scale")):
        parser.error(missing)
    options = Options(arguments.seconds, arguments.rounds, arguments.small, arguments.mnist or default_folder())
    values, lines, panels = scaled(arguments.device, options)
    picture = into.parent / "images" / "scale.svg" if into else None
    for path in filter(None, (picture, arguments.picture)):
        draw(panels, path)
    if arguments.json:
        arguments.json.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    if into:
        shown = "![Time against size, both axes logarithmic](images/scale.svg)"
        page.put(into, "scale", [*lines, "", shown])


def scaled(device: str, options: Options) -> tuple[dict[str, Any], list[str], list[Panel]]:
    """Measure; return the figures, the lines of Markdown, which are printed on the way, and what is to be drawn."""
    lines: list[str] = []

    def tell(*more: str) -> None:
        lines.extend(more)
        print(*more, sep="\n", flush=True)

    about = machine.described() | {"load_before": machine.load(), "peak": {}}
    tell(*machine_lines(about), f"- device {device}")
    if options.small:
        tell("- **small sizes only: these figures mean nothing**")
    # as in a run: devices have threads of their own
    with threadpool_limits(1, "blas"):
        generations = by_population(device, options)
        tell("", *population_lines(generations))
        samples, seconds, source = by_samples(device, options)
        tell("", *sample_lines(samples, seconds, source))
    tell("", f"Load average after: {machine.load()}.")
    values = {
        "machine": about | {"load_after": machine.load()},
        "generation": [
            {"population": one.size, "seconds_by_round": one.whole, "evaluation_by_round": one.evaluation}
            for one in generations
        ],
        "evaluation": [{"samples": size, "seconds": taken} for size, taken in zip(samples, seconds, strict=True)],
    }
    return values, lines, [population_panel(generations), sample_panel(samples, seconds)]


@dataclass(frozen=True, eq=False)
class Timed(Experiment):
    """An experiment that notes how long its evaluations take."""

    evaluations: list[float] = field(default_factory=list)

    def evaluate(self, genes: Genes, step: int | None) -> Array:
        """Return the fitness, as always."""
        began = time.perf_counter()
        fitness = super().evaluate(genes, step)
        self.evaluations.append(time.perf_counter() - began)
        return fitness


@dataclass
class Population:
    """A population of some size, and what its generations took."""

    size: int
    experiment: Timed
    first: Any
    """The trainer's state with which every round begins."""
    generations: int = FEWEST
    """In each round."""
    whole: list[float] = field(default_factory=list)
    """Median time of a generation in each round, in seconds."""
    evaluation: list[float] = field(default_factory=list)
    """Of its evaluation."""

    @property
    def seconds(self) -> tuple[float, float, float]:
        """Time of a generation, of its evaluation, and of the rest: medians of rounds."""
        rest = [whole - part for whole, part in zip(self.whole, self.evaluation, strict=True)]
        return median(self.whole), median(self.evaluation), median(rest)


def by_population(device: str, options: Options) -> list[Population]:
    """Return generations of `examples/xor.toml` for each size of its population."""
    found = [_population(size, device, options.seconds) for size in _sizes(POPULATIONS, options)]
    for number in range(options.rounds):
        for one in found[:: -1 if number % 2 else 1]:
            whole, evaluation = _generations(one.experiment, one.first, one.generations)
            one.whole.append(whole)
            one.evaluation.append(evaluation)
    return found


def _population(size: int, device: str, seconds: float) -> Population:
    made = wire(load_recipe(RECIPE, overrides=(f"trainer.population={size}", f"device.type={device}")))
    timed = Timed(made.recipe, made.catalogue)
    first = timed.trainer.start(timed)
    _generations(timed, first, WARM)
    taken, _ = _generations(timed, first, 1)
    # not past the recipe's own end
    steps = made.recipe.stop.steps or FEWEST
    return Population(size, timed, first, min(max(int(seconds / taken), FEWEST), steps))


def _generations(made: Timed, state: Any, n: int) -> tuple[float, float]:
    """Take n steps; return the median time of one, and of its evaluations, in seconds."""
    whole, evaluation = [], []
    for _ in range(n):
        made.evaluations.clear()
        began = time.perf_counter()
        state, _ = made.trainer.step(made, state)
        whole.append(time.perf_counter() - began)
        evaluation.append(sum(made.evaluations))
    return median(whole), median(evaluation)


def by_samples(device: str, options: Options) -> tuple[list[int], list[float], str]:
    """Return numbers of images, the seconds that evaluating the networks on each takes, and where images come from."""
    sizes = _sizes(SAMPLES, options)
    x, y, source = images(sizes[-1], options.mnist)
    genome = {"type": "mlp", "layers": LAYERS, "activation": "relu"}

    def side(n: int) -> Side:
        task = Samples.of(x[:n], y[:n], LAYERS[-1], "cross_entropy")
        made = experiment(task, genome, {"type": device})
        rows = Genes(first_genes(made, NETWORKS))
        return Side(f"{n}", lambda: made.evaluate(rows, 0))

    found = measure(Contest("samples", [side(n) for n in sizes]), options)
    return sizes, [one.median for one in found], source


def population_lines(found: Sequence[Population]) -> Iterator[str]:
    """Yield the table of generations."""
    sizes = [one.size for one in found]
    wholes, evaluations, rests = zip(*(one.seconds for one in found), strict=True)
    yield "### A generation of XOR, 2-4-1, against the population"
    yield ""
    yield "| individuals | ms a generation | of it evaluation | the rest | ns an individual |"
    yield "|---:|---:|---:|---:|---:|"
    for size, whole, evaluation, rest in zip(sizes, wholes, evaluations, rests, strict=True):
        cells = (whole * 1e3, evaluation * 1e3, rest * 1e3, whole / size * 1e9)
        yield f"| {size:,} | {' | '.join(map(_rounded, cells))} |"
    yield ""
    powers = (f"{exponent(sizes, times):.2f}" for times in (wholes, evaluations, rests))
    yield f"- exponent over the last decade: {next(powers)} ({next(powers)} of evaluation, {next(powers)} of the rest)"
    yield f"- the trainer's step of `examples/{RECIPE.name}`, without files; evaluation is timed within it"


def sample_lines(sizes: Sequence[int], seconds: Sequence[float], source: str) -> Iterator[str]:
    """Yield the table of evaluations."""
    inputs, hidden, outputs = LAYERS
    yield f"### Evaluate {NETWORKS} networks 784-64-10 against the images"
    yield ""
    yield "| images | ms | µs an image | GFLOP/s |"
    yield "|---:|---:|---:|---:|"
    for size, taken in zip(sizes, seconds, strict=True):
        flops = 2 * NETWORKS * size * hidden * (inputs + outputs)
        cells = (taken * 1e3, taken / size * 1e6, flops / taken / 1e9)
        yield f"| {size:,} | {' | '.join(map(_rounded, cells))} |"
    yield ""
    yield f"- exponent over the last decade: {exponent(sizes, seconds):.2f}"
    yield f"- {source}; ReLU, cross entropy; the operations of the products only are counted"


def population_panel(found: Sequence[Population]) -> Panel:
    """Return the curves of generations."""
    names = ("a generation", "of it evaluation", "the rest")
    curves = dict(zip(names, zip(*(one.seconds for one in found), strict=True), strict=True))
    return Panel("XOR, 2-4-1", "individuals", "seconds a generation", [one.size for one in found], curves)


def sample_panel(sizes: Sequence[int], seconds: Sequence[float]) -> Panel:
    """Return the curve of evaluations."""
    title = f"{NETWORKS} networks 784-64-10"
    return Panel(title, "images", "seconds an evaluation", sizes, {"an evaluation": seconds})


def _sizes(sizes: Sequence[int], options: Options) -> list[int]:
    return [size // SMALL for size in sizes if size >= 10 * SMALL] if options.small else list(sizes)


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
