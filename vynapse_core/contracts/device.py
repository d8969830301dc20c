# SPDX-License-Identifier: MIT OR Apache-2.0
"""Device: what compiles a graph of one network and computes it for P networks."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from vynapse_core.component import Component
from vynapse_core.graph import Graph
from vynapse_core.population import Array
from vynapse_core.routines import Routine, Run

Kernel = Callable[..., Any]
"""An op's implementation for one device; what it takes and returns is that device's page to say."""


@dataclass(frozen=True)
class SampleKernel:
    """An op for one network and one sample, as a loop that a device puts among its own code."""

    part: Routine
    """A part of routines: `part(*operands, result, *scratch, *numbers)`. Operands and result are arrays of the shapes
    in the graph, of a shape [] numbers; it writes all of the result."""
    scratch: tuple[tuple[int | str, ...], ...] = ()
    """Shapes of arrays to work in, of the result's dtype, whose symbols are those of the operands. What is in them
    before is not known."""
    numbers: tuple[int | tuple[int, ...], ...] = ()
    """What else it needs to know, int64 and int64 [n], such as the op's attributes."""


class Program(ABC):
    """A compiled graph."""

    graph: Graph
    per_network: tuple[str, ...]
    """The inputs that each network has of its own, [P, B, ...]; the others are shared, [B, ...]."""
    engine: str = ""
    """Which of its device's ways of computing it takes, where there are several."""
    repeats: bool = False
    """Whether `scan` repeats the program inside the device, so that a step costs no call."""

    @abstractmethod
    def __call__(self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the graph's outputs, {name: [P, ...]}, for `arrays` {parameter: [P, ...]} and `inputs`.

        Raises ValueError for an array that is missing, unknown, or not of the shape and dtype the graph says.
        """

    def scan(
        self,
        arrays: Mapping[str, Array],
        inputs: Mapping[str, Array],
        batches: Mapping[str, Array],
        carry: Mapping[str, str],
        steps: int | None = None,
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Repeat the program, feeding outputs back: a training loop, or an episode, inside the device.

        `batches` {input: int [steps, b]} says which samples of an input each step takes; where it is empty, all steps
        take the same inputs and `steps` says how many there are. `carry` {output: parameter} says which outputs become
        parameters of the next step. Returns the parameters after the last step, {name: [P, ...]}, and the other
        outputs of all steps, {name: [steps, P, ...]}. Raises ValueError where the number of steps is not settled.
        """
        steps = self.count_steps(batches, steps)
        arrays, seen = dict(arrays), []
        for step in range(steps):
            batch = {name: inputs[name][rows[step]] for name, rows in batches.items()}
            outputs = self(arrays, {**inputs, **batch})
            arrays |= {parameter: outputs.pop(name) for name, parameter in carry.items()}
            seen.append(outputs)
        return arrays, {name: np.stack([outputs[name] for outputs in seen]) for name in seen[0]} if seen else {}

    @staticmethod
    def count_steps(batches: Mapping[str, Array], steps: int | None) -> int:
        """Return how often a scan repeats its program. Raises ValueError where that is not settled."""
        told = {f"batches of {name!r}": len(rows) for name, rows in batches.items()}
        told |= {"'steps'": steps} if steps is not None else {}
        if len(set(told.values())) != 1 or min(told.values()) < 0:
            found = ", ".join(f"{count} from {name}" for name, count in told.items()) or "neither batches nor 'steps'"
            raise ValueError(f"scan: expected one number of steps, got {found}")
        return next(iter(told.values()))


class Device(Component):
    """What computes graphs."""

    kind: ClassVar[str] = "device"

    fuses: ClassVar[bool] = False
    """Whether it has programs that repeat inside it; then a task's time step and the policy become one graph."""

    compiles: ClassVar[bool] = False
    """Whether it compiles routines; where it does not, whole-array calls of NumPy are faster than a routine."""

    def routine(self, routine: Routine) -> Run:
        """Return a routine in this device's form, which does the same; by default Python runs it."""
        return routine.run

    @abstractmethod
    def compile(self, graph: Graph, per_network: tuple[str, ...] = ()) -> Program:
        """Return the program of `graph`; the inputs named `per_network` have a leading axis P."""

    @classmethod
    def describe_here(cls) -> Mapping[str, str]:
        """Return what is worth knowing of this device on this machine, by what it is: threads, code it keeps, where.

        It is for `vynapse plugins`, so it imports nothing heavy.
        """
        return {}
