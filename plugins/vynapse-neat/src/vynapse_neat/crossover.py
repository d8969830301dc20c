# SPDX-License-Identifier: MIT OR Apache-2.0
"""Crossover of genomes of different topologies, by aligning innovation numbers (Stanley & Miikkulainen 2002, figure 4).

Where one parent is fitter, the child has that parent's structure, and of matching genes a mix; where they are equally
fit, a choice out of both, which `union` makes.
"""

from __future__ import annotations

from typing import Any

from vynapse_core import routine_part
from vynapse_neat.mixing import mixed
from vynapse_neat.union import united
from vynapse_neat.workspace import FATHER


@routine_part
def crossed(
    cells: Any, values: Any, sizes: Any, crossing: Any, seed: Any, choosing: Any, spots: Any, numbers: Any
) -> None:
    """Make a child of two parents in a workspace.

    Where `choosing`, both are there; else the father is, and the child is a copy of the fitter parent so far.
    """
    if choosing:
        united(cells, values, sizes, crossing, seed, spots)
    else:
        mixed(cells, values, sizes, crossing, seed, FATHER, spots, numbers)
