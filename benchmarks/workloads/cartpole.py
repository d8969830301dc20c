# SPDX-License-Identifier: MIT OR Apache-2.0
"""CartPole: 1,000 policies 4-8-2 play five episodes each; what counts is the time steps played in a second.

The policies are a hand-made one that balances, plus noise, so that some fall soon and some last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from ours import devices, experiment
from sides import OURS, Bar, Contest, Maker, Options, Side, gathered

from vynapse_core import Array, Genes
from workloads.cartpole_peers import PEERS

EPISODES = 5
NOISE = 0.25
GENOME = {"type": "mlp", "layers": (4, 8, 2), "activation": "tanh"}


def contests(name: str, options: Options) -> Iterator[Contest]:
    """Yield the one contest."""
    genes = policies(20 if options.small else 1_000)
    ours = {f"{OURS}, {device} device": _maker(device) for device in devices()}
    sides, absent = gathered(ours | PEERS, genes, EPISODES)
    yield Contest(
        f"CartPole, {len(genes):,} policies 4-8-2 with {EPISODES} episodes each",
        sides,
        absent,
        unit="time steps",
        bars=(Bar(100, "neat-python"), Bar(10, "Gymnasium's vector entry point")),
        quality="mean return",
        notes=("start states are each side's own draws, so that mean returns agree within a few percent",),
    )


def policies(n: int) -> Array:
    """Return genes float32 [n, 58]: weights [8, 4], biases [8], weights [2, 8], biases [2]."""
    balancing = np.zeros(58, np.float32)
    balancing[:4] = 0.2, 0.5, 5.0, 1.5
    balancing[40], balancing[48] = -1.0, 1.0
    noise = np.random.default_rng(0).standard_normal((n, 58)).astype(np.float32)
    drawn: Array = balancing + np.float32(NOISE) * noise
    return drawn


def _maker(device: str) -> Maker:
    def make(genes: Any, episodes: int) -> Side:
        made = experiment({"type": "cartpole", "episodes": episodes}, GENOME, {"type": device})
        rows = Genes(genes)
        steps = float(np.sum(made.evaluate(rows, 0))) * episodes
        return Side(
            device,
            lambda: made.evaluate(rows, 0),
            units=steps,
            blas_threads=1,
            reached=lambda returns: float(np.mean(returns)),
        )

    return make
