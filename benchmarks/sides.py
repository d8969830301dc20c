# SPDX-License-Identifier: MIT OR Apache-2.0
"""Sides and contests: one piece of work, and the ways of doing it that are measured against each other.

A side is given its library only when it is made, so that a peer that is not installed costs a row and not the run,
and it is let into the contest only after it has computed the same numbers as the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

OURS = "Vynapse"
"""What the names of our own sides begin with."""


@dataclass(frozen=True)
class Options:
    """What the command line says about all workloads."""

    seconds: float = 0.3
    """Time that a side is given in each round, at least one call."""
    rounds: int = 7
    small: bool = False
    """Whether to do a small part of the work only, to try the programs."""
    mnist: Path | None = None
    """Folder of MNIST's files; without it, images are random."""


@dataclass(frozen=True)
class Side:
    """One way of doing the work."""

    name: str
    """As the table shows it: the library first, then the form."""
    call: Callable[[], Any]
    """Does the work once and returns when its result is there."""
    units: float = 1.0
    """How much of the contest's work a call does: generations, time steps."""
    blas_threads: int | None = None
    """To how many threads BLAS is held during the call; None leaves it as it is."""
    proof: Callable[[], Any] | None = None
    """Returns the numbers that all sides must agree on; by default the call itself does."""
    reached: Callable[[Any], float] | None = None
    """The quality in what a call returned."""
    clock: Callable[[], float] | None = None
    """Returns the seconds of the last call that count, where not all of it does."""
    note: str = ""

    @property
    def ours(self) -> bool:
        """Whether this is Vynapse."""
        return self.name.startswith(OURS)


@dataclass(frozen=True)
class Bar:
    """A ratio that Vynapse is to reach over the fastest side of a peer."""

    times: float
    peer: str
    """What the names of its sides begin with; several are parted by `|`."""


@dataclass(frozen=True)
class Contest:
    """A workload with its sides, ready to be measured."""

    title: str
    sides: Sequence[Side]
    absent: Mapping[str, str] = field(default_factory=dict)
    """Why a side does not take part: {name: cause}."""
    unit: str = "ms"
    """`ms` for the time of a call; else what is counted in a second, such as `generations`."""
    bars: Sequence[Bar] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    """Seconds that a call of a side may take: {name: seconds}."""
    flops: float | None = None
    """Floating-point operations of a call, where the share of the processor's peak means something."""
    traffic: float | None = None
    """Bytes that a call must read and write at least, where memory is the limit."""
    quality: str = ""
    """What `reached` is, such as `loss`."""
    notes: Sequence[str] = ()


class AbsentError(Exception):
    """A side that cannot take part, with the cause for its row."""


Maker = Callable[..., Callable[[], Any] | Side]
"""Takes the problem, imports its library, and returns the call or the whole side."""


def gathered(
    makers: Mapping[str, Maker], *problem: Any, expected: Any = None, tolerance: float = 1e-4
) -> tuple[list[Side], dict[str, str]]:
    """Return the sides that can be made and agree with `expected`, and why the others cannot: {name: cause}.

    Numbers agree where they differ by no more than `tolerance`, absolute and relative.
    """
    sides: list[Side] = []
    absent: dict[str, str] = {}
    for name, maker in makers.items():
        try:
            made = maker(*problem)
            side = replace(made, name=name) if isinstance(made, Side) else Side(name, made)
            if expected is not None:
                check(expected, (side.proof or side.call)(), tolerance)
            sides.append(side)
        except ModuleNotFoundError as error:
            absent[name] = f"not installed ({error.name})"
        except AbsentError as error:
            absent[name] = str(error)
        except Exception as error:
            absent[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    return sides, absent


def check(expected: Any, found: Any, tolerance: float) -> None:
    """Raise ValueError where two sides computed different numbers."""
    wanted, got = np.asarray(expected, np.float64), np.asarray(found, np.float64)
    if wanted.shape != got.shape:
        raise ValueError(f"computes an array {got.shape}, expected {wanted.shape}")
    worst = float(np.max(np.abs(wanted - got) / (1 + np.abs(wanted)), initial=0.0))
    if not worst <= tolerance:
        raise ValueError(f"computes other numbers: they differ by {worst:.2g}, expected at most {tolerance:.2g}")
