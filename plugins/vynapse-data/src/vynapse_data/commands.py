# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse data`: look at data, cut it into files, tell its digests, and tidy the cache."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

FORMATS = ("csv", "npz", "index")


def _named(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument that names data, and the option for its settings."""
    option = click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Set a key: of a recipe as task.batch=32, of anything else as batch=32.",
    )
    return click.argument("what")(option(command))


@click.group()
def data() -> None:
    """Show, hash, split and cache data."""


@data.command(epilog="\b\nExamples:\n  vynapse data info mnist\n  vynapse data info table.csv --set targets=numbers")
@_named
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(what: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Print shapes, splits, classes and files.

    WHAT is a recipe, a CSV, Parquet or NPZ file, a folder of images, or the name of a task such as mnist.
    """
    from vynapse_data.describe import described, lines
    from vynapse_data.naming import named_task

    found = described(named_task(what, settings))
    if as_json:
        import json

        click.echo(json.dumps(found, indent=2))
    else:
        click.echo("\n".join(lines(found)))


@data.command("hash", epilog="\b\nExamples:\n  vynapse data hash recipe.toml\n  vynapse data hash digits")
@_named
def hash_(what: str, settings: tuple[str, ...]) -> None:
    """Print the SHA-256 of each split's content: the same wherever and however the same samples are stored.

    WHAT is a recipe, a CSV, Parquet or NPZ file, a folder of images, or the name of a task such as mnist.
    """
    from vynapse_data.naming import named_task
    from vynapse_data.provenance import content_digest

    task = named_task(what, settings)
    for split in task.splits:
        click.echo(f"{content_digest(task.data(split))}  {split}")


@data.command(
    epilog="\b\nExamples:\n  vynapse data split table.csv --out parts --set validation=0.1\n"
    "  vynapse data split recipe.toml --out parts --format npz"
)
@_named
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write into.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="csv",
    show_default=True,
    help="A table or an archive for each split, or one JSON file with the numbers of each split's rows in the source.",
)
def split(what: str, settings: tuple[str, ...], out: Path, form: str) -> None:
    """Write the splits of data, as a run would learn from them, into files.

    WHAT is a recipe, a CSV, Parquet or NPZ file, a folder of images, or the name of a task such as mnist.
    """
    from vynapse_data.export import write_splits
    from vynapse_data.naming import named_task

    for file in write_splits(named_task(what, settings), out, form):
        click.echo(f"written: {file}")


@data.command(epilog="\b\nExamples:\n  vynapse data cache\n  vynapse data cache --remove 3f2a91")
@click.option("--remove", multiple=True, metavar="NAME", help="Delete what has this name, or one that begins so.")
@click.option("--all", "everything", is_flag=True, help="Delete all of it.")
def cache(remove: tuple[str, ...], everything: bool) -> None:
    """List what has been downloaded or converted, or delete it; it is made again where it is wanted again."""
    from vynapse_core import DataError
    from vynapse_data.cached import Kept, kept

    there = kept()
    if not remove and not everything:
        click.echo("\n".join(map(str, there)) if there else "nothing is cached")
        return
    chosen: list[Kept] = list(there) if everything else []
    for name in remove:
        found = [one for one in there if name and one.name.startswith(name)]
        if len(found) != 1:
            said: Any = f"{len(found)} begin so" if found else "there is none"
            raise DataError(f"--remove {name}: {said}; 'vynapse data cache' lists names")
        chosen += found
    for one in chosen:
        told = str(one)
        one.delete()
        click.echo(f"deleted: {told}")
