# SPDX-License-Identifier: MIT OR Apache-2.0
"""Sequences: networks see samples time step by time step, and say something at each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vynapse_core.contracts import Dataset, Program
from vynapse_core.networks import Networks
from vynapse_core.population import Array

MOST_BYTES = 2**27
"""Of what the networks taken at a time say and remember."""


def said(program: Program, networks: Networks, data: Dataset) -> Iterator[Array]:
    """Yield what networks say in the time steps that have a target, [p, n S, k], a part of the population at a time.

    `program` is that of the networks' graph; `data` holds `x` [n, T, ...] and `y` [n, S, ...] of the last S time steps.
    A memory is 0 before the first.
    """
    samples, length, scored = len(data), data.x.shape[1], data.y.shape[1]
    memory = networks.part(slice(0, 1)).blank_memory(samples)
    held = data.y.nbytes + sum(array.nbytes for array in memory.values())
    most = max(1, MOST_BYTES // max(1, held))
    for at in range(0, len(networks), most):
        part = networks.part(slice(at, at + most))
        memory, outputs = part.blank_memory(samples), []
        for time in range(length):
            found = program(part.arrays, {"x": np.ascontiguousarray(data.x[:, time]), **memory})
            memory = {name: found[name] for name in memory}
            if time >= length - scored:
                outputs.append(found["y"])
        answers = np.stack(outputs, axis=2)
        yield answers.reshape(len(part), samples * scored, *answers.shape[3:])
