# SPDX-License-Identifier: MIT OR Apache-2.0
"""Two poles without velocities: 1,000 policies 3-8-1, two Runge-Kutta steps of 0.01 s in each time step of 0.02 s.

No peer has the task, so that the sides beside ours are the same equations in NumPy and in C. The policies are a
hand-made one that balances for a second or two, which is much for one without a memory, plus noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from ours import devices, experiment
from sides import OURS, Contest, Maker, Options, Side, gathered

from vynapse_core import Array, Genes
from workloads.double_pole_peers import PEERS

LIMIT = 1_000
NOISE = 0.01
TASK = {"type": "pole_balancing", "velocities": False, "limit": LIMIT}
GENOME = {"type": "mlp", "layers": (3, 8, 1), "activation": "tanh"}
SAME_LENGTH = 5e-3
"""How far mean episode lengths may differ: rounding moves a fall by a step now and then."""


def contests(name: str, options: Options) -> Iterator[Contest]:
    """Yield the one contest."""
    genes = policies(20 if options.small else 1_000)
    mean = float(_played("reference", genes).mean())
    ours = {f"{OURS}, {device} device": _maker(device) for device in devices()}
    sides, absent = gathered(ours | PEERS, genes, LIMIT, expected=mean, tolerance=SAME_LENGTH)
    yield Contest(
        f"Two poles without velocities, {len(genes):,} policies 3-8-1",
        sides,
        absent,
        unit="time steps",
        quality="mean time steps",
        notes=("a time step is two of the integration; only those before a pole falls count",),
    )


def policies(n: int) -> Array:
    """Return genes float32 [n, 41]: weights [8, 3], biases [8], weights [8], bias."""
    pushing = np.zeros(41, np.float32)
    pushing[:3] = -0.01, -0.0165, 0.0475
    pushing[32] = 20.0
    noise = np.random.default_rng(0).standard_normal((n, 41)).astype(np.float32)
    drawn: Array = pushing + np.float32(NOISE) * noise
    return drawn


def _played(device: str, genes: Array) -> Array:
    return experiment(TASK, GENOME, {"type": device}).evaluate(Genes(genes), 0)


def _maker(device: str) -> Maker:
    def make(genes: Any, limit: int) -> Side:
        made, rows = experiment(TASK, GENOME, {"type": device}), Genes(genes)
        # the step in which a pole falls is played too
        steps = float(np.minimum(made.evaluate(rows, 0) + 1, limit).sum())
        return Side(device, lambda: made.evaluate(rows, 0).mean(), units=steps, blas_threads=1, reached=float)

    return make
