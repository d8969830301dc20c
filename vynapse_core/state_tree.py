# SPDX-License-Identifier: MIT OR Apache-2.0
"""A state as JSON and named arrays, and back, as the type hints of its dataclass say.

What a state looks like comes from the type hints of the dataclass that the caller names, never from what is
read; what does not fit them is refused.

A state's fields are NumPy arrays and scalars, int, float, str, bool, None, nested dataclasses (generic ones
too), `tuple[X, ...]`, `tuple[X, Y]`, `list[X]`, `Mapping[str, X]` and `X | None`. Values must be of their
hint's very type: a NumPy float64 in a field of type float would come back as a Python float, which rounds
differently beside float32 arrays.
"""

from __future__ import annotations

import math
import re
import struct
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PLAIN = (bool, int, float, str, types.NoneType)


class MismatchError(Exception):
    """A value that does not fit its type hint; the message begins with the value's path."""


def encode(value: Any, hint: Any, place: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """Return `value` as JSON; arrays are put into `arrays`, under their place in the state."""
    if isinstance(hint, TypeVar):
        hint = type(value)
    kind, inner = _kind_of(hint, place)
    match kind:
        case "plain":
            _expect(type(value) in inner, hint, value, place)
            return _encode_plain(value)
        case "optional":
            return None if value is None else encode(value, inner, place, arrays)
        case "array" | "scalar":
            _expect(isinstance(value, np.ndarray if kind == "array" else np.generic), hint, value, place)
            _expect(_is_of(value.dtype, inner), hint, value, place)
            key = place
            while key in arrays:
                key += "'"
            arrays[key] = value if kind == "array" else np.asarray(value)
            return {"$array": key}
        case "sequence":
            _expect(type(value) is inner[0], hint, value, place)
            return [encode(item, inner[1], f"{place}[{i}]", arrays) for i, item in enumerate(value)]
        case "tuple":
            _expect(type(value) is tuple and len(value) == len(inner), hint, value, place)
            return [encode(item, inner[i], f"{place}[{i}]", arrays) for i, item in enumerate(value)]
        case "mapping":
            _expect(isinstance(value, Mapping) and all(type(key) is str for key in value), hint, value, place)
            return {key: encode(item, inner, f"{place}.{key}", arrays) for key, item in value.items()}
        case _:
            _expect(type(value) is inner[0], hint, value, place)
            return {
                name: encode(getattr(value, name), member, f"{place}.{name}", arrays)
                for name, member in inner[1].items()
            }


def decode(node: Any, hint: Any, place: str, take: Callable[[Any, str], NDArray[Any]]) -> Any:
    """Return the value that `node` stands for, built as `hint` says; `take` returns the array of a key."""
    kind, inner = _kind_of(hint, place)
    match kind:
        case "plain":
            value = _decode_plain(node, place)
            _expect(type(value) in inner, hint, value, place)
            return value
        case "optional":
            return None if node is None else decode(node, inner, place, take)
        case "array" | "scalar":
            _expect(isinstance(node, dict) and node.keys() == {"$array"}, hint, node, place)
            array = take(node["$array"], place)
            _expect(_is_of(array.dtype, inner) and (kind == "array" or array.ndim == 0), hint, array, place)
            return array if kind == "array" else array[()]
        case "sequence":
            _expect(isinstance(node, list), hint, node, place)
            return inner[0](decode(item, inner[1], f"{place}[{i}]", take) for i, item in enumerate(node))
        case "tuple":
            _expect(isinstance(node, list) and len(node) == len(inner), hint, node, place)
            return tuple(decode(item, inner[i], f"{place}[{i}]", take) for i, item in enumerate(node))
        case "mapping":
            _expect(isinstance(node, dict), hint, node, place)
            return {key: decode(item, inner, f"{place}.{key}", take) for key, item in node.items()}
        case _:
            return _decode_dataclass(node, hint, inner, place, take)


def _decode_dataclass(node: Any, hint: Any, inner: Any, place: str, take: Callable[[Any, str], NDArray[Any]]) -> Any:
    cls, members = inner
    _expect(isinstance(node, dict), hint, node, place)
    if node.keys() != members.keys():
        wrong = [f"{name} is missing" for name in members if name not in node]
        wrong += [f"{name!r:.40} is unknown" for name in node if name not in members]
        raise MismatchError(f"{place}: not a {_name(hint)}: {', '.join(wrong):.300}")
    values = {name: decode(node[name], member, f"{place}.{name}", take) for name, member in members.items()}
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise MismatchError(f"{place}: not a {_name(hint)}: {error!s:.300}") from error


def _encode_plain(value: Any) -> Any:
    """Return a plain value as JSON; integers past 64 bits and floats that are not finite as tagged text."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": struct.pack(">d", value).hex()}
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return {"$int": hex(value)}
    return value


def _decode_plain(node: Any, place: str) -> Any:
    match node:
        case {"$float": str(text)} if len(node) == 1 and re.fullmatch("[0-9a-f]{16}", text):
            return struct.unpack(">d", bytes.fromhex(text))[0]
        case {"$int": str(text)} if len(node) == 1 and re.fullmatch("-?0x[0-9a-f]+", text):
            return int(text, 16)
        case dict() | list():
            raise MismatchError(f"{place}: expected a plain value, found {node!r:.80}")
    return node


def encode_free(value: Any, place: str) -> Any:
    """Return a value that no hint describes as JSON: plain values, and lists and dicts of such."""
    if isinstance(value, np.bool_ | np.integer | np.floating):
        value = value.item()
    if type(value) in _PLAIN:
        return _encode_plain(value)
    if type(value) is list:
        return [encode_free(item, f"{place}[{i}]") for i, item in enumerate(value)]
    if type(value) is dict and all(type(key) is str and not key.startswith("$") for key in value):
        return {key: encode_free(item, f"{place}.{key}") for key, item in value.items()}
    expected = "int, float, str, bool, None, or a list or dict of such, its keys not beginning with $"
    raise MismatchError(f"{place}: expected {expected}; found {_found(value)}")


def decode_free(node: Any, place: str) -> Any:
    """Return the value that `node` of `encode_free` stands for."""
    if isinstance(node, list):
        return [decode_free(item, f"{place}[{i}]") for i, item in enumerate(node)]
    if isinstance(node, dict) and not any(key.startswith("$") for key in node):
        return {key: decode_free(item, f"{place}.{key}") for key, item in node.items()}
    return _decode_plain(node, place)


def _kind_of(hint: Any, place: str) -> tuple[str, Any]:
    """Return which of the kinds of value `hint` asks for, and what that kind needs to know."""
    found = _kind(hint)
    if found is not None:
        return found
    if isinstance(hint, TypeVar):
        raise MismatchError(f"{place}: its type {hint.__name__} is open; name it, as in load(folder, State[Inner])")
    raise MismatchError(f"{place}: {hint} is not a type that a checkpoint can hold")


@cache
def _kind(hint: Any) -> tuple[str, Any] | None:
    """Return the kind of value that `hint` asks for, and what that kind needs to know; None for no such kind."""
    origin, args = get_origin(hint), get_args(hint)
    base = origin or hint
    if hint in _PLAIN:
        return "plain", _accepted((hint,))
    if origin in (Union, types.UnionType):
        if set(args) <= set(_PLAIN):
            return "plain", _accepted(args)
        rest = [arg for arg in args if arg is not types.NoneType]
        if len(rest) == 1:
            return "optional", rest[0]
    elif base is np.ndarray:
        return "array", _element_types(args)
    elif isinstance(base, type) and issubclass(base, np.generic):
        return "scalar", (base,)
    elif origin is list or (origin is tuple and args[1:] == (...,)):
        return "sequence", (origin, args[0])
    elif origin is tuple:
        return "tuple", args
    elif origin in (dict, Mapping) and args[0] is str:
        return "mapping", args[1]
    elif isinstance(base, type) and is_dataclass(base):
        binding = dict(zip(getattr(base, "__parameters__", ()), args, strict=False))
        return "dataclass", (base, {name: _bound(inner, binding) for name, inner in _hints(base).items()})
    return None


def _accepted(plain: tuple[Any, ...]) -> tuple[Any, ...]:
    """Add int where float is accepted: Python lets an int stand for a float, and it stays an int."""
    return (*plain, int) if float in plain else plain


def _element_types(args: tuple[Any, ...]) -> tuple[type, ...]:
    """Return the NumPy scalar types that `NDArray[...]` allows, of whose type arguments these are the two."""
    element = get_args(args[1])[0] if args and get_args(args[1]) else Any
    choices = get_args(element) if get_origin(element) in (Union, types.UnionType) else (element,)
    bases = tuple(get_origin(choice) or choice for choice in choices)
    named = all(isinstance(base, type) and issubclass(base, np.generic) for base in bases)
    return bases if named else (np.generic,)


def _hints(cls: type) -> dict[str, Any]:
    """Return the resolved type hints of a dataclass's fields, those aside that it computes itself."""
    try:
        hints = get_type_hints(cls)
    except NameError as error:
        advice = "import it at run time, not under TYPE_CHECKING"
        raise MismatchError(f"{cls.__name__}: its type hints cannot be resolved: {error}; {advice}") from error
    return {field.name: hints[field.name] for field in fields(cls) if field.init}


def _bound(hint: Any, binding: Mapping[Any, Any]) -> Any:
    """Return `hint` with its type parameters replaced by the types they are bound to."""
    if isinstance(hint, TypeVar):
        return binding.get(hint, hint)
    if isinstance(hint, type) or not getattr(hint, "__parameters__", ()):
        return hint
    return hint[tuple(binding.get(parameter, parameter) for parameter in hint.__parameters__)]


def _is_of(dtype: np.dtype[Any], allowed: tuple[type, ...]) -> bool:
    # the detour by text makes one type of the C types of one size, such as long and long long
    return issubclass(np.dtype(dtype.str).type, allowed)


def _expect(fits: bool, hint: Any, value: Any, place: str) -> None:
    if not fits:
        raise MismatchError(f"{place}: expected {_name(hint)}, found {_found(value)}")


def _name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)


def _found(value: Any) -> str:
    if isinstance(value, np.ndarray | np.generic):
        return f"{type(value).__name__} of {value.dtype}, shape {value.shape}"
    if isinstance(value, int) and value.bit_length() > 1000:  # Python refuses to write very long integers out
        return f"an int of {value.bit_length()} bits"
    return f"{value!r:.60} ({type(value).__name__})"
