# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse resume`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vynapse_core.cli import INTERRUPTED, options
from vynapse_core.cli.examples import examples


@click.command(
    epilog=examples(
        "vynapse resume runs/xor/20260101T120000Z-s42",
        "vynapse resume runs/xor/20260101T120000Z-s42 --set stop.steps=5000",
    )
)
@click.argument("run_dir", type=options.RUN)
@options.set_option
@options.quiet_option
def command(run_dir: Path, overrides: tuple[str, ...], quiet: bool) -> None:
    """Go on with an interrupted run.

    The run in RUN_DIR goes on from its last checkpoint, to the same bits as if it had never stopped. What --set
    changes is noted in run.json; what the checkpoint cannot go on with is refused.
    """
    from vynapse_core.experiment import wire
    from vynapse_core.folder import existing_folder
    from vynapse_core.recipe import build
    from vynapse_core.run import run_experiment
    from vynapse_core.source import read_source

    folder = existing_folder(run_dir)
    catalogue = options.catalogue_with_warnings()
    before = read_source(folder.recipe).tree
    source = read_source(folder.recipe, overrides=overrides)
    experiment = wire(build(source, catalogue), source=source, catalogue=catalogue)
    changes = dict(_changed(before, source.tree))
    if quiet:
        experiment = options.silent(experiment)
    if run_experiment(experiment, folder, resume=True, changes=changes).status == "interrupted":
        if quiet:
            options.tell_interrupted(folder)
        raise click.exceptions.Exit(INTERRUPTED)


def _changed(before: Any, after: Any, path: str = "") -> list[tuple[str, list[Any]]]:
    """Return the key paths at which two trees differ, each with [before, after]."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted(before.keys() | after.keys())
        return [c for key in keys for c in _changed(before.get(key), after.get(key), f"{path}.{key}".strip("."))]
    return [] if before == after else [(path, [before, after])]
