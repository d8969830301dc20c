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
from vynapse_core.contracts import Device, Program
from vynapse_core.devices.auto import Auto
from vynapse_core.errors import VynapseError
from vynapse_core.experiment import wire
from vynapse_core.graph import Graph
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

    As in a run, BLAS has one thread, and what a device uses beyond that is its own. Compiling, or reading what was
    compiled before, is told apart: it is what the first call takes more than the median.
    """
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
    yield f"{platform.machine()}, {os.cpu_count()} processors, {versions}"
    yield ""
    yield "| device | engine | workload | ms to get ready | ms a call | networks/s | GFLOP/s |"
    yield "|---|---|---|---:|---:|---:|---:|"
    for entry in catalogue.of_kind("device"):
        name = catalogue.written(entry)
        # it picks one of the others
        for workload in WORKLOADS if entry.component is not Auto else ():
            try:
                device = catalogue.build(Device, {"type": name})
                program, first, taken = _evaluated(device, workload, seconds)
            except Exception as error:
                yield f"| {name} |  | {workload} |  | {_said(error)} |  |  |"
                continue
            rates = f"{workload.networks / taken:,.0f} | {workload.flops / taken / 1e9:.2f}"
            times = f"{max(0.0, first - taken) * 1e3:.1f} | {taken * 1e3:.3f}"
            yield f"| {name} | {program.engine} | {workload} | {times} | {rates} |"
    yield ""
    yield "| trainer | task | ms a step | steps/s |"
    yield "|---|---|---:|---:|"
    for entry in catalogue.of_kind("trainer"):
        name = catalogue.written(entry)
        try:
            with threadpool_limits(1, "blas"):
                taken = timed(_stepping(catalogue, name), seconds)
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


def _said(error: Exception) -> str:
    """Return an error as a cell of the table: its last line, which names the key where a recipe is at fault."""
    said = [part.strip() for part in str(error).splitlines()] or [""]
    text = said[-1] if isinstance(error, VynapseError) else f"{type(error).__name__}: {' '.join(said)}"
    return text.replace("|", "\\|")


def _evaluated(device: Device, workload: Workload, seconds: float) -> tuple[Program, float, float]:
    """Return the program of a workload, and the seconds of its compilation with a first call, and of a later call."""
    graph, arrays, inputs = _drawn(workload)
    with threadpool_limits(1, "blas"):
        began = time.perf_counter()
        program = device.compile(graph)
        program(arrays, inputs)
        first = time.perf_counter() - began
        return program, first, timed(lambda: program(arrays, inputs), seconds)


def _drawn(workload: Workload) -> tuple[Graph, dict[str, Array], dict[str, Array]]:
    """Return the graph of a workload, and random weights and samples."""
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
    inputs = {
        "x": rng.normal((workload.samples, layers[0])),
        "target": rng.normal((workload.samples, outputs)),
    }
    return builder.graph({"loss": (error * error).mean()}), arrays, inputs


def _stepping(catalogue: Catalogue, trainer: str) -> Callable[[], object]:
    recipe = {"task": {"type": "vynapse-tasks:xor"}, "trainer": {"type": trainer}, "stop": {"steps": 1_000_000_000}}
    experiment = wire(build(Source(recipe, "xor"), catalogue), catalogue=catalogue)
    state = [experiment.trainer.start(experiment)]

    def step() -> None:
        state[0], _ = experiment.trainer.step(experiment, state[0])

    return step
