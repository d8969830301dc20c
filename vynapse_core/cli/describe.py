# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse describe`."""

from __future__ import annotations

import click

from vynapse_core.cli import options


@click.command()
@click.argument("kind", shell_complete=options.complete_kind)
@click.argument("name", shell_complete=options.complete_name)
def command(kind: str, name: str) -> None:
    """Describe the component NAME of a KIND: what it does, its keys, their defaults and bounds.

    \b
    vynapse describe mutation gaussian
    """  # noqa: D301
    from vynapse_core.reference import component_page

    page = component_page(options.catalogue_with_warnings(), kind, name)
    stream = click.get_text_stream("stdout")
    if not stream.isatty():
        click.echo(page)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(page))
