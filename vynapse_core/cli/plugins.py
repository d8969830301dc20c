# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse plugins`."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Show what is installed, its version, what it offers, and what failed to load."""
    from vynapse_core.catalogue import installed
    from vynapse_core.reference import offered_by

    catalogue = installed()
    for plugin in catalogue.plugins:
        click.echo(f"{click.style(plugin.package, bold=True)} {plugin.version}")
        if plugin.failure:
            click.echo(f"  {click.style('failed to load:', fg='red')} {plugin.failure}")
        for kind, names in offered_by(catalogue, plugin).items():
            click.echo(f"  {kind + ':':14} {', '.join(names)}")
