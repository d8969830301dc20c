# SPDX-License-Identifier: MIT OR Apache-2.0
"""What parts are tried on: plain genes of each encoding, and the smallest task and genome of networks there can be.

They are the kit's own, so that a plugin is checked without any other installed.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from vynapse_core.builder import Builder, Value
from vynapse_core.contracts import Dataset, Genome, Loss, SupervisedTask
from vynapse_core.contracts.loss import target_like
from vynapse_core.graph import Graph
from vynapse_core.networks import Networks
from vynapse_core.population import Array, Genes, Population
from vynapse_core.streams import Stream
from vynapse_core.testing.contract import stream

PLAIN = ("real", "binary", "permutation")
"""Encodings whose genes are `values` alone; for others, genes come from a genome."""
DTYPES: Mapping[str, type] = {"real": np.float32, "binary": np.uint8, "permutation": np.int64}


def plain_genes(encoding: str, n: int, w: int, bounds: tuple[float, float] | None = None, draw: int = 100) -> Genes:
    """Return n individuals of w genes; where there are bounds, about a third of the genes lie on one."""
    rng = stream(draw)
    if encoding == "binary":
        return Genes(rng.integers(0, 2, (n, w)).astype(np.uint8), bounds=bounds)
    if encoding == "permutation":
        return Genes(rng.permutation(w, (n,)), bounds=bounds)
    values = rng.normal((n, w))
    return Genes(values if bounds is None else np.clip(values, *bounds), bounds=bounds)


def plain_population(fitness: Array, ages: Array, first_id: int) -> Population:
    """Return individuals of this fitness [P] and these ages [P], numbered from `first_id`."""
    genes = plain_genes("real", len(fitness), 3, draw=first_id)
    born = Population.born(genes, fitness, first_id)
    return Population(born.genes, born.fitness, born.ids, born.parents, ages)


class Squares(Loss):
    """The mean squared error."""

    def build(self, prediction: Value, target: Value) -> Value:
        """Return the mean of the squared differences."""
        return ((prediction - target_like(prediction, target)) ** 2).mean()


class Plane(SupervisedTask):
    """Learn a plane over twelve points: y = x0 - 2 x1 + 0.5."""

    loss: Loss = Squares()
    """What is minimised."""

    @property
    def inputs(self) -> tuple[int, ...]:
        """Two coordinates."""
        return (2,)

    @property
    def outputs(self) -> int:
        """One height."""
        return 1

    def data(self, split: str) -> Dataset:
        """Return the points."""
        x = np.stack([np.linspace(-1, 1, 12), np.linspace(-1, 1, 12) ** 2], axis=1).astype(np.float32)
        return Dataset(x, (x[:, :1] - 2 * x[:, 1:] + 0.5).astype(np.float32))


class Linear(Genome):
    """One linear layer of two inputs and one output."""

    encoding: ClassVar[str] = "real"

    @cached_property
    def graph(self) -> Graph:
        """The graph of all its networks."""
        builder = Builder()
        weights, bias = builder.parameter("w", (1, 2)), builder.parameter("b", (1,))
        return builder.graph({"y": builder.input("x", ("B", 2)) @ weights.T + bias})

    def initial(self, n: int, rng: Stream) -> Genes:
        """Return standard normal weights and biases."""
        return Genes(rng.normal((n, 3)))

    def networks(self, genes: Genes) -> Networks:
        """Return the first two genes as weights, the third as bias."""
        return Networks(self.graph, {"w": genes.values[:, None, :2], "b": genes.values[:, 2:]})

    def absorb(self, genes: Genes, arrays: Mapping[str, Any]) -> Genes:
        """Return weights and biases as genes again."""
        return genes.with_values(np.concatenate([arrays["w"][:, 0], arrays["b"]], axis=1))
