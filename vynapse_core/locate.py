# SPDX-License-Identifier: MIT OR Apache-2.0
"""The line of every key of a TOML or JSON document, so that an error can name the place a user has to edit.

Parsers keep no positions. One scanner serves both languages: JSON is read as a TOML value whose keys end in a
colon. It trusts the document to be valid (a parser has read it before); on any other text it finds fewer keys
and never raises.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import tomli

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r"""
      \#[^\n]*                                # comment
    | \"{3} (?: \\. | [^\\] )*? \"{3,5}       # multi-line string; its last two quotes may be content
    | '{3} .*? '{3,5}
    | " (?: \\. | [^"\\\n] )* "
    | ' [^'\n]* '
    | [][{},=:.\n]
    | [^][{},=:.\n\s"'\#]+                    # bare key, number, date, boolean
    """,
    re.VERBOSE | re.DOTALL,
)


def toml_lines(text: str) -> dict[Path, int]:
    """Return the line, from 1, of every key path, table and array element of a valid TOML document."""
    return _scan(text, toml=True)


def json_lines(text: str) -> dict[Path, int]:
    """Return the line, from 1, of every key path and array element of a valid JSON document."""
    return _scan(text, toml=False)


def line_of(lines: Mapping[Path, int], path: Sequence[str | int]) -> int | None:
    """Return the line of the longest known prefix of `path`, or None where even its first key is unknown."""
    known = (lines.get(tuple(path[:length])) for length in range(len(path), 0, -1))
    return next((line for line in known if line is not None), None)


def _scan(text: str, *, toml: bool) -> dict[Path, int]:
    lines: dict[Path, int] = {}
    tables: dict[Path, int] = {}  # arrays of tables: how many elements so far
    path: list[str | int] = []
    # Open brackets: is it an array, and how long is the path to it. A TOML document is an open table.
    frames: list[tuple[bool, int]] = [(False, 0)] if toml else []
    key = toml  # the next string or bare word is part of a key
    tokens = _tokens(text)
    for token, line in tokens:
        array, depth = frames[-1] if frames else (False, 0)
        top = toml and len(frames) == 1
        if token == "\n" and not top:
            continue
        if top and key and token == "[" and len(path) == depth:
            path = _header(tokens, line, lines, tables)
            frames = [(False, len(path))]
            # Nothing but a comment may follow on the line; the rest of `]]` must not count as a key.
            key = False
        elif token in (",", "\n"):
            del path[depth + array :]
            key = not array
            if array:
                path[depth] = int(path[depth]) + 1
        elif token in ("=", ":"):
            if key:
                _record(lines, path, depth, line)
            key = False
        elif token in ("]", "}"):
            if frames and not top:
                del path[depth:]
                frames.pop()
            key = False
        elif token == ".":
            continue
        elif key and token not in ("[", "{"):
            path.append(_name(token, toml=toml))
        else:
            if array:
                lines.setdefault(tuple(path), line)
            if token in ("[", "{"):
                frames.append((token == "[", len(path)))
                key = token == "{"
                if not key:
                    path.append(0)
    return lines


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for match in _TOKEN.finditer(text):
        if not match[0].startswith("#"):
            yield match[0], line
        line += match[0].count("\n")


def _header(
    tokens: Iterator[tuple[str, int]], line: int, lines: dict[Path, int], tables: dict[Path, int]
) -> list[str | int]:
    """Read `[a.b]` or `[[a.b]]` after its first bracket; return the path of the table that it opens."""
    path: list[str | int] = []
    element = False
    for token, _ in tokens:
        if token in ("]", "\n"):
            break
        if token == "[":
            element = True
        elif token != ".":
            # A name that is an array of tables means its last element.
            if tuple(path) in tables:
                path.append(tables[tuple(path)] - 1)
            path.append(_name(token, toml=True))
    if element:
        _record(lines, path, 0, lines.get(tuple(path), line))
        tables[tuple(path)] = tables.get(tuple(path), 0) + 1
        path.append(tables[tuple(path)] - 1)
    _record(lines, path, 0, line)
    return path


def _record(lines: dict[Path, int], path: list[str | int], depth: int, line: int) -> None:
    """Note `path`, and the tables that it implies where nothing has named them yet."""
    for length in range(depth + 1, len(path)):
        lines.setdefault(tuple(path[:length]), line)
    if len(path) > depth:
        lines[tuple(path)] = line


def _name(token: str, *, toml: bool) -> str:
    if token[0] not in "\"'":
        return token
    try:
        return str(tomli.loads(f"k = {token}")["k"] if toml else json.loads(token))
    except ValueError:
        return token[1:-1]
