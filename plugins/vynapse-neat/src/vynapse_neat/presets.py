# SPDX-License-Identifier: MIT OR Apache-2.0
"""Presets: the parameters of known systems, as tables that fill in what a recipe leaves out."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

Preset: TypeAlias = Literal["stanley2002", "jair2004", "neat-python", "tensorneat"]

TRAINERS: Mapping[str, Mapping[str, Any]] = {
    "stanley2002": {},
}


def filled(given: Mapping[str, Any], presets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a table with what it leaves out from its preset, tables within it likewise."""
    preset = presets.get(given.get("preset", "stanley2002"), {}) if isinstance(given.get("preset", ""), str) else {}
    return _merged(preset, given)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _merged(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged
