# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fitness sharing as a table of a recipe, and as numbers for routines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from pydantic import Field

from vynapse_core import Settings
from vynapse_neat.species import Measure

if TYPE_CHECKING:
    from vynapse_core import Array

Quotas: TypeAlias = Literal["proportional", "neat-python", "tensorneat"]


class Sharing(Settings):
    """How species share offspring."""

    quotas: Quotas = "proportional"
    """"proportional" to the mean fitness, rounded by largest remainder; "neat-python": half way from the size that a
    species has to the one it deserves by its mean fitness; "tensorneat": the same, but it deserves by its rank."""
    survival: float = Field(0.2, gt=0, le=1)
    """Share of each species that breeds, the best of it, rounded up; within (0, 1]."""
    fewest_parents: int = Field(1, ge=1)
    """So many of a species breed at least, where it has them; at least 1. neat-python: 2."""
    champion_size: int = Field(5, ge=0)
    """The best member of a species with more members than this is copied unchanged; at least 0."""
    elites: int = Field(0, ge=0)
    """So many of each species' best are copied unchanged, however small the species is; at least 0."""
    least: int = Field(0, ge=0)
    """Least quota of a species that breeds; at least 0. Where there are too many species, all have as much as fits."""
    stagnation: int = Field(15, ge=0)
    """A species that has not surpassed its best for so many steps has no offspring; 0 for never."""
    population_stagnation: int = Field(20, ge=0)
    """Where no individual has set a record for so many steps, only the two best species breed; 0 for never."""
    spared: int = Field(1, ge=1)
    """So many of the best species breed though they stagnate; at least 1."""
    worst_age: int = Field(0, ge=0)
    """Of the species older than this, in steps, the worst has no offspring, but where it is the best of all; 0 for
    never. Stanley & Miikkulainen 2004 (JAIR 21), appendix A: 30."""
    measure: Measure = "best"
    """What a species is worth when the best ones are looked for."""
    young_age: int = Field(10, ge=0)
    """A species younger than this, in steps, is young."""
    young_factor: float = Field(1.0, gt=0)
    """Factor of a young species' mean fitness; above 0."""
    old_age: int = Field(30, ge=0)
    """A species older than this, in steps, is old."""
    old_factor: float = Field(1.0, gt=0)
    """Factor of an old species' mean fitness; above 0."""


_FIELDS = (
    *("survival", "fewest_parents", "champion_size", "elites", "least", "stagnation", "population_stagnation"),
    *("spared", "worst_age", "young_age", "young_factor", "old_age", "old_factor"),
)
(SURVIVAL, FEWEST_PARENTS, CHAMPION_SIZE, ELITES, LEAST, STAGNATION, POPULATION_STAGNATION, SPARED, WORST_AGE,
 YOUNG_AGE, YOUNG_FACTOR, OLD_AGE, OLD_FACTOR, QUOTAS, MEASURE) = range(15)  # fmt: skip
"""Places in the rules of sharing."""
PROPORTIONAL, SMOOTHED, RANKED = range(3)
"""Codes of `Quotas`."""


def sharing_rules(sharing: Sharing) -> Array:
    """Return how species share offspring as numbers, float64 [15]."""
    codes = (get_args(Quotas).index(sharing.quotas), get_args(Measure).index(sharing.measure))
    return np.array([*[getattr(sharing, name) for name in _FIELDS], *codes], np.float64)
