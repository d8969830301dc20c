# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse profile`: where a recipe's time is, op by op."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vynapse_autodiff.static.workload import Workload
    from vynapse_core import Device, Graph


@click.command(
    name="profile",
    epilog="\b\nExamples:\n  vynapse profile examples/xor.toml\n"
    "  vynapse profile examples/mnist_mlp.toml --level 0 --trace trace.json",
)
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Set a key, e.g. trainer.batch=64.")
@click.option("--mode", metavar="NAME", help="Use the recipe's alternative [mode.NAME].")
@click.option(
    "--level",
    type=click.IntRange(0, 3),
    default=1,
    show_default=True,
    help="Optimization of the graph that is profiled: 0 and 1 node by node, 2 and 3 by fused regions.",
)
@click.option("--repeats", type=click.IntRange(1), default=20, show_default=True, help="Calls; the fastest counts.")
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="Threads for long nodes.")
@click.option(
    "--recompute",
    type=click.FloatRange(0, min_open=True),
    metavar="SHARE",
    help="Say how far the peak of memory falls if values are computed again, for this share of operations more.",
)
@click.option(
    "--trace",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write events for chrome://tracing or Perfetto, as JSON.",
)
@click.option(
    "--dot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the graph before and after the passes for Graphviz, what they removed red, what they added green.",
)
def command(
    recipe: Path,
    overrides: tuple[str, ...],
    mode: str | None,
    level: int,
    repeats: int,
    threads: int,
    recompute: float | None,
    trace: Path | None,
    dot: Path | None,
) -> None:
    """Time a recipe's ops, one by one.

    They are those that it computes over and over: for a trainer by gradients a training step, else an evaluation. NumPy
    computes them, each timed by itself; the time of the whole, compiled by the recipe's device, stands below.
    """
    from threadpoolctl import threadpool_limits

    from vynapse_autodiff.passes.difference import dot_difference
    from vynapse_autodiff.passes.optimize import optimize
    from vynapse_autodiff.static.profile import profile, table, trace_events
    from vynapse_autodiff.static.workload import workload
    from vynapse_core import load_recipe, wire

    for option, path in (("--trace", trace), ("--dot", dot)):
        if path is not None and not path.absolute().parent.is_dir():
            raise click.BadParameter(f"the folder {path.parent} does not exist", param_hint=option)
    experiment = wire(load_recipe(recipe, mode=mode, overrides=overrides))
    work = workload(experiment)
    graph = work.graph.live(leaves=True)
    found = optimize(graph, level, experiment.catalogue.ops)
    # what is measured computes as a run does: BLAS with one thread
    with threadpool_limits(1, "blas"):
        seen = profile(found, work.arrays, work.inputs, work.per_network, repeats, experiment.catalogue.ops, threads)
        whole = _whole(work, experiment.recipe.device, repeats)
    click.echo(f"{work.what}, node by node in NumPy at optimization level {level}\n")
    for line in table(seen):
        click.echo(line)
    click.echo("")
    for report in found.reports:
        if report.changes:
            click.echo(str(report))
    click.echo(str(seen.plan))
    if recompute is not None:
        click.echo(_recomputed(found.graph, seen.sizes, recompute))
    name = experiment.catalogue.name_of(type(experiment.recipe.device))
    click.echo(f"compiled by the device {name}: {whole * 1e6:,.1f} µs a call")
    if trace is not None:
        trace.write_text(json.dumps(trace_events(seen, work.what)), encoding="utf-8")
        click.echo(f"trace: {trace}")
    if dot is not None:
        dot.write_text(dot_difference(graph, found.graph), encoding="utf-8")
        click.echo(f"graph: {dot}")


def _recomputed(graph: Graph, sizes: Mapping[str, int], share: float) -> str:
    """Return what rematerialisation gains and costs, in the order of least memory."""
    from vynapse_autodiff.gradient import known_ops
    from vynapse_autodiff.passes.fusion import singles
    from vynapse_autodiff.passes.rematerialise import rematerialise
    from vynapse_autodiff.static.memory_order import memory_order, reordered

    order = memory_order(graph, singles(graph), sizes, known_ops(graph))
    return str(rematerialise(reordered(graph, order), sizes, share))


def _whole(work: Workload, device: Device, repeats: int) -> float:
    """Return the seconds of the fastest call of the graph, compiled by the recipe's device."""
    from time import perf_counter

    program = device.compile(work.graph, work.per_network)
    program(work.arrays, work.inputs)
    times = []
    for _ in range(repeats):
        start = perf_counter()
        program(work.arrays, work.inputs)
        times.append(perf_counter() - start)
    return min(times)
