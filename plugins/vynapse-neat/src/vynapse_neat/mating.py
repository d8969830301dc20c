# SPDX-License-Identifier: MIT OR Apache-2.0
"""How often children have two parents, of one species or of two."""

from pydantic import Field

from vynapse_core import Settings


class Mating(Settings):
    """How often children have two parents. The defaults are those of Stanley & Miikkulainen 2002."""

    crossover: float = Field(0.75, ge=0, le=1)
    """Probability that a child has two parents; otherwise it is a mutated copy of one."""
    interspecies: float = Field(0.001, ge=0, le=1)
    """Probability that the second parent is of another species."""
    mutate: float = Field(0.8, ge=0, le=1)
    """Probability that a child of two parents is mutated; in the authors' own program, 0.8."""
