# SPDX-License-Identifier: MIT OR Apache-2.0
"""The JSON Schema of recipes for all that is installed, so that an editor completes and checks them.

It is made from the components' fields by pydantic. What pydantic cannot know is added: which components fit where a
contract is declared (`#/$defs/<kind>`), that `type` names one, the bounds of numbers that may be schedules, and modes.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from vynapse_core.catalogue import KINDS, Catalogue, Entry
from vynapse_core.errors import PluginError
from vynapse_core.recipe import Recipe, tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vynapse_core.settings import Settings

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_HOME = "#/$defs/"
_BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}


def recipe_schema(catalogue: Catalogue) -> Schema:
    """Return the JSON Schema, draft 2020-12, of recipes made of what `catalogue` offers."""
    tables, defs = _tables([Recipe, *(entry.component for entry in catalogue.entries)], catalogue)
    recipe = tables[Recipe]
    kinds = {kind: _any_of_kind(kind, catalogue, tables) for kind in KINDS}
    named = {_key(entry, catalogue): _named(entry, tables, catalogue) for entry in catalogue.entries}
    properties = recipe["properties"]
    whole: Schema = {
        "$schema": DIALECT,
        "title": "Vynapse recipe",
        "description": recipe["description"],
        "type": "object",
        "additionalProperties": False,
        "required": ["task", "trainer"],
        "properties": {**properties, "mode": _modes(properties), "$schema": {"type": "string"}},
        "$defs": {**kinds, **named},
    }
    while missing := set(_references(whole)) - whole["$defs"].keys():
        whole["$defs"] |= {name: defs[name] for name in sorted(missing)}
    return whole


def component_schema(entry: Entry, catalogue: Catalogue) -> Schema:
    """Return the JSON Schema of one component's table, with its `type`; it refers to kinds as `#/$defs/<kind>`."""
    return _named(entry, _tables([entry.component], catalogue)[0], catalogue)


def kind_in(schema: Mapping[str, Any]) -> str | None:
    """Return the kind that a schema refers to, or None where it refers to something else or nothing."""
    name = str(schema.get("$ref", "")).removeprefix(_HOME)
    return name if name in KINDS else None


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, but a default is written as in a recipe, and no title repeats a key."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__()
        self.catalogue = catalogue

    def encode_default(self, dft: Any) -> Any:
        """Return a field's default as a recipe's value; a component's full name is shortened where it may be."""
        short = {entry.full: self.catalogue.written(entry) for entry in self.catalogue.entries}
        return short.get(dft, dft) if isinstance(dft, str) else tree(dft, self.catalogue)

    def default_schema(self, schema: Any) -> Schema:
        """Return a field's schema with its default; without it where no plugin offers the component it is."""
        try:
            return super().default_schema(schema)
        except PluginError:
            return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never: a title would say the key again."""
        return False


def _tables(
    models: Iterable[type[Settings]], catalogue: Catalogue
) -> tuple[dict[type[Settings], Schema], dict[str, Schema]]:
    """Return the schema of each model, and of all that they refer to, by name."""
    distinct = list(dict.fromkeys(models))
    generated, raw = _Generator(catalogue).generate_definitions(
        [(model, "validation", model.__pydantic_core_schema__) for model in distinct]
    )
    names = {model: str(generated[model, "validation"]["$ref"]).removeprefix(_HOME) for model in distinct}
    defs = {str(name): _plain(schema) for name, schema in raw.items()}
    for model, name in names.items():
        _add_bounds(defs[name], model)
        _add_descriptions(defs[name], model)
    return {model: defs[name] for model, name in names.items()}, defs


def _plain(schema: Any) -> Any:
    """Return a schema in which contracts are references and null, which no recipe can hold, does not occur."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "component" in schema and isinstance(schema["component"], str):
        schema = {"$ref": _HOME + schema["component"], **{k: v for k, v in schema.items() if k != "component"}}
    titled = isinstance(schema.get("title"), str)
    kept = {k: v for k, v in schema.items() if not (k == "title" and titled) and (k, v) != ("default", None)}
    result = {key: _plain(value) for key, value in kept.items()}
    if "anyOf" in result:
        branches = [branch for branch in result.pop("anyOf") if branch != {"type": "null"}]
        flat = [inner for branch in branches for inner in (branch["anyOf"] if branch.keys() == {"anyOf"} else [branch])]
        result = {**flat[0], **result} if len(flat) == 1 else {**result, "anyOf": flat}
    return result


def _add_bounds(schema: Schema, model: type[Settings]) -> None:
    """Add to numbers that may also be schedules their bounds, which pydantic keeps to itself there."""
    for name, field in model.model_fields.items():
        for branch in schema["properties"][name].get("anyOf", ()):
            if branch.get("type") in ("number", "integer"):
                for part, (attribute, key) in product(field.metadata, _BOUNDS.items()):
                    if (bound := getattr(part, attribute, None)) is not None:
                        branch[key] = bound


def _add_descriptions(schema: Schema, model: type[Settings]) -> None:
    """Add to fields what they mean, where pydantic leaves it out because their table says the same of itself."""
    for name, field in model.model_fields.items():
        if field.description:
            schema["properties"][name].setdefault("description", field.description)


def _key(entry: Entry, catalogue: Catalogue) -> str:
    return f"{entry.kind}.{catalogue.written(entry)}"


def _named(entry: Entry, tables: Mapping[type[Settings], Schema], catalogue: Catalogue) -> Schema:
    table = tables[entry.component]
    full, name = entry.full, catalogue.written(entry)
    chosen: Schema = {"const": name} if name == full else {"anyOf": [{"const": name}, _exactly(full)]}
    chosen["description"] = f"From {entry.package}."
    required = ["type", *table.get("required", ())]
    return {**table, "properties": {"type": chosen, **table["properties"]}, "required": required}


def _any_of_kind(kind: str, catalogue: Catalogue, tables: Mapping[type[Settings], Schema]) -> Schema:
    entries = catalogue.of_kind(kind)
    if not entries:
        return {"not": {}, "description": f"No {kind} is installed."}
    alone = [entry for entry in entries if not tables[entry.component].get("required")]
    names = [{"enum": [catalogue.written(entry) for entry in alone]}] if alone else []
    full = [_exactly(entry.full) for entry in alone]
    return {"anyOf": [*names, *({"$ref": _HOME + _key(entry, catalogue)} for entry in entries), *full]}


def _exactly(name: str) -> Schema:
    """Return the schema of one text that editors do not propose: the longer way to write a name."""
    pattern = name.replace(".", r"\.")
    return {"type": "string", "pattern": f"^{pattern}$"}


def _modes(properties: Mapping[str, Schema]) -> Schema:
    """Return the schema of `mode`: a recipe's tables, where a component's without `type` changes some keys."""
    partial = {"type": "object", "not": {"required": ["type"]}}
    alternatives = {
        name: {"anyOf": [schema, partial]} if kind_in(schema) else schema for name, schema in properties.items()
    }
    alternative = {"type": "object", "additionalProperties": False, "properties": alternatives}
    return {
        "type": "object",
        "description": "Alternatives: `--mode NAME` replaces the tables of the same path.",
        "additionalProperties": alternative,
    }


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(_HOME)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)
