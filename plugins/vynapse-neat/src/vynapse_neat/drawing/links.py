# SPDX-License-Identifier: MIT OR Apache-2.0
"""The links of a network as curves: forward ones swing from layer to layer, all others bend back in an arc."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.path import Path as Curve

    from vynapse_core import Array
    from vynapse_neat.drawing.layers import Arrangement

NEGATIVE, ZERO, POSITIVE = ("#8C2D04", "#E6640F"), "#D8D8D8", ("#3D93D1", "#08407E")
"""Colours of weights, from the strongest: told apart with any colour vision, and by their lightness from 0."""
DISABLED = "#A6A6A6"
WIDEST = 3.2
"""Width of the strongest link, in points."""


@dataclass(frozen=True)
class Links:
    """The curves of m links, in inches."""

    points: tuple[Array, ...]
    """For each link float64 [1 + 3 k, 2]: a start, and for each of k cubic pieces two controls and an end."""
    heads: dict[int, Array]
    """The corners [3, 2] of arrow heads, for links that do not lead to the right."""
    weight: Array
    """float [m]."""
    enabled: Array
    """bool [m]."""
    widths: Array
    """float64 [m], in points."""
    scale: float
    """The weight of the strongest colour."""

    def curves(self) -> list[Curve]:
        """Return the curves as matplotlib draws them."""
        from matplotlib.path import Path as Curve

        return [Curve(each, [Curve.MOVETO] + [Curve.CURVE4] * (len(each) - 1)) for each in self.points]

    def colours(self) -> list[Any]:
        """Return a colour for each link, RGBA; where there are many, they let those below shine through."""
        from matplotlib.colors import to_rgba

        alpha = 0.9 if len(self.weight) <= 120 else 0.72
        found = self.map()(np.clip(self.weight / self.scale, -1, 1) / 2 + 0.5, alpha=alpha)
        grey = to_rgba(DISABLED, 0.9)
        return [tuple(colour) if on else grey for colour, on in zip(found, self.enabled, strict=True)]

    def map(self) -> LinearSegmentedColormap:
        """Return the map from weights, 0 for the most negative and 1 for the most positive, to colours."""
        from matplotlib.colors import LinearSegmentedColormap

        return LinearSegmentedColormap.from_list("weights", [*NEGATIVE, ZERO, *POSITIVE])

    def reach(self, height: Array, radius: float) -> tuple[float, float]:
        """Return the lowest and the highest point of nodes at `height` and of all curves."""
        curves = [along[:, 1] for points in self.points for along in _sampled(points)]
        everything = np.concatenate([height - radius, height + radius, *curves])
        return float(everything.min()), float(everything.max())

    def moved(self, x: float, y: float) -> Links:
        """Return the same curves, so many inches further to the right and up."""
        by = np.array([x, y])
        heads = {index: corners + by for index, corners in self.heads.items()}
        return replace(self, points=tuple(points + by for points in self.points), heads=heads)


def link_paths(
    plan: Arrangement,
    source: Array,
    target: Array,
    weight: Array,
    enabled: Array,
    step: float,
    gap: float,
    radius: float,
) -> Links:
    """Return the curves of links; layers are `step` inches apart, nodes of a layer `gap`."""
    where = np.stack([plan.waypoint_layer * step, plan.waypoint_height * gap], axis=1)
    points, heads = [], {}
    for index, way in enumerate(plan.ways):
        if way:
            points.append(_swung(where[list(way)]))
            continue
        curve = _bent(where[source[index]], where[target[index]], step, gap, radius)
        points.append(curve)
        heads[index] = _arrow_head(curve, radius)
    size = np.abs(weight[enabled]) if enabled.any() else np.abs(weight)
    scale = float(np.quantile(size, 0.95)) if len(size) > 20 else float(size.max(initial=0.0))
    scale = scale if scale > 0 else 1.0
    crowd = float(np.clip(np.sqrt(60 / max(len(weight), 1)), 0.22, 1.0))
    widths = (0.45 + (WIDEST - 0.45) * np.clip(np.abs(weight) / scale, 0, 1)) * crowd
    widths = np.where(enabled, widths, 1.1 * max(crowd, 0.5))
    return Links(tuple(points), heads, np.asarray(weight, np.float64), enabled, widths, scale)


def _swung(places: Array) -> Array:
    """Return the curve through places from left to right, level at each of them but where it goes straight on."""
    slopes = np.zeros(len(places))
    if len(places) > 2:
        ahead = np.diff(places[:, 1]) / np.diff(places[:, 0])
        before, after = ahead[:-1], ahead[1:]
        # the harmonic mean of both, which overshoots nowhere (Fritsch & Butland 1984)
        both = before * after > 0
        total = np.where(both, before + after, 1.0)
        slopes[1:-1] = np.where(both, 2 * before * after / total, 0.0)
    curve = [places[:1]]
    for i in range(len(places) - 1):
        third = (places[i + 1, 0] - places[i, 0]) * 0.42
        controls = [
            places[i] + np.array([third, slopes[i] * third]),
            places[i + 1] - np.array([third, slopes[i + 1] * third]),
            places[i + 1],
        ]
        curve.append(np.array(controls))
    return np.concatenate(curve)


def _bent(start: Array, end: Array, step: float, gap: float, radius: float) -> Array:
    """Return an arc from a node to itself, to one of its layer, or back to one of a layer before."""
    (x, y), (to_x, to_y) = start.tolist(), end.tolist()
    if x == to_x and y == to_y:
        loop = [(-0.5, 0.8), (-2.3, 3.1), (2.3, 3.1), (0.55, 0.95)]
        return start + radius * np.array(loop)
    if x == to_x:
        out = min(0.42 * step, 0.2 + 0.25 * abs(to_y - y))
        controls = np.array([(x, y), (x + out, y), (x + out, to_y), (to_x, to_y)])
    else:
        side = 1 if y + to_y >= 0 else -1
        lift = side * (0.45 * gap + 0.16 * abs(x - to_x) + radius)
        top = max(y, to_y) if side > 0 else min(y, to_y)
        out = 0.3 * step
        controls = np.array([(x, y), (x + out, top + lift), (to_x - out, top + lift), (to_x, to_y)])
    towards = controls[3] - controls[2]
    controls[3] -= towards / np.hypot(*towards) * radius * 1.15
    return controls


def _arrow_head(curve: Array, radius: float) -> Array:
    """Return the corners of the arrow head at the end of a curve."""
    towards = curve[-1] - curve[-2]
    towards = towards / np.hypot(*towards)
    aside = np.array([-towards[1], towards[0]])
    length = min(0.1, 0.75 * radius)
    back = curve[-1] - towards * length
    return np.array([curve[-1] + 0.15 * length * towards, back + aside * length * 0.45, back - aside * length * 0.45])


def _sampled(points: Array) -> list[Array]:
    """Return points along each cubic piece of a curve, [5, 2]."""
    t = np.linspace(0, 1, 5)[:, None]
    pieces = [points[i : i + 4] for i in range(0, len(points) - 1, 3)]
    return [(1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d for a, b, c, d in pieces]
