# SPDX-License-Identifier: MIT OR Apache-2.0
"""A recipe's source: the file parsed, its modes and overrides applied, and the line of every key."""

from __future__ import annotations

import json
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli

from vynapse_core.errors import ArgumentError, Problem, RecipeError, nearest
from vynapse_core.locate import json_lines, toml_lines
from vynapse_core.settings import described, shortened

KeyPath = tuple[str | int, ...]

LARGEST = 2**20
"""Bytes of the largest recipe that is read: one is written by hand, so that a larger file is a mistake or an attack."""
DEEPEST = 50
"""Tables and arrays that may stand inside one another."""
OVERRIDDEN = 0
"""The line of what `--set` gave and no file holds."""

_ENDLESS = "a number has too many digits to be read"


@dataclass(frozen=True)
class Source:
    """A parsed recipe."""

    tree: Mapping[str, Any]
    name: str = "recipe"
    """The file's name, for messages."""
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    """Line of each key path, where it is known; OVERRIDDEN for what `--set` gave."""


def read_source(path: Path, *, mode: str | None = None, overrides: tuple[str, ...] = ()) -> Source:
    """Read a recipe file. Raises RecipeError where it cannot be parsed, ArgumentError for a wrong mode or override."""
    tree, lines = _parsed(path)
    tree, lines = _with_mode(tree, lines, tree.pop("mode", {}), mode, str(path))
    for override in overrides:
        tree, lines = _with_override(tree, lines, override)
    return Source(tree, str(path), lines)


def modes_of(path: Path) -> tuple[str, ...]:
    """Return the names of a recipe file's modes. Raises RecipeError where it cannot be parsed."""
    modes = _parsed(path)[0].get("mode", {})
    return tuple(modes) if isinstance(modes, dict) else ()


def _parsed(path: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    name, is_json = str(path), path.suffix.lower() == ".json"
    text = _read(path)
    tree = _parse_json(text, name) if is_json else _parse_toml(text, name)
    if _deeper(tree, DEEPEST):
        raise RecipeError([Problem("", f"is nested more than {DEEPEST} tables and arrays deep")], name)
    lines = json_lines(text) if is_json else toml_lines(text)
    if unusable := list(_unusable(tree)):
        raise RecipeError([Problem(written(p), message, line=lines.get(p)) for p, message in unusable], name)
    if is_json:
        tree.pop("$schema", None)
    return tree, lines


def written(path: KeyPath) -> str:
    """Return a key path as a recipe writes it, a key of other than letters, digits, `_` and `-` in quotes.

    A key that is too long for a message is cut.
    """
    parts = [shortened(str(key)) for key in path]
    return ".".join(part if re.fullmatch(r"[\w-]+", part, re.ASCII) else json.dumps(part) for part in parts)


def _read(path: Path) -> str:
    try:
        # looked at before it is opened, as opening a pipe that nobody writes to would never end
        if not (stat.S_ISREG(mode := path.stat().st_mode) or stat.S_ISDIR(mode)):
            raise RecipeError([Problem("", "is no file", "a recipe is a file in TOML or JSON")], str(path))
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise RecipeError([Problem("", f"cannot be read: {error.strerror or error}")], str(path)) from None
    if len(content) > LARGEST:
        raise RecipeError([Problem("", f"the file is larger than {LARGEST >> 20} MiB, which no recipe is")], str(path))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"is not UTF-8 text (byte {error.start} is 0x{content[error.start]:02x})"
        raise RecipeError([Problem("", message, "save it as UTF-8", line)], str(path)) from None


def _parse_toml(text: str, name: str) -> dict[str, Any]:
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        message = f"TOML syntax: {error.msg} (column {error.colno})"
        raise RecipeError([Problem("", message, line=error.lineno)], name) from None
    except RecursionError:
        raise RecipeError([Problem("", f"is nested more than {DEEPEST} tables and arrays deep")], name) from None
    except ValueError:
        raise RecipeError([Problem("", f"TOML: {_ENDLESS}")], name) from None


def _parse_json(text: str, name: str) -> dict[str, Any]:
    try:
        tree = json.loads(text, object_pairs_hook=_without_twins, parse_int=_integer)
    except json.JSONDecodeError as error:
        message = f"JSON syntax: {error.msg} (column {error.colno})"
        raise RecipeError([Problem("", message, line=error.lineno)], name) from None
    except RecursionError:
        raise RecipeError([Problem("", f"is nested more than {DEEPEST} tables and arrays deep")], name) from None
    except ValueError as error:
        raise RecipeError([Problem("", f"JSON: {error}")], name) from None
    if not isinstance(tree, dict):
        raise RecipeError([Problem("", f"expected an object, {{...}}, found {described(tree)}")], name)
    return tree


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name, times in Counter(names).items() if times > 1)
        raise ValueError(f"key {shortened(repr(twice))} stands twice in one object")
    return table


def _integer(digits: str) -> int:
    if len(digits) > 100:
        raise ValueError(_ENDLESS)
    return int(digits)


def _deeper(tree: Any, limit: int) -> bool:
    """Whether more than `limit` tables and arrays stand inside one another. It guards recursion and has none."""
    level = [tree]
    for _ in range(limit):
        inner = [item for value in level for item in (value.values() if isinstance(value, dict) else value)]
        level = [item for item in inner if isinstance(item, dict | list)]
    return bool(level)


def _unusable(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Yield what parses and no part of a recipe can hold."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _unusable(item, (*path, key))
    elif value is None:
        yield path, "null is no value; leave the key out"
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield path, "this integer does not fit in 64 bits"
    elif isinstance(value, str) and ("\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value)):
        yield path, f"this text holds a character that no file can, found {described(value)}"


def _with_mode(
    tree: dict[str, Any], lines: dict[KeyPath, int], modes: Any, mode: str | None, name: str
) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    if not isinstance(modes, dict) or not all(isinstance(table, dict) for table in modes.values()):
        raise RecipeError([Problem("mode", "expected tables, as [mode.NAME.trainer]", line=lines.get(("mode",)))], name)
    if mode is None:
        return tree, lines
    if mode not in modes:
        known = ", ".join(modes) or "none"
        raise ArgumentError(f"{name} has no mode {mode!r}; {nearest(mode, modes) or f'it has: {known}'}")
    kept = {path: line for path, line in lines.items() if not _replaces(modes[mode], path)}
    moved = {path[2:]: line for path, line in lines.items() if path[:2] == ("mode", mode) and len(path) > 2}
    return _replaced(tree, modes[mode]), kept | moved


def _replaced(tree: dict[str, Any], alternative: dict[str, Any]) -> dict[str, Any]:
    """Return `tree` with the tables of `alternative`: one with a `type` replaces, one without is merged."""
    result = dict(tree)
    for key, value in alternative.items():
        below = {"type": result[key]} if isinstance(result.get(key), str) else result.get(key)
        merged = isinstance(value, dict) and "type" not in value and isinstance(below, dict)
        result[key] = _replaced(below, value) if merged and isinstance(below, dict) else value
    return result


def _replaces(alternative: dict[str, Any], path: KeyPath) -> bool:
    """Whether `alternative` has a value of its own where `path` leads, or a table that replaces one on the way."""
    value: Any = alternative
    for depth, key in enumerate(path):
        if not isinstance(value, dict) or (depth > 0 and "type" in value):
            return True
        if key not in value:
            return False
        value = value[key]
    return True


def _with_override(
    tree: dict[str, Any], lines: dict[KeyPath, int], override: str
) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or "" in parts or len(parts) > DEEPEST:
        raise ArgumentError(f"--set {override!r}: expected KEY.PATH=VALUE, such as trainer.population=500")
    path = _steps(tree, parts)
    value = _value(text.strip(), override)
    kept = {known: line for known, line in lines.items() if known[: len(path)] != path}
    given = {path[: length + 1]: OVERRIDDEN for length in range(len(path))}
    return _set(tree, path, value, override), given | kept


def _steps(tree: Any, parts: list[str]) -> KeyPath:
    """Return the key path that the parts of `--set` mean: digits are an index where an array stands, else a key."""
    path: list[str | int] = []
    for part in parts:
        index = int(part) if isinstance(tree, list) and re.fullmatch("[0-9]{1,9}", part) else None
        path.append(part if index is None else index)
        inside = index is not None and index < len(tree)
        tree = tree.get(part) if isinstance(tree, dict) else tree[index] if inside else None
    return tuple(path)


def _value(text: str, override: str) -> Any:
    try:
        document = tomli.loads(f"value = {text}")
    except (ValueError, RecursionError):
        if re.fullmatch(r"[A-Za-z./~_][\w:./~@+-]*", text):
            return text
        document = {}
    if document.keys() != {"value"} or _deeper(document, DEEPEST):
        raise ArgumentError(f"--set {override!r}: {text!r} is no TOML value; a text goes in quotes")
    if unusable := next(_unusable(document["value"]), None):
        raise ArgumentError(f"--set {override!r}: {unusable[1]}")
    return document["value"]


def _set(container: Any, path: KeyPath, value: Any, override: str) -> Any:
    if not path:
        return value
    key, *rest = path
    if isinstance(container, list) and isinstance(key, int):
        if not 0 <= key < len(container):
            raise ArgumentError(f"--set {override!r}: there are {len(container)} items, none numbered {key}")
        return [_set(item, tuple(rest), value, override) if i == key else item for i, item in enumerate(container)]
    if isinstance(container, str) and not rest and key != "type":
        container = {"type": container}
    if not isinstance(container, dict):
        raise ArgumentError(f"--set {override!r}: {key!r} cannot be set in {container!r}, which is no table")
    return {**container, str(key): _set(container.get(str(key), {}), tuple(rest), value, override)}
