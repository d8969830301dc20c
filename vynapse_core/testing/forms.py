# SPDX-License-Identifier: MIT OR Apache-2.0
"""The check of forms: what `on(device)` gives does what the part's own method does, with the same draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from vynapse_core.contracts import Device
from vynapse_core.devices.reference import Reference
from vynapse_core.population import Genes, Population
from vynapse_core.streams import Stream
from vynapse_core.testing.contract import Contract, difference, stream

TOLERANCE = 1e-5
"""How far genes may lie apart, in units of the greatest: normal numbers agree to rounding."""


class Interpreting(Reference):
    """A device that asks for routines, and has Python run them."""

    compiles: ClassVar[bool] = True


def check_forms(
    contract: Contract, name: str, plain: Callable[[Stream], Any], form: Callable[[Device], Callable[[Stream], Any]]
) -> None:
    """Check that `form(device)` does what `plain` does, on a device that compiles and on one that does not."""
    for device in (Reference(), Interpreting()):
        rng, twin = stream(5), stream(5)
        expected, found = plain(rng), form(device)(twin)
        differs = _apart(expected, found) or difference(_settled(expected), _settled(found))
        contract.require(
            not differs,
            f"on(device) gives a form that does what {name} does, to rounding",
            f"where compiles is {device.compiles}, {differs}",
        )
        contract.require(
            rng.position == twin.position,
            f"on(device) gives a form that draws what {name} draws",
            f"{twin.position} words where {name} takes {rng.position}",
        )


def own(genes: Genes) -> Genes:
    """Return a copy: a form may write to the genes it is given."""
    structure = {name: array.copy() for name, array in genes.structure.items()}
    return Genes(genes.values.copy(), structure, genes.bounds)


def _apart(expected: Any, found: Any) -> str:
    """Say where the genes of two results differ by more than rounding."""
    one, other = _values(expected), _values(found)
    if one is None or other is None:
        return ""
    if one.shape != other.shape or one.dtype != other.dtype:
        return f"values are {other.dtype} {list(other.shape)}, not {one.dtype} {list(one.shape)}"
    scale = max(1.0, float(np.abs(one.astype(np.float64)).max(initial=0)))
    most = float(np.abs(one.astype(np.float64) - other).max(initial=0))
    return "" if most <= TOLERANCE * scale else f"values differ by up to {most:g}"


def _values(result: Any) -> Any:
    genes = result.genes if isinstance(result, Population) else result
    return genes.values if isinstance(genes, Genes) else None


def _settled(result: Any) -> Any:
    """Return a result without its genes' values, which are compared apart."""
    if isinstance(result, Population):
        return (_settled(result.genes), result.fitness, result.ids, result.parents, result.ages)
    return (result.structure, result.bounds) if isinstance(result, Genes) else result
