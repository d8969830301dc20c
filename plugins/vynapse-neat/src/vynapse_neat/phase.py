# SPDX-License-Identifier: MIT OR Apache-2.0
"""Phased search: genomes grow until they are too large on average, then shrink until that brings nothing more.

Green, "Phased searching with NEAT" (2004): growth alone gathers structure that nobody needs. While a population
simplifies, nothing is added, genes are deleted, and children have one parent, as crossover would bring genes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from vynapse_core import Settings

if TYPE_CHECKING:
    from vynapse_neat.rates import Rates


class Phasing(Settings):
    """When a population simplifies, and how fast."""

    growth: float = Field(30.0, gt=0)
    """How far the mean number of nodes and connections may rise above where growth began."""
    patience: int = Field(10, ge=1)
    """Generations without a new least mean after which the population grows again."""
    delete_node: float = Field(0.2, ge=0, le=1)
    """Probability that a hidden node of a child goes while the population simplifies."""
    delete_connection: float = Field(0.3, ge=0, le=1)
    """Probability that a connection of a child goes meanwhile."""


@dataclass(frozen=True)
class Phase:
    """Which way a population goes, and what that was decided by. Part of a run's state."""

    simplifying: bool = False
    ceiling: float = 0.0
    """Mean complexity past which it simplifies; 0 until the first one is known."""
    since: int = 0
    """Generations in this phase."""
    least: float = 0.0
    """The least mean complexity in this phase."""
    stalled: int = 0
    """Generations since that was reached."""


def next_phase(phase: Phase, complexity: float, growth: float, patience: int) -> Phase:
    """Return the phase of the next generation.

    `complexity` is the population's mean number of genes; `growth` how far it may rise above where growth began before
    it is simplified; `patience` the generations without a new least complexity after which it grows again.
    """
    if phase.ceiling == 0.0:
        return Phase(ceiling=complexity + growth, since=1, least=complexity)
    if not phase.simplifying:
        if complexity > phase.ceiling:
            return Phase(simplifying=True, ceiling=phase.ceiling, least=complexity)
        return Phase(ceiling=phase.ceiling, since=phase.since + 1, least=min(phase.least, complexity))
    stalled = 0 if complexity < phase.least else phase.stalled + 1
    if stalled >= patience and complexity < phase.ceiling:
        return Phase(ceiling=complexity + growth, least=complexity)
    return Phase(True, phase.ceiling, phase.since + 1, min(phase.least, complexity), stalled)


def simplified(rates: Rates, delete_node: float, delete_connection: float) -> Rates:
    """Return the rates of a population that simplifies: nothing is added."""
    return rates.model_copy(
        update={
            "add_node": 0.0,
            "add_connection": 0.0,
            "delete_node": delete_node,
            "delete_connection": delete_connection,
        }
    )
