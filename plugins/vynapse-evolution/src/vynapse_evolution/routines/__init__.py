# SPDX-License-Identifier: MIT OR Apache-2.0
"""Selection, crossover, mutation, survival and statistics as loops, for devices that compile.

Each does what the component of its name does with NumPy, with the same draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from vynapse_core import Array, Device, Routine, Run

BYTES = 1 << 15
"""Bytes of genes that are worth a thread's while."""
BITS: Mapping[np.dtype[Any], np.dtype[Any]] = MappingProxyType({np.dtype(np.float32): np.dtype(np.uint32)})
"""The unsigned integers as which genes are seen where only their bits matter; bits are such already."""


def for_genes(device: Device, routine: Routine) -> Callable[[Array], Run | None]:
    """Return the function that gives a device's form of a routine for genes [P, w]: reals, also as `BITS`, or bits.

    It gives None for others. A form is made when it is first asked for: to compile takes time.
    """

    @cache
    def form(dtype: np.dtype[Any], bytes_of_row: int) -> Run | None:
        if dtype not in (np.float32, np.uint32, np.uint8):
            return None
        return device.routine(routine.of(genes=dtype.name).worth(max(1, BYTES // max(1, bytes_of_row))))

    return lambda genes: form(genes.dtype, genes.strides[0])
