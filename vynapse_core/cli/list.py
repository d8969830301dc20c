# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse list`."""

from __future__ import annotations

import click

from vynapse_core.cli import options
from vynapse_core.cli.examples import examples


@click.command(epilog=examples("vynapse list", "vynapse list mutation"))
@click.argument("kind", required=False, shell_complete=options.complete_kind)
def command(kind: str | None) -> None:
    """List the components on offer.

    Of all kinds or of one KIND, each with a line on what it is.
    """
    from vynapse_core.reference import listing

    click.echo(listing(options.catalogue_with_warnings(), kind))
