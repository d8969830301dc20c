# SPDX-License-Identifier: MIT OR Apache-2.0
"""Networks: one graph, and the arrays that tell P networks apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vynapse_core.graph import Graph
from vynapse_core.population import Array


@dataclass(frozen=True)
class Networks:
    """P networks that share a graph with an input `x` [B, ...] and an output `y` [B, ...]."""

    graph: Graph
    arrays: Mapping[str, Array]
    """The graph's parameters, each [P, ...]: weights, and for evolving topologies the structure too."""
