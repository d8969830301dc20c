# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse check`."""

from __future__ import annotations

from pathlib import Path

import click

from vynapse_core.cli import options
from vynapse_core.cli.examples import examples


@click.command(
    epilog=examples(
        "vynapse check xor.toml",
        "vynapse check xor.toml --mode large --set trainer.population=500",
    )
)
@click.argument("recipe", type=options.RECIPE)
@options.recipe_options
def command(recipe: Path, overrides: tuple[str, ...], mode: str | None, device: str | None) -> None:
    """Validate a recipe and print it in full.

    Every default is written out; running what is printed gives the same bits. All modes of the recipe are
    validated, unless --mode picks one.
    """
    from vynapse_core.devices.auto import Auto
    from vynapse_core.experiment import wire
    from vynapse_core.recipe import build, to_toml
    from vynapse_core.source import modes_of, read_source

    catalogue = options.catalogue_with_warnings()
    changed = options.with_device(overrides, device)
    for name in [mode] if mode else [*modes_of(recipe), None]:
        source = read_source(recipe, mode=name, overrides=changed)
        experiment = wire(build(source, catalogue), source=source, catalogue=catalogue)
    click.echo(to_toml(experiment.recipe, catalogue), nl=False)
    if isinstance(experiment.recipe.device, Auto):
        click.echo("note: the device is picked when a run starts; the run's own recipe.toml names it", err=True)
