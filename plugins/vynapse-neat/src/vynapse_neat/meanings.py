# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the ops of a sparse network mean, for one network in NumPy: node by node, all samples at once.

Values of nodes lie [N, B] here, by place. A node's value is activation(bias + response · aggregation(weight · source)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_neat.activations import ACTIVATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vynapse_core import Array


@dataclass(frozen=True)
class Network:
    """One network: its arrays, as `decoding` makes them, and what its attributes say."""

    inputs: int
    outputs: int
    bias_node: bool
    weights: Array
    biases: Array
    responses: Array | None
    order: Array
    ends: Array
    link: Array
    source: Array
    activation: Array
    aggregation: Array
    activations: Sequence[str]
    aggregations: Sequence[str]

    @staticmethod
    def of(x: Array, arrays: Sequence[Array], attributes: Mapping[str, Any]) -> Network:
        """Return the network of an op's operands after x, for samples x [B, I]."""
        values, order, ends, link, source, activation, aggregation, evaluated = arrays
        nodes, links, count = len(order), len(link), int(evaluated)
        responses = values[links + nodes :] if attributes["response"] else None
        biases = values[links : links + nodes]
        return Network(
            x.shape[1], attributes["outputs"], attributes["bias_node"], values[:links], biases, responses,
            order[:count], ends[:count], link, source, activation, aggregation,
            attributes["activations"], attributes["aggregations"],
        )  # fmt: skip

    def rows(self) -> list[tuple[int, slice]]:
        """Return (place, links) of each node, in the order in which they are computed."""
        starts = [0, *self.ends[:-1].tolist()]
        links = map(slice, starts, self.ends.tolist())
        return list(zip(self.order.tolist(), links, strict=True))

    def given(self, x: Array, memory: Array | None) -> Array:
        """Return the values [N, B] that are known before any node is computed."""
        before = np.zeros((len(self.biases), len(x)), x.dtype) if memory is None else memory.T.copy()
        before[: self.inputs] = x.T
        if self.bias_node:
            before[self.inputs + self.outputs] = 1
        return before

    def node(self, place: int, terms: Array) -> tuple[Array, Array]:
        """Return the aggregation [B] of a node's weighted inputs [k, B], and its activation's argument [B]."""
        total = _AGGREGATED[self.aggregations[self.aggregation[place]]](terms)
        response = total.dtype.type(1) if self.responses is None else self.responses[place]
        return total, self.biases[place] + response * total


def forward(x: Array, arrays: Sequence[Array], attributes: Mapping[str, Any], memory: Array | None) -> Array:
    """Return the values [N, B] of a network's nodes for samples x [B, I].

    With a memory [B, N], all nodes read what was before; without one, sources are computed before targets.
    """
    network = Network.of(x, arrays, attributes)
    read = network.given(x, memory)
    after = read if memory is None else np.zeros_like(read)
    with np.errstate(all="ignore"):
        for place, links in network.rows():
            terms = read[network.source[links]] * network.weights[network.link[links], None]
            activation = ACTIVATIONS[network.activations[network.activation[place]]]
            after[place] = activation.value(network.node(place, terms)[1])
    return after


def backward(
    cotangent: Array, x: Array, arrays: Sequence[Array], attributes: Mapping[str, Any], memory: Array | None
) -> dict[str, Array]:
    """Return the cotangents of `x` [B, I], `values` [W] and `memory` [B, N], given that [N, B] of the nodes' values."""
    network = Network.of(x, arrays, attributes)
    read = network.given(x, memory)
    if memory is None:
        read = forward(x, arrays, attributes, None)
    to_read, to_values = np.zeros_like(read), np.zeros_like(arrays[0])
    wanted = to_read if memory is None else cotangent
    if memory is None:
        to_read += cotangent
    links_all, nodes = len(network.link), len(network.biases)
    with np.errstate(all="ignore"):
        for place, links in reversed(network.rows()):
            sources, link = network.source[links], network.link[links]
            terms = read[sources] * network.weights[link, None]
            total, argument = network.node(place, terms)
            slope = ACTIVATIONS[network.activations[network.activation[place]]].slope(argument)
            to_argument = wanted[place] * slope
            to_values[links_all + place] = to_argument.sum()
            to_total = to_argument
            if network.responses is not None:
                to_values[links_all + nodes + place] = (to_argument * total).sum()
                to_total = to_argument * network.responses[place]
            to_terms = to_total * _SLOPES[network.aggregations[network.aggregation[place]]](terms)
            to_values[link] = (to_terms * read[sources]).sum(axis=1)
            to_read[sources] += to_terms * network.weights[link, None]
    to_memory = to_read.copy()
    to_memory[: network.inputs] = 0
    if network.bias_node:
        to_memory[network.inputs + network.outputs] = 0
    return {"x": to_read[: network.inputs].T, "values": to_values, "memory": to_memory.T}


def _or_none(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Return a function of terms [k, B] that gives 0 where there are none."""
    return lambda terms: function(terms) if len(terms) else np.zeros(terms.shape[1], terms.dtype)


def _largest_magnitude(terms: Array) -> Array:
    place = np.abs(terms).argmax(axis=0)
    return np.asarray(np.take_along_axis(terms, place[None], axis=0)[0])


def _at(place: Array, terms: Array) -> Array:
    """Return 1 at a place [B] of the terms [k, B], else 0."""
    return np.asarray(np.arange(len(terms))[:, None] == place).astype(terms.dtype)


def _others(terms: Array) -> Array:
    """Return the product of all other terms [k, B], for each."""
    ones = np.ones_like(terms[:1])
    before = np.concatenate([ones, np.cumprod(terms[:-1], axis=0)]) if len(terms) else terms
    after = np.concatenate([np.cumprod(terms[:0:-1], axis=0)[::-1], ones]) if len(terms) else terms
    return np.asarray(before * after)


def _median_slope(terms: Array) -> Array:
    if not len(terms):
        return terms
    order = np.argsort(terms, axis=0, kind="stable")
    low, high = (len(terms) - 1) // 2, len(terms) // 2
    half = terms.dtype.type(0.5)
    return np.asarray(half * _at(order[low], terms) + half * _at(order[high], terms))


_AGGREGATED: dict[str, Callable[[Array], Array]] = {
    "sum": lambda terms: terms.sum(axis=0),
    "product": lambda terms: terms.prod(axis=0),
    "min": _or_none(lambda terms: terms.min(axis=0)),
    "max": _or_none(lambda terms: terms.max(axis=0)),
    "mean": _or_none(lambda terms: terms.mean(axis=0)),
    "median": _or_none(lambda terms: np.median(terms, axis=0).astype(terms.dtype)),
    "maxabs": _or_none(_largest_magnitude),
}

_SLOPES: dict[str, Callable[[Array], Array]] = {
    "sum": np.ones_like,
    "product": _others,
    "min": lambda terms: _at(terms.argmin(axis=0), terms) if len(terms) else terms,
    "max": lambda terms: _at(terms.argmax(axis=0), terms) if len(terms) else terms,
    "mean": lambda terms: np.full_like(terms, 1 / max(len(terms), 1)),
    "median": _median_slope,
    "maxabs": lambda terms: _at(np.abs(terms).argmax(axis=0), terms) if len(terms) else terms,
}
