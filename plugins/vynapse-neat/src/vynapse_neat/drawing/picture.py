# SPDX-License-Identifier: MIT OR Apache-2.0
"""Figures and their bytes: what all pictures have in common.

Figures are built without pyplot, which would keep them in global state and might look for a display. The same run
gives the same bytes: an SVG's ids are salted with a constant, and neither format carries a date.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

from vynapse_core import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Colour = tuple[float, float, float]

KINDS = (".png", ".svg")
INK, SOFT, FAINT = "#222222", "#666666", "#DDDDDD"
"""Colours of what is read first, of what explains it, and of lines that guide the eye."""
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
"""Told apart with any colour vision (Okabe and Ito 2008)."""
GOLDEN_ANGLE = 137.50776405003785
"""Degrees between the hues of successive numbers; no two of a few in a row come out alike."""


def write_picture(path: Path, width: float, height: float, draw: Callable[[Figure], None]) -> None:
    """Write a figure of so many inches, which `draw` fills, as .png or .svg.

    Raises DataError for another suffix, a file that cannot be written, and a missing matplotlib.
    """
    suffix = path.suffix.lower()
    if suffix not in KINDS:
        raise DataError(f"{path}: a picture is written as .png or .svg, found {path.suffix or 'no suffix'!r}")
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise DataError('a picture needs matplotlib: install "vynapse[compare]"') from None

    with mpl.rc_context(
        {
            "svg.hashsalt": "vynapse",
            "svg.fonttype": "path",
            "font.family": "DejaVu Sans",
            "text.parse_math": False,
        }
    ):
        figure = Figure(figsize=(width, height), facecolor="white")
        FigureCanvasAgg(figure)
        draw(figure)
        picture = io.BytesIO()
        metadata = {"Date": None} if suffix == ".svg" else {"Software": None}
        figure.savefig(picture, format=suffix[1:], dpi=150, metadata=metadata)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture.getvalue())
    except OSError as error:
        raise DataError(f"{path}: the picture cannot be written: {error.strerror or error}") from None


def headline(figure: Figure, title: str, text: str, left: float = 0.3) -> None:
    """Write a title and a line below it, `left` inches from the border, as far as the figure is wide."""
    width, height = figure.get_size_inches()
    figure.text(left / width, 1 - 0.2 / height, _fitting(title, width, 9.5), va="top", fontsize=12.5, color=INK)
    figure.text(left / width, 1 - 0.47 / height, _fitting(text, width, 15.5), va="top", fontsize=8.5, color=SOFT)


def plain_axes(axes: Axes) -> None:
    """Leave only the ink that helps to read values."""
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#BBBBBB")
    axes.tick_params(color="#BBBBBB", labelcolor="#444444", labelsize=8.5)


def step_axis(axes: Axes) -> None:
    """Count the steps on the x axis, in whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10], integer=True))
    axes.xaxis.set_major_formatter("{x:,.0f}")


def count(number: int, noun: str) -> str:
    """Return a number of things in words; the plural of the noun takes an s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def colour_of(number: int) -> Colour:
    """Return the colour of a species, or of another thing that has a number: the same one wherever it appears.

    Hues go round by the golden angle, in OKLCH (Ottosson 2020), where equal steps look equal; three lightnesses tell
    neighbours apart without hues.
    """
    lightness, chroma = (0.66, 0.76, 0.86)[number % 3], (0.125, 0.11, 0.085)[number % 3]
    hue = math.radians(20 + GOLDEN_ANGLE * number)
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        _encoded(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
        _encoded(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
        _encoded(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short),
    )


def _encoded(linear: float) -> float:
    """Return the sRGB value of a linear light, within 0 and 1."""
    value = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return min(max(value, 0.0), 1.0)


def _fitting(text: str, width: float, letters: float) -> str:
    """Return a text that fits into `width` inches at so many letters an inch, its middle left out where it is long."""
    room = max(int((width - 0.6) * letters), 12)
    return text if len(text) <= room else f"{text[: room // 2 - 1]}…{text[-(room - room // 2) :]}"
