# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the installed devices and trainers do on this machine, as the rows of a Markdown table."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

from vynapse_core.builder import Builder
from vynapse_core.catalogue import Catalogue
from vynapse_core.contracts import Device
from vynapse_core.errors import VynapseError
from vynapse_core.experiment import wire
from vynapse_core.population import Array
from vynapse_core.recipe import build
from vynapse_core.source import Source
from vynapse_core.streams import Streams


@dataclass(frozen=True)
class Workload:
    """P networks of given layer sizes on B samples, with their mean squared error."""

    layers: tuple[int, ...]
    networks: int
    samples: int

    def __str__(self) -> str:
        return f"{self.networks:,} networks {'-'.join(map(str, self.layers))} on {self.samples} samples"

    @property
    def flops(self) -> int:
        """Multiplications and additions of one call, those of the products only."""
        pairs = pairwise(self.layers)
        return 2 * self.networks * self.samples * sum(inputs * outputs for inputs, outputs in pairs)


MOST_CALLS = 100_000
WORKLOADS = (Workload((2, 8, 1), 1000, 4), Workload((784, 32, 10), 100, 200))


def bench(catalogue: Catalogue, seconds: float) -> Iterator[str]:
    """Yield the lines of the table; each figure is the median of as many calls as fit into `seconds`.

    As in a run, BLAS has one thread, and what a device uses beyond that is its own.
    """
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
    yield f"{platform.machine()}, {os.cpu_count()} processors, {versions}"
    yield ""
    yield "| device | workload | ms a call | networks/s | GFLOP/s |"
    yield "|---|---|---:|---:|---:|"
    for entry in catalogue.of_kind("device"):
        name = catalogue.written(entry)
        for workload in WORKLOADS:
            try:
                device = catalogue.build(Device, {"type": name})
                taken = _taken(_evaluating(device, workload), seconds)
            except Exception as error:
                yield f"| {name} | {workload} | {_said(error)} | | |"
                continue
            rates = f"{workload.networks / taken:,.0f} | {workload.flops / taken / 1e9:.2f}"
            yield f"| {name} | {workload} | {taken * 1e3:.3f} | {rates} |"
    yield ""
    yield "| trainer | task | ms a step | steps/s |"
    yield "|---|---|---:|---:|"
    for entry in catalogue.of_kind("trainer"):
        name = catalogue.written(entry)
        try:
            taken = _taken(_stepping(catalogue, name), seconds)
        except Exception as error:
            yield f"| {name} | xor | {_said(error)} | |"
            continue
        yield f"| {name} | xor | {taken * 1e3:.3f} | {1 / taken:,.0f} |"


def timed(call: Callable[[], object], seconds: float) -> float:
    """Return the median time of a call, in seconds, after one that is not counted."""
    call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or (time.perf_counter() < end and len(times) < MOST_CALLS):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return median(times)


def _taken(call: Callable[[], object], seconds: float) -> float:
    with threadpool_limits(1, "blas"):
        return timed(call, seconds)


def _said(error: Exception) -> str:
    """Return an error as a cell of the table: its last line, which names the key where a recipe is at fault."""
    said = [part.strip() for part in str(error).splitlines()] or [""]
    text = said[-1] if isinstance(error, VynapseError) else f"{type(error).__name__}: {' '.join(said)}"
    return text.replace("|", "\\|")


def _evaluating(device: Device, workload: Workload) -> Callable[[], object]:
    builder, rng = Builder(), Streams(0)("bench")
    layers, outputs = workload.layers, workload.layers[-1]
    value = builder.input("x", ("B", layers[0]))
    arrays: dict[str, Array] = {}
    for index, (fan_in, fan_out) in enumerate(pairwise(layers)):
        weight = builder.parameter(f"w{index}", (fan_out, fan_in))
        bias = builder.parameter(f"b{index}", (fan_out,))
        value = value @ weight.T + bias
        value = builder.apply("tanh", value) if index < len(layers) - 2 else value
        arrays[f"w{index}"] = rng.normal((workload.networks, fan_out, fan_in))
        arrays[f"b{index}"] = rng.normal((workload.networks, fan_out))
    error = value - builder.input("target", ("B", outputs))
    program = device.compile(builder.graph({"loss": (error * error).mean()}))
    inputs = {
        "x": rng.normal((workload.samples, layers[0])),
        "target": rng.normal((workload.samples, outputs)),
    }
    return lambda: program(arrays, inputs)


def _stepping(catalogue: Catalogue, trainer: str) -> Callable[[], object]:
    recipe = {"task": {"type": "vynapse-tasks:xor"}, "trainer": {"type": trainer}, "stop": {"steps": 1_000_000_000}}
    experiment = wire(build(Source(recipe, "xor"), catalogue), catalogue=catalogue)
    state = [experiment.trainer.start(experiment)]

    def step() -> None:
        state[0], _ = experiment.trainer.step(experiment, state[0])

    return step
