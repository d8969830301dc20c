# SPDX-License-Identifier: MIT OR Apache-2.0
"""100,000 tiny networks, 2-8-1, on the four samples of XOR: losses leave as [P]."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ours import Samples, evaluations, experiment, first_genes
from sides import Bar, Contest, Options, gathered

from vynapse_core import Genes
from workloads.tiny_peers import PEERS

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
Y = np.array([[0], [1], [1], [0]], np.float32)


def contests(name: str, options: Options) -> Iterator[Contest]:
    """Yield the one contest."""
    networks = 1_000 if options.small else 100_000
    task, genome = Samples.of(X, Y, 1, "mse"), {"type": "mlp", "layers": (2, 8, 1), "activation": "tanh"}
    reference = experiment(task, genome, {"type": "reference"})
    genes = first_genes(reference, networks)
    expected = -reference.evaluate(Genes(genes), 0)
    sides, absent = gathered(evaluations(task, genome, genes) | PEERS, genes, X, Y[:, 0], expected=expected)
    yield Contest(
        f"Evaluate {networks:,} networks 2-8-1 on 4 samples",
        sides,
        absent,
        bars=(Bar(3, "JAX, vmap"), Bar(20, "PyTorch, vmap")),
        notes=("tanh, mean squared error, from genes [P, 33] to losses [P]",),
    )
