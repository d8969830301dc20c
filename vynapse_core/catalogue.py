# SPDX-License-Identifier: MIT OR Apache-2.0
"""The catalogue: what the installed plugins offer, `{kind: {name: component}}`, each with its owner and version."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeVar

from vynapse_core import plugins
from vynapse_core.component import Component
from vynapse_core.errors import PluginError, nearest
from vynapse_core.plugins import Plugin
from vynapse_core.settings import LONGEST, described, mistake, shortened, with_article

if TYPE_CHECKING:
    from vynapse_core.contracts import Gradient, Kernel
    from vynapse_core.ops import Op

C = TypeVar("C", bound=Component)

KINDS_OF_HOOK: Mapping[str, tuple[str, ...]] = {
    "vynapse_genomes": ("genome", "initialiser"),
    "vynapse_operators": ("mutation", "crossover"),
    "vynapse_selectors": ("selector", "replacement"),
    "vynapse_losses": ("loss", "activation"),
    "vynapse_schedules": ("schedule",),
    "vynapse_devices": ("device",),
    "vynapse_trainers": ("trainer",),
    "vynapse_tasks": ("task",),
    "vynapse_distributions": ("distribution",),
    "vynapse_observers": ("observer",),
}
KINDS = tuple(kind for kinds in KINDS_OF_HOOK.values() for kind in kinds)


@dataclass(frozen=True)
class Entry:
    """One component on offer."""

    kind: str
    name: str
    component: type[Component]
    package: str
    version: str

    @property
    def full(self) -> str:
        """The name that nobody else can offer, `package:name`: how code names its own defaults."""
        return f"{self.package}:{self.name}"


@dataclass(frozen=True)
class Catalogue:
    """Components by kind and name, the extensions of the graph language, and the plugins they came from."""

    plugins: tuple[Plugin, ...] = ()
    entries: tuple[Entry, ...] = ()
    ops: Mapping[str, Op] = field(default_factory=dict)
    kernels: Mapping[tuple[str, str], Kernel] = field(default_factory=dict)
    gradients: Mapping[str, Gradient] = field(default_factory=dict)

    @property
    def failures(self) -> tuple[Plugin, ...]:
        """The plugins that did not load."""
        return tuple(plugin for plugin in self.plugins if plugin.failure)

    def of_kind(self, kind: str) -> tuple[Entry, ...]:
        """Return what is on offer of a kind, by name."""
        return tuple(sorted((e for e in self.entries if e.kind == kind), key=lambda e: (e.name, e.package)))

    def find(self, kind: str, name: Any) -> type[Component]:
        """Return the component called `name`, as `entry` finds it."""
        return self.entry(kind, name).component

    def entry(self, kind: str, name: Any) -> Entry:
        """Return what is called `name`, or `package:name` where two packages offer it.

        Raises `mistake` (so that it is reported with its key path) for a name that is unknown, that two
        packages offer, or that a plugin would offer which is not installed or failed to load.
        """
        if not isinstance(name, str):
            raise mistake(f"'type' of {with_article(kind)} is a name, found {described(name)}")
        package, _, short = name.rpartition(":")
        found = [e for e in self.of_kind(kind) if e.name == short and package in ("", e.package)]
        if len(found) == 1:
            return found[0]
        if found:
            choices = " or ".join(repr(entry.full) for entry in found)
            raise mistake(f"{len(found)} packages offer the {kind} {name!r}", f"write {choices}")
        raise mistake(*self._absent(kind, name, short))

    def build(self, contract: type[C], table: Mapping[str, Any]) -> C:
        """Return the component of a contract that a recipe's table describes. Raises pydantic's ValidationError."""
        found = self.find(contract.kind, table.get("type"))
        made = found.model_validate({k: v for k, v in table.items() if k != "type"}, context={"catalogue": self})
        if not isinstance(made, contract):
            raise TypeError(f"{table.get('type')!r} is no {contract.__name__}")
        return made

    def name_of(self, component: type[Component]) -> str:
        """Return the name under which a recipe finds `component`: with its package where the bare name is ambiguous.

        Raises PluginError for a class that no plugin offers.
        """
        for entry in self.entries:
            if entry.component is component:
                return self.written(entry)
        raise PluginError(f"no plugin offers {component.__module__}.{component.__qualname__}, so no recipe can name it")

    def written(self, entry: Entry) -> str:
        """Return how a recipe writes an entry: its name, with its package where another offers the same one."""
        alone = sum(other.kind == entry.kind and other.name == entry.name for other in self.entries) == 1
        return entry.name if alone else entry.full

    def _absent(self, kind: str, name: str, short: str) -> tuple[str, str]:
        package = offers().get(kind, {}).get(short)
        if package and name in (short, f"{package}:{short}"):
            owners = [plugin for plugin in self.plugins if plugin.package == package]
            if broken := next((plugin for plugin in owners if plugin.failure), None):
                return f"{kind} {name!r} comes with {package}, which failed to load: {broken.failure}", ""
            if not owners:
                return (
                    f"{kind} {name!r} comes with {package}, which is not installed",
                    f"pip install {package}",
                )
        hint = self._likely(kind, name, short)
        hint += "".join(f"; {plugin.package} failed to load: {plugin.failure}" for plugin in self.failures)
        return f"unknown {kind} {shortened(repr(name))}", hint

    def _likely(self, kind: str, name: str, short: str) -> str:
        known = [self.written(entry) for entry in self.of_kind(kind)]
        if len(name) > LONGEST:
            return f"known: {', '.join(known) or 'none'}"
        same = [f"{entry.package}:{short}" for entry in self.of_kind(kind) if entry.name == short]
        if close := nearest(name, known) or nearest(name, same):
            return close
        if others := [entry.kind for entry in self.entries if entry.name == short]:
            return f"{short!r} is {' and '.join(map(with_article, others))}"
        return f"known: {', '.join(known) or 'none'}"


@cache
def installed() -> Catalogue:
    """Return the catalogue of this environment."""
    return collect(plugins.installed())


def collect(found: Iterable[Plugin]) -> Catalogue:
    """Ask each plugin for what it offers. One whose hooks raise or return nonsense is marked as failed, whole."""
    kept: list[Plugin] = []
    entries: list[Entry] = []
    language: dict[str, dict[Any, tuple[str, Any]]] = {"ops": {}, "kernels": {}, "gradients": {}}
    for plugin in found:
        try:
            offered = _entries(plugin)
            _check_twins([*entries, *offered])
            extended = _language(plugin, language)
        except (Exception, SystemExit) as error:
            kept.append(replace(plugin, module=None, failure=f"{type(error).__name__}: {error}"))
            continue
        kept.append(plugin)
        entries += offered
        language = extended
    parts = {part: {name: value for name, (_, value) in table.items()} for part, table in language.items()}
    return Catalogue(tuple(kept), tuple(entries), parts["ops"], parts["kernels"], parts["gradients"])


@cache
def offers() -> Mapping[str, Mapping[str, str]]:
    """Return which distribution of this project offers a name, installed or not: `{kind: {name: distribution}}`."""
    table: dict[str, dict[str, str]] = json.loads(resources.files("vynapse_core").joinpath("offers.json").read_text())
    return table


def _entries(plugin: Plugin) -> list[Entry]:
    return [
        Entry(_kind(name, component, hook, kinds), name, component, plugin.package, plugin.version)
        for hook, kinds in KINDS_OF_HOOK.items()
        for name, value in _returned(plugin, hook).items()
        for component in (value if isinstance(value, tuple) else (value,))
    ]


def _check_twins(entries: list[Entry]) -> None:
    """Refuse what no recipe could tell apart: one package that offers a name twice."""
    seen: set[tuple[str, str, str]] = set()
    for entry in entries:
        key = (entry.package, entry.kind, entry.name)
        if key in seen:
            raise PluginError(f"{entry.package} offers the {entry.kind} {entry.name!r} twice")
        seen.add(key)


def _kind(name: object, component: object, hook: str, kinds: tuple[str, ...]) -> str:
    if not isinstance(name, str) or not name.replace("_", "a").replace("-", "a").isalnum():
        raise PluginError(f"{hook}: {name!r} is no name; use letters, digits, '_' and '-'")
    if not (isinstance(component, type) and issubclass(component, Component)):
        raise PluginError(f"{hook}: {name!r} is {component!r}, not a component class")
    if component.kind not in kinds:
        raise PluginError(
            f"{hook}: {name!r} is {with_article(component.kind or 'component without kind')}, "
            f"not {with_article(' or '.join(kinds))}"
        )
    if "kind" in component.__dict__:
        raise PluginError(f"{hook}: {name!r} sets 'kind', which only a contract does; remove it")
    if missing := sorted(component.__abstractmethods__):
        raise PluginError(f"{hook}: {name!r} lacks {', '.join(missing)}, which a {component.kind} must have")
    return component.kind


def _language(plugin: Plugin, known: Mapping[str, dict[Any, tuple[str, Any]]]) -> dict[str, dict[Any, tuple[str, Any]]]:
    extended = {}
    for part, table in known.items():
        added = _returned(plugin, f"vynapse_{part}")
        for name in added:
            if name in table:
                raise PluginError(f"vynapse_{part}: {name!r} is offered by {table[name][0]} already")
        extended[part] = {**table, **{name: (plugin.package, value) for name, value in added.items()}}
    return extended


def _returned(plugin: Plugin, hook: str) -> Mapping[Any, Any]:
    function = getattr(plugin.module, hook, None)
    returned = function() if function is not None and hasattr(function, "vynapse_impl") else {}
    if not isinstance(returned, Mapping):
        raise PluginError(f"{hook} returned {type(returned).__name__}, not a mapping of names")
    return returned
