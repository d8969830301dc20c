# SPDX-License-Identifier: MIT OR Apache-2.0
"""The clock of a run: which step it is, and how many there will be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """The step being taken, and the last one where `[stop] steps` says so."""

    step: int = 0
    """Steps finished before this one."""
    steps: int | None = None
    """Steps after which the run stops, or None where it is stopped by something else."""
