# SPDX-License-Identifier: MIT OR Apache-2.0
"""The check of a plugin as a whole, and the list of what it offers."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from vynapse_core import plugins
from vynapse_core.catalogue import KINDS_OF_HOOK, collect
from vynapse_core.plugins import Plugin, check_hooks
from vynapse_core.testing.contract import ContractError, breach
from vynapse_core.testing.dispatch import check

if TYPE_CHECKING:
    from collections.abc import Collection

    from vynapse_core.catalogue import Catalogue, Entry
    from vynapse_core.component import Component

HEAVY = (
    "numpy",
    "pydantic",
    "scipy",
    "matplotlib",
    "numba",
    "sklearn",
    "pyopencl",
    "mpi4py",
    "safetensors",
    "structlog",
    "rich",
)
"""What an entry-point module must not import: it is imported at every start of the command line."""

HOOKS = "vynapse_core.hooks, where all of them stand"


def check_plugin(plugin: str | ModuleType, *, without: Collection[str] = ()) -> None:
    """Check a plugin: it loads, its hooks exist, its entry module is light, and each part keeps its kind's contract.

    `plugin` is the distribution, such as `vynapse-my-operators`, or the entry-point module. `without` names parts that
    need settings of their own, as `task csv`; check them with `check` on an instance. Raises ContractError.
    """
    found = _found(plugin)
    _check_hooks(found)
    if isinstance(found.module, ModuleType) and found.module.__spec__ is not None:
        _check_light(found)
    catalogue = _catalogue(found)
    entries = _entries(found, catalogue)
    unknown = sorted(set(without) - {f"{entry.kind} {entry.name}" for entry in entries})
    if unknown:
        raise ContractError(f"{found.package}: `without` names {', '.join(unknown)}, which the plugin does not offer")
    for entry in entries:
        if f"{entry.kind} {entry.name}" in without:
            continue
        try:
            check(entry.component, catalogue)
        except ContractError as error:
            raise ContractError(f"{found.package}, {entry.kind} {entry.name!r}: {error}") from error


def offered(plugin: str | ModuleType) -> list[tuple[str, str, type[Component]]]:
    """Return (kind, name, class) of each component that a plugin offers, to parametrise a test with.

    Raises ContractError where it offers none or does not load, so that no test passes for want of parts.
    """
    found = _found(plugin)
    entries = _entries(found, _catalogue(found))
    if not entries:
        raise ContractError(
            f"{found.package} offers no components; its hooks return {{name: class}}, see vynapse_core.hooks"
        )
    return [(entry.kind, entry.name, entry.component) for entry in entries]


def _found(plugin: str | ModuleType) -> Plugin:
    if isinstance(plugin, ModuleType):
        return Plugin(plugin.__name__, plugin.__name__, "?", plugin)
    for known in plugins.installed():
        if plugin in (known.package, getattr(known.module, "__name__", None)):
            if known.failure:
                raise ContractError(f"{known.package} does not load: {known.failure}")
            return known
    try:
        module = import_module(plugin)
    except ImportError:
        known_names = ", ".join(sorted({known.package for known in plugins.installed()}))
        raise ContractError(
            f"no plugin {plugin!r} is installed. Its pyproject.toml needs an entry point of the group `vynapse`, and "
            f"it must be installed (`pip install -e .`); installed are: {known_names}"
        ) from None
    return Plugin(module.__name__, module.__name__, "?", module)


def _check_hooks(plugin: Plugin) -> None:
    try:
        check_hooks(plugin.module)
    except Exception as error:
        says = "each hook that it implements is one of Vynapse's, with its arguments"
        raise breach(plugin.package, says, str(error), HOOKS) from error
    names = [name for name in dir(plugin.module) if hasattr(getattr(plugin.module, name, None), "vynapse_impl")]
    if not names:
        says = f"its entry-point module marks functions with `@hookimpl`, such as {', '.join(KINDS_OF_HOOK)}"
        raise breach(plugin.package, says, "no hook", HOOKS)


def _check_light(plugin: Plugin) -> None:
    """Import the entry module in a new process and see what comes with it."""
    module = getattr(plugin.module, "__name__", "")
    code = (
        "import importlib, sys; before = set(sys.modules); importlib.import_module(sys.argv[1]); "
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-c", code, module],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ContractError(
            f"{plugin.package}: {module} cannot be imported alone: {done.stderr.strip().splitlines()[-1]}"
        )
    heavy = [name for name in done.stdout.split() if name in HEAVY]
    if heavy:
        says = "the entry-point module is light: it imports its parts inside the hook functions"
        raise breach(plugin.package, says, f"importing {module} imports {', '.join(heavy)}", HOOKS)


def _catalogue(plugin: Plugin) -> Catalogue:
    """Return what is installed, and the plugin where it is not among that."""
    others = [known for known in plugins.installed() if known.module is not plugin.module]
    return collect([*others, plugin])


def _entries(plugin: Plugin, catalogue: Catalogue) -> list[Entry]:
    failure = next(
        (known.failure for known in catalogue.plugins if known.name == plugin.name and known.package == plugin.package),
        "",
    )
    if failure:
        raise breach(plugin.package, "a hook for components returns {name: class}", failure, HOOKS)
    return [entry for entry in catalogue.entries if entry.package == plugin.package]
