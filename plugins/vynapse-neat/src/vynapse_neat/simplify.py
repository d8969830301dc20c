# SPDX-License-Identifier: MIT OR Apache-2.0
"""Simpler genomes of the same behaviour: for looking at, and for use. Innovations are kept where they can be.

Out go disabled links, nodes that no output depends on, and links of weight 0 into sums. In feed-forward networks
constants go into the biases of what they lead to, and a node that only passes a sum on is replaced by links past it.
In recurrent networks either would shorten a delay, so they are only pruned. A genome whose outputs would change by more
than a tolerance is only pruned too, which changes none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import Genes
from vynapse_neat.activations import ACTIVATIONS
from vynapse_neat.decoding import Decoding, decode
from vynapse_neat.layout import rounded
from vynapse_neat.meanings import forward

if TYPE_CHECKING:
    from vynapse_core import Array
    from vynapse_neat.layout import Layout

TOLERANCE = 1e-6
PROBES = 64
"""Samples on which outputs are compared where none are given."""
TURN = 0.6180339887498949
"""Part of a turn, by which points on a circle never meet again: the golden ratio's."""


@dataclass(frozen=True)
class Node:
    """A node's genes, in double precision."""

    bias: float
    response: float
    activation: int
    aggregation: int


@dataclass
class Sketch:
    """One genome as dictionaries, which is changed step by step."""

    layout: Layout
    nodes: dict[int, Node]
    links: dict[tuple[int, int], tuple[float, int]]
    """{(source, target): (weight, innovation)}."""

    def into(self, node: int) -> list[int]:
        """Return the sources of a node's links."""
        return [source for source, target in self.links if target == node]

    def out_of(self, node: int) -> list[int]:
        """Return the targets of a node's links."""
        return [target for source, target in self.links if source == node]

    def sums(self, node: int) -> bool:
        """Return whether a node's weighted inputs are added."""
        return self.layout.aggregations[self.nodes[node].aggregation] == "sum"

    def hidden(self) -> list[int]:
        """Return the hidden nodes."""
        return [node for node in self.nodes if node >= self.layout.fixed]

    def add(self, source: int, target: int, weight: float, innovation: int) -> None:
        """Add a link, or its weight to that which is there."""
        before, known = self.links.get((source, target), (0.0, innovation))
        self.links[source, target] = (before + weight, known)

    def add_constant(self, target: int, amount: float, innovation: int) -> None:
        """Add to what a node's aggregation gives."""
        if self.layout.bias_node:
            self.add(self.layout.fixed - 1, target, amount, innovation)
        else:
            node = self.nodes[target]
            self.nodes[target] = replace(node, bias=node.bias + node.response * amount)

    def without(self, node: int) -> None:
        """Take a node out, with its links."""
        del self.nodes[node]
        self.links = {ends: link for ends, link in self.links.items() if node not in ends}


def simplified(layout: Layout, genes: Genes, x: Array | None = None, tolerance: float = TOLERANCE) -> Genes:
    """Return simpler genes [P] of the same behaviour on the samples x [B, I].

    Outputs differ by at most `tolerance`, or by that part of them where they are greater than 1.
    """
    samples = probes(layout.inputs) if x is None else np.asarray(x, np.float64)
    found = []
    for individual in range(len(genes)):
        own = genes.take(slice(individual, individual + 1))
        sketch = sketched(layout, own)
        prune(sketch)
        pruned = _drawn(sketch)
        if not layout.recurrent:
            while fold_constants(sketch) or pass_sums_on(sketch):
                prune(sketch)
            simpler = _drawn(sketch)
            before, after = outputs(layout, own, samples), outputs(layout, simpler, samples)
            if (np.abs(after - before) <= tolerance * np.maximum(np.abs(before), 1)).all():
                pruned = simpler
        found.append(pruned)
    nodes = max([layout.fixed, *[int(each.structure["nodes"][0]) for each in found]])
    links = max([0, *[int(each.structure["connections"][0]) for each in found]])
    same = [layout.resized(each, rounded(nodes), rounded(links)) for each in found]
    return Genes.concatenated(same) if same else genes


def probes(inputs: int) -> Array:
    """Return samples [PROBES, I] spread over -3 to 3; the first is all 0."""
    places = np.arange(PROBES)[:, None] * (np.arange(inputs) + 1) * TURN
    return np.asarray(6 * ((places + 0.5) % 1) - 3, np.float64)


def outputs(layout: Layout, genes: Genes, x: Array) -> Array:
    """Return the outputs [B, O] of one feed-forward genome, in double precision."""
    arrays = Decoding(layout, decode.run).arrays(genes)
    names = ("values", "order", "ends", "link", "source", "activation", "aggregation", "evaluated")
    operands = [arrays[name][0] for name in names]
    attributes = {
        "outputs": layout.outputs,
        "bias_node": layout.bias_node,
        "response": layout.response,
        "activations": layout.activations,
        "aggregations": layout.aggregations,
    }
    values = forward(x, [operands[0].astype(np.float64), *operands[1:]], attributes, None)
    return np.asarray(values[layout.inputs : layout.inputs + layout.outputs].T)


def sketched(layout: Layout, genes: Genes) -> Sketch:
    """Return one genome as dictionaries, without its disabled links."""
    structure: dict[str, Any] = {name: array[0].tolist() for name, array in genes.structure.items()}
    biases, responses = layout.biases(genes)[0].tolist(), layout.responses(genes)
    factors = [1.0] * len(biases) if responses is None else responses[0].tolist()
    nodes = {
        structure["node"][at]: Node(biases[at], factors[at], structure["activation"][at], structure["aggregation"][at])
        for at in range(structure["nodes"])
    }
    weights = layout.weights(genes)[0].tolist()
    links = {
        (structure["source"][at], structure["target"][at]): (weights[at], structure["innovation"][at])
        for at in range(structure["connections"])
        if structure["enabled"][at]
    }
    return Sketch(layout, nodes, links)


def prune(sketch: Sketch) -> None:
    """Take out links of weight 0 into sums, and what no output depends on."""
    sketch.links = {ends: link for ends, link in sketch.links.items() if link[0] != 0 or not sketch.sums(ends[1])}
    into: dict[int, list[int]] = {}
    for source, target in sketch.links:
        into.setdefault(target, []).append(source)
    needed = set(range(sketch.layout.fixed))
    waiting = list(needed)
    while waiting:
        new = set(into.get(waiting.pop(), ())) - needed
        needed |= new
        waiting.extend(new)
    sketch.nodes = {node: genes for node, genes in sketch.nodes.items() if node in needed}
    sketch.links = {ends: link for ends, link in sketch.links.items() if needed.issuperset(ends)}


def fold_constants(sketch: Sketch) -> bool:
    """Put hidden nodes that no input reaches into the biases of sums they lead to. Returns whether there was one."""
    into: dict[int, list[int]] = {}
    for source, target in sketch.links:
        into.setdefault(target, []).append(source)
    bias_node = sketch.layout.fixed - 1 if sketch.layout.bias_node else -1
    found = [node for node in sketch.hidden() if all(source == bias_node for source in into.get(node, ()))]
    changed = False
    for node in found:
        genes = sketch.nodes[node]
        nothing = 1.0 if sketch.layout.aggregations[genes.aggregation] == "product" else 0.0
        total = sketch.links[bias_node, node][0] if node in into else nothing
        activation = ACTIVATIONS[sketch.layout.activations[genes.activation]]
        value = float(activation.value(np.array([genes.bias + genes.response * total]))[0])
        for target in sketch.out_of(node):
            if np.isfinite(value) and sketch.sums(target):
                weight, innovation = sketch.links.pop((node, target))
                sketch.add_constant(target, weight * value, innovation)
                changed = True
    return changed


def pass_sums_on(sketch: Sketch) -> bool:
    """Replace a hidden node that only adds, and stands in a chain, by links past it. Returns whether there was one.

    A chain is where links do not become more: one link leads to the node, or one leads away.
    """
    linear = {at for at, name in enumerate(sketch.layout.activations) if name == "identity"}
    for node in sketch.hidden():
        genes = sketch.nodes[node]
        if genes.activation not in linear or not sketch.sums(node):
            continue
        sources, targets = sketch.into(node), sketch.out_of(node)
        if min(len(sources), len(targets)) > 1 or not all(map(sketch.sums, targets)):
            continue
        for target in targets:
            weight, innovation = sketch.links[node, target]
            if genes.bias:
                sketch.add_constant(target, weight * genes.bias, innovation)
            for source in sources:
                first, known = sketch.links[source, node]
                own = innovation if len(sources) == 1 else known
                sketch.add(source, target, weight * genes.response * first, own)
        sketch.without(node)
        return True
    return False


def _drawn(sketch: Sketch) -> Genes:
    """Return the genes [1] of a sketch."""
    layout = sketch.layout
    ids = sorted(sketch.nodes)
    links = sorted((innovation, ends, weight) for ends, (weight, innovation) in sketch.links.items())
    genes = layout.empty(1, rounded(len(ids)), rounded(len(links)))
    structure, biases, responses = genes.structure, layout.biases(genes), layout.responses(genes)
    structure["nodes"][:], structure["connections"][:] = len(ids), len(links)
    structure["node"][0, : len(ids)] = ids
    own = [sketch.nodes[node] for node in ids]
    structure["activation"][0, : len(ids)] = [node.activation for node in own]
    structure["aggregation"][0, : len(ids)] = [node.aggregation for node in own]
    biases[0, : len(ids)] = [node.bias for node in own]
    if responses is not None:
        responses[0, : len(ids)] = [node.response for node in own]
    for at, (innovation, (source, target), weight) in enumerate(links):
        structure["innovation"][0, at] = innovation
        structure["source"][0, at], structure["target"][0, at] = source, target
        structure["enabled"][0, at] = 1
        layout.weights(genes)[0, at] = weight
    return genes
