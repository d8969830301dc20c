# SPDX-License-Identifier: MIT OR Apache-2.0
"""Complexity over time: how large networks are, how many species there are, and the threshold that parts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vynapse_neat.drawing.picture import (
    BLUE,
    GREEN,
    ORANGE,
    SOFT,
    count,
    headline,
    plain_axes,
    step_axis,
    write_picture,
)
from vynapse_neat.drawing.run_files import read_columns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from vynapse_core import Array
    from vynapse_neat.drawing.run_files import NeatRun

WIDTH, HEIGHT = 9.0, 5.6
"""Inches."""
MOST_POINTS = 1500
"""Points that a curve is drawn with."""
PANELS = (
    ("hidden nodes", (("mean of the population", "hidden", BLUE), ("best network", "best_hidden", ORANGE))),
    ("connections", (("mean of the population", "connections", BLUE), ("best network", "best_connections", ORANGE))),
    ("species", (("species", "species", GREEN),)),
    ("threshold of compatibility", (("threshold", "threshold", "#444444"),)),
)
"""For each panel its title, and for each curve its label, its column in metrics.csv, and its colour."""


def draw_complexity(run: NeatRun, path: Path) -> None:
    """Draw the complexity of a run over time to a .png or .svg file.

    Raises DataError where metrics.csv is not there or malformed, and as `write_picture` does.
    """
    names = ("step", *(column for _, curves in PANELS for _, column, _ in curves))
    table = read_columns(run.folder.metrics, names)
    every = np.unique(np.linspace(0, len(table["step"]) - 1, MOST_POINTS).round().astype(np.int64))
    shown = {name: column[every] for name, column in table.items()}

    def draw(figure: Figure) -> None:
        headline(figure, f"{run.title}: complexity over time", _text(table), left=0.28)
        for index, (title, curves) in enumerate(PANELS):
            axes = figure.add_axes((0.065 + 0.485 * (index % 2), 0.505 - 0.415 * (index // 2), 0.42, 0.3))
            axes.set_title(title, loc="left", fontsize=9.5, color="#333333", pad=6)
            _draw_curves(axes, shown, curves)
            if index < 2:
                axes.tick_params(labelbottom=False)
            else:
                axes.set_xlabel("step", color=SOFT, fontsize=9)
        figure.legend(
            handles=figure.axes[0].get_lines(),
            loc="upper right",
            bbox_to_anchor=(0.985, 0.985),
            ncols=2,
            frameon=False,
            fontsize=8.5,
            labelcolor=SOFT,
        )

    write_picture(path, WIDTH, HEIGHT, draw)


def _draw_curves(axes: Axes, shown: dict[str, Array], curves: Sequence[tuple[str, str, str]]) -> None:
    """Draw curves from 0 upwards: whole numbers as steps while they can be told apart."""
    from matplotlib.ticker import MaxNLocator

    steps = shown["step"]
    for label, column, colour in curves:
        values = shown[column]
        jumps = len(steps) < 300 and bool((values == np.round(values)).all())
        axes.plot(
            steps,
            values,
            color=colour,
            linewidth=1.5 if len(steps) < 300 else 1.0,
            drawstyle="steps-mid" if jumps else "default",
            marker="o" if len(steps) == 1 else "",
            label=label,
            clip_on=False,
            zorder=3,
        )
    plain_axes(axes)
    step_axis(axes)
    axes.margins(x=0.0 if len(steps) > 1 else 0.5)
    values = np.concatenate([shown[column] for _, column, _ in curves])
    finite = values[np.isfinite(values)]
    low, high = min(finite.min(initial=0.0), 0.0), finite.max(initial=0.0)
    axes.set_ylim(low, high + 0.06 * (high - low) if high > low else low + 1)
    whole = all((shown[column] == np.round(shown[column])).all() for _, column, _ in curves)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=whole))


def _text(table: dict[str, Array]) -> str:
    hidden, links = (int(table[name][-1]) for name in ("best_hidden", "best_connections"))
    size = f"{count(hidden, 'hidden node')}, {count(links, 'connection')}"
    return f"best network of step {int(table['step'][-1]):,}: {size}"
