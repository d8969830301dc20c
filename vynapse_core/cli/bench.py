# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse bench`."""

from __future__ import annotations

import click

from vynapse_core.cli import options


@click.command()
@click.option(
    "--seconds", type=click.FloatRange(min=0.1), default=1.0, show_default=True, help="Time for each figure."
)
def command(seconds: float) -> None:
    """Measure the installed devices and trainers on this machine; print a Markdown table."""
    from vynapse_core.bench import bench

    for line in bench(options.catalogue_with_warnings(), seconds):
        click.echo(line)
