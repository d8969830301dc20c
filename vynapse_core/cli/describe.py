# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse describe`."""

from __future__ import annotations

import click

from vynapse_core.cli import options
from vynapse_core.cli.examples import examples


@click.command(epilog=examples("vynapse describe mutation gaussian", "vynapse describe trainer evolution"))
@click.argument("kind", shell_complete=options.complete_kind)
@click.argument("name", shell_complete=options.complete_name)
def command(kind: str, name: str) -> None:
    """Describe a component and its keys.

    What the component NAME of a KIND does, which keys it has, with their defaults and bounds, and how a recipe
    writes it.
    """
    from vynapse_core.reference import component_page

    page = component_page(options.catalogue_with_warnings(), kind, name)
    if not options.on_terminal():
        click.echo(page, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(page))
