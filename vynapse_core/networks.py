# SPDX-License-Identifier: MIT OR Apache-2.0
"""Networks: one graph, and the arrays that tell P networks apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vynapse_core.errors import GraphError
from vynapse_core.graph import Graph
from vynapse_core.population import Array

MEMORY = "memory"
"""The input and the output by which a graph has a memory."""


@dataclass(frozen=True)
class Networks:
    """P networks that share a graph with an input `x` [B, ...] and an output `y` [B, ...].

    A graph may also have a memory: an input `memory` [B, ...] and an output of the same name, shape and dtype. It is 0
    at the start of each episode or sequence, and what a time step gives as output is the input of the next; each of the
    B samples has its own. Its sizes after B are integers or symbols that a parameter has, such as the number of nodes.
    """

    graph: Graph
    arrays: Mapping[str, Array]
    """The graph's parameters, each [P, ...]: weights, and for evolving topologies the structure too."""
    training: Graph | None = None
    """The graph to take gradients of, where it is another: with dropout, statistics of a batch, or frozen parameters.

    Its parameters are the same. It may have an input `key`, uint64 [2], from which its random numbers follow, and
    outputs `next.NAME`: what the parameter NAME becomes after a training step, which no gradient then moves.
    """

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def part(self, rows: slice) -> Networks:
        """Return the networks of `rows`."""
        return Networks(self.graph, {name: array[rows] for name, array in self.arrays.items()}, self.training)

    def blank_memory(self, samples: int) -> dict[str, Array]:
        """Return {"memory": zeros [P, samples, ...]}, the input at the first time step; {} for networks without one.

        Raises GraphError where input and output differ, or where no parameter tells a size.
        """
        if MEMORY not in self.graph.inputs:
            return {}
        node = self.graph.nodes[self.graph.inputs[MEMORY]]
        after = self.graph.nodes[self.graph.outputs[MEMORY]] if MEMORY in self.graph.outputs else None
        if after is None or (after.shape, after.dtype) != (node.shape, node.dtype) or not node.shape:
            found = f"the output {after.type}" if after else "no output of this name"
            raise GraphError(f"the input {MEMORY!r} {node.type} needs an output of the same type, got {found}")
        sizes = {
            dim: self.arrays[name].shape[axis]
            for name, place in self.graph.parameters.items()
            for axis, dim in enumerate(self.graph.nodes[place].shape, start=1)
        }
        unknown = [dim for dim in node.shape[1:] if isinstance(dim, str) and dim not in sizes]
        if unknown:
            raise GraphError(f"the input {MEMORY!r} {node.type}: no parameter has the size {unknown[0]!r}")
        rest = [sizes[dim] if isinstance(dim, str) else dim for dim in node.shape[1:]]
        return {MEMORY: np.zeros((len(self), samples, *rest), node.dtype)}
