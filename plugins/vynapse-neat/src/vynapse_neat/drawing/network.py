# SPDX-License-Identifier: MIT OR Apache-2.0
"""A network as a picture: inputs on the left, outputs on the right, weights by colour and width.

Everything is measured in inches, so that a node is as large as a letter in a picture of any size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_neat.drawing.layers import Arrangement, arranged
from vynapse_neat.drawing.links import Links, link_paths
from vynapse_neat.drawing.picture import INK, SOFT, count, headline, write_picture

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from vynapse_core import Array, Genes
    from vynapse_neat.layout import Layout

FILLS = ("#FFFFFF", "#CDEBC5", "#FFE9A8", "#DCCBEE", "#F9CFDC", "#BFE6E6", "#D9D9D9", "#EAD7BF")
"""Of nodes by activation, paler than any link."""
LEFT, RIGHT, TOP, BOTTOM = 0.85, 0.85, 0.85, 0.8
"""Inches around the nodes: for labels, for the title, for the key."""
LEAST_WIDTH = 6.2


@dataclass(frozen=True)
class Scene:
    """A network in inches."""

    x: Array
    """float64 [n], of nodes."""
    y: Array
    radius: float
    """Of a node."""
    gap: float
    """Between two nodes of a layer."""
    links: Links
    width: float
    height: float


def draw_network(layout: Layout, genes: Genes, path: Path, title: str, text: str, *, disabled: bool = False) -> None:
    """Draw the network of one genome, `genes` [1], to a .png or .svg file; `disabled` links on request.

    Raises DataError for another suffix, a file that cannot be written, and a missing matplotlib.
    """
    scene = staged(layout, genes, disabled=disabled)
    names = node_names(layout, genes)

    def draw(figure: Figure) -> None:
        headline(figure, title, text)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, scene.width), ylim=(0, scene.height))
        axes.set_axis_off()
        _draw_links(axes, scene)
        _draw_nodes(axes, scene, layout, genes, names)
        _draw_key(figure, axes, scene, names)

    write_picture(path, scene.width, scene.height, draw)


def described(layout: Layout, genes: Genes) -> str:
    """Return the size of a network in words: `3 hidden nodes, 9 of 11 connections enabled`."""
    hidden = int(genes.structure["nodes"][0]) - layout.fixed
    links = int(genes.structure["connections"][0])
    enabled = int(genes.structure["enabled"][0].sum())
    return f"{count(hidden, 'hidden node')}, {enabled:,} of {count(links, 'connection')} enabled"


def node_names(layout: Layout, genes: Genes) -> list[str]:
    """Return what each node computes, such as `tanh` or `max tanh`; nothing for inputs and the bias node."""
    structure, n = genes.structure, int(genes.structure["nodes"][0])
    names = []
    for place in range(n):
        activation = layout.activations[structure["activation"][0, place]]
        aggregation = layout.aggregations[structure["aggregation"][0, place]]
        computes = layout.inputs <= place and not (layout.bias_node and place == layout.fixed - 1)
        names.append((activation if aggregation == "sum" else f"{aggregation} {activation}") if computes else "")
    return names


def staged(layout: Layout, genes: Genes, *, disabled: bool) -> Scene:
    """Return the nodes and links of one genome in inches."""
    structure, n = genes.structure, int(genes.structure["nodes"][0])
    used = np.arange(structure["innovation"].shape[1]) < structure["connections"][0]
    shown = np.flatnonzero(used & (disabled | (structure["enabled"][0] > 0)))
    ids = structure["node"][0, :n]
    source, target = (np.searchsorted(ids, structure[end][0, shown]) for end in ("source", "target"))
    bias = np.arange(layout.fixed - layout.bias_node, layout.fixed)
    first, last = np.concatenate([np.arange(layout.inputs), bias]), np.arange(layout.outputs) + layout.inputs
    plan = arranged(n, source.tolist(), target.tolist(), first, last)
    return _measured(plan, source, target, layout.weights(genes)[0, shown], structure["enabled"][0, shown] > 0)


def _measured(plan: Arrangement, source: Array, target: Array, weight: Array, enabled: Array) -> Scene:
    """Return an arrangement in inches: large where there is room, and never larger than a screen can show."""
    tall = max(float(np.ptp(plan.waypoint_height)), 1.0)
    long = max(int(plan.layer.max()), 1)
    gap = min(0.8, max(6.0 / tall, min(0.16, 12 / tall)))
    step = min(max(1.7, 0.35 * tall * gap), max(11 / long, min(0.45, 20 / long)))
    radius = min(0.17, 0.36 * gap, 0.3 * step)
    links = link_paths(plan, source, target, weight, enabled, step, gap, radius)
    low, high = links.reach(plan.height * gap, radius)
    across = step * long
    width = max(LEFT + across + RIGHT, LEAST_WIDTH)
    left = LEFT + (width - LEFT - across - RIGHT) / 2
    links = links.moved(left, BOTTOM - low)
    return Scene(
        plan.layer * step + left, plan.height * gap + BOTTOM - low, radius, gap, links, width, BOTTOM + high - low + TOP
    )


def _draw_links(axes: Axes, scene: Scene) -> None:
    """Draw weak links below strong ones, and arrow heads where the direction is not from left to right."""
    from matplotlib.collections import PatchCollection, PathCollection
    from matplotlib.patches import Polygon

    links = scene.links
    order = np.argsort(np.abs(links.weight), kind="stable")
    curves, colours = links.curves(), links.colours()
    for chosen, dashes in ((order[~links.enabled[order]], (0, (3.5, 2.5))), (order[links.enabled[order]], "solid")):
        if len(chosen):
            axes.add_collection(
                PathCollection(
                    [curves[i] for i in chosen],
                    facecolors="none",
                    edgecolors=[colours[i] for i in chosen],
                    linewidths=links.widths[chosen],
                    linestyles=[dashes],
                    capstyle="butt",
                    zorder=2,
                ),
                autolim=False,
            )
    heads = [(Polygon(links.heads[i]), colours[i]) for i in order if i in links.heads]
    if heads:
        axes.add_collection(
            PatchCollection(
                [head for head, _ in heads], facecolors=[colour for _, colour in heads], edgecolors="none", zorder=4
            ),
            autolim=False,
        )


def _draw_nodes(axes: Axes, scene: Scene, layout: Layout, genes: Genes, names: list[str]) -> None:
    """Draw inputs as squares and all others as circles, and label what there is room for."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Circle, Rectangle

    r, fills = scene.radius, _fills(names)
    shapes: list[Any] = []
    colours, edges, lines = [], [], []
    for place, (x, y) in enumerate(zip(scene.x.tolist(), scene.y.tolist(), strict=True)):
        constant = not names[place]
        shapes.append(Rectangle((x - 0.8 * r, y - 0.8 * r), 1.6 * r, 1.6 * r) if constant else Circle((x, y), r))
        colours.append("#E3E8EE" if constant else fills[names[place]])
        edges.append("#5F6B78" if constant else INK)
        lines.append((1.9 if place < layout.fixed and not constant else 1.0) * min(1.0, r / 0.1))
    axes.add_collection(
        PatchCollection(shapes, facecolors=colours, edgecolors=edges, linewidths=lines, zorder=5), autolim=False
    )
    _label_nodes(axes, scene, layout, genes, names)


def _label_nodes(axes: Axes, scene: Scene, layout: Layout, genes: Genes, names: list[str]) -> None:
    size = min(9.0, max(5.5, scene.gap * 72 * 0.62))
    every = math.ceil(size * 1.25 / (scene.gap * 72))
    labels = [(i, f"x{i}", -1) for i in range(0, layout.inputs, every)]
    labels += [(layout.inputs + i, f"y{i}", 1) for i in range(0, layout.outputs, every)]
    labels += [(layout.fixed - 1, "bias", -1)] * layout.bias_node
    for place, text, side in labels:
        x = scene.x[place] + side * (scene.radius + 0.09)
        axes.text(
            x,
            scene.y[place],
            text,
            fontsize=size,
            color=INK,
            ha="right" if side < 0 else "left",
            va="center_baseline",
        )
    for place in range(layout.fixed, len(names)):
        text = str(genes.structure["node"][0, place])
        letters = min(7.5, 2 * scene.radius * 72 * 0.8 / (0.62 * max(len(text), 2)))
        if letters >= 3.5:
            axes.text(
                scene.x[place],
                scene.y[place],
                text,
                fontsize=letters,
                color=INK,
                ha="center",
                va="center_baseline",
                zorder=6,
            )
    if len(set(names) - {""}) > 1 and scene.gap >= 0.5:
        _name_nodes(axes, scene, names)


def _name_nodes(axes: Axes, scene: Scene, names: list[str]) -> None:
    """Write below each node what it computes, or above it where links come in from below alone."""
    ends = [scene.links.points[i][at] for i in scene.links.heads for at in ([0, 1], [-1, -2])]
    for place, name in enumerate(names):
        if not name:
            continue
        here = np.array([scene.x[place], scene.y[place]])
        rises = [bend[1] - end[1] for end, bend in ends if np.hypot(*(end - here)) < 1.5 * scene.radius]
        side = 1 if rises and max(rises) < 0 else -1
        axes.text(
            here[0],
            here[1] + side * (scene.radius + 0.05),
            name,
            fontsize=6.5,
            color=SOFT,
            ha="center",
            va="bottom" if side > 0 else "top",
            zorder=3,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6},
        )


def _fills(names: list[str]) -> dict[str, str]:
    """Return the colour of each thing that a node may compute, the one of most nodes first."""
    found = sorted({name for name in names if name}, key=lambda name: (-names.count(name), name))
    return {name: FILLS[i % len(FILLS)] for i, name in enumerate(found)}


def _draw_key(figure: Figure, axes: Axes, scene: Scene, names: list[str]) -> None:
    """Explain colours of links and nodes along the lower border."""
    from matplotlib.lines import Line2D

    links = scene.links
    left, low, length = 0.32, 0.34, 1.3
    if len(links.weight):
        ramp = np.linspace(-1, 1, 201)[None, :]
        axes.imshow(
            ramp,
            cmap=links.map(),
            aspect="auto",
            extent=(left, left + length, low, low + 0.085),
            zorder=3,
            origin="lower",
        )
        axes.set(xlim=(0, scene.width), ylim=(0, scene.height))
        for at, text in ((0.0, f"−{links.scale:.3g}"), (0.5, "0"), (1.0, f"{links.scale:.3g}")):
            axes.text(left + at * length, low - 0.05, text, fontsize=6.5, color=SOFT, ha="center", va="top")
        axes.text(left, low + 0.13, "weight", fontsize=7.5, color=SOFT, va="bottom")
    handles = []
    if (~links.enabled).any():
        handles.append(Line2D([], [], color="#9A9A9A", linewidth=1.2, linestyle=(0, (3.5, 2.5)), label="disabled"))
    fills = _fills(names)
    for name, fill in list(fills.items())[: len(FILLS)]:
        handles.append(
            Line2D(
                [], [], marker="o", color="none", markerfacecolor=fill, markeredgecolor=INK, markersize=7, label=name
            )
        )
    if len(fills) > len(FILLS):
        handles.append(Line2D([], [], color="none", label=f"and {len(fills) - len(FILLS)} more"))
    room = scene.width - left - length - 0.5
    longest = max(len(str(handle.get_label())) for handle in handles) * 0.068 + 0.42
    columns = max(1, min(len(handles), int(room / longest)))
    figure.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1 - 0.18 / scene.width, 0.1 / scene.height),
        ncols=columns,
        frameon=False,
        fontsize=7.5,
        labelcolor=SOFT,
        handletextpad=0.4,
        columnspacing=1.2,
        labelspacing=0.3,
        borderpad=0,
    )
