# SPDX-License-Identifier: MIT OR Apache-2.0
"""Element-wise functions of ten million float32 through a graph, on one thread and on all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import machine
import numpy as np
from ours import devices
from sides import OURS, Bar, Contest, Maker, Options, Side, gathered

from vynapse_core import Activation, Array, Builder, Device, Graph
from vynapse_core.catalogue import installed
from workloads.elementwise_peers import PEERS

FUNCTIONS = ("tanh", "exp", "sigmoid", "gelu")
TOLERANCE = 3e-6


def contests(name: str, options: Options) -> Iterator[Contest]:
    """Yield a contest for each function and number of threads."""
    networks, samples = (10, 1_000) if options.small else (100, 100_000)
    x = np.random.default_rng(0).standard_normal((networks, samples)).astype(np.float32)
    for function in FUNCTIONS:
        for threads in sorted({1, machine.cores()}):
            ours = {f"{OURS}, {device} device": _maker(function, device) for device in devices()}
            peers = {peer: makers[function] for peer, makers in PEERS.items() if function in makers}
            expected = _maker(function, "reference")(x, 1).call()
            sides, absent = gathered(ours | peers, x, threads, expected=expected, tolerance=TOLERANCE)
            copying, _ = gathered({"memory, copied": PEERS["memory"]["copy"]}, x, threads)
            yield Contest(
                f"{function} of {x.size:,} float32, {threads} thread{'s' * (threads > 1)}",
                [*sides, *copying],
                absent,
                bars=(Bar(0.9, "NumPy"), Bar(0.9, "memory")),
                traffic=2.0 * x.nbytes,
                notes=(f"Vynapse: a graph over {networks} networks by {samples:,} samples, new results each call",),
            )


def _maker(function: str, name: str) -> Maker:
    def make(x: Array, threads: int) -> Side:
        found = installed().find("device", name)
        own = {"threads": threads} if "threads" in found.model_fields else {}
        program = installed().build(Device, {"type": name, **own}).compile(_graph(function))
        note = "" if own or threads == 1 else "it has one thread"
        return Side(name, lambda: program({"x": x}, {})["y"], blas_threads=1, note=note)

    return make


def _graph(function: str) -> Graph:
    builder = Builder()
    x = builder.parameter("x", ("B",))
    if function == "exp":
        return builder.graph({"y": builder.apply("exp", x)})
    activation: Any = installed().build(Activation, {"type": function})
    return builder.graph({"y": activation.build(x)})
