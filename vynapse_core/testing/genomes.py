# SPDX-License-Identifier: MIT OR Apache-2.0
"""The checks of genomes, with the networks they encode, and of initialisers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import catalogue as catalogues
from vynapse_core.contracts import Genome, Initialiser
from vynapse_core.networks import Networks
from vynapse_core.population import Genes
from vynapse_core.testing.contract import Contract, copied, difference, shaped, stream
from vynapse_core.testing.parts import check_component
from vynapse_core.testing.samples import DTYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vynapse_core.contracts import Task
    from vynapse_core.graph import Graph
    from vynapse_core.population import Array
    from vynapse_core.streams import Stream


def check_genome(genome: Genome, *, task: Task | None = None, deterministic: bool | None = None) -> None:
    """Check a genome, and the networks it encodes if any, on the reference device.

    `task` is for a genome that leaves something open until `fitted`.
    """
    contract = Contract.of(genome, Genome)
    check_component(genome)
    contract.require(
        isinstance(getattr(genome, "encoding", None), str),
        "`encoding`, a ClassVar, says what the genes are; operators name the encodings they serve",
        f"{getattr(genome, 'encoding', 'nothing')!r}",
    )
    if task is not None:
        fitted = contract.call(genome.fitted, task, given=f"the task {type(task).__name__}")
        contract.require(
            isinstance(fitted, type(genome)), "fitted returns a genome of its class", type(fitted).__name__
        )
        contract.require(
            fitted.fitted(task) == fitted, "fitting twice changes nothing more", f"{fitted.fitted(task)!r}"
        )
        genome = fitted

    def initial(n: int, rng: Stream) -> Genes:
        genes: Genes = contract.call(genome.initial, n, rng, given=f"n = {n}")
        _check_genes(contract, genome.encoding, n, genes)
        return genes

    none, one = initial(0, stream(1)), initial(1, stream(1))
    many = contract.draws("initial", lambda rng: initial(7, rng), deterministic=deterministic)
    halves = Genes.concatenated([many.take(slice(0, 3)), many.take(slice(3, 7))])
    differs = difference(many, halves, "genes")
    contract.require(not differs, "genes taken apart and concatenated are the same genes", differs)
    if type(genome).networks is not Genome.networks:
        for genes in (none, one, many):
            _check_networks(contract, genome, genes)


def check_initialiser(initialiser: Initialiser, *, deterministic: bool | None = None) -> None:
    """Check the shape, dtype and draws of an initialiser."""
    contract = Contract.of(initialiser, Initialiser)
    check_component(initialiser)

    def draw(n: int, fan_out: int, fan_in: int, rng: Stream) -> Array:
        weights = contract.call(initialiser.draw, n, fan_out, fan_in, rng, given=f"{n} layers of {fan_out} x {fan_in}")
        right = (
            isinstance(weights, np.ndarray) and weights.dtype == np.float32 and weights.shape == (n, fan_out, fan_in)
        )
        contract.require(
            right, f"draw returns float32 [n, fan_out, fan_in], here ({n}, {fan_out}, {fan_in})", shaped(weights)
        )
        contract.require(np.isfinite(weights).all(), "draw returns finite weights", "NaN or infinity")
        drawn: Array = weights
        return drawn

    for n, fan_out, fan_in in ((0, 3, 2), (1, 1, 1), (5, 7, 3)):
        draw(n, fan_out, fan_in, stream(1))
    contract.draws("draw", lambda rng: draw(5, 4, 3, rng), deterministic=deterministic)


def _check_genes(contract: Contract, encoding: str, n: int, genes: Genes) -> None:
    contract.require(isinstance(genes, Genes), "initial returns Genes", type(genes).__name__)
    contract.require(len(genes) == n, "initial(n) returns n individuals", f"{len(genes)} for n = {n}")
    wanted = DTYPES.get(encoding, genes.values.dtype.type)
    contract.require(
        genes.values.ndim == 2 and genes.values.dtype == wanted,
        f"values are {np.dtype(wanted)} [n, w] for the encoding {encoding!r}",
        shaped(genes.values),
    )
    values = genes.values
    if values.dtype.kind == "f":
        contract.require(
            np.isfinite(values).all(), "values are finite; absence is a count or a mask", "NaN or infinity"
        )
    if genes.bounds is not None and values.size:
        low, high = np.asarray(genes.bounds, values.dtype)
        inside = low <= values.min() and values.max() <= high
        contract.require(
            inside, "initial values lie within the bounds", f"{values.min()} to {values.max()}, {genes.bounds}"
        )
    if encoding == "binary":
        contract.require((values <= 1).all(), "bits are 0 or 1", f"values up to {values.max(initial=0)}")
    if encoding == "permutation":
        differs = difference(
            np.broadcast_to(np.arange(values.shape[1]), values.shape).copy(), np.sort(values, axis=1), "sorted"
        )
        contract.require(not differs, "each row is a permutation of 0 to w - 1", differs)


def _check_networks(contract: Contract, genome: Genome, genes: Genes) -> None:
    n = len(genes)
    networks = contract.call(genome.networks, genes, given=f"{n} individuals")
    contract.require(isinstance(networks, Networks), "networks returns Networks", type(networks).__name__)
    graph = networks.graph
    graph.validate(catalogues.installed().ops)
    contract.require(
        "x" in graph.inputs and "y" in graph.outputs,
        "the graph has an input `x` and an output `y`",
        f"inputs {sorted(graph.inputs)}, outputs {sorted(graph.outputs)}",
    )
    contract.require(
        networks.arrays.keys() == graph.parameters.keys(),
        "there is one array for each of the graph's parameters",
        f"arrays {sorted(networks.arrays)}, parameters {sorted(graph.parameters)}",
    )
    for name, array in networks.arrays.items():
        node = graph.nodes[graph.parameters[name]]
        fits = str(array.dtype) == node.dtype and array.ndim == len(node.shape) + 1 and len(array) == n
        contract.require(
            fits, f"the array {name!r} is {node.dtype} [P, ...] of the parameter {node.type}", shaped(array)
        )
    if networks.training is not None:
        _check_training(contract, networks.graph, networks.training)
    contract.call(networks.blank_memory, 1, given="one sample")
    for samples in (1, 3):
        _check_outputs(contract, genome, genes, networks, samples)
    if type(genome).absorb is not Genome.absorb:
        _check_absorb(contract, genome, genes, networks)


def _check_training(contract: Contract, graph: Graph, training: Graph) -> None:
    training.validate(catalogues.installed().ops)

    def types(of: Graph, places: Mapping[str, int]) -> dict[str, str]:
        return {name: of.nodes[place].type for name, place in places.items()}

    wanted, found = types(graph, graph.parameters), types(training, training.parameters)
    contract.require(
        found == wanted, "the graph that is trained has the same parameters", f"{found}, expected {wanted}"
    )
    wanted, found = types(graph, graph.inputs), types(training, training.inputs)
    key = found.pop("key", "uint64 [2]")
    contract.require(
        found == wanted and key == "uint64 [2]",
        "the graph that is trained has the same inputs, and perhaps `key`, uint64 [2]",
        f"{found}, expected {wanted}",
    )
    wanted = {f"next.{name}": kind for name, kind in types(training, training.parameters).items()}
    found = types(training, training.outputs)
    y = found.pop("y", "nothing")
    contract.require(
        y == types(graph, graph.outputs)["y"] and found.items() <= wanted.items(),
        "the graph that is trained has the output `y`, and `next.NAME` for parameters that no gradient moves",
        f"`y` {y} and {found}",
    )


def _check_outputs(contract: Contract, genome: Genome, genes: Genes, networks: Networks, samples: int) -> None:
    from vynapse_core.devices.reference import Reference

    node = networks.graph.nodes[networks.graph.inputs["x"]]
    x = stream(5).normal((samples, *(size for size in node.shape[1:] if isinstance(size, int))))
    given = f"{len(genes)} networks and {samples} samples"

    def said(found: Networks) -> Array:
        """Return what networks say of x; those with a memory say it after seeing it twice."""
        memory = found.blank_memory(samples)
        program = Reference().compile(found.graph, tuple(memory))
        outputs = program(found.arrays, {"x": x, **memory})
        if memory:
            outputs = program(found.arrays, {"x": x, **{name: outputs[name] for name in memory}})
        return outputs["y"]

    y = contract.call(said, networks, given=f"the reference device, {given}")
    contract.require(
        y.shape[:2] == (len(genes), samples) and y.ndim == 3, "`y` is [P, B, k]", f"{shaped(y)} for {given}"
    )
    if len(genes) > 2:
        share = contract.call(genome.networks, genes.take(slice(1, 3)), given="a share of the individuals")
        differs = difference(y[1:3], said(share), "y")
        contract.require(
            not differs, "a network depends on its own genes alone, whoever else is decoded with it", differs
        )


def _check_absorb(contract: Contract, genome: Genome, genes: Genes, networks: Networks) -> None:
    back = contract.call(genome.absorb, genes, networks.arrays, given="the arrays of its networks")
    differs = difference(_plain(genes), _plain(back), "genes")
    contract.require(not differs, "absorbing the networks' own arrays changes nothing", differs)
    if genes.bounds is not None and not genes.bounds[0] <= 0 <= genes.bounds[1]:
        return
    learned = {
        k: array * array.dtype.type(0.5) if array.dtype.kind == "f" else array for k, array in networks.arrays.items()
    }
    absorbed = contract.call(genome.absorb, genes, learned, given="learned arrays")
    differs = difference(learned, dict(genome.networks(absorbed).arrays), "arrays")
    contract.require(not differs, "what is absorbed is what the networks have afterwards", differs)


def _plain(genes: Genes) -> Any:
    return copied(genes)
