# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse plugins`."""

from __future__ import annotations

import click

from vynapse_core.cli.examples import examples


@click.command(epilog=examples("vynapse plugins"))
def command() -> None:
    """Show what is installed, what failed to load.

    Each plugin with its version and what it offers, by kind; each device with what it finds here and the compiled code
    that it keeps.
    """
    from vynapse_core.catalogue import installed
    from vynapse_core.reference import devices_here, offered_by

    catalogue = installed()
    for plugin in catalogue.plugins:
        click.echo(f"{click.style(plugin.package, bold=True)} {plugin.version}")
        if plugin.failure:
            click.echo(f"  {click.style('failed to load:', fg='red')} {plugin.failure}")
        for kind, names in offered_by(catalogue, plugin).items():
            click.echo(f"  {kind + ':':14} {', '.join(names)}")
        for line in devices_here(catalogue, plugin):
            click.echo(f"    {line}")
