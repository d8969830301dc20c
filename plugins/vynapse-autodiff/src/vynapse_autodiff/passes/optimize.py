# SPDX-License-Identifier: MIT OR Apache-2.0
"""The passes one after the other, by level.

Level 0 leaves a graph as it is. Level 1 folds constants, shares common subexpressions, drops dead code and simplifies.
Levels 2 and 3 move transposes and say what is fused; they differ in how the graph is executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vynapse_autodiff.gradient import known_ops
from vynapse_autodiff.passes.algebra import simplify
from vynapse_autodiff.passes.dead_code import dead_code
from vynapse_autodiff.passes.folding import fold_constants
from vynapse_autodiff.passes.fusion import Region, fuse, singles
from vynapse_autodiff.passes.layout import layout
from vynapse_autodiff.passes.rewriting import PassReport
from vynapse_autodiff.passes.subexpressions import common_subexpressions
from vynapse_core import Graph, GraphError, Op

LEVELS = (0, 1, 2, 3)
ROUNDS = 4
"""Most times that the passes are repeated; what one does may give another something to do."""


@dataclass(frozen=True)
class Optimized:
    """A graph after the passes of a level."""

    graph: Graph
    """It computes the same outputs from the same inputs and parameters."""
    level: int
    reports: tuple[PassReport, ...]
    """What each pass did, in order."""
    regions: tuple[Region, ...]
    """Which nodes are one step, in an order in which they can be computed; leaves are in none."""

    @property
    def summary(self) -> str:
        """The passes that did something, a line each."""
        return "\n".join(str(report) for report in self.reports if report.changes) or "no pass found anything to do"


def optimize(graph: Graph, level: int = 3, ops: Mapping[str, Op] | None = None) -> Optimized:
    """Return the graph after the passes of a level, 0 to 3. Raises GraphError for another level.

    It is not to be differentiated after: stop_gradient is gone then.
    """
    if level not in LEVELS:
        raise GraphError(f"optimization level {level!r}; expected 0, 1, 2 or 3")
    if level == 0:
        return Optimized(graph, level, (), singles(graph))
    known = known_ops(graph) if ops is None else ops
    passes = [dead_code, common_subexpressions, fold_constants, simplify]
    if level >= 2:
        passes.append(layout)
    reports: list[PassReport] = []
    after = graph
    for _ in range(ROUNDS):
        done = []
        for each in passes:
            after, report = each(after, known)
            done.append(report)
        reports += done
        if not any(report.changes for report in done):
            break
    regions = singles(after)
    if level >= 2:
        regions, report = fuse(after)
        reports.append(report)
    return Optimized(after, level, tuple(reports), regions)
