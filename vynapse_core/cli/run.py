# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse run`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vynapse_core.cli import INTERRUPTED, options
from vynapse_core.cli.examples import examples
from vynapse_core.errors import VynapseError

if TYPE_CHECKING:
    from vynapse_core.experiment import Experiment
    from vynapse_core.folder import Folder

LARGEST_SEED = 2**63 - 1
MOST_SEEDS = 10_000


@click.command(
    epilog=examples(
        "vynapse run examples/xor.toml",
        "vynapse run xor.toml --set trainer.population=500 --set stop.seconds=10",
        "vynapse run xor.toml --seeds 5",
    )
)
@click.argument("recipe", type=options.RECIPE)
@options.recipe_options
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), metavar="N", help="Use this seed.")
@click.option("--seeds", metavar="N|LIST", help="Run several seeds: 5 (from the recipe's on), or 42,123,456.")
@click.option("--out", type=options.RUN, metavar="DIR", help="Write the run there (default: runs/NAME/TIME-sSEED).")
@options.quiet_option
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
    """Run a recipe.

    It can be interrupted by Ctrl-C, which writes a checkpoint, and gone on with by 'vynapse resume'.
    With several seeds, --out names the folder of their folders.
    """
    from vynapse_core.devices.choice import settled
    from vynapse_core.experiment import wire
    from vynapse_core.folder import unused
    from vynapse_core.recipe import build
    from vynapse_core.source import read_source

    catalogue = options.catalogue_with_warnings()
    source = read_source(recipe, mode=mode, overrides=options.with_device(overrides, device))
    built = build(source, catalogue)
    experiment = wire(built, source=source, catalogue=catalogue)
    chosen = _seeds(seed, seeds, built.experiment.seed)
    named: list[Path] | None = None
    if out is not None:
        named = [unused(out if len(chosen) == 1 else out / f"s{number}") for number in chosen]
    finished: list[Path] = []
    # before the first run, as all of them take one device
    experiment = settled(experiment)
    try:
        _run_each(options.silent(experiment) if quiet else experiment, chosen, named, quiet, finished)
    except Exception:
        # a summary that fails as well must not take the place of why the run did
        with suppress(VynapseError, OSError):
            _summarise(chosen, finished, quiet)
        raise
    _summarise(chosen, finished, quiet)


def _summarise(seeds: list[int], finished: list[Path], quiet: bool) -> None:
    """Print what the seeds have come to, as far as they are finished."""
    if len(seeds) > 1 and finished and not quiet:
        from vynapse_core.compare import compare

        click.echo()
        options.print_comparison(compare(finished))


def _run_each(
    experiment: Experiment, seeds: list[int], named: list[Path] | None, quiet: bool, finished: list[Path]
) -> None:
    """Run the seeds one after another; what ends one of them ends all, and those left are named.

    The folder of each run that has come to its end is added to `finished`.
    """
    from vynapse_core.experiment import with_seed
    from vynapse_core.folder import named_folder, new_folder
    from vynapse_core.run import run_experiment

    folders: list[Folder] = []
    try:
        for index, seed in enumerate(seeds):
            if index and not quiet:
                with suppress(OSError):
                    click.echo()
            if named is None:
                description = experiment.recipe.experiment
                folders.append(new_folder(Path(description.output), description.name, seed))
            else:
                folders.append(named_folder(named[index]))
            if run_experiment(with_seed(experiment, seed), folders[-1]).status == "interrupted":
                if quiet:
                    options.tell_interrupted(folders[-1])
                raise click.exceptions.Exit(INTERRUPTED)
            finished.append(folders[-1].path)
    finally:
        if (left := seeds[len(folders) :]) and len(seeds) > 1:
            click.echo(f"seeds not run: {', '.join(map(str, left))}", err=True)


def _seeds(seed: int | None, seeds: str | None, first: int) -> list[int]:
    """Return the seeds that `--seed` and `--seeds` ask for, where the recipe's own is `first`."""
    from vynapse_core.errors import ArgumentError

    if seed is not None and seeds is not None:
        raise ArgumentError("give --seed or --seeds, not both")
    if seeds is None:
        return [first if seed is None else seed]
    found = f"--seeds {seeds!r}"
    try:
        numbers = [int(part) for part in seeds.split(",") if part.strip()]
    except ValueError:
        raise ArgumentError(f"{found}: expected a count (5) or a list (42,123,456)") from None
    if "," not in seeds:
        count = numbers[0] if numbers else 0
        if not 1 <= count <= MOST_SEEDS:
            raise ArgumentError(f"{found}: expected a count from 1 to {MOST_SEEDS:,}, or a list (42,123,456)")
        numbers = [first + n for n in range(count)]
    if not numbers or min(numbers) < 0 or max(numbers) > LARGEST_SEED:
        raise ArgumentError(f"{found}: expected seeds from 0 to {LARGEST_SEED}")
    if len(set(numbers)) < len(numbers):
        raise ArgumentError(f"{found}: a seed stands there twice, and would give the same run twice")
    return numbers
