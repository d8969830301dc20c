# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the plugin offers, and how it is found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vynapse_core.catalogue import collect, installed
from vynapse_core.plugins import Plugin, check_hooks
from vynapse_tasks import plugin

TASKS = (
    "ackley", "acrobot", "cartpole", "mountain_car", "mountain_car_continuous",
    "onemax", "parity", "pendulum", "pole_balancing", "powers_of_two", "rastrigin", "retina", "rosenbrock",
    "sequence_recall", "sphere", "trap", "two_spirals", "xor",
)  # fmt: skip
LOSSES = ("binary_cross_entropy", "cross_entropy", "huber", "mae", "mse")


def test_all_tasks_and_losses_are_offered() -> None:
    check_hooks(plugin)
    catalogue = collect([Plugin("tasks", "vynapse-tasks", "0", plugin)])
    assert not catalogue.failures
    assert tuple(entry.name for entry in catalogue.of_kind("task")) == TASKS
    assert tuple(entry.name for entry in catalogue.of_kind("loss")) == LOSSES


def test_the_plugin_is_found_where_it_is_installed() -> None:
    owners = {entry.package for entry in installed().of_kind("task") if entry.name in TASKS}
    assert owners == {"vynapse-tasks"}


def test_the_entry_point_module_imports_nothing_heavy() -> None:
    heavy = "{'numpy', 'pydantic', 'scipy', 'sklearn'}"
    code = f"import sys, vynapse_tasks.plugin; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    assert ran.returncode == 0


@pytest.mark.parametrize("name", [*TASKS, *LOSSES])
def test_every_part_stands_in_the_readme_and_documents_its_fields(name: str) -> None:
    component = {**plugin.vynapse_tasks(), **plugin.vynapse_losses()}[name]
    assert f"`{name}`" in (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert component.__doc__
    assert all(field.description for field in component.model_fields.values())
