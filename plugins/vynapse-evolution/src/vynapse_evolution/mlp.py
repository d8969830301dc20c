# SPDX-License-Identifier: MIT OR Apache-2.0
"""The genome `mlp`: the weights of a network of fully connected layers.

Genes are rows [P, w]. In a row the layers follow one another, each with its weights [out, in] first and its biases
[out] after them, so that the arrays of a population's networks are views of the genes: decoding copies nothing.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from math import inf, prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field, ValidationInfo, field_validator, model_validator

from vynapse_core import Activation, Array, Builder, Genes, Genome, Graph, Initialiser, Networks, Stream, Task, mistake
from vynapse_evolution.several import OneOrSeveral

if TYPE_CHECKING:
    from vynapse_core import Experiment

_TANH: Any = "vynapse:tanh"
_XAVIER: Any = "vynapse:xavier"


class Mlp(Genome):
    """The weights of a network of fully connected layers: a fixed topology."""

    encoding: ClassVar[str] = "real"
    example: ClassVar[Mapping[str, Any]] = {"layers": (3, 4, 2)}

    layers: tuple[Annotated[int, Field(gt=0)], ...] = Field(min_length=2)
    """Sizes of the layers: inputs, hidden layers, outputs."""
    activation: Annotated[tuple[Activation, ...], OneOrSeveral] = _TANH
    """Activation of the hidden layers (the output has none), or an array, one for each layer after the first."""
    initialiser: Initialiser = _XAVIER
    """Distribution of the first weights; biases start at 0."""
    bias: bool = True
    """Whether layers have biases."""
    low: float | None = None
    """The least value of a weight; without it, none."""
    high: float | None = None
    """The greatest value of a weight; without it, none."""
    shape: tuple[Annotated[int, Field(gt=0)], ...] | None = None
    """Shape of one input, flattened before the first layer; by default the task's."""

    @field_validator("activation", mode="before")
    @classmethod
    def _for_each_layer(cls, value: Any, info: ValidationInfo) -> Any:
        layers = info.data.get("layers")
        if layers is None:
            return value
        if not isinstance(value, tuple | list):
            return (*(value,) * (len(layers) - 2), "vynapse:identity")
        if len(value) != len(layers) - 1:
            raise mistake(
                f"expected {len(layers) - 1} activations, one for each layer after the first, found {len(value)}",
                "a single name, no array, is for the hidden layers",
            )
        return value

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise mistake(f"'low' ({self.low}) must lie below 'high' ({self.high})")
        if self.shape is not None and prod(self.shape) != self.layers[0]:
            found = f"an input of shape {list(self.shape)} has {prod(self.shape)} numbers"
            raise mistake(f"{found}, and 'layers' begins with {self.layers[0]}")
        return self

    def fitted(self, task: Task) -> Self:
        """Return this genome with the shape of the task's inputs, where they are not flat."""
        shape = getattr(task, "inputs", ())
        if self.shape is None and len(shape) > 1 and prod(shape) == self.layers[0]:
            return type(self)(**{**dict(self), "shape": tuple(shape)})
        return self

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where the first or the last layer is not of the task's size."""
        inputs, outputs = getattr(experiment.task, "inputs", None), getattr(experiment.task, "outputs", None)
        if inputs is not None and prod(inputs) != self.layers[0]:
            yield "layers", f"the first must be {prod(inputs)}, the task's number of inputs; found {self.layers[0]}"
        if outputs is not None and outputs != self.layers[-1]:
            yield "layers", f"the last must be {outputs}, the task's number of outputs; found {self.layers[-1]}"

    @cached_property
    def graph(self) -> Graph:
        """The graph of these networks: parameters `w0` [out, in], `b0` [out], ...; `x` [B, in] to `y` [B, out]."""
        builder = Builder()
        value = builder.input("x", ("B", *(self.shape or self.layers[:1])))
        if len(value.shape) > 2:
            value = value.reshape(("B", self.layers[0]))
        for index, (fan_in, fan_out) in enumerate(zip(self.layers, self.layers[1:], strict=False)):
            value = value @ builder.parameter(f"w{index}", (fan_out, fan_in)).T
            if self.bias:
                value = value + builder.parameter(f"b{index}", (fan_out,))
            value = self.activation[index].build(value)
        return builder.graph({"y": value})

    @cached_property
    def places(self) -> tuple[tuple[str, int, tuple[int, ...]], ...]:
        """Where each parameter lies in a row of genes: (name, first gene, shape)."""
        places: list[tuple[str, int, tuple[int, ...]]] = []
        start = 0
        for index, (fan_in, fan_out) in enumerate(zip(self.layers, self.layers[1:], strict=False)):
            places.append((f"w{index}", start, (fan_out, fan_in)))
            start += fan_out * fan_in
            if self.bias:
                places.append((f"b{index}", start, (fan_out,)))
                start += fan_out
        return tuple(places)

    @cached_property
    def views(self) -> tuple[tuple[str, tuple[slice, slice], tuple[int, ...] | None], ...]:
        """What of genes [n, w] each parameter is: (name, index of its genes, its shape [n, ...] if not that of these).

        The number of networks is open: −1.
        """
        return tuple(
            (name, np.s_[:, start : start + prod(shape)], (-1, *shape) if len(shape) > 1 else None)
            for name, start, shape in self.places
        )

    @property
    def length(self) -> int:
        """Number of genes."""
        _, start, shape = self.places[-1]
        return start + prod(shape)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The least and the greatest weight, or None where neither is given."""
        if self.low is None and self.high is None:
            return None
        return (-inf if self.low is None else self.low, inf if self.high is None else self.high)

    def initial(self, n: int, rng: Stream) -> Genes:
        """Return the genes [n, w] of n networks: weights from the initialiser, biases 0."""
        values = np.zeros((n, self.length), np.float32)
        for name, start, shape in self.places:
            if name.startswith("w"):
                weights = self.initialiser.draw(n, shape[0], shape[1], rng)
                values[:, start : start + prod(shape)] = weights.reshape(n, prod(shape))
        genes = Genes(values, bounds=self.bounds)
        return genes if self.bounds is None else genes.with_values(values)

    def networks(self, genes: Genes) -> Networks:
        """Return the networks of `genes` [n, w]; their arrays are views of the genes."""
        values = genes.values
        arrays = {
            name: values[columns] if shape is None else values[columns].reshape(shape)
            for name, columns, shape in self.views
        }
        return Networks(self.graph, arrays)

    def absorb(self, genes: Genes, arrays: Mapping[str, Array]) -> Genes:
        """Return `genes` [n, w] with the weights and biases of `arrays`, held within the bounds."""
        n = len(genes)
        rows = [np.asarray(arrays[name], np.float32).reshape(n, prod(shape)) for name, _, shape in self.places]
        return genes.with_values(np.concatenate(rows, axis=1))
