# SPDX-License-Identifier: MIT OR Apache-2.0
"""The JSON Schema of recipes: what it lets pass and what not, and that it agrees with what recipes can hold."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomli
from hypothesis import HealthCheck, given, settings, strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from vynapse_core import RecipeError
from vynapse_core.catalogue import KINDS, Entry, collect, installed
from vynapse_core.plugins import Plugin, installed as installed_plugins
from vynapse_core.recipe import build, tree
from vynapse_core.reference import CONTRACTS
from vynapse_core.schema import DIALECT, component_schema, kind_in, recipe_schema
from vynapse_core.source import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

RECIPES = sorted((Path(__file__).parent.parent / "examples").glob("*.toml"))
ENTRIES = installed().entries
BASE = {"task": "sphere", "trainer": "evolution"}


@cache
def schema() -> dict[str, Any]:
    return recipe_schema(installed())


@cache
def validator(kind: str | None = None) -> Draft202012Validator:
    whole = schema()
    return Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": whole["$defs"]} if kind else whole)


@cache
def schema_of(entry: Entry) -> dict[str, Any]:
    return component_schema(entry, installed())


def test_it_is_a_valid_schema_of_the_2020_dialect_and_plain_json() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == DIALECT
    assert json.loads(json.dumps(schema(), allow_nan=False)) == schema()


def test_every_reference_in_it_leads_somewhere_and_nothing_is_left_over() -> None:
    text = json.dumps(schema())
    names = set(schema()["$defs"])
    assert all(f'"#/$defs/{name}"' in text for name in names - set(KINDS))
    assert all(part.split('"')[0] in names for part in text.split('"#/$defs/')[1:])
    assert '"component"' not in text
    assert '"null"' not in text


def test_every_kind_and_every_component_is_in_it() -> None:
    definitions = schema()["$defs"]
    assert set(KINDS) <= set(definitions)
    assert {f"{entry.kind}.{installed().written(entry)}" for entry in ENTRIES} <= set(definitions)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_example_recipes_pass(path: Path) -> None:
    validator().validate(tomli.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "recipe",
    [
        BASE,
        {"task": {"type": "sphere"}, "trainer": {"type": "evolution", "population": 5}},
        {"task": "vynapse-tasks:sphere", "trainer": {"type": "vynapse-evolution:evolution"}},
        BASE | {"observers": ["csv", {"type": "console"}], "device": "reference"},
        BASE | {"stop": {"steps": 3, "fitness": -1}, "experiment": {"seed": 1}, "checkpoint": {"seconds": 1.5}},
        BASE | {"trainer": {"type": "evolution", "mutation": {"type": "gaussian", "sigma": 0.5}}},
        BASE | {"trainer": {"type": "evolution", "mutation": ["gaussian", {"type": "uniform", "rate": 0.1}]}},
        BASE
        | {
            "trainer": {
                "type": "evolution",
                "mutation": {"type": "gaussian", "sigma": {"type": "linear", "start": 1, "end": 0.1}},
            }
        },
        BASE | {"mode": {"big": {"trainer": {"population": 500}, "stop": {"steps": 5}, "task": "ackley"}}},
        BASE | {"$schema": "recipe.schema.json"},
    ],
)
def test_right_recipes_pass(recipe: Mapping[str, Any]) -> None:
    validator().validate(recipe)
    build(Source({key: value for key, value in recipe.items() if key not in ("mode", "$schema")}))


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"task": "sphere"},
        BASE | {"tsk": 1},
        BASE | {"task": "spher"},
        BASE | {"task": 3},
        BASE | {"task": {"dimensions": 3}},
        BASE | {"task": {"type": "sphere", "nothing": 3}},
        BASE | {"task": "csv"},
        BASE | {"trainer": [{"type": "evolution"}]},
        BASE | {"trainer": {"type": "evolution", "population": 0}},
        BASE | {"trainer": {"type": "evolution", "population": "5"}},
        BASE | {"trainer": {"type": "evolution", "population": None}},
        BASE | {"trainer": {"type": "evolution", "mutation": {"type": "gaussian", "sigma": -1}}},
        BASE | {"trainer": {"type": "evolution", "mutation": {"type": "gaussian", "sigma": "big"}}},
        BASE | {"trainer": {"type": "evolution", "mutation": {"type": "gaussian", "rate": 1.5}}},
        BASE | {"trainer": {"type": "evolution", "mutation": {"type": "gaussian", "sigma": {"type": "linear"}}}},
        BASE | {"trainer": {"type": "evolution", "mutation": [{"type": "tournament"}]}},
        BASE | {"stop": {"steps": 0}},
        BASE | {"stop": {"step": 1}},
        BASE | {"stop": [{"steps": 1}]},
        BASE | {"experiment": {"name": "../x"}},
        BASE | {"experiment": {"seed": -1}},
        BASE | {"observers": "csv"},
        BASE | {"checkpoint": {"seconds": 0}},
    ],
)
def test_wrong_recipes_do_not_pass_and_are_not_built_either(recipe: Mapping[str, Any]) -> None:
    assert not validator().is_valid(recipe)
    with pytest.raises(RecipeError):
        build(Source(recipe))


@pytest.mark.parametrize(
    "mode", [3, {"a": 3}, {"a": {"tasks": 1}}, {"a": {"stop": {"steps": 0}}}, {"a": {"trainer": 3}}]
)
def test_wrong_modes_do_not_pass(mode: object) -> None:
    assert not validator().is_valid(BASE | {"mode": mode})


def test_null_does_not_pass_where_a_key_may_be_left_out() -> None:
    assert not validator().is_valid(BASE | {"genome": None})
    assert not validator().is_valid(BASE | {"stop": {"steps": None}})


def test_descriptions_defaults_and_bounds_are_the_fields_own() -> None:
    sigma = component_schema(next(e for e in ENTRIES if (e.kind, e.name) == ("mutation", "gaussian")), installed())
    properties = sigma["properties"]["sigma"]
    assert properties["description"] == "Standard deviation, in gene units."
    assert properties["default"] == 0.1
    assert {"type": "number", "minimum": 0} in properties["anyOf"]
    assert {"$ref": "#/$defs/schedule"} in properties["anyOf"]


def test_a_default_that_is_a_component_is_written_with_its_type() -> None:
    trainer = schema()["$defs"]["trainer.evolution"]["properties"]
    assert trainer["replacement"]["default"]["type"] == "plus"


def test_names_that_two_packages_offer_are_wanted_with_their_package() -> None:
    found = installed_plugins()
    other = Plugin("tasks", "other", "1", next(plugin.module for plugin in found if plugin.package == "vynapse-tasks"))
    clashing = Draft202012Validator(recipe_schema(collect([*found, other])))
    assert not clashing.is_valid(BASE)
    assert clashing.is_valid(BASE | {"task": "other:sphere"})
    assert clashing.is_valid(BASE | {"task": {"type": "vynapse-tasks:sphere"}})


def test_without_any_plugin_nothing_fits_and_the_schema_is_valid() -> None:
    empty = recipe_schema(collect([]))
    Draft202012Validator.check_schema(empty)
    assert not Draft202012Validator(empty).is_valid(BASE)


def values(wanted: Mapping[str, Any], depth: int = 2) -> st.SearchStrategy[Any]:
    """Return a strategy of values that fit a schema, components nested at most `depth` deep."""
    if kind := kind_in(wanted):
        choices = [e for e in ENTRIES if e.kind == kind]
        shallow = [e for e in choices if depth > 0 or not schema_of(e)["required"][1:]]
        return st.sampled_from(shallow or choices).flatmap(lambda entry: tables(entry, depth - 1))
    if "anyOf" in wanted:
        return st.one_of(*(values(branch, depth) for branch in wanted["anyOf"]))
    if "enum" in wanted or "const" in wanted:
        return st.sampled_from(wanted.get("enum", [wanted.get("const")]))
    low, high = (
        wanted.get("minimum", wanted.get("exclusiveMinimum")),
        wanted.get("maximum", wanted.get("exclusiveMaximum")),
    )
    match wanted.get("type"):
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(-9 if low is None else int(low), 9 if high is None else int(min(high, 2**63 - 1)))
        case "number":
            return st.floats(-1e9 if low is None else low, 1e9 if high is None else high, allow_nan=False)
        case "array" if "prefixItems" in wanted:
            return st.tuples(*(values(item, depth) for item in wanted["prefixItems"])).map(list)
        case "array":
            items = values(wanted["items"], depth)
            return st.lists(items, min_size=wanted.get("minItems", 0), max_size=wanted.get("maxItems", 3))
        case "string":
            return st.text("abc/._-", min_size=wanted.get("minLength", 0), max_size=wanted.get("maxLength", 5))
        case _:
            return st.just({})


@cache
def tables(entry: Entry, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy of tables of a component."""
    found = schema_of(entry)
    keys = {key: values(value, depth) for key, value in found["properties"].items() if key != "type"}
    required = {key: value for key, value in keys.items() if key in found["required"]}
    optional = {key: value for key, value in keys.items() if key not in required}
    named = {"type": st.just(installed().written(entry))}
    return st.fixed_dictionaries(named | required, optional=optional)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.name}")
@settings(max_examples=12, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_what_is_built_is_written_as_the_schema_says_and_reads_back_equal(entry: Entry, data: st.DataObject) -> None:
    table = data.draw(tables(entry, 2))
    try:
        made = installed().build(CONTRACTS[entry.kind], table)
    except ValidationError:
        return
    assert validator(entry.kind).is_valid(table)
    written = tree(made)
    validator(entry.kind).validate(written)
    assert installed().build(CONTRACTS[entry.kind], written) == made


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "steps", "x"]), inner),
    max_leaves=5,
)


@settings(max_examples=12, suppress_health_check=list(HealthCheck), deadline=None)
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.name}")
@given(data=st.data())
def test_no_junk_in_any_key_of_any_component_brings_more_than_a_refusal(entry: Entry, data: st.DataObject) -> None:
    keys = sorted(schema_of(entry)["properties"].keys() - {"type"})
    table = data.draw(tables(entry, 1)) | data.draw(
        st.dictionaries(st.sampled_from([*keys, "unknown"]), JUNK, max_size=1)
    )
    found = complaints(entry, table)
    assert all(detail["type"] == "vynapse" for detail in found), found
    assert not any(" raised " in detail["msg"] for detail in found), found


def complaints(entry: Entry, table: Mapping[str, Any]) -> list[Any]:
    try:
        installed().build(CONTRACTS[entry.kind], table)
    except ValidationError as error:
        return list(error.errors(include_url=False))
    return []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_every_key_says_what_it_is_and_absence_is_the_default_of_what_may_be_absent(entry: Entry) -> None:
    for key, field in entry.component.model_fields.items():
        assert field.description, f"{entry.component.__qualname__}.{key} lacks a docstring"
        if type(None) in getattr(field.annotation, "__args__", ()):
            default = field.get_default(call_default_factory=True)
            assert default is None, f"{entry.component.__qualname__}.{key} can be None and no recipe can say so"
