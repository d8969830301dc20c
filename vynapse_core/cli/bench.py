# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse bench`."""

from __future__ import annotations

from pathlib import Path

import click

from vynapse_core.cli import options
from vynapse_core.cli.examples import examples


@click.command(
    epilog=examples(
        "vynapse bench",
        "vynapse bench --seconds 5 > machine.md",
        "vynapse bench --modes examples/xor.toml",
    )
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, 3600, min_open=True),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Time for each figure.",
)
@click.option("--modes", type=options.RECIPE, metavar="RECIPE", help="Run this recipe in each of its modes instead.")
@options.set_option
def command(seconds: float, modes: Path | None, overrides: tuple[str, ...]) -> None:
    """Measure devices and trainers on this machine.

    Prints a Markdown table of all that are installed; each figure is a median. With --modes, the table has the
    recipe's alternatives: time, processor use, peak memory and quality of each, run in a process of its own.
    """
    from vynapse_core.bench import bench
    from vynapse_core.bench_modes import bench_modes
    from vynapse_core.errors import ArgumentError

    if overrides and modes is None:
        raise ArgumentError("--set changes the recipe of --modes; name one")
    catalogue = options.catalogue_with_warnings()
    for line in bench(catalogue, seconds) if modes is None else bench_modes(modes, overrides):
        click.echo(line)
