# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from vynapse_core.cli import options
from vynapse_core.cli.examples import examples


@click.command(
    epilog=examples(
        "vynapse compare runs/xor runs/xor-large",
        "vynapse compare runs/xor --plot xor.png --x evaluations",
    )
)
@click.argument("runs", nargs=-1, required=True, type=options.RUN)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw the fitness curves into this PNG or SVG.",
)
@click.option(
    "--x",
    "axis",
    type=click.Choice(["step", "evaluations", "seconds"]),
    default="step",
    help="The plot's axis.",
)
@click.option("--log", is_flag=True, help="Draw fitness on a logarithmic axis.")
@click.option("--markdown", is_flag=True, help="Print Markdown.")
def command(
    runs: tuple[Path, ...],
    plot: Path | None,
    axis: Literal["step", "evaluations", "seconds"],
    log: bool,
    markdown: bool,
) -> None:
    """Compare runs, grouped by recipe.

    Mean, deviation and confidence interval over seeds, and tests between groups. A folder that holds runs stands
    for all of them.
    """
    from vynapse_core.compare import compare

    comparison = compare(runs)
    options.print_comparison(comparison, markdown=markdown)
    if plot is not None:
        from vynapse_core.plots import plot_fitness

        for note in plot_fitness(comparison, plot, x=axis, scale="log" if log else "linear"):
            click.echo(f"note: {note}", err=True)
        click.echo(f"drawn: {plot}", err=True)
