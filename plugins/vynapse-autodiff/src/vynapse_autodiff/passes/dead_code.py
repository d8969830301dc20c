# SPDX-License-Identifier: MIT OR Apache-2.0
"""Dead code: what no output needs is left out."""

from __future__ import annotations

from collections.abc import Mapping

from vynapse_autodiff.passes.rewriting import PassReport
from vynapse_core import Graph, Op


def dead_code(graph: Graph, ops: Mapping[str, Op] | None = None) -> tuple[Graph, PassReport]:
    """Return the graph without what no output needs; inputs and parameters stay."""
    after = graph.live(leaves=True)
    removed = len(graph.nodes) - len(after.nodes)
    return after, PassReport("dead code", len(graph.nodes), len(after.nodes), {"removed": removed} if removed else {})
