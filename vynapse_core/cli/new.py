# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse new`."""

from __future__ import annotations

from pathlib import Path

import click

from vynapse_core.cli.examples import examples

RECIPE_EXAMPLE = "vynapse new recipe xor.toml && vynapse run xor.toml"
PLUGIN_EXAMPLES = (
    "vynapse new plugin my-operators",
    "pip install -e vynapse-my-operators && pytest vynapse-my-operators",
)


@click.group(epilog=examples(RECIPE_EXAMPLE, *PLUGIN_EXAMPLES))
def command() -> None:
    """Write a first recipe or a plugin package."""


@command.command(epilog=examples(*PLUGIN_EXAMPLES))
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    default=Path(),
    help="Parent folder (default: here).",
)
def plugin(name: str, into: Path) -> None:
    """Write a plugin package.

    The package of a plugin NAME: one operator, one task, and tests that pass as they stand.
    """
    from vynapse_core.scaffold import new_plugin

    for path in new_plugin(name, into):
        click.echo(path)


@command.command(epilog=examples(RECIPE_EXAMPLE))
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
def recipe(path: Path) -> None:
    """Write a commented recipe to PATH."""
    from vynapse_core.scaffold import new_recipe

    click.echo(new_recipe(path))
