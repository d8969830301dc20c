# SPDX-License-Identifier: MIT OR Apache-2.0
"""The kernel's own parts keep the contracts that third parties' parts are held to."""

import pytest

from vynapse_core.testing import check, check_plugin, offered


@pytest.mark.parametrize(("kind", "name", "component"), offered("vynapse"))
def test_every_part_of_the_kernel_keeps_its_contract(kind, name, component):
    check(component)


def test_the_kernel_is_a_well_made_plugin():
    check_plugin("vynapse")
