# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every part that the plugin offers keeps the contract of its kind, by the kernel's own kit."""

from __future__ import annotations

import pytest

from vynapse_core.testing import check, check_mutation, check_plugin, check_replacement, check_selector, offered
from vynapse_evolution.mutation import BitFlip, Gaussian
from vynapse_evolution.replacement import Generational
from vynapse_evolution.selection import Elitism, Rank, Roulette, Tournament


@pytest.mark.parametrize(("kind", "name", "component"), offered("vynapse-evolution"))
def test_every_part_keeps_its_contract(kind, name, component):
    check(component)


@pytest.mark.parametrize(
    ("checked", "part"),
    [
        (check_mutation, Gaussian(rate=0.02, probability=0.7)),
        (check_mutation, Gaussian(rate=0.5, only=((1, 3),))),
        (check_mutation, BitFlip(rate=0.3)),
        (check_selector, Tournament(size=1)),
        (check_selector, Rank(pressure=2.0)),
        (check_selector, Roulette()),
        (check_selector, Elitism(share=1.0)),
        (check_replacement, Generational(elites=0)),
        (check_replacement, Generational(elites=3)),
    ],
)
def test_other_settings_keep_it_too(checked, part):
    checked(part)


def test_the_plugin_is_well_made():
    check_plugin("vynapse-evolution")
