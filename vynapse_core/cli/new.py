# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse new`."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def command() -> None:
    """Write a plugin package or a recipe to start from."""


@command.command()
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Parent folder (default: here).",
)
def plugin(name: str, into: Path) -> None:
    """Write the package of a plugin NAME: one operator, one task, and tests that pass as they stand.

    \b
    vynapse new plugin my-operators
    pip install -e vynapse-my-operators && pytest vynapse-my-operators
    """  # noqa: D301
    from vynapse_core.scaffold import new_plugin

    for path in new_plugin(name, into):
        click.echo(path)


@command.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
def recipe(path: Path) -> None:
    """Write a commented recipe to PATH.

    \b
    vynapse new recipe xor.toml && vynapse run xor.toml
    """  # noqa: D301
    from vynapse_core.scaffold import new_recipe

    click.echo(new_recipe(path))
