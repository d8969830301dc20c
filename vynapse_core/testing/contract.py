# SPDX-License-Identifier: MIT OR Apache-2.0
"""How the kit finds a breach and says so: calls that are watched, and an error that teaches.

Explicit errors instead of `assert`, so that the kit checks the same under `python -O` and needs no test runner.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

from vynapse_core.component import Component
from vynapse_core.graph import Graph
from vynapse_core.streams import Stream, Streams

T = TypeVar("T")

OTHERS = 10
"""Streams of which at least one must lead to another result than the first stream's."""


class ContractError(AssertionError):
    """A part that does not keep its contract: what the contract says, what was seen, and where to read."""


def breach(part: str, says: str, found: str, read: str) -> ContractError:
    """Return the error to raise."""
    text = f"{part} breaks its contract.\n  contract: {says}\n  found:    {found}"
    return ContractError(f"{text}\n  read:     {read}")


@dataclass(frozen=True)
class Contract:
    """The contract of one part under check."""

    part: str
    """The part, such as `Gaussian (mutation)`."""
    read: str
    """Where the contract stands."""

    @staticmethod
    def of(part: Component, contract: type[Component]) -> Contract:
        """Return the contract of a component; raises ContractError where it is of another kind."""
        name = f"{type(part).__name__} ({getattr(part, 'kind', '') or 'no kind'})"
        found = Contract(name, f"the docstrings of {contract.__module__}.{contract.__name__}")
        found.require(isinstance(part, contract), f"it is an instance of {contract.__name__}", f"{part!r}")
        return found

    def require(self, holds: object, says: str, found: str) -> None:
        """Raise ContractError unless `holds`: what the contract `says`, and what was `found`."""
        if not holds:
            raise breach(self.part, says, found, self.read)

    def call(self, function: Callable[..., Any], *arguments: Any, given: str) -> Any:
        """Return `function(*arguments)`, having made sure that it wrote no argument and touched no global generator."""
        name = getattr(function, "__name__", type(function).__name__)
        before, globally = copied(arguments), _global_generators()
        try:
            result = function(*arguments)
        except Exception as error:
            cause = f"{type(error).__name__}: {error}"
            raise breach(self.part, f"{name} serves {given}", cause, self.read) from error
        written = difference(before, copied(arguments), "arguments")
        self.require(
            not written, f"{name} writes nothing that it is given; it returns new arrays", f"it wrote {written}"
        )
        self.require(
            globally == _global_generators(),
            f"{name} draws from the stream that it is given and from nothing else",
            "it changed the state of a global generator (np.random or random)",
        )
        return result

    def draws(self, name: str, draw: Callable[[Stream], T], *, deterministic: bool | None) -> T:
        """Return `draw(stream)`, having made sure that the stream decides the result.

        `deterministic` True is for what draws nothing; None lets it be so where it takes nothing from the stream.
        """
        rng = stream(0)
        first = draw(rng)
        differs = difference(first, draw(stream(0)), "result")
        self.require(not differs, f"{name} gives the same bits for the same stream", f"two calls differ in {differs}")
        drawn = rng.used
        if deterministic or (deterministic is None and not drawn):
            return first
        self.require(
            any(difference(first, draw(stream(k))) for k in range(1, OTHERS + 1)),
            f"{name} is random: another stream gives another result (if it is not meant to be: `deterministic=True`)",
            f"the same result for {OTHERS + 1} streams" + ("" if drawn else ", from which it drew nothing"),
        )
        return first


def stream(number: int) -> Stream:
    """Return one of the kit's streams, at its first word."""
    return Streams(2024)("contract", number)


def copied(value: Any) -> Any:
    """Return `value` as plain containers with copies of all its arrays, to be compared by `difference`."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, Graph):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value)]
        return {name: copied(getattr(value, name)) for name in names if hasattr(value, name)}
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [copied(item) for item in value]
    return value


def difference(one: Any, other: Any, path: str = "result") -> str:
    """Return the path at which two values differ in any bit, with what is there; an empty string where they do not."""
    return _difference(copied(one), copied(other), path)


def shaped(array: Any) -> str:
    """Describe what should be an array: `float32 (7, 5)`."""
    return f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else f"{type(array).__name__} {array!r:.60}"


def _difference(one: Any, other: Any, path: str) -> str:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return _arrays_differ(one, other, path)
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return f"{path} (names {sorted(map(str, one))} and {sorted(map(str, other))})"
        return next((found for key in one if (found := _difference(one[key], other[key], f"{path}.{key}"))), "")
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return f"{path} (lengths {len(one)} and {len(other)})"
        pairs = enumerate(zip(one, other, strict=True))
        return next((found for i, (a, b) in pairs if (found := _difference(a, b, f"{path}[{i}]"))), "")
    same = type(one) is type(other) and (one is other or one == other or (one != one and other != other))
    return "" if same else f"{path} ({one!r:.60} and {other!r:.60})"


def _arrays_differ(one: Any, other: Any, path: str) -> str:
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return f"{path} ({shaped(one)} and {shaped(other)})"
    if one.tobytes() == other.tobytes():
        return ""
    place = next(i for i in np.ndindex(one.shape) if one[i].tobytes() != other[i].tobytes())
    return f"{path}{list(map(int, place))} ({one[place]} and {other[place]})"


def _global_generators() -> tuple[Any, ...]:
    _, words, *rest = np.random.get_state()  # noqa: NPY002 (the old global state is what is watched)
    return np.asarray(words).tobytes(), rest, random.getstate()
