# SPDX-License-Identifier: MIT OR Apache-2.0
"""Selection, crossover, mutation, survival and statistics as loops, for devices that compile.

Each does what the component of its name does with NumPy, with the same draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vynapse_core import Array, Device, Routine, Run

BYTES = 1 << 17
"""Bytes of genes that are worth a thread's while."""


def grain(genes: Array) -> int:
    """Return how many rows of genes [P, w] are worth a thread's while."""
    return max(1, BYTES // max(1, genes.strides[0]))


def for_genes(device: Device, routine: Routine) -> Mapping[np.dtype[Any], Run]:
    """Return a device's forms of a routine by the dtype of the genes, for reals and for bits."""
    return {np.dtype(each): device.routine(routine.of(genes=each)) for each in ("float32", "uint8")}
