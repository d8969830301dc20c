# SPDX-License-Identifier: MIT OR Apache-2.0
"""Evaluate 200 networks 784-64-10 on images: genes are rows, as a trainer holds them, and losses leave as [P].

Laying weights out in another order is part of the work, since genes change with every generation.
"""

from __future__ import annotations

from collections.abc import Iterator

from images import images
from ours import Samples, evaluations, experiment, first_genes
from sides import Bar, Contest, Options, gathered

from vynapse_core import Genes
from workloads.evaluate_peers import PEERS, Problem

LAYERS = (784, 64, 10)
NETWORKS = 200


def contests(name: str, options: Options) -> Iterator[Contest]:
    """Yield the contest of a number of images."""
    networks = 20 if options.small else NETWORKS
    samples = int(name.rpartition("_")[2]) // (10 if options.small else 1)
    x, y, source = images(samples, options.mnist)
    task = Samples.of(x, y, LAYERS[-1], "cross_entropy")
    genome = {"type": "mlp", "layers": LAYERS, "activation": "relu"}
    reference = experiment(task, genome, {"type": "reference"})
    genes = first_genes(reference, networks)
    expected = -reference.evaluate(Genes(genes), 0)
    problem = Problem(genes, x, y, LAYERS)
    sides, absent = gathered(evaluations(task, genome, genes) | PEERS, problem, expected=expected)
    inputs, hidden, outputs = LAYERS
    yield Contest(
        f"Evaluate {networks} networks 784-64-10 on {samples:,} images",
        sides,
        absent,
        bars=(Bar(1.2, "NumPy|PyTorch|JAX"),),
        flops=2.0 * networks * samples * hidden * (inputs + outputs),
        notes=(f"{source}; ReLU, cross entropy; the operations of the products only are counted",),
    )
