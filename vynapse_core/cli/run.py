# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vynapse_core.cli import INTERRUPTED, options

if TYPE_CHECKING:
    from vynapse_core.experiment import Experiment
    from vynapse_core.recipe import Recipe


@click.command()
@click.argument("recipe", type=options.RECIPE)
@options.recipe_options
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Use this seed.")
@click.option("--seeds", metavar="N|LIST", help="Run several seeds: 5 (from the recipe's on), or 42,123,456.")
@click.option(
    "--out", type=options.RUN, metavar="DIR", help="Write the run there (default: runs/NAME/TIME-sSEED)."
)
@click.option("--quiet", is_flag=True, help="Show nothing but errors.")
def command(
    recipe: Path,
    overrides: tuple[str, ...],
    mode: str | None,
    device: str | None,
    seed: int | None,
    seeds: str | None,
    out: Path | None,
    quiet: bool,
) -> None:
    """Run a RECIPE.

    \b
    vynapse run examples/xor.toml
    vynapse run xor.toml --set trainer.population=500 --set 'stop.seconds=10'
    vynapse run xor.toml --seeds 5
    """  # noqa: D301
    from vynapse_core.experiment import wire, with_seed
    from vynapse_core.folder import named_folder, new_folder
    from vynapse_core.recipe import build
    from vynapse_core.run import run
    from vynapse_core.source import read_source

    catalogue = options.catalogue_with_warnings()
    source = read_source(recipe, mode=mode, overrides=options.with_device(overrides, device))
    built = build(source, catalogue)
    experiment = wire(built, source=source, catalogue=catalogue)
    if quiet:
        experiment = _without_console(experiment)
    description = built.experiment
    chosen = _seeds(seed, seeds, description.seed)
    folders = []
    for number in chosen:
        seeded = with_seed(experiment, number)
        if out is not None:
            folder = named_folder(out if len(chosen) == 1 else out / f"s{number}")
        else:
            folder = new_folder(Path(description.output), description.name, number)
        folders.append(folder.path)
        if run(seeded, folder).status == "interrupted":
            raise click.exceptions.Exit(INTERRUPTED)
    if len(folders) > 1 and not quiet:
        _summarise(folders)


def _seeds(seed: int | None, seeds: str | None, first: int) -> list[int]:
    from vynapse_core.errors import ArgumentError

    if seed is not None and seeds is not None:
        raise ArgumentError("give --seed or --seeds, not both")
    if seeds is None:
        return [first if seed is None else seed]
    try:
        numbers = [int(part) for part in seeds.split(",") if part.strip()]
    except ValueError:
        raise ArgumentError(f"--seeds {seeds!r}: expected a count (5) or a list (42,123,456)") from None
    if not numbers or min(numbers) < 0 or numbers == [0] or len(set(numbers)) < len(numbers):
        raise ArgumentError(
            f"--seeds {seeds!r}: expected a count of at least 1, or different seeds from 0 up"
        )
    return [first + n for n in range(numbers[0])] if "," not in seeds else numbers


def _without_console(experiment: Experiment) -> Experiment:
    from dataclasses import replace

    from vynapse_core.observers.console import Console

    recipe: Recipe = experiment.recipe
    kept = tuple(observer for observer in recipe.observers if not isinstance(observer, Console))
    return replace(experiment, recipe=recipe.model_copy(update={"observers": kept}))


def _summarise(folders: list[Path]) -> None:
    from rich.console import Console

    from vynapse_core.compare import compare, comparison_renderable

    Console().print(comparison_renderable(compare(folders)))
