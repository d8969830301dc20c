# SPDX-License-Identifier: MIT OR Apache-2.0
"""A recipe's source: the file parsed, its modes and overrides applied, and the line of every key."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli

from vynapse_core.errors import ArgumentError, Problem, RecipeError, nearest
from vynapse_core.locate import json_lines, toml_lines

KeyPath = tuple[str | int, ...]

LARGEST = 4 * 2**20
"""Bytes of the largest recipe that is read: one is written by hand, so that a larger file is a mistake or an attack."""


@dataclass(frozen=True)
class Source:
    """A parsed recipe."""

    tree: Mapping[str, Any]
    name: str = "recipe"
    """The file's name, for messages."""
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    """Line of each key path, where it is known."""


def read_source(path: Path, *, mode: str | None = None, overrides: tuple[str, ...] = ()) -> Source:
    """Read a recipe file. Raises RecipeError where it cannot be parsed, ArgumentError for an unknown mode or override."""
    tree, lines = _parse(path)
    modes = tree.pop("mode", {})
    tree, lines = _with_mode(tree, dict(lines), modes, mode, str(path))
    for override in overrides:
        tree, lines = _with_override(tree, lines, override)
    return Source(tree, str(path), lines)


def modes_of(path: Path) -> tuple[str, ...]:
    """Return the names of a recipe's modes. Raises RecipeError where the file cannot be parsed."""
    tree, _ = _parse(path)
    modes = tree.get("mode", {})
    return tuple(modes) if isinstance(modes, dict) else ()


def _parse(path: Path) -> tuple[dict[str, Any], Mapping[KeyPath, int]]:
    return (_parse_json if path.suffix == ".json" else _parse_toml)(_read(path), str(path))


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise RecipeError([Problem("", f"the file is larger than {LARGEST >> 20} MiB, which no recipe is")], str(path))
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise RecipeError([Problem("", f"cannot be read: {error.strerror or error}")], str(path)) from None
    except UnicodeDecodeError as error:
        raise RecipeError([Problem("", f"is not UTF-8 text (byte {error.start})")], str(path)) from None


def _parse_toml(text: str, name: str) -> tuple[dict[str, Any], Mapping[KeyPath, int]]:
    try:
        return tomli.loads(text), toml_lines(text)
    except tomli.TOMLDecodeError as error:
        message = f"{error.msg} (column {error.colno})"
        raise RecipeError([Problem("", f"TOML syntax: {message}", line=error.lineno)], name) from None
    except RecursionError:
        raise RecipeError([Problem("", "is nested too deeply")], name) from None


def _parse_json(text: str, name: str) -> tuple[dict[str, Any], Mapping[KeyPath, int]]:
    try:
        tree = json.loads(text, object_pairs_hook=_without_twins)
    except json.JSONDecodeError as error:
        message = f"JSON syntax: {error.msg} (column {error.colno})"
        raise RecipeError([Problem("", message, line=error.lineno)], name) from None
    except (ValueError, RecursionError) as error:
        raise RecipeError([Problem("", f"JSON: {error}")], name) from None
    if not isinstance(tree, dict):
        raise RecipeError([Problem("", f"expected an object, found {type(tree).__name__}")], name)
    lines = json_lines(text)
    if nulls := list(_nulls(tree)):
        problems = [Problem(".".join(map(str, p)), "null is no value; leave the key out", line=lines.get(p)) for p in nulls]
        raise RecipeError(problems, name)
    return tree, lines


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} stands twice in one object")
    return table


def _nulls(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    if value is None:
        return [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in _nulls(item, (*path, key))]


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
    moved = {path[2:]: line for path, line in lines.items() if path[:2] == ("mode", mode) and len(path) > 2}
    return _replaced(tree, modes[mode]), lines | moved


def _replaced(tree: dict[str, Any], alternative: dict[str, Any]) -> dict[str, Any]:
    """Return `tree` with the tables of `alternative`: one with a `type` replaces, one without is merged."""
    result = dict(tree)
    for key, value in alternative.items():
        below = result.get(key)
        merged = isinstance(value, dict) and "type" not in value and isinstance(below, dict)
        result[key] = _replaced(below, value) if merged and isinstance(below, dict) else value
    return result


def _with_override(
    tree: dict[str, Any], lines: dict[KeyPath, int], override: str
) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    key, equals, text = override.partition("=")
    path: KeyPath = tuple(int(part) if part.isdigit() else part for part in key.strip().split("."))
    if not equals or "" in path:
        raise ArgumentError(f"--set {override!r}: expected KEY.PATH=VALUE, such as trainer.population=500")
    gone = {known for known in lines if known[: len(path)] == path}
    return _set(tree, path, _value(text.strip(), override), override), {p: n for p, n in lines.items() if p not in gone}


def _value(text: str, override: str) -> Any:
    try:
        return tomli.loads(f"value = {text}")["value"]
    except (tomli.TOMLDecodeError, KeyError):
        if re.fullmatch(r"[A-Za-z][\w:.-]*", text):
            return text
        raise ArgumentError(f"--set {override!r}: {text!r} is no TOML value; a text goes in quotes") from None


def _set(container: Any, path: KeyPath, value: Any, override: str) -> Any:
    if not path:
        return value
    key, *rest = path
    if isinstance(container, list) and isinstance(key, int):
        if not 0 <= key < len(container):
            raise ArgumentError(f"--set {override!r}: there are {len(container)} items, none numbered {key}")
        return [_set(item, tuple(rest), value, override) if i == key else item for i, item in enumerate(container)]
    if isinstance(container, str) and rest == [] and key != "type":
        container = {"type": container}
    if not isinstance(container, dict):
        raise ArgumentError(f"--set {override!r}: {key!r} cannot be set in {container!r}, which is no table")
    return {**container, str(key): _set(container.get(str(key), {}), tuple(rest), value, override)}
