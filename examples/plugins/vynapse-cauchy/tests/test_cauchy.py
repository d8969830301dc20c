# SPDX-License-Identifier: MIT OR Apache-2.0
"""The kit checks what the package offers; the tests below it say what the parts do."""

import numpy as np
import pytest

from vynapse_cauchy.mutation import Cauchy
from vynapse_cauchy.task import Griewank
from vynapse_core import Clock, Genes, Streams
from vynapse_core.testing import check, check_plugin, offered


@pytest.mark.parametrize(("kind", "name", "component"), offered("vynapse-cauchy"))
def test_every_part_keeps_its_contract(kind, name, component):
    check(component)


def test_the_plugin_is_well_made():
    check_plugin("vynapse-cauchy")


def changes(mutation: Cauchy) -> np.ndarray:
    genes = Genes(np.zeros((1000, 100), np.float32))
    return mutation.mutate(genes, Streams(1)("mutation"), Clock()).values.ravel()


@pytest.mark.parametrize("scale", [0.5, 20.0])
def test_steps_have_the_quartiles_of_a_cauchy_distribution(scale):
    # a quantile q of n draws has a standard deviation of sqrt(q (1 - q) / n), here below 0.0016
    below = [np.mean(changes(Cauchy(scale=scale)) <= scale * t) for t in (-10, -1, 0, 1, 10)]
    assert below == pytest.approx([0.5 + np.arctan(t) / np.pi for t in (-10, -1, 0, 1, 10)], abs=0.01)


def test_the_rate_is_the_share_of_changed_genes():
    assert np.mean(changes(Cauchy(rate=0.3)) != 0) == pytest.approx(0.3, abs=0.01)


def test_the_scale_follows_its_schedule():
    schedule = {"type": "linear", "start": 1.0, "end": 0.25}
    genes = Genes(np.zeros((2, 3), np.float32))
    first, last = (
        Cauchy(scale=schedule).mutate(genes, Streams(1)("mutation"), Clock(step, 11)).values for step in (0, 10)
    )
    np.testing.assert_allclose(last, first / 4)


def test_griewank_has_its_optimum_at_the_origin():
    assert Griewank(dimensions=4).evaluate(Genes(np.zeros((2, 4), np.float32))).tolist() == [0.0, 0.0]


def test_griewank_has_the_values_of_its_formula():
    genes = Genes(np.array([[np.pi, 0.0], [100.0, -200.0]], np.float32))
    expected = [-(2 + np.pi**2 / 4000), np.cos(100) * np.cos(200 / np.sqrt(2)) - 50_000 / 4000 - 1]
    np.testing.assert_allclose(Griewank(dimensions=2).evaluate(genes), expected, rtol=1e-6)
