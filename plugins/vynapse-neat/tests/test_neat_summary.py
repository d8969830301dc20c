# SPDX-License-Identifier: MIT OR Apache-2.0
"""A generation in a few numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Population
from vynapse_core.devices.reference import Reference
from vynapse_neat.layout import Layout
from vynapse_neat.summary import summary
from vynapse_numba.device import Numba

DEVICES = (Reference(), Numba(threads=1))
fitnesses = st.floats(-1e6, 1e6) | st.sampled_from([-np.inf, np.nan, np.inf, 0.0])


def crowd(fitness: list[float]) -> Population:
    genes, n = Layout(2, 1).empty(len(fitness), 8, 8), len(fitness)
    genes.structure["nodes"][:], genes.structure["connections"][:] = 3 + np.arange(n) % 4, np.arange(n) % 7
    return Population.born(genes, np.array(fitness), 0)


@given(st.lists(fitnesses, min_size=1, max_size=40))
@settings(max_examples=100, deadline=None)
def test_it_says_of_the_finite_fitnesses_what_numpy_says(fitness: list[float]) -> None:
    population = crowd(fitness)
    found = [summary(population, device) for device in DEVICES]
    known = population.fitness[np.isfinite(population.fitness)]
    assert repr(found[0]) == repr(found[1])
    told = found[0]
    assert told.finite == len(known)
    assert told.nodes == pytest.approx(population.genes.structure["nodes"].mean())
    assert told.connections == pytest.approx(population.genes.structure["connections"].mean())
    if len(known):
        assert (told.best, told.worst) == (known.max(), known.min())
        assert told.champion == fitness.index(known.max())
        assert (told.mean, told.deviation) == pytest.approx((known.mean(), known.std()), rel=1e-9, abs=1e-6)


def test_the_first_of_equally_good_ones_is_the_champion() -> None:
    assert summary(crowd([1.0, 3.0, 3.0, 2.0]), DEVICES[0]).champion == 1
