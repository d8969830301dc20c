# SPDX-License-Identifier: MIT OR Apache-2.0
"""Curves of compared runs as PNG or SVG.

Figures are built without pyplot, which would keep them in global state and might look for a display. The same
runs give the same bytes: an SVG's ids are salted with a constant and neither format carries a date.
"""

from __future__ import annotations

import csv
import io
import itertools
import textwrap
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vynapse_core.compare import printable
from vynapse_core.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from vynapse_core.compare import Comparison, Group

    Floats = NDArray[np.float64]
    Curve = tuple[Floats, Floats]

X = Literal["step", "evaluations", "seconds"]
Band = Literal["quartiles", "range"]
Scale = Literal["linear", "log"]

TITLES = {"step": "step", "evaluations": "fitness evaluations", "seconds": "time in the loop (s)"}
BANDS = {"quartiles": ((0.25, 0.75), "quartiles"), "range": ((0.0, 1.0), "worst to best seed")}

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#333333")
"""Told apart with any colour vision (Okabe and Ito 2008, without its yellow, too pale for a line)."""

DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
"""After the last colour the palette starts again with the next dash."""

MOST_POINTS = 1000
"""Points a curve is drawn with; more than a figure has pixels to show."""


def plot_fitness(
    comparison: Comparison,
    path: Path,
    x: X = "step",
    band: Band = "quartiles",
    scale: Scale = "linear",
) -> tuple[str, ...]:
    """Draw the best fitness so far of each group, median and band over seeds, to a .png or .svg file.

    Runs of one group may end at different places. A run that has ended keeps its last value until the longest
    run of its group ends, where the curve ends too, at a dot: it is not carried on to the ends of other
    groups. A curve starts where all its runs have reported. With `scale="log"` the axis is logarithmic on
    either side of zero, down to the smallest magnitude drawn: this spreads a fitness that rises towards 0.
    (Where all magnitudes lie within one decade it stays linear, which is nearly the same and has more ticks.)

    Returns notes on runs that could not be drawn. Raises ArgumentError on another suffix, a file that cannot
    be written, a missing matplotlib, or if no run can be drawn.
    """
    if (suffix := path.suffix.lower()) not in (".png", ".svg"):
        raise ArgumentError(f"{path}: a plot is written as .png or .svg, found {path.suffix or 'no suffix'!r}")
    notes: list[str] = []
    drawn = [(group, curves) for group in comparison.groups if (curves := _curves(group, x, notes))]
    if not drawn:
        reasons = "".join(f"\n  {note}" for note in notes)
        raise ArgumentError(f"no run can be drawn: each needs a metrics.csv with columns {x} and best{reasons}")
    picture = _render(drawn, suffix.removeprefix("."), x, band, scale)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
    except OSError as error:
        raise ArgumentError(f"{path}: the plot cannot be written: {error.strerror or error}") from error
    return tuple(notes)


def read_curve(text: str, x: str) -> Curve:
    """Return (x [n], best fitness so far [n]), float64, n >= 0, of the text of a metrics.csv.

    Rows without two finite numbers are skipped. A last line without its newline was cut off while it was
    written, and is no row. Raises ValueError where a column is missing.
    """
    rows = csv.reader(io.StringIO(text[: text.rfind("\n") + 1]))
    header = next(rows, [])
    if missing := [name for name in (x, "best") if name not in header]:
        raise ValueError(f"no column {' or '.join(missing)}" if header else "empty")
    at, best = header.index(x), header.index("best")
    points = [point for row in rows if len(row) == len(header) and (point := _point(row[at], row[best]))]
    table = np.array(points, np.float64).reshape(-1, 2)
    table = table[np.isfinite(table).all(axis=1)]
    table = table[np.argsort(table[:, 0], kind="stable")]
    return table[:, 0], np.maximum.accumulate(table[:, 1])


def _point(x: str, y: str) -> tuple[float, float] | None:
    try:
        return float(x), float(y)
    except ValueError:
        return None


def over_seeds(curves: Sequence[Curve], levels: Sequence[float]) -> tuple[Floats, Floats]:
    """Return (grid [n], quantiles over the curves [len(levels), n]); each curve is a step function of x.

    The grid runs from where the last curve begins to where the last one ends; one that ended keeps its value.
    """
    start, end = max(x[0] for x, _ in curves), max(x[-1] for x, _ in curves)
    grid = np.unique(np.concatenate([x for x, _ in curves]))
    grid = grid[grid >= start]
    if len(grid) > MOST_POINTS:
        grid = np.linspace(start, end, MOST_POINTS)
    values = [best[np.searchsorted(x, grid, side="right") - 1] for x, best in curves]
    return grid, np.quantile(values, levels, axis=0)


def _curves(group: Group, x: str, notes: list[str]) -> list[Curve]:
    curves = []
    for run in group.runs:
        try:
            curve = read_curve((run.folder / "metrics.csv").read_text("utf-8"), x)
        except (OSError, ValueError, csv.Error) as error:
            why = getattr(error, "strerror", None) or error
            notes.append(printable(f"{run.folder}: not drawn, metrics.csv: {why}"))
            continue
        if len(curve[0]):
            curves.append(curve)
        else:
            notes.append(printable(f"{run.folder}: not drawn, metrics.csv has no whole row"))
    return curves


def _render(drawn: Sequence[tuple[Group, list[Curve]]], kind: str, x: X, band: Band, scale: Scale) -> bytes:
    """Return the picture's bytes; `drawn` holds each group with the curves of its runs."""
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ArgumentError('a plot needs matplotlib: install "vynapse[compare]"') from error

    with mpl.rc_context({"svg.hashsalt": "vynapse", "svg.fonttype": "path", "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(9, 5), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        _draw(axes, drawn, band)
        _dress(axes, x, band)
        if scale == "log":
            _stretch(axes, drawn)
        picture = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(picture, format=kind, dpi=150, metadata=metadata)
    return picture.getvalue()


def _draw(axes: Axes, drawn: Sequence[tuple[Group, list[Curve]]], band: Band) -> None:
    """Draw bands below lines, and a legend in the order in which the curves end, the best on top."""
    looks = [(colour, dash) for dash in DASHES for colour in COLOURS]
    (low, high), _ = BANDS[band]
    entries = []
    for (group, curves), (colour, dash) in zip(drawn, itertools.cycle(looks), strict=False):
        grid, (lower, median, upper) = over_seeds(curves, (low, 0.5, high))
        if len(curves) > 1:
            axes.fill_between(grid, lower, upper, step="post", color=colour, alpha=0.18, linewidth=0)
        (line,) = axes.step(grid, median, where="post", color=colour, linestyle=dash, linewidth=1.8, zorder=3)
        axes.plot(grid[-1:], median[-1:], "o", color=colour, markersize=5, zorder=4, clip_on=False)
        # A dollar sign would start a formula, and a leading underscore would hide the entry.
        label = textwrap.fill(f"{group.label} (n = {len(curves)})", 34).replace("$", r"\$")
        entries.append((median[-1], line, " " + label if label.startswith("_") else label))
    entries.sort(key=lambda entry: -entry[0])
    axes.figure.legend(
        [line for _, line, _ in entries],
        [label for _, _, label in entries],
        loc="outside right upper",
        frameon=False,
        fontsize=9,
        labelspacing=0.9,
    )


def _dress(axes: Axes, x: X, band: Band) -> None:
    """Name the axes and leave only the ink that helps to read values."""
    from matplotlib.ticker import MaxNLocator

    caption = f"Line: median over seeds. Band: {BANDS[band][1]}. A run that has ended keeps its last value."
    axes.set_title(caption, loc="left", fontsize=9, color="#555555", pad=10)
    if x == "seconds":
        axes.xaxis.set_major_formatter("{x:,.6g}")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10], integer=True))
        axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel(TITLES[x])
    axes.set_ylabel("best fitness so far (higher is better)")
    axes.margins(x=0.02)
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(color="#999999")


def _stretch(axes: Axes, drawn: Sequence[tuple[Group, list[Curve]]]) -> None:
    """Make the fitness axis logarithmic on both sides of 0, up to twelve decades; under one, leave it."""
    from matplotlib.ticker import SymmetricalLogLocator

    sizes = np.abs(np.concatenate([best for _, curves in drawn for _, best in curves]))
    largest = float(sizes.max()) or 1.0
    smallest = float(np.min(sizes[sizes > largest * 1e-12], initial=largest))
    if largest / smallest < 10:
        return
    axes.set_yscale("symlog", linthresh=smallest)
    if largest / smallest < 1000:
        # Powers of ten alone would leave too few ticks to read values by.
        axes.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=smallest, subs=[1, 2, 5]))
        axes.yaxis.set_major_formatter("{x:.4g}")
