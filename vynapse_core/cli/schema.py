# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse schema`."""

from __future__ import annotations

import click

from vynapse_core.cli import options


@click.command()
def command() -> None:
    """Print the JSON Schema of recipes for what is installed, so that an editor can complete and check them.

    \b
    vynapse schema > vynapse.schema.json
    """  # noqa: D301
    import json

    from vynapse_core.schema import recipe_schema

    click.echo(json.dumps(recipe_schema(options.catalogue_with_warnings()), indent=2))
