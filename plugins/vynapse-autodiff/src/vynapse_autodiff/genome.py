# SPDX-License-Identifier: MIT OR Apache-2.0
"""The genome `network`: the weights of a network of layers, to be trained by gradients, evolved, or both.

Genes are rows [P, w] of all that is learnt, one parameter after the other, so that the arrays of a population's
networks are views of the genes. What is not learnt, running statistics and frozen layers, lies in the genes' structure,
which operators on reals leave alone.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field

from vynapse_autodiff.layers import AnyLayer, Assembly, Parameter, assemble
from vynapse_core import Array, Genes, Genome, GraphError, Networks, Stream, Task

if TYPE_CHECKING:
    from vynapse_core import Experiment

_Size = Annotated[int, Field(gt=0)]


class Network(Genome):
    """The weights of a network of layers: convolutions, normalisation, dropout, residual blocks and others."""

    encoding: ClassVar[str] = "real"
    example: ClassVar[Mapping[str, Any]] = {
        "shape": (8,),
        "input": (2, 2, 2),
        "layers": (
            {"type": "conv2d", "filters": 3, "size": 1, "activation": "tanh"},
            {"type": "batch_norm"},
            {"type": "flatten"},
            {"type": "dropout"},
            {"type": "dense", "units": 2},
        ),
    }

    layers: tuple[AnyLayer, ...] = Field(min_length=1)
    """The layers, the first one first: tables with `type` as "dense", "conv2d", "max_pool", "average_pool",
    "global_pool", "batch_norm", "layer_norm", "dropout", "embedding", "flatten", "activation", "sequential" or
    "residual". The last one gives the task's outputs."""
    input: tuple[_Size, ...] | None = None
    """How one input is laid out before the first layer, such as [1, 28, 28]; by default as the task gives it."""
    shape: tuple[_Size, ...] | None = None
    """Shape of one input; by default the task's."""

    def fitted(self, task: Task) -> Self:
        """Return this genome with the shape of the task's inputs."""
        shape = getattr(task, "inputs", None)
        if self.shape is not None or shape is None:
            return self
        return type(self)(**{**dict(self), "shape": tuple(shape)})

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where a layer does not fit the one before it, or the last one the task."""
        task = experiment.task
        inputs, outputs = getattr(task, "inputs", None), getattr(task, "outputs", None)
        if inputs is not None and self.shape is not None and tuple(inputs) != self.shape:
            yield "shape", f"expected {list(inputs)}, the shape of the task's inputs, found {list(self.shape)}"
            return
        try:
            found = self.assembly.outputs
        except GraphError as error:
            yield error.key, str(error)
            return
        if not self.length:
            yield "layers", "no layer has parameters to learn; add one, such as 'dense'"
        elif outputs is not None and found != (outputs,):
            last = f"layers.{len(self.layers) - 1}"
            yield last, f"the network must give {[outputs]}, the task's outputs; it gives {list(found)}"

    @cached_property
    def assembly(self) -> Assembly:
        """The layers as graphs. Raises GraphError where one does not fit, and where no shape of inputs is known."""
        shape = self.shape or self.input
        if shape is None:
            raise GraphError("the shape of inputs is unknown: set 'shape', or take a task that has one", "shape")
        return assemble(self.layers, shape, self.input)

    @cached_property
    def _places(self) -> tuple[tuple[Parameter, slice], ...]:
        """Where each learnt parameter lies in a row of genes."""
        learnt = [parameter for parameter in self.assembly.parameters if parameter.learnt]
        ends = np.cumsum([0, *(prod(parameter.shape) for parameter in learnt)]).tolist()
        return tuple((parameter, slice(*ends[at : at + 2])) for at, parameter in enumerate(learnt))

    @property
    def length(self) -> int:
        """Number of genes."""
        return sum(prod(parameter.shape) for parameter, _ in self._places)

    def initial(self, n: int, rng: Stream) -> Genes:
        """Return the genes of n networks: weights from the layers' initialisers, biases 0."""
        arrays = self.assembly.initial(n, rng)
        return Genes(self._rows(n, arrays), self._kept(n, arrays))

    def networks(self, genes: Genes) -> Networks:
        """Return the networks of `genes` [n, w]; their arrays are views of the genes."""
        n = len(genes)
        arrays = dict(genes.structure)
        for parameter, place in self._places:
            arrays[parameter.name] = genes.values[:, place].reshape(n, *parameter.shape)
        return self.assembly.networks(arrays)

    def absorb(self, genes: Genes, arrays: Mapping[str, Array]) -> Genes:
        """Return `genes` [n, w] with the parameters of `arrays`, running statistics included."""
        n = len(genes)
        return Genes(self._rows(n, arrays), self._kept(n, arrays), genes.bounds)

    def _rows(self, n: int, arrays: Mapping[str, Array]) -> Array:
        values = np.empty((n, self.length), np.float32)
        for parameter, place in self._places:
            values[:, place] = arrays[parameter.name].reshape(n, prod(parameter.shape))
        return values

    def _kept(self, n: int, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return what of `arrays` [n, ...] is not learnt, as arrays of its own."""
        kept = [parameter for parameter in self.assembly.parameters if not parameter.learnt]
        return {parameter.name: np.array(arrays[parameter.name], np.float32) for parameter in kept}
