# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse draw`: pictures of a run of NEAT."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from vynapse_neat.drawing.run_files import NeatRun

PICTURES = ("network", "species", "complexity")


@click.command(
    epilog="\b\nExamples:\n  vynapse draw runs/xor/20260101T120000Z-s42\n"
    "  vynapse draw runs/xor/20260101T120000Z-s42 --what network --out xor.svg"
)
@click.argument("run_dir", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--what", type=click.Choice([*PICTURES, "all"]), default="all", show_default=True, help="Which picture to draw."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw into this PNG or SVG; several pictures add their names to its own. Default: SVG in RUN_DIR.",
)
@click.option("--disabled", is_flag=True, help="Draw disabled links too, dashed.")
def draw(run_dir: Path, what: str, out: Path | None, disabled: bool) -> None:
    """Draw a run of NEAT.

    The best network, with its weights by colour and width; the species over time; networks' complexity over time.
    """
    from vynapse_core import DataError
    from vynapse_neat.drawing.picture import KINDS
    from vynapse_neat.drawing.run_files import open_run

    if out is not None and out.suffix.lower() not in KINDS:
        raise click.BadParameter(f"a picture is written as .png or .svg, found {out.suffix or 'no suffix'!r}")
    run = open_run(run_dir)
    if what != "all":
        path = out or run_dir / f"{what}.svg"
        _draw(what, run, path, disabled)
        click.echo(f"drawn: {path}")
        return
    failures = []
    for name in PICTURES:
        path = run_dir / f"{name}.svg" if out is None else out.with_name(f"{out.stem}-{name}{out.suffix}")
        try:
            _draw(name, run, path, disabled)
        except DataError as error:
            failures.append(f"no picture of the {name}: {error}")
        else:
            click.echo(f"drawn: {path}")
    if len(failures) == len(PICTURES):
        raise DataError("\n".join(failures))
    for failure in failures:
        click.echo(f"note: {failure}", err=True)


def _draw(what: str, run: NeatRun, path: Path, disabled: bool) -> None:
    if what == "species":
        from vynapse_neat.drawing.species import draw_species

        draw_species(run, path)
    elif what == "complexity":
        from vynapse_neat.drawing.complexity import draw_complexity

        draw_complexity(run, path)
    else:
        from vynapse_neat.drawing.network import described, draw_network
        from vynapse_neat.drawing.run_files import best_genes

        genes = best_genes(run)
        parts = [described(run.layout, genes)]
        if run.fitness is not None:
            parts.insert(0, f"fitness {run.fitness:.6g}")
        if run.steps is not None:
            parts.append(f"best of {run.steps:,} step{'' if run.steps == 1 else 's'}")
        draw_network(run.layout, genes, path, f"{run.title}: best network", " · ".join(parts), disabled=disabled)
