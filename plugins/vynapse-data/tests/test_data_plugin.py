# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the plugin offers, and how it is found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vynapse_core.catalogue import collect, installed
from vynapse_core.plugins import Plugin, check_hooks
from vynapse_core.testing import check_plugin
from vynapse_data import plugin

TASKS = ("cifar10", "csv", "digits", "fashion_mnist", "idx", "image_folder", "mnist", "npz", "parquet")


def test_all_tasks_are_offered() -> None:
    check_hooks(plugin)
    catalogue = collect([Plugin("data", "vynapse-data", "0", plugin)])
    assert not catalogue.failures
    assert tuple(entry.name for entry in catalogue.of_kind("task")) == TASKS


def test_the_plugin_is_found_where_it_is_installed_and_well_made() -> None:
    owners = {entry.package for entry in installed().of_kind("task") if entry.name in TASKS}
    assert owners == {"vynapse-data"}
    # the others need files, and are checked on small ones where they are tested
    check_plugin("vynapse-data", without=[f"task {name}" for name in TASKS if name != "digits"])


def test_the_entry_point_module_imports_nothing_heavy() -> None:
    heavy = "{'numpy', 'pydantic', 'PIL', 'pyarrow', 'sklearn', 'click'}"
    code = f"import sys, vynapse_data.plugin; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    assert ran.returncode == 0


@pytest.mark.parametrize("name", TASKS)
def test_every_part_stands_in_the_readme_and_documents_its_fields(name: str) -> None:
    component = plugin.vynapse_tasks()[name]
    assert f"`{name}`" in (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert component.__doc__
    assert all(field.description for field in component.model_fields.values())
