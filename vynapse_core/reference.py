# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reference pages in Markdown, of a component, a kind or all hooks: what the command line and the docs show.

All of it is read from the code (docstrings, fields, signatures), so that it cannot say anything else than the code.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from importlib import metadata
from itertools import groupby
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from vynapse_core import contracts, hooks
from vynapse_core.catalogue import KINDS, KINDS_OF_HOOK, Catalogue, Entry
from vynapse_core.component import Component
from vynapse_core.errors import ArgumentError, nearest
from vynapse_core.schedules import Schedule
from vynapse_core.schema import component_schema, kind_in, recipe_schema
from vynapse_core.settings import with_article

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vynapse_core.plugins import Plugin

CONTRACTS: Mapping[str, type[Component]] = {
    cls.__dict__["kind"]: cls
    for cls in (*vars(contracts).values(), Schedule)
    if isinstance(cls, type) and issubclass(cls, Component) and "kind" in cls.__dict__
}
"""The contract class of each kind."""

_OF_ITS_OWN = ("task", "genome", "trainer", "device", "distribution")
"""Kinds that a recipe holds as a table of its own; the others stand inside a component's."""
_BOUNDS = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
_PLURALS = {"number": "numbers", "integer": "integers", "string": "strings", "loss": "losses"}


def component_page(catalogue: Catalogue, kind: str, name: str) -> str:
    """Return the page of a component. Raises ArgumentError where there is none of that kind and name."""
    entry = _entry(catalogue, kind, name)
    schema = component_schema(entry, catalogue)
    parts = [f"# `{catalogue.written(entry)}`, {with_article(kind)}", *_docstring(entry.component)]
    if encodings := getattr(entry.component, "encodings", None):
        parts.append(f"Genomes: {', '.join(sorted(encodings))}.")
    keys = {key: value for key, value in schema["properties"].items() if key != "type"}
    parts.append(_table(keys, schema["required"]) if keys else "It has no keys.")
    parts.append(f"```toml\n{_snippet(entry, schema, catalogue)}\n```")
    parts.append(f"From {entry.package} {entry.version}.")
    return "\n\n".join(part for part in parts if part) + "\n"


def kind_page(catalogue: Catalogue, kind: str) -> str:
    """Return the page of a kind: its contract, and what is on offer. Raises ArgumentError for an unknown kind."""
    contract = CONTRACTS[_known_kind(kind)]
    hook = next(hook for hook, kinds in KINDS_OF_HOOK.items() if kind in kinds)
    parts = [f"# {kind.capitalize()}", *_docstring(contract), f"A plugin offers {_plural(kind)} through `{hook}`."]
    parts.append("\n".join(f"- `{signature}`: {text}" for signature, text in _functions(contract)))
    rows = [(f"`{catalogue.written(e)}`", _docstring(e.component)[0], e.package) for e in catalogue.of_kind(kind)]
    parts.append(_rows(("name", "what", "package"), rows) if rows else "None is installed.")
    return "\n\n".join(part for part in parts if part) + "\n"


def hook_page() -> str:
    """Return the page of all hooks, each with its exact signature."""
    parts = ["# Hooks", inspect.getdoc(hooks) or ""]
    parts += [
        f"## `{signature}`\n\n{text}" for signature, text in _functions(hooks) if signature.startswith("vynapse_")
    ]
    return "\n\n".join(parts) + "\n"


def listing(catalogue: Catalogue, kind: str | None = None) -> str:
    """Return what is on offer, of a kind or of all, a line each. Raises ArgumentError for an unknown kind."""
    kinds = KINDS if kind is None else (_known_kind(kind),)
    entries = {each: catalogue.of_kind(each) for each in kinds if kind or catalogue.of_kind(each)}
    names = [catalogue.written(entry) for found in entries.values() for entry in found]
    width = max(map(len, names), default=0)
    lines = []
    for each, found in entries.items():
        lines.append(each if found else f"{each}: none is installed")
        lines += [f"  {catalogue.written(e):{width}}  {_docstring(e.component)[0]}  [{e.package}]" for e in found]
    return "\n".join(lines)


def offered_by(catalogue: Catalogue, plugin: Plugin) -> dict[str, list[str]]:
    """Return the names that a plugin's package offers, by kind."""
    entries = [entry for kind in KINDS for entry in catalogue.of_kind(kind) if entry.package == plugin.package]
    return {kind: [entry.name for entry in found] for kind, found in groupby(entries, key=lambda entry: entry.kind)}


def devices_here(catalogue: Catalogue, plugin: Plugin) -> Iterator[str]:
    """Yield what the devices of a plugin's package say of themselves on this machine, a line each."""
    for entry in catalogue.of_kind("device"):
        if entry.package == plugin.package and issubclass(entry.component, contracts.Device):
            try:
                facts = entry.component.describe_here()
                yield from (f"{entry.name}, {fact}: {text}" for fact, text in facts.items())
            except Exception as error:
                yield f"{entry.name} cannot say what it finds here: {type(error).__name__}: {error}"


def offered_names(catalogue: Catalogue) -> dict[str, dict[str, str]]:
    """Return what `offers.json` should hold: `{kind: {name: distribution}}` of this project's own plugins."""
    extras = {re.split(r"[^\w.-]", need)[0] for need in metadata.requires("vynapse") or () if "extra ==" in need}
    own = [entry for kind in sorted(KINDS) for entry in catalogue.of_kind(kind) if entry.package in extras]
    return {kind: {entry.name: entry.package for entry in found} for kind, found in groupby(own, key=lambda e: e.kind)}


def value_in_words(schema: Mapping[str, Any]) -> str:
    """Return in plain words which values a key takes: `number > 0 or schedule`, `list of mutations`."""
    if kind := kind_in(schema):
        return kind
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(value_in_words(branch) for branch in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return _array_in_words(schema)
    if schema.get("type") == "boolean":
        return "true or false"
    word = {"object": "table", None: "table" if "$ref" in schema else "value"}.get(
        schema.get("type"), schema.get("type")
    )
    bounds = [f"{sign} {schema[key]}" for key, sign in _BOUNDS.items() if abs(schema.get(key, 2**63)) < 2**63]
    return " ".join([str(word), " and ".join(bounds)]).strip()


def _array_in_words(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    items = schema.get("prefixItems") or [schema.get("items", {})]
    branches = [branch for item in items for branch in item.get("anyOf", [item])]
    words = list(dict.fromkeys(map(value_in_words, branches)))
    if least == most:
        return f"list of {least}: {', '.join(words)}"
    return f"list of {' or '.join(map(_plural, words))}" + (f", at least {least}" if least else "")


def _plural(words: str) -> str:
    first, space, rest = words.partition(" ")
    if first in _PLURALS or (first in KINDS and not space):
        return _PLURALS.get(first, f"{first}s") + space + rest
    return words


def _known_kind(kind: str) -> str:
    if kind not in KINDS:
        raise ArgumentError(f"unknown kind {kind!r}; {nearest(kind, KINDS) or 'known: ' + ', '.join(KINDS)}")
    return kind


def _entry(catalogue: Catalogue, kind: str, name: str) -> Entry:
    try:
        return catalogue.entry(_known_kind(kind), name)
    except PydanticCustomError as error:
        said = error.context or {}
        raise ArgumentError("; ".join(filter(None, (said["text"], said["hint"])))) from None


def _docstring(cls: type) -> tuple[str, str, str]:
    """Return the first line of a class's own docstring, the reference that may end it, and the rest."""
    first, _, rest = inspect.cleandoc(cls.__dict__.get("__doc__") or "").partition("\n")
    summary, reference, source = first.partition("  Reference:")
    return summary, f"{reference.strip()}{source}", rest.strip()


def _functions(owner: object) -> Iterator[tuple[str, str]]:
    """Yield signature, as it stands in the source, and docstring of each public function of a class or module."""
    tree = ast.parse(dedent(inspect.getsource(owner)))  # type: ignore[arg-type]
    body = tree.body[0].body if isinstance(owner, type) and isinstance(tree.body[0], ast.ClassDef) else tree.body
    for function in body:
        if isinstance(function, ast.FunctionDef) and not function.name.startswith("_"):
            result = f" -> {ast.unparse(function.returns)}" if function.returns else ""
            arguments = re.sub(r"^\((?:self|cls)\b(?:, )?", "(", f"({ast.unparse(function.args)})")
            if any(isinstance(mark, ast.Name) and mark.id == "property" for mark in function.decorator_list):
                arguments = ""
            text = " ".join((ast.get_docstring(function) or "").split("\n\n")[0].split())
            yield f"{function.name}{arguments}{result}".replace("'", ""), text


def _table(keys: Mapping[str, Mapping[str, Any]], required: list[str]) -> str:
    rows = [
        (
            f"`{key}`",
            value_in_words(value),
            _default(value, key in required),
            " ".join(value.get("description", "").split()),
        )
        for key, value in keys.items()
    ]
    return _rows(("key", "value", "default", "meaning"), rows)


def _default(schema: Mapping[str, Any], required: bool) -> str:
    if required:
        return "required"
    return f"`{_inline(schema['default'])}`" if "default" in schema else "none"


def _rows(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        "| " + " | ".join(re.sub(r"\s*\n\s*", " ", cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _snippet(entry: Entry, schema: Mapping[str, Any], catalogue: Catalogue) -> str:
    """Return the component as a recipe writes it: what it requires, and the defaults that are not tables."""
    values = {"type": catalogue.written(entry)}
    for key, value in schema["properties"].items():
        if key in schema["required"] and key != "type":
            values[key] = entry.component.example.get(key) or _sample(value, catalogue)
        elif "default" in value and not isinstance(value["default"], dict | list):
            values[key] = value["default"]
    if entry.kind in _OF_ITS_OWN or entry.kind == "observer":
        head = f"[{entry.kind}]" if entry.kind in _OF_ITS_OWN else "[[observers]]"
        return "\n".join([head, *(f"{key} = {_inline(value)}" for key, value in values.items())])
    return f"{entry.kind} = {_inline(values)}"


def _sample(schema: Mapping[str, Any], catalogue: Catalogue) -> Any:
    """Return a value that fits a schema, for a key that has no default."""
    if kind := kind_in(schema):
        return _sample(recipe_schema(catalogue)["$defs"][kind], catalogue)
    if "$ref" in schema:
        entry = next(e for e in catalogue.entries if schema["$ref"].endswith(f"/{e.kind}.{catalogue.written(e)}"))
        table = component_schema(entry, catalogue)
        return {key: _sample(table["properties"][key], catalogue) for key in table["required"]}
    if "anyOf" in schema:
        return _sample(schema["anyOf"][0], catalogue)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "array":
        items = schema.get("prefixItems") or [schema["items"]] * schema.get("minItems", 1)
        return [_sample(item, catalogue) for item in items]
    low, high = (
        schema.get("minimum", schema.get("exclusiveMinimum")),
        schema.get("maximum", schema.get("exclusiveMaximum")),
    )
    if schema.get("type") == "integer":
        return int(low or 0) + 1
    if schema.get("type") == "number":
        return 1.0 if low is None or high is None else (low + high) / 2
    return {"boolean": True, "object": {}}.get(str(schema.get("type")), "…")


def _inline(value: Any) -> str:
    """Return a value as TOML on one line; of a component that has only its `type`, the name."""
    if isinstance(value, dict) and value.keys() == {"type"}:
        return _inline(value["type"])
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_inline(item)}" for key, item in value.items()) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
