# SPDX-License-Identifier: MIT OR Apache-2.0
"""Plugins found by entry point and registered with pluggy; one that fails is reported and takes nothing else down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from types import ModuleType

import pluggy

from vynapse_core import hooks
from vynapse_core.errors import PluginError, nearest

GROUP = "vynapse"


@dataclass(frozen=True)
class Plugin:
    """A distribution's entry point: its module where it loaded, the cause where it did not."""

    name: str
    """Name of the entry point, such as `evolution`."""
    package: str
    """Distribution that owns it, such as `vynapse-evolution`."""
    version: str
    module: object | None = None
    failure: str = ""


class HookRelay(pluggy.PluginManager):
    """A pluggy manager that knows the hooks of `hooks.py` and looks for them at names that begin with `vynapse_`."""

    def __init__(self) -> None:
        super().__init__("vynapse")
        self.add_hookspecs(hooks)

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        """Return the options of a hook implementation; other attributes, a model's fields say, are left alone."""
        if not name.startswith("vynapse_") and not isinstance(plugin, ModuleType):
            return None
        return super().parse_hookimpl_opts(plugin, name)


@cache
def installed() -> tuple[Plugin, ...]:
    """Return the plugins of this environment, in a fixed order: the kernel's first, then by package and name."""
    found = {(point.dist.name if point.dist else "", point.name): point for point in metadata.entry_points(group=GROUP)}
    points = sorted(found.values(), key=lambda p: (_package(p) != "vynapse", _package(p), p.name))
    return tuple(load(point) for point in points)


def load(point: metadata.EntryPoint) -> Plugin:
    """Import an entry point's module and check its hooks. Whatever goes wrong becomes the plugin's `failure`."""
    version = point.dist.version if point.dist else "?"
    try:
        module = point.load()
        check_hooks(module)
    except (Exception, SystemExit) as error:
        return Plugin(point.name, _package(point), version, failure=f"{type(error).__name__}: {error}")
    return Plugin(point.name, _package(point), version, module)


def check_hooks(plugin: object) -> None:
    """Raise PluginError for a hook that does not exist, arguments that it does not have, or a missing `@hookimpl`."""
    relay = HookRelay()
    known = [name for name in dir(hooks) if name.startswith("vynapse_")]
    for name in known:
        if callable(getattr(plugin, name, None)) and relay.parse_hookimpl_opts(plugin, name) is None:
            raise PluginError(f"{name} is not marked as a hook's implementation; write @hookimpl above it")
    try:
        relay.register(plugin)
        relay.check_pending()
    except pluggy.PluginValidationError as error:
        implemented = [name for name in dir(plugin) if relay.parse_hookimpl_opts(plugin, name) is not None]
        hints = [
            f"{name}: {nearest(name, known)}" for name in implemented if name not in known and nearest(name, known)
        ]
        raise PluginError("; ".join([str(error).replace("\n", " "), *hints])) from None


def relay(plugins: Iterable[Plugin]) -> HookRelay:
    """Return a manager with the plugins that loaded."""
    manager = HookRelay()
    for plugin in plugins:
        if plugin.module is not None:
            manager.register(plugin.module, name=f"{plugin.package}:{plugin.name}")
    return manager


def _package(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else "?"
