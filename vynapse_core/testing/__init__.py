# SPDX-License-Identifier: MIT OR Apache-2.0
"""The conformance kit: what a part must keep to work with all others, as functions that a plugin's tests call.

    @pytest.mark.parametrize(("kind", "name", "component"), offered("vynapse-my-operators"))
    def test_every_part_keeps_its_contract(kind, name, component):
        check(component)

    def test_the_plugin_is_well_made():
        check_plugin("vynapse-my-operators")

So a part is tested by being offered. A class with required fields says in `example`, a ClassVar with a recipe's
table, which instance to check. Each `check_*` takes an instance, so that other settings get tests of their own. What
fails raises ContractError, whose message says what the contract is, what was seen, and where to read.
"""

from __future__ import annotations

from vynapse_core.testing.contract import ContractError
from vynapse_core.testing.devices import check_device
from vynapse_core.testing.dispatch import check
from vynapse_core.testing.genomes import check_genome, check_initialiser
from vynapse_core.testing.losses import check_activation, check_loss
from vynapse_core.testing.operators import check_crossover, check_mutation
from vynapse_core.testing.packages import check_plugin, offered
from vynapse_core.testing.parts import check_component, sample
from vynapse_core.testing.schedules import check_schedule
from vynapse_core.testing.selection import check_replacement, check_selector
from vynapse_core.testing.tasks import check_task
from vynapse_core.testing.trainers import check_trainer

__all__ = [
    "ContractError",
    "check",
    "check_activation",
    "check_component",
    "check_crossover",
    "check_device",
    "check_genome",
    "check_initialiser",
    "check_loss",
    "check_mutation",
    "check_plugin",
    "check_replacement",
    "check_schedule",
    "check_selector",
    "check_task",
    "check_trainer",
    "offered",
    "sample",
]
