# SPDX-License-Identifier: MIT OR Apache-2.0
"""The genome `neat`: networks whose topology evolves.

Genes are arrays over the population, as `layout` says; their networks are one op, whose arrays `decoding` makes.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from vynapse_core import Array, Builder, Device, Genes, Genome, Graph, Networks, Stream, Task, mistake, nearest
from vynapse_neat.activations import ACTIVATIONS, AGGREGATIONS
from vynapse_neat.decoding import Decoding, decode
from vynapse_neat.initial import Initial, PossibleLinks, chosen_links, possible_links
from vynapse_neat.layout import Layout, rounded
from vynapse_neat.presets import GENOMES, Preset, filled

if TYPE_CHECKING:
    from vynapse_core import Experiment

Names = Annotated[tuple[str, ...], Field(min_length=1)]


class Neat(Genome):
    """Networks whose topology evolves: genes of nodes and connections, with innovation numbers.

    Reference: Stanley & Miikkulainen 2002, "Evolving Neural Networks through Augmenting Topologies".
    """

    encoding: ClassVar[str] = "topology"
    example: ClassVar[Mapping[str, Any]] = {"inputs": 3, "outputs": 2}

    preset: Preset | None = None
    """Whose parameters stand for what is left out; None for those below."""
    inputs: int | None = Field(None, ge=1)
    """Number of inputs; by default the task's."""
    outputs: int | None = Field(None, ge=1)
    """Number of outputs; by default the task's."""
    shape: tuple[Annotated[int, Field(gt=0)], ...] | None = None
    """Shape of one input, flattened; by default the task's."""
    initial_topology: Initial = "full"
    """Links of the first genomes. The first layer is the hidden nodes where there are some, else the outputs.
    `full`: every input to every node of the first layer; `minimal`: the same, and no hidden nodes; `sparse_inputs`:
    each input to one of them, drawn at random; `sparse_outputs`: each of them from one input, drawn at random; `none`:
    all of them from one and the same input, drawn at random (FS-NEAT, Whiteson et al. 2005, in neat-python's form);
    `unconnected`: from none. In all of them hidden nodes are linked to every output, and a bias node to every node."""
    hidden: int = Field(0, ge=0)
    """Hidden nodes of the first genomes."""
    bias: Literal["gene", "node"] = "gene"
    """Where biases are: a gene of each node, or the weights of links from a node of constant 1, as in the paper."""
    activations: Names = ("steep_sigmoid",)
    """Activations that hidden nodes draw from."""
    output_activation: str | None = None
    """Activation of the outputs; by default the first of `activations`."""
    aggregations: Names = ("sum",)
    """What makes one number of a node's weighted inputs: hidden nodes draw from these, outputs have the first."""
    response: bool = False
    """Whether nodes have a response, a factor of what their aggregation gives."""
    recurrent: bool = False
    """Whether links may form cycles: then nodes remember their values from one time step to the next."""
    activation_steps: int = Field(1, ge=1)
    """How often a recurrent network is updated for one input; all nodes are updated at once, from what was before."""
    distribution: Literal["normal", "uniform"] = "normal"
    """Distribution of the first weights, biases and responses."""
    weight_mean: float = 0.0
    """Mean of the first weights."""
    weight_spread: float = Field(1.0, ge=0)
    """Their standard deviation; half the width where the distribution is uniform."""
    bias_mean: float = 0.0
    """Mean of the first biases."""
    bias_spread: float = Field(1.0, ge=0)
    """Their standard deviation, or half the width."""
    response_mean: float = 1.0
    """Mean of the first responses."""
    response_spread: float = Field(0.0, ge=0)
    """Their standard deviation, or half the width."""

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: Any) -> Any:
        return filled(data, GENOMES) if isinstance(data, Mapping) else data

    @field_validator("activations", "aggregations", "output_activation")
    @classmethod
    def _check_names(cls, value: Any, info: Any) -> Any:
        table = AGGREGATIONS if info.field_name == "aggregations" else ACTIVATIONS
        names = (value,) if isinstance(value, str) else value or ()
        for name in names:
            if name not in table:
                what = "aggregation" if info.field_name == "aggregations" else "activation"
                raise mistake(f"unknown {what} {name!r}", nearest(name, table) or f"known: {', '.join(table)}")
        if len(set(names)) < len(names):
            raise mistake("a name stands twice")
        return value

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if self.hidden and self.initial_topology == "minimal":
            raise mistake("'minimal' has no hidden nodes", 'write initial_topology = "full", or hidden = 0')
        if self.activation_steps > 1 and not self.recurrent:
            raise mistake("'activation_steps' is for recurrent networks", "write recurrent = true")
        if self.shape is not None and self.inputs is not None and prod(self.shape) != self.inputs:
            raise mistake(f"an input of shape {list(self.shape)} has {prod(self.shape)} numbers, not {self.inputs}")
        return self

    def fitted(self, task: Task) -> Self:
        """Return this genome with the task's numbers of inputs and outputs, where it left them open."""
        shape, outputs = getattr(task, "inputs", None), getattr(task, "outputs", None)
        found: dict[str, Any] = {}
        if self.inputs is None and shape is not None:
            found["inputs"] = prod(shape)
        if self.shape is None and shape is not None and len(shape) > 1 and self.inputs in (None, prod(shape)):
            found["shape"] = tuple(shape)
        if self.outputs is None and outputs is not None:
            found["outputs"] = outputs
        return type(self)(**{**dict(self), **found}) if found else self

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where the numbers of inputs and outputs are not the task's."""
        shape = getattr(experiment.task, "inputs", None)
        for name, wanted in (
            ("inputs", None if shape is None else prod(shape)),
            ("outputs", getattr(experiment.task, "outputs", None)),
        ):
            found = getattr(self, name)
            if found is None:
                yield name, f"this task does not say how many {name} a network has; give their number"
            elif wanted is not None and found != wanted:
                yield name, f"the task has {wanted} {name}; found {found}"

    @cached_property
    def layout(self) -> Layout:
        """What all these genomes have in common. Raises ValueError where the numbers of inputs or outputs are open.

        Its activations are those that hidden nodes draw from, and after them that of the outputs, where it is none.
        """
        if self.inputs is None or self.outputs is None:
            raise ValueError("the genome 'neat' has no number of inputs or outputs: give them, or fit it to a task")
        own = (self.output_activation,) if self.output_activation not in (None, *self.activations) else ()
        return Layout(
            self.inputs,
            self.outputs,
            self.bias == "node",
            self.response,
            self.recurrent,
            (*self.activations, *[name for name in own if name is not None]),
            self.aggregations,
        )

    @cached_property
    def links(self) -> PossibleLinks:
        """The links that first genomes may have, numbered."""
        return possible_links(self.layout, self.hidden)

    @property
    def next_node(self) -> int:
        """The first id that no node of a first genome has."""
        return self.layout.fixed + self.hidden

    @property
    def next_innovation(self) -> int:
        """The first innovation that no link of a first genome has."""
        return len(self.links.source)

    def initial(self, n: int, rng: Stream) -> Genes:
        """Return the genes of n individuals with the first topology, drawn from `rng`."""
        layout, links = self.layout, self.links
        innovation = chosen_links(links, self.initial_topology, n, rng)
        nodes, connections = layout.fixed + self.hidden, innovation.shape[1]
        genes = layout.empty(n, rounded(nodes), rounded(connections))
        own, of_hidden = slice(layout.inputs, layout.inputs + layout.outputs), slice(layout.fixed, nodes)
        structure = genes.structure
        structure["nodes"][:], structure["connections"][:] = nodes, connections
        structure["node"][:, :nodes] = np.arange(nodes)
        structure["innovation"][:, :connections] = innovation
        structure["source"][:, :connections] = links.source[innovation]
        structure["target"][:, :connections] = links.target[innovation]
        structure["enabled"][:, :connections] = 1
        outputs = self.output_activation or self.activations[0]
        structure["activation"][:, own] = layout.activations.index(outputs)
        for name, names in (("activation", self.activations), ("aggregation", self.aggregations)):
            structure[name][:, of_hidden] = rng.integers(0, len(names), (n, self.hidden))
        self._draw(layout.weights(genes)[:, :connections], self.weight_mean, self.weight_spread, rng)
        responses = layout.responses(genes)
        for part in (own, of_hidden):
            if not layout.bias_node:
                self._draw(layout.biases(genes)[:, part], self.bias_mean, self.bias_spread, rng)
            if responses is not None:
                self._draw(responses[:, part], self.response_mean, self.response_spread, rng)
        return genes

    def _draw(self, place: Array, mean: float, spread: float, rng: Stream) -> None:
        """Write first values to a view of the genes."""
        if self.distribution == "normal":
            place[...] = rng.normal(place.shape, mean, spread)
        else:
            place[...] = rng.uniform(place.shape, mean - spread, mean + spread)

    @cached_property
    def graph(self) -> Graph:
        """The graph of these networks: the parameters that `decoding` makes, `x` [B, I] to `y` [B, O].

        Recurrent ones have a memory too: `memory` [B, N], the values of nodes by place.
        """
        from vynapse_neat.sparse_network import NETWORK_OPS, network

        builder = Builder({**Builder().ops, **NETWORK_OPS})
        x = builder.input("x", ("B", *(self.shape or (self.layout.inputs,))))
        if len(x.shape) > 2:
            x = x.reshape(("B", self.layout.inputs))
        return builder.graph(network(builder, x, self.layout, self.activation_steps))

    def networks(self, genes: Genes) -> Networks:
        """Return the networks of `genes` [n], decoded in Python: `on` gives the form for a device."""
        return Networks(self.graph, Decoding(self.layout, decode.run).arrays(genes))

    def on(self, device: Device) -> Callable[[Genes], Networks]:
        """Return `networks`, decoding by a routine of `device`."""
        decoding, graph = Decoding(self.layout, device.routine(decode)), self.graph
        return lambda genes: Networks(graph, decoding.arrays(genes))

    def absorb(self, genes: Genes, arrays: Mapping[str, Array]) -> Genes:
        """Return `genes` [n] with the learned values of `arrays`."""
        return genes.with_values(np.asarray(arrays["values"], np.float32))
