# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse bench`."""

from __future__ import annotations

import click

from vynapse_core.cli import options
from vynapse_core.cli.examples import examples


@click.command(epilog=examples("vynapse bench", "vynapse bench --seconds 5 > machine.md"))
@click.option(
    "--seconds",
    type=click.FloatRange(0, 3600, min_open=True),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Time for each figure.",
)
def command(seconds: float) -> None:
    """Measure devices and trainers on this machine.

    Prints a Markdown table of all that are installed; each figure is a median.
    """
    from vynapse_core.bench import bench

    for line in bench(options.catalogue_with_warnings(), seconds):
        click.echo(line)
