# SPDX-License-Identifier: MIT OR Apache-2.0
"""How a population is parted into species, as a table of a recipe."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vynapse_core import Settings, mistake
from vynapse_neat.distance import Compatibility
from vynapse_neat.threshold import Bandit, Fixed, HillClimbing, Pid, Step


class Speciation(Settings):
    """How a population is parted into species. The defaults are those of Stanley & Miikkulainen 2002."""

    clustering: Literal["first_compatible", "nearest_compatible", "k_medoids"] = "first_compatible"
    """Which species a genome joins: the first, oldest first, whose representative is near enough; the nearest of
    those; or that of the nearest of `wanted` medoids, whatever the threshold."""
    distance: Compatibility = Compatibility()
    """How far apart two genomes are."""
    threshold: float = Field(3.0, gt=0)
    """Genomes nearer than this are of one species; the first value where it is controlled."""
    control: Annotated[Fixed | Step | Pid | HillClimbing | Bandit, Field(discriminator="rule")] = Fixed()
    """How the threshold moves towards the wanted number of species: a table with `rule` as "fixed", "step", "pid",
    "hill_climbing" or "bandit"."""
    wanted: int = Field(10, ge=1)
    """Wanted number of species, where the threshold is controlled or species are medoids."""
    lowest: float = Field(0.3, gt=0)
    """The threshold never falls below this."""

    @model_validator(mode="after")
    def _check_control(self) -> Self:
        if self.clustering == "k_medoids" and not isinstance(self.control, Fixed):
            raise mistake("k_medoids makes as many species as are wanted, without a threshold", "leave out 'control'")
        return self
