# SPDX-License-Identifier: MIT OR Apache-2.0
"""The reference pages: complete, true to the code, and with snippets that work."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
import tomli

from vynapse_core import hooks
from vynapse_core.catalogue import KINDS, Catalogue, Entry, collect, installed
from vynapse_core.errors import ArgumentError
from vynapse_core.plugins import Plugin
from vynapse_core.reference import (
    CONTRACTS,
    component_page,
    hook_page,
    kind_page,
    listing,
    offered_by,
    offered_names,
    value_in_words,
)

ENTRIES = installed().entries
HOOKS = [name for name in dir(hooks) if name.startswith("vynapse_")]


def page_of(kind: str, name: str) -> str:
    return component_page(installed(), kind, name)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_a_page_shows_every_key_with_its_description_and_the_package(entry: Entry) -> None:
    page = page_of(entry.kind, entry.name)
    assert page.startswith(f"# `{entry.name}`, a")
    assert page.endswith(f"From {entry.package} {entry.version}.\n")
    for key, field in entry.component.model_fields.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{key}` |"))
        assert " ".join((field.description or "").split()) in row.replace("\\|", "|")
        assert ("| required |" in row) == field.is_required()
        assert len(re.findall(r"(?<!\\)\|", row)) == 5


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_a_component_says_in_one_line_what_it_is(entry: Entry) -> None:
    page = page_of(entry.kind, entry.name)
    assert page.splitlines()[2], f"{entry.component.__qualname__} lacks a docstring"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_the_snippet_of_a_page_builds_the_component(entry: Entry) -> None:
    snippet = page_of(entry.kind, entry.name).split("```toml\n")[1].split("```")[0]
    table: Any = next(iter(tomli.loads(snippet).values()))
    table = table[0] if isinstance(table, list) else table
    made = installed().build(CONTRACTS[entry.kind], {"type": table} if isinstance(table, str) else table)
    assert type(made) is entry.component


def test_a_page_says_what_a_mutation_serves_and_where_it_comes_from() -> None:
    page = page_of("mutation", "gaussian")
    assert "\nGenomes: real" in page
    assert "\nReference: Bäck & Schwefel 1993" in page
    assert page_of("mutation", "vynapse-evolution:gaussian") == page


def test_a_name_that_two_packages_offer_is_refused_with_how_to_pick() -> None:
    entry = installed().entry("mutation", "gaussian")
    known = installed()
    rival = Entry("mutation", "gaussian", type("Rival", (entry.component,), {"__doc__": "A rival."}), "rival", "1")
    both = Catalogue(known.plugins, (*known.entries, rival), known.ops, known.kernels, known.gradients)
    said = "2 packages offer the mutation 'gaussian'; write 'rival:gaussian' or 'vynapse-evolution:gaussian'"
    with pytest.raises(ArgumentError, match=said):
        component_page(both, "mutation", "gaussian")
    assert component_page(both, "mutation", "rival:gaussian").startswith("# `rival:gaussian`, a mutation")


def test_an_unknown_kind_or_name_gets_the_nearest() -> None:
    with pytest.raises(ArgumentError, match="unknown kind 'mutations'; did you mean 'mutation'"):
        page_of("mutations", "gaussian")
    with pytest.raises(ArgumentError, match="unknown mutation 'gausian'; did you mean 'gaussian'"):
        page_of("mutation", "gausian")
    with pytest.raises(ArgumentError, match="known: console, csv, jsonl"):
        page_of("observer", "zz")
    with pytest.raises(ArgumentError, match="'mse' is a loss"):
        page_of("task", "mse")
    with pytest.raises(ArgumentError, match="known: none"):
        component_page(collect([]), "task", "zz")
    with pytest.raises(ArgumentError, match="unknown kind 'zz'; known: genome, "):
        listing(installed(), "zz")
    with pytest.raises(ArgumentError):
        kind_page(installed(), "zz")


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1}, "integer ≥ 1"),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, "number ≥ 0 and < 1"),
        ({"type": "number"}, "number"),
        ({"type": "integer", "minimum": 0, "exclusiveMaximum": 2**63}, "integer ≥ 0"),
        ({"type": "boolean"}, "true or false"),
        ({"type": "string"}, "string"),
        ({"enum": ["loss", "accuracy"], "type": "string"}, '`"loss"` or `"accuracy"`'),
        ({"const": "a"}, '`"a"`'),
        ({"$ref": "#/$defs/mutation"}, "mutation"),
        ({"$ref": "#/$defs/Stop"}, "table"),
        ({"type": "object"}, "table"),
        ({}, "value"),
        (
            {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"$ref": "#/$defs/schedule"}]},
            "number > 0 or schedule",
        ),
        (
            {"anyOf": [{"$ref": "#/$defs/mutation"}, {"type": "array", "items": {"$ref": "#/$defs/mutation"}}]},
            "mutation or list of mutations",
        ),
        (
            {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2},
            "list of integers ≥ 1, at least 2",
        ),
        ({"type": "array", "items": {"$ref": "#/$defs/loss"}}, "list of losses"),
        (
            {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
            "list of strings or integers",
        ),
        (
            {"type": "array", "prefixItems": [{"type": "number"}] * 2, "minItems": 2, "maxItems": 2},
            "list of 2: number",
        ),
    ],
)
def test_the_value_of_a_key_is_said_in_plain_words(schema: dict[str, Any], words: str) -> None:
    assert value_in_words(schema) == words


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_stands_on_the_page_with_its_exact_arguments_and_docstring(name: str) -> None:
    function = getattr(hooks, name)
    heading = next(line for line in hook_page().splitlines() if line.startswith(f"## `{name}("))
    arguments = re.findall(r"(\w+):", heading)
    assert arguments == list(inspect.signature(function).parameters)
    assert heading.endswith(f" -> {function.__annotations__['return']}`")
    assert " ".join((function.__doc__ or "").split("\n\n")[0].split()) in hook_page()


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_of_a_kind_has_its_contract_its_hook_and_all_that_is_on_offer(kind: str) -> None:
    page = kind_page(installed(), kind)
    assert page.startswith(f"# {kind.capitalize()}\n")
    assert "through `vynapse_" in page
    for method in getattr(CONTRACTS[kind], "__abstractmethods__", ()):
        assert re.search(rf"^- `{method}\b", page, re.MULTILINE)
    for entry in installed().of_kind(kind):
        assert f"| `{entry.name}` |" in page


def test_every_kind_has_a_contract() -> None:
    assert set(CONTRACTS) == set(KINDS)


def test_the_listing_has_a_line_for_every_component_and_all_kinds_that_have_any() -> None:
    lines = listing(installed()).splitlines()
    assert len(lines) == len(ENTRIES) + len({entry.kind for entry in ENTRIES})
    assert listing(installed(), "observer").splitlines()[0] == "observer"
    assert [line.split()[0] for line in listing(installed(), "observer").splitlines()[1:]] == [
        "console",
        "csv",
        "jsonl",
    ]
    assert listing(collect([]), "task") == "task: none is installed"
    assert listing(collect([])) == ""


def test_what_a_plugin_offers_is_named_by_kind() -> None:
    kernel = installed().plugins[0]
    assert offered_by(installed(), kernel)["observer"] == ["console", "csv", "jsonl"]
    assert "task" not in offered_by(installed(), kernel)
    assert offered_by(installed(), Plugin("x", "nobody", "1")) == {}


def test_offers_are_those_of_this_projects_own_plugins_only() -> None:
    found = offered_names(installed())
    assert found["task"]["xor"] == "vynapse-tasks"
    assert "observer" not in found
    tasks = next(plugin for plugin in installed().plugins if plugin.package == "vynapse-tasks")
    assert offered_names(collect([Plugin("tasks", "vynapse-strangers", "1", tasks.module)])) == {}
