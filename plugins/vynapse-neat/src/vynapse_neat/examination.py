# SPDX-License-Identifier: MIT OR Apache-2.0
"""Who sits a task's examinations: one species' best after each step, as in the authors' program NEAT C++.

The fittest network need not be the one that passes. Species are asked in the order of their fitness, and again only
after they have surpassed their best.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vynapse_core import Array

if TYPE_CHECKING:
    from vynapse_neat.species import Species


def _nobody() -> Array:
    return np.empty(0, np.int64)


@dataclass(frozen=True)
class Examined:
    """Which species were asked."""

    ids: Array = field(default_factory=_nobody)
    """int64 [K], ids of the species whose best was examined since it was found."""
    individual: int = -1
    """The place in the population of who is examined after this step; -1 for nobody."""


def next_examined(examined: Examined, species: Species, fitness: Array, step: int) -> Examined:
    """Return who is examined after `step`, in which `species` were measured by `fitness` float64 [P]."""
    asked = np.isin(species.ids, examined.ids) & (species.improved < step)
    worth = np.where(asked, -np.inf, species.tops)
    row = int(np.argmax(worth))
    if not np.isfinite(worth[row]):
        return Examined(species.ids[asked])
    asked[row] = True
    members = np.flatnonzero(species.species_of == row)
    return Examined(species.ids[asked], int(members[np.argmax(fitness[members])]))
