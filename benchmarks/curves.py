# SPDX-License-Identifier: MIT OR Apache-2.0
"""Curves of time against size: their exponents, and a picture of them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vynapse_core.plots import COLOURS


@dataclass(frozen=True)
class Panel:
    """Curves over the same sizes."""

    title: str
    x: str
    """What the sizes count."""
    y: str
    """What is timed."""
    sizes: Sequence[int]
    """At which sizes, rising."""
    curves: Mapping[str, Sequence[float]]
    """{name: seconds at each size}."""


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Return the slope of log time over log size in the last decade of rising sizes, by least squares.

    Work in proportion to the size has 1. The sizes of the last decade must be two at least.
    """
    last = [(size, time) for size, time in zip(sizes, seconds, strict=True) if size * 10 >= sizes[-1]]
    x, y = np.log(np.array(last, np.float64)).T
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y / (x @ x))


def draw(panels: Sequence[Panel], picture: Path) -> None:
    """Draw panels side by side, both axes logarithmic, as SVG; the same figures give the same bytes."""
    with mpl.rc_context({"svg.hashsalt": "vynapse", "svg.fonttype": "path", "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(5.2 * len(panels), 4.4), layout="constrained")
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            _draw(axes, panel)
        written = io.BytesIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_bytes(written.getvalue())


def _draw(axes: Axes, panel: Panel) -> None:
    for (name, seconds), colour in zip(panel.curves.items(), COLOURS, strict=False):
        axes.plot(panel.sizes, seconds, "o-", color=colour, markersize=4, linewidth=1.8, label=name)
    first = next(iter(panel.curves.values()))
    # through the last point, so that the eye sees where the curve leaves it
    linear = [first[-1] * size / panel.sizes[-1] for size in panel.sizes]
    axes.plot(panel.sizes, linear, color="#999999", linestyle=(0, (1.5, 1.5)), linewidth=1.2, label="in proportion")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(panel.title, loc="left", fontsize=10, color="#555555", pad=10)
    axes.set_xlabel(panel.x)
    axes.set_ylabel(panel.y)
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(which="both", color="#999999")
    axes.legend(frameon=False, fontsize=9)
