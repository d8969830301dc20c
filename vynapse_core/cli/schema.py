# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse schema`."""

from __future__ import annotations

import click

from vynapse_core.cli import options
from vynapse_core.cli.examples import examples


@click.command(epilog=examples("vynapse schema > vynapse.schema.json"))
def command() -> None:
    """Print the JSON Schema of recipes.

    It describes what is installed, so that an editor can complete and check recipes.
    """
    import json

    from vynapse_core.schema import recipe_schema

    click.echo(json.dumps(recipe_schema(options.catalogue_with_warnings()), indent=2))
