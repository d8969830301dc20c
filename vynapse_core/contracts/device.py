# SPDX-License-Identifier: MIT OR Apache-2.0
"""Device: what compiles a graph of one network and computes it for P networks."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from vynapse_core.component import Component
from vynapse_core.graph import Graph
from vynapse_core.population import Array

Kernel = Callable[..., Any]
"""An op's implementation for one device; what it takes and returns is that device's page to say."""


class Program(ABC):
    """A compiled graph."""

    graph: Graph
    per_network: tuple[str, ...]
    """The inputs that each network has of its own, [P, B, ...]; the others are shared, [B, ...]."""

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
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Repeat the program, feeding outputs back: a training loop inside the device.

        `batches` {input: int [steps, b]} says which samples of an input each step takes; `carry` {output: parameter}
        says which outputs become parameters of the next step. Returns the parameters after the last step,
        {name: [P, ...]}, and the other outputs of all steps, {name: [steps, P, ...]}.
        """
        steps = len(next(iter(batches.values())))
        arrays, seen = dict(arrays), []
        for step in range(steps):
            batch = {name: inputs[name][rows[step]] for name, rows in batches.items()}
            outputs = self(arrays, {**inputs, **batch})
            arrays |= {parameter: outputs.pop(name) for name, parameter in carry.items()}
            seen.append(outputs)
        return arrays, {name: np.stack([outputs[name] for outputs in seen]) for name in seen[0]} if seen else {}


class Device(Component):
    """What computes graphs."""

    kind: ClassVar[str] = "device"

    @abstractmethod
    def compile(self, graph: Graph, per_network: tuple[str, ...] = ()) -> Program:
        """Return the program of `graph`; the inputs named `per_network` have a leading axis P."""
