# SPDX-License-Identifier: MIT OR Apache-2.0
"""Assembly: layers as graphs, one that evaluates and, where it is another, one that is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from vynapse_autodiff.layers.layer import Layer, Notes, Parameter, Scope, built
from vynapse_core import Array, Builder, Graph, GraphError, Networks, Stream, Value

NEXT = "next."
"""What stands before the name of a parameter in the name of the output that is its next value."""


@dataclass(frozen=True)
class Assembly:
    """Layers put together for inputs of one shape."""

    graph: Graph
    """Input `x`, output `y`: what evaluates."""
    training: Graph | None
    """The graph to take gradients of, as `Networks.training`; None where it is `graph`."""
    parameters: tuple[Parameter, ...]

    @property
    def outputs(self) -> tuple[int, ...]:
        """Shape of one sample's output."""
        return tuple(int(size) for size in self.graph.nodes[self.graph.outputs["y"]].shape[1:])

    def initial(self, n: int, rng: Stream) -> dict[str, Array]:
        """Return the first parameters of n networks, float32 [n, ...] each."""
        return {parameter.name: _first(parameter, n, rng) for parameter in self.parameters}

    def networks(self, arrays: Mapping[str, Array]) -> Networks:
        """Return the networks with parameters `arrays` [P, ...]."""
        return Networks(self.graph, arrays, self.training)


def assemble(layers: Sequence[Layer], inputs: tuple[int, ...], shape: tuple[int, ...] | None = None) -> Assembly:
    """Return the layers put together for samples of the shape `inputs`, laid out as `shape` before the first layer.

    Raises GraphError, which tells the layer, where one cannot take what the layer before it gives.
    """
    if shape is not None and prod(shape) != prod(inputs):
        raise GraphError(f"inputs {list(inputs)} cannot be laid out as {list(shape)}", "input")
    graph, _ = _graph(layers, inputs, shape, training=False)
    training, notes = _graph(layers, inputs, shape, training=True)
    return Assembly(graph, None if training == graph else training, tuple(notes.parameters.values()))


def _graph(
    layers: Sequence[Layer], inputs: tuple[int, ...], shape: tuple[int, ...] | None, training: bool
) -> tuple[Graph, Notes]:
    builder, notes = Builder(), Notes(training)
    x: Value = builder.input("x", ("B", *inputs))
    if shape is not None and shape != inputs:
        x = x.reshape(("B", *shape))
    outputs = {"y": built(layers, x, Scope(builder, notes))}
    return builder.graph(outputs | {NEXT + name: value for name, value in notes.following.items()}), notes


def _first(parameter: Parameter, n: int, rng: Stream) -> Array:
    shape = (n, *parameter.shape)
    if isinstance(parameter.first, float):
        return np.full(shape, parameter.first, np.float32)
    columns = prod(parameter.shape) // parameter.rows
    return parameter.first.draw(n, parameter.rows, columns, rng).reshape(shape)
