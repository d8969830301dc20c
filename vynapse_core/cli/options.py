# SPDX-License-Identifier: MIT OR Apache-2.0
"""Options that several commands share, and what they mean."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from vynapse_core.catalogue import Catalogue
    from vynapse_core.compare import Comparison
    from vynapse_core.experiment import Experiment
    from vynapse_core.folder import Folder

F = TypeVar("F", bound=Callable[..., Any])

RECIPE = click.Path(path_type=Path)
RUN = click.Path(path_type=Path, file_okay=False)


def recipe_options(function: F) -> F:
    """Add `--set`, `--mode` and `--device`."""
    device = click.option("--device", metavar="NAME", help="Compute on this device.", shell_complete=complete_device)
    mode = click.option(
        "--mode", metavar="NAME", help="Use the recipe's alternative [mode.NAME].", shell_complete=complete_mode
    )
    return set_option(mode(device(function)))


def set_option(function: F) -> F:
    """Add `--set`."""
    return click.option(
        "--set",
        "overrides",
        metavar="KEY=VALUE",
        multiple=True,
        help="Set a key, e.g. trainer.population=500 (TOML value).",
    )(function)


def quiet_option(function: F) -> F:
    """Add `--quiet`."""
    return click.option("--quiet", is_flag=True, help="Show nothing but errors.")(function)


def silent(experiment: Experiment) -> Experiment:
    """Return the experiment with a screen that shows nothing, its recipe being the same."""
    from dataclasses import replace

    from vynapse_core.observers.console import Console

    recipe = experiment.recipe
    observers = tuple(each.silent() if isinstance(each, Console) else each for each in recipe.observers)
    return replace(experiment, recipe=recipe.model_copy(update={"observers": observers}))


def tell_interrupted(folder: Folder) -> None:
    """Say how to go on, where no screen does."""
    click.echo(f"interrupted; go on with: {folder.resume_command}", err=True)


def with_device(overrides: tuple[str, ...], device: str | None) -> tuple[str, ...]:
    """Return the overrides with the device's name among them."""
    return overrides if device is None else (*overrides, f"device={json.dumps(device)}")


def catalogue_with_warnings() -> Catalogue:
    """Return the installed catalogue; a plugin that failed to load is reported once, on stderr."""
    from vynapse_core.catalogue import installed

    catalogue = installed()
    for plugin in catalogue.failures:
        click.echo(f"warning: plugin {plugin.package} failed to load: {plugin.failure}", err=True)
    return catalogue


def print_comparison(comparison: Comparison, *, markdown: bool = False) -> None:
    """Print a comparison: a table on a terminal, Markdown on request and where the output goes elsewhere."""
    from vynapse_core.comparison_tables import comparison_markdown, comparison_renderable

    if markdown or not on_terminal():
        click.echo(comparison_markdown(comparison))
        return
    from rich.console import Console

    Console().print(comparison_renderable(comparison))


def on_terminal() -> bool:
    """Whether somebody reads what is printed, rather than a file or a program."""
    return sys.stdout is not None and sys.stdout.isatty()


def complete_kind(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a kind."""
    from vynapse_core.catalogue import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]


def complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a component of the kind given before it."""
    return _names(ctx.params.get("kind") or "", incomplete)


def complete_device(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a device."""
    return _names("device", incomplete)


def complete_mode(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a mode of the recipe, where that is given already and can be read."""
    from vynapse_core.errors import VynapseError
    from vynapse_core.source import modes_of

    # an option that still lacks its value leaves the arguments before it unnamed
    recipe = ctx.params.get("recipe") or next(iter(ctx.args), None)
    try:
        return [mode for mode in (modes_of(Path(recipe)) if recipe else ()) if mode.startswith(incomplete)]
    except VynapseError:
        return []


def _names(kind: str, incomplete: str) -> list[str]:
    from vynapse_core.catalogue import installed

    catalogue = installed()
    names = [catalogue.written(entry) for entry in catalogue.of_kind(kind)]
    return [name for name in names if name.startswith(incomplete)]
