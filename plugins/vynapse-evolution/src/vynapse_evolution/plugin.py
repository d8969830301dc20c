# SPDX-License-Identifier: MIT OR Apache-2.0
"""What vynapse-evolution offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vynapse_core import hookimpl

if TYPE_CHECKING:
    from vynapse_core.hooks import Components


@hookimpl
def vynapse_genomes() -> Components:
    """Networks of fixed topology, real vectors, bit strings."""
    from vynapse_evolution.bits import Bits
    from vynapse_evolution.mlp import Mlp
    from vynapse_evolution.vector import Vector

    return {"mlp": Mlp, "vector": Vector, "bits": Bits}


@hookimpl
def vynapse_operators() -> Components:
    """Mutations of single genes, and crossovers of pairs."""
    from vynapse_evolution.crossover import Arithmetic, Blend, Clone, KPoint, UniformCrossover
    from vynapse_evolution.mutation import BitFlip, Gaussian, UniformMutation

    return {
        "gaussian": Gaussian,
        "uniform": (UniformMutation, UniformCrossover),
        "bit_flip": BitFlip,
        "k_point": KPoint,
        "arithmetic": Arithmetic,
        "blend": Blend,
        "none": Clone,
    }


@hookimpl
def vynapse_selectors() -> Components:
    """Who becomes a parent, and who lives on."""
    from vynapse_evolution.replacement import Comma, Generational, Plus
    from vynapse_evolution.selection import Elitism, Random, Rank, Roulette, Tournament

    return {
        "tournament": Tournament,
        "roulette": Roulette,
        "rank": Rank,
        "elitism": Elitism,
        "random": Random,
        "plus": Plus,
        "comma": Comma,
        "generational": Generational,
    }


@hookimpl
def vynapse_trainers() -> Components:
    """Evolution of a population."""
    from vynapse_evolution.evolution import Evolution

    return {"evolution": Evolution}
