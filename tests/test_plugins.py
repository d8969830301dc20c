# SPDX-License-Identifier: MIT OR Apache-2.0
"""Plugins: how they are found, what is wrong with them and is said so, and that one takes no other down."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from vynapse_core import hookimpl, plugins
from vynapse_core.catalogue import collect
from vynapse_core.errors import PluginError
from vynapse_core.plugins import Plugin, check_hooks, load, relay

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def point(module: object, name: str = "toy", package: str | None = "vynapse-toy") -> EntryPoint:
    """Return an entry point that loads `module`, or raises it."""

    def loaded() -> object:
        if isinstance(module, BaseException):
            raise module
        return module

    dist = SimpleNamespace(name=package, version="2.1") if package else None
    entry: Any = SimpleNamespace(name=name, dist=dist, load=loaded)
    return entry  # type: ignore[no-any-return]


def module(**functions: Any) -> ModuleType:
    made = ModuleType("toy")
    vars(made).update(functions)
    return made


@hookimpl
def offers_nothing() -> dict[str, Any]:
    return {}


def test_a_plugin_is_loaded_with_its_package_and_version() -> None:
    toy = module(vynapse_tasks=offers_nothing)
    assert load(point(toy)) == Plugin("toy", "vynapse-toy", "2.1", toy)


def test_an_entry_point_without_distribution_loads() -> None:
    assert load(point(module(), package=None)).package == "?"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ImportError("no module named 'gone'"), "ImportError: no module named 'gone'"),
        (SyntaxError("bad line"), "SyntaxError: bad line"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (SystemExit("this plugin needs a GPU"), "SystemExit: this plugin needs a GPU"),
    ],
)
def test_a_plugin_that_does_not_import_is_reported_with_its_cause(error: BaseException, cause: str) -> None:
    found = load(point(error))
    assert (found.module, found.failure) == (None, cause)


def test_an_interrupt_while_a_plugin_loads_is_passed_on() -> None:
    with pytest.raises(KeyboardInterrupt):
        load(point(KeyboardInterrupt()))


def test_a_misspelt_hook_is_reported_with_the_nearest_one() -> None:
    failure = load(point(module(vynapse_opertors=offers_nothing))).failure
    assert "unknown hook 'vynapse_opertors'" in failure
    assert "did you mean 'vynapse_operators'?" in failure


def test_a_hook_with_arguments_that_it_does_not_have_is_reported_with_them() -> None:
    @hookimpl
    def vynapse_step_finished(reprot: object) -> None: ...

    failure = load(point(module(vynapse_step_finished=vynapse_step_finished))).failure
    assert "vynapse_step_finished" in failure
    assert "reprot" in failure


def test_a_hook_may_leave_arguments_out() -> None:
    @hookimpl
    def vynapse_run_started(folder: object) -> None: ...

    check_hooks(module(vynapse_run_started=vynapse_run_started))


def test_a_hook_without_its_marker_is_reported() -> None:
    def vynapse_tasks() -> dict[str, Any]:
        return {}

    with pytest.raises(PluginError, match=r"vynapse_tasks is not marked .* write @hookimpl above it"):
        check_hooks(module(vynapse_tasks=vynapse_tasks))


def test_functions_of_other_names_are_left_alone() -> None:
    check_hooks(module(vynapse_version="1", build=print, VYNAPSE_TASKS=3))


def test_a_failed_plugin_takes_no_other_down() -> None:
    good, bad = load(point(module(vynapse_tasks=offers_nothing), "good")), load(point(OSError("disk"), "bad"))
    catalogue = collect([bad, good])
    assert [plugin.name for plugin in catalogue.failures] == ["bad"]
    assert [name for name, _ in relay(catalogue.plugins).list_name_plugin()] == ["vynapse-toy:good"]


def test_hooks_on_a_runs_life_reach_every_plugin_that_loaded() -> None:
    seen = []

    def watching(name: str) -> ModuleType:
        @hookimpl
        def vynapse_run_finished(result: object) -> None:
            seen.append((name, result))

        return module(vynapse_run_finished=vynapse_run_finished)

    found = [Plugin(name, name, "1", watching(name)) for name in ("a", "b")]
    relay([*found, Plugin("c", "c", "1", failure="broken")]).hook.vynapse_run_finished(result=3)
    assert sorted(seen) == [("a", 3), ("b", 3)]


def test_the_kernels_own_plugin_comes_first_and_loads() -> None:
    first = plugins.installed()[0]
    assert (first.package, first.failure) == ("vynapse", "")


def test_plugins_come_in_an_order_that_does_not_depend_on_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [point(module(), name, package) for package in ("b", "vynapse", "a") for name in ("z", "y")]
    names = []
    for order in (points, points[::-1], [*points, *points]):
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group, order=order: order)
        names.append([(plugin.package, plugin.name) for plugin in plugins.installed.__wrapped__()])
    assert names[0] == [(package, name) for package in ("vynapse", "a", "b") for name in ("y", "z")]
    assert names[0] == names[1] == names[2]


def test_what_a_plugin_module_imports_is_light() -> None:
    code = (
        "import sys, click, vynapse_core; from vynapse_core import hookimpl, hooks\n"
        "import vynapse_core.plugin, vynapse_core.cli\n"
        "print([name for name in ('numpy', 'pydantic', 'rich', 'structlog', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_installed_plugin_module_is_light() -> None:
    code = (
        "import sys; from importlib.metadata import entry_points\n"
        "[point.load() for point in entry_points(group='vynapse')]\n"
        "print([name for name in ('numpy', 'pydantic', 'rich', 'structlog', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
