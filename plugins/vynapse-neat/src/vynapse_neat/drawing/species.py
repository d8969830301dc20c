# SPDX-License-Identifier: MIT OR Apache-2.0
"""Species over time as a stacked plot: a band for each, as high as it has members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from vynapse_neat.drawing.picture import INK, SOFT, colour_of, headline, plain_axes, step_axis, write_picture
from vynapse_neat.drawing.run_files import read_columns

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from vynapse_core import Array
    from vynapse_neat.drawing.run_files import NeatRun

MOST_STEPS = 700
"""Steps that are drawn; a figure has no more pixels to show."""
WIDTH, HEIGHT = 9.0, 5.2
"""Inches."""
LEAST_SHARE = 0.04
"""Share of the population at which a band has room for its number."""
MOST_PARTED = 150
"""Species that white lines part; more of them would be hidden by the lines."""
POINTS = 600
"""Places along the steps at which a number may stand."""


@dataclass(frozen=True)
class Bands:
    """S species over T of the steps, the oldest at the bottom."""

    steps: Array
    """float64 [T], ascending."""
    ids: Array
    """int64 [S], ascending."""
    edges: Array
    """float32 [S + 1, T]: species i lies between the edges i and i + 1."""

    @property
    def sizes(self) -> Array:
        """Numbers of members, float32 [S, T]."""
        return np.diff(self.edges, axis=0)


def stacked(step: Array, identity: Array, size: Array) -> Bands:
    """Return the bands of a table with a row for each species and step, steps ascending."""
    steps, row_step = np.unique(step, return_inverse=True)
    every = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), MOST_STEPS)).round().astype(np.int64))
    place = np.full(len(steps), -1)
    place[every] = np.arange(len(every))
    kept = place[row_step] >= 0
    ids, row = np.unique(identity[kept].astype(np.int64), return_inverse=True)
    edges = np.zeros((len(ids) + 1, len(every)), np.float32)
    np.add.at(edges, (row + 1, place[row_step[kept]]), size[kept])
    return Bands(steps[every], ids, np.cumsum(edges, axis=0))


def draw_species(run: NeatRun, path: Path) -> None:
    """Draw the species of a run over time to a .png or .svg file.

    Raises DataError where species.csv is not there or malformed, and as `write_picture` does.
    """
    table = read_columns(run.folder.path / "species.csv", ("step", "id", "size"))
    bands = stacked(table["step"], table["id"], table["size"])
    ever, now = len(np.unique(table["id"])), int((bands.sizes[:, -1] > 0).sum())
    text = f"{ever:,} species in all, {now:,} in the last step; a band's number is the species' id"

    def draw(figure: Figure) -> None:
        headline(figure, f"{run.title}: species over time", text, left=0.28)
        axes = figure.add_axes((0.085, 0.115, 0.875, 0.74))
        _draw_bands(axes, bands)
        _number_bands(axes, bands)
        plain_axes(axes)
        step_axis(axes)
        axes.grid(visible=False)
        axes.set_xlabel("step", color=SOFT, fontsize=9)
        axes.set_ylabel("individuals", color=SOFT, fontsize=9)

    write_picture(path, WIDTH, HEIGHT, draw)


def _draw_bands(axes: Axes, bands: Bands) -> None:
    """Draw each species over its life; it begins and ends as a point on the border of its neighbours."""
    from matplotlib.collections import PolyCollection

    steps = bands.steps if len(bands.steps) > 1 else np.array([bands.steps[0] - 0.5, bands.steps[0] + 0.5])
    edges = bands.edges if len(bands.steps) > 1 else np.repeat(bands.edges, 2, axis=1)
    corners, colours = [], []
    for index, alive in enumerate(np.diff(edges, axis=0) > 0):
        lived = np.flatnonzero(alive)
        if not len(lived):
            continue
        life = slice(max(lived[0] - 1, 0), lived[-1] + 2)
        x = steps[life]
        low, high = edges[index, life], edges[index + 1, life]
        corners.append(np.stack([np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]])], axis=1))
        colours.append(colour_of(int(bands.ids[index])))
    apart = len(bands.ids) <= MOST_PARTED and len(bands.steps) <= 2 * MOST_PARTED
    edges_drawn: dict[str, Any] = {"edgecolors": "white", "linewidths": 0.5} if apart else {"edgecolors": "face"}
    axes.add_collection(PolyCollection(corners, facecolors=colours, **({"linewidths": 0.15} | edges_drawn)))
    axes.set(xlim=(steps[0], steps[-1]), ylim=(0, float(edges[-1].max())))


def _number_bands(axes: Axes, bands: Bands) -> None:
    """Write a species' id where its band is widest around it, if it has room there."""
    if len(bands.steps) < 2:
        return
    total = float(bands.edges[-1].max())
    x = np.linspace(bands.steps[0], bands.steps[-1], POINTS)
    for index in np.flatnonzero(bands.sizes.max(axis=1) >= LEAST_SHARE * total).tolist():
        text = str(bands.ids[index])
        around = 2 * round(POINTS * (0.004 + 0.0045 * len(text))) + 1
        low, high = (
            sliding_window_view(np.interp(x, bands.steps, edge), around) for edge in bands.edges[index : index + 2]
        )
        low, high = low.max(axis=1), high.min(axis=1)
        at = int(np.argmax(high - low))
        if high[at] - low[at] >= LEAST_SHARE * total:
            middle = (low[at] + high[at]) / 2
            axes.text(x[at + around // 2], middle, text, fontsize=7.5, color=INK, ha="center", va="center_baseline")
