# SPDX-License-Identifier: MIT OR Apache-2.0
"""Selection, crossover, mutation, survival and statistics as loops, for devices that compile.

Each does what the component of its name does with NumPy, with the same draws.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from vynapse_core import Array, Device, Routine, Run

BYTES = 1 << 15
"""Bytes of genes that are worth a thread's while."""


def grain(genes: Array) -> int:
    """Return how many rows of genes [P, w] are worth a thread's while."""
    return max(1, BYTES // max(1, genes.strides[0]))


def for_genes(device: Device, routine: Routine) -> Callable[[np.dtype[Any]], Run | None]:
    """Return the function that gives a device's form of a routine for genes of a dtype: reals or bits, else None.

    A form is made when it is first asked for: to compile takes time.
    """

    @cache
    def form(dtype: np.dtype[Any]) -> Run | None:
        return device.routine(routine.of(genes=dtype.name)) if dtype in (np.float32, np.uint8) else None

    return form
