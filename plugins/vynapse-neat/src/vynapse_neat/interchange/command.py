# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse neat`: what is for NEAT alone."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def neat() -> None:
    """Exchange with other programs for NEAT."""


@neat.command(
    "import-config",
    epilog="\b\nExamples:\n  vynapse neat import-config config-feedforward --task xor --out xor.toml\n"
    "  vynapse neat import-config evolve.py --out evolve.toml",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="RECIPE",
    help="Write to this file, which must not exist. Default: print.",
)
@click.option("--task", metavar="NAME", help="What is to be solved; left open, its place is marked.")
@click.option(
    "--from",
    "program",
    type=click.Choice(["neat-python", "tensorneat"]),
    help="Whose it is. Default: TensorNEAT's where FILE is a .py or begins with {, else neat-python's.",
)
def import_config(file: Path, out: Path | None, task: str | None, program: str | None) -> None:
    """Turn a configuration of another program into a recipe.

    FILE is an INI file of neat-python, or of TensorNEAT a program, which is not run, or the config.txt of a run. What
    is not as it was there is listed in the recipe, and here.
    """
    from vynapse_neat.interchange.neat_python import read_neat_python
    from vynapse_neat.interchange.options import read_text
    from vynapse_neat.interchange.tensorneat import read_tensorneat

    if program is None:
        theirs = file.suffix.lower() == ".py" or read_text(file).lstrip().startswith("{")
        program = "tensorneat" if theirs else "neat-python"
    imported = read_tensorneat(file) if program == "tensorneat" else read_neat_python(file)
    recipe = imported.recipe(task)
    if out is None:
        click.echo(recipe, nl=False)
        return
    try:
        with out.open("x", encoding="utf-8") as target:
            target.write(recipe)
    except FileExistsError:
        raise click.UsageError(f"{out} exists, and nothing is overwritten; choose another name") from None
    except OSError as error:
        raise click.UsageError(f"{out} cannot be written: {error.strerror or error}") from None
    for note in imported.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(out)
    if task is None:
        click.echo("note: fill in [task], and then: vynapse check", err=True)
