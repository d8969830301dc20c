# SPDX-License-Identifier: MIT OR Apache-2.0
"""First topologies: which of the possible links between inputs, first hidden nodes and outputs a new genome has.

All possible links are numbered beforehand, target by target, and a link's number is its innovation: what two random
genomes have in common is known as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from vynapse_core import Array, Stream
    from vynapse_neat.layout import Layout

Initial = Literal["full", "minimal", "sparse_inputs", "sparse_outputs", "none", "unconnected"]


@dataclass(frozen=True)
class PossibleLinks:
    """The links that a first genome may have; the place in these arrays is the innovation."""

    source: Array
    """int32 [L], ids of nodes."""
    target: Array
    """int32 [L], ascending in each of the two layers."""
    first: Array
    """int64 [T, I]: the links from inputs into the nodes of the first layer: hidden ones, or outputs without those."""
    always: Array
    """int64 [K]: the links that every genome has: those of the bias node, and from hidden nodes to outputs."""


def possible_links(layout: Layout, hidden: int) -> PossibleLinks:
    """Return the possible links of genomes with so many hidden nodes from the start."""
    inputs = np.arange(layout.inputs)
    outputs = np.arange(layout.inputs, layout.inputs + layout.outputs)
    bias = np.arange(layout.fixed - layout.bias_node, layout.fixed)
    between = np.arange(layout.fixed, layout.fixed + hidden)
    first = between if hidden else outputs
    layers = [(np.concatenate([inputs, bias]), first)]
    if hidden:
        layers.append((np.concatenate([bias, between]), outputs))
    source = np.concatenate([np.tile(sources, len(targets)) for sources, targets in layers])
    target = np.concatenate([np.repeat(targets, len(sources)) for sources, targets in layers])
    chosen = (source < layout.inputs) & np.isin(target, first)
    return PossibleLinks(
        source.astype(np.int32),
        target.astype(np.int32),
        np.flatnonzero(chosen).reshape(len(first), layout.inputs),
        np.flatnonzero(~chosen),
    )


def chosen_links(links: PossibleLinks, initial: Initial, n: int, rng: Stream) -> Array:
    """Return the innovations int64 [n, k] of the links of n genomes, ascending in each."""
    targets, inputs = links.first.shape
    if initial in ("full", "minimal"):
        some = np.broadcast_to(links.first.reshape(-1), (n, links.first.size))
    elif initial == "sparse_inputs":
        some = links.first[rng.integers(0, targets, (n, inputs)), np.arange(inputs)]
    elif initial == "sparse_outputs":
        some = links.first[np.arange(targets), rng.integers(0, inputs, (n, targets))]
    elif initial == "unconnected":
        some = np.empty((n, 0), np.int64)
    else:
        some = links.first[:, rng.integers(0, inputs, n)].T
    return np.sort(np.concatenate([some, np.broadcast_to(links.always, (n, len(links.always)))], axis=1), axis=1)
