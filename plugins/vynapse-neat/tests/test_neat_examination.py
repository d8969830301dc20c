# SPDX-License-Identifier: MIT OR Apache-2.0
"""Who sits a task's examinations: the species' best in turns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vynapse_core import Genes
from vynapse_neat.examination import Examined, next_examined
from vynapse_neat.species import Species

FITNESS = np.array([1.0, 3.0, 0.0, 2.0, 4.0, 0.5])


def three_species() -> Species:
    """Return species 4, 7 and 9 of two members each, of `FITNESS`, which last improved in step 2."""
    steps, tops = np.full(3, 2), np.array([1.0, 4.0, 2.0])
    return Species(
        ids=np.array([4, 7, 9]),
        created=steps,
        improved=steps,
        best=tops,
        representatives=Genes(np.zeros((3, 1), np.float32)),
        species_of=np.array([0, 1, 2, 2, 1, 0]),
        sizes=np.full(3, 2),
        tops=tops,
        means=np.array([0.75, 3.5, 1.0]),
        next_id=10,
        record=4.0,
        record_step=2,
    )


def asked(examined: Examined, species: Species, steps: range) -> tuple[list[int], Examined]:
    """Return who is examined after each of these steps."""
    found = []
    for step in steps:
        examined = next_examined(examined, species, FITNESS, step)
        found.append(examined.individual)
    return found, examined


def test_each_species_best_is_examined_once_the_fittest_first() -> None:
    found, examined = asked(Examined(), three_species(), range(2, 7))
    assert found == [4, 3, 0, -1, -1]
    assert examined.ids.tolist() == [4, 7, 9]


def test_a_species_that_surpassed_its_best_is_asked_again() -> None:
    _, examined = asked(Examined(), three_species(), range(2, 6))
    better = replace(three_species(), improved=np.array([2, 2, 6]))
    found, _ = asked(examined, better, range(6, 9))
    assert found == [3, -1, -1]


def test_species_that_are_gone_are_forgotten_and_new_ones_asked() -> None:
    _, examined = asked(Examined(), three_species(), range(2, 6))
    found, examined = asked(examined, replace(three_species(), ids=np.array([7, 9, 11])), range(6, 9))
    assert found == [3, -1, -1]
    assert examined.ids.tolist() == [7, 9, 11]


def test_a_species_without_a_finite_fitness_is_not_asked() -> None:
    failed = np.full(6, -np.inf)
    found = next_examined(Examined(), replace(three_species(), tops=failed[:3]), failed, 2)
    assert found.individual == -1
