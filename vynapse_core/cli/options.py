# SPDX-License-Identifier: MIT OR Apache-2.0
"""Options that several commands share, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from vynapse_core.catalogue import Catalogue

F = TypeVar("F", bound=Callable[..., Any])

RECIPE = click.Path(path_type=Path)
RUN = click.Path(path_type=Path)


def recipe_options(function: F) -> F:
    """Add `--set`, `--mode` and `--device`."""
    function = click.option("--device", metavar="NAME", help="Compute on this device.")(function)
    function = click.option("--mode", metavar="NAME", help="Use the recipe's alternative [mode.NAME].")(
        function
    )
    return set_option(function)


def set_option(function: F) -> F:
    """Add `--set`."""
    return click.option(
        "--set",
        "overrides",
        metavar="KEY=VALUE",
        multiple=True,
        help="Set a key, e.g. trainer.population=500 (TOML value).",
    )(function)


def with_device(overrides: tuple[str, ...], device: str | None) -> tuple[str, ...]:
    """Return the overrides with the device's name among them."""
    return overrides if device is None else (*overrides, f'device="{device}"')


def catalogue_with_warnings() -> Catalogue:
    """Return the installed catalogue; a plugin that failed to load is reported once, on stderr."""
    from vynapse_core.catalogue import installed

    catalogue = installed()
    for plugin in catalogue.failures:
        click.echo(f"warning: plugin {plugin.package} failed to load: {plugin.failure}", err=True)
    return catalogue


def complete_kind(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a kind."""
    from vynapse_core.catalogue import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]


def complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a component of the kind given before it."""
    from vynapse_core.catalogue import installed

    entries = installed().of_kind(ctx.params.get("kind") or "")
    return [entry.name for entry in entries if entry.name.startswith(incomplete)]
