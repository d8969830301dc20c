# SPDX-License-Identifier: MIT OR Apache-2.0
"""The trainer `static_graph`: an update is one graph that passes have gone over, executed by level of optimization."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from vynapse_autodiff.descent import Descent, State
from vynapse_autodiff.lesson import Lesson, Updating
from vynapse_autodiff.passes.optimize import Optimized
from vynapse_autodiff.static.compiler import Compiler
from vynapse_core import Array, Graph, Program, Report

if TYPE_CHECKING:
    from vynapse_core import Experiment


class StaticGraph(Descent):
    """Train networks by gradients, an update being one graph that is optimized before it is compiled.

    Batches, state and reports are those of `sgd`. The log says what the passes did.
    """

    optimization_level: int = Field(3, ge=0, le=3)
    """0: node by node, as written. 1: constants folded, common subexpressions, dead code, algebra; memory planned.
    2: fused and laid out, compiled by the device, one call an update. 3: all updates of a step in one call."""

    def updating(self, experiment: "Experiment", lesson: Lesson) -> Updating:
        """Return what executes the optimized training step."""
        compiler = Compiler(experiment.recipe.device, self.optimization_level, experiment.catalogue.ops)
        graph = lesson.step.graph
        program = compiler.compile(graph)
        return Updates(program, lesson.step.carry, self.optimization_level == 3, told(graph, compiler.optimized(graph)))

    def step(self, experiment: "Experiment", state: State) -> tuple[State, Report]:
        """Return the state after a step's batches, and its report; the first one says what the passes did."""
        after, report = super().step(experiment, state)
        _, update = self._made(experiment)
        if state.step == 0 and isinstance(update, Updates):
            report = replace(report, note=update.note)
        return after, report


@dataclass(frozen=True, eq=False)
class Updates:
    """A training step that is repeated."""

    program: Program
    carry: Mapping[str, str]
    inside: bool
    """Whether the program repeats itself."""
    note: str
    """What the passes did to its graph."""

    def __call__(
        self, arrays: Mapping[str, Array], inputs: Mapping[str, Array], batches: Mapping[str, Array], count: int
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return what `Program.scan` does."""
        if self.inside:
            return self.program.scan(arrays, inputs, batches, self.carry, count)
        return one_by_one(self.program, arrays, inputs, batches, self.carry, count)


def told(graph: Graph, found: Optimized) -> str:
    """Return in a line what the passes of a level did to a graph."""
    totals: Counter[str] = Counter()
    for report in found.reports:
        totals.update(report.changes)
    changes = ", ".join(f"{name} {count}" for name, count in sorted(totals.items())) or "as written"
    return f"optimization level {found.level}: {len(graph.nodes)} to {len(found.graph.nodes)} nodes; {changes}"


def one_by_one(
    program: Program,
    arrays: Mapping[str, Array],
    inputs: Mapping[str, Array],
    batches: Mapping[str, Array],
    carry: Mapping[str, str],
    count: int,
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return what `Program.scan` does, by a call of the program for each step."""
    after, seen = dict(arrays), []
    for step in range(count):
        batch = {name: inputs[name][rows[step]] for name, rows in batches.items()}
        outputs = program(after, {**inputs, **batch})
        after |= {parameter: outputs.pop(name) for name, parameter in carry.items()}
        seen.append(outputs)
    return after, {name: np.stack([outputs[name] for outputs in seen]) for name in seen[0]} if seen else {}
