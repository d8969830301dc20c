# SPDX-License-Identifier: MIT OR Apache-2.0
"""A state on disk: a dataclass of arrays and plain values, saved so that it loads back to the same bits.

A checkpoint is a folder of two files: `arrays-<digest>.safetensors` holds the arrays, `state.json` the rest
and the digests of both. Replacing `state.json` is the commit: a process killed between any two system calls
leaves the old checkpoint or the new one. Reading trusts nothing: what a state looks like comes from the type
hints of the dataclass that the caller names, never from the file; what does not fit them is refused.

A state's fields are NumPy arrays and scalars, int, float, str, bool, None, nested dataclasses (generic ones
too), `tuple[X, ...]`, `tuple[X, Y]`, `list[X]`, `Mapping[str, X]` and `X | None`. Values must be of their
hint's very type: a NumPy float64 in a field of type float would come back as a Python float, which rounds
differently beside float32 arrays.
"""

from __future__ import annotations

import errno
import hashlib
import math
import re
import struct
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import orjson

from vynapse_core.errors import CheckpointError
from vynapse_core.files import replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT = 1
"""Version of the layout; a checkpoint of another version is refused."""

S = TypeVar("S")
_PLAIN = (bool, int, float, str, types.NoneType)
_DTYPES = {"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}
_DTYPES |= {"float16", "float32", "float64"}
_RESTORE = "restore the folder from a copy, or start the run again"


class _MismatchError(Exception):
    """A value that does not fit its type hint; the message begins with the value's path."""


def save(folder: Path, state: Any, /, **extra: Any) -> None:
    """Replace the checkpoint in `folder` by the dataclass `state` and, in `extra`, named plain values.

    Arrays come back in C order, whatever order they had; NumPy scalars in `extra` as Python's. Raises
    CheckpointError for a value of the wrong type and where the disk is full or refuses; the checkpoint that
    was there is then as it was.
    """
    arrays: dict[str, NDArray[Any]] = {}
    try:
        tree = _encode(state, type(state), "state", arrays)
        more = {name: _encode_free(value, f"extra.{name}") for name, value in extra.items()}
        data = _packed(arrays)
        checksum = hashlib.sha256(data).hexdigest()
        body = orjson.dumps({"format": FORMAT, "arrays": checksum, "state": tree, "extra": more})
    except (_MismatchError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{folder}: this state cannot be saved: {error}") from error
    digest = hashlib.sha256(body).hexdigest().encode()
    name = _arrays_name(checksum)
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / name, data)
        replace_file(folder / "state.json", b'{"digest":"' + digest + b'","body":' + body + b"}\n")
    _sweep(folder, name)


def load(folder: Path, state_type: type[S]) -> tuple[S, dict[str, Any]]:
    """Return the state in `folder`, of type `State` or such as `Outer[Inner]`, and the extras.

    Arrays are new and may be written. Raises CheckpointError where there is no checkpoint, or where its files
    are damaged, of another version, or do not hold such a state.
    """
    path = folder / "state.json"
    body = _body(path, _read(path, f"there is no checkpoint in {folder}"))
    arrays_path = folder / _arrays_name(body["arrays"])
    data = _read(arrays_path, f"it belongs to state.json and is missing; {_RESTORE}")
    if hashlib.sha256(data).hexdigest() != body["arrays"]:
        raise CheckpointError(f"{arrays_path}: its contents differ from what {path} says; {_RESTORE}")
    arrays = _unpacked(arrays_path, data)
    unused = set(arrays)

    def take(key: Any, place: str) -> NDArray[Any]:
        if not isinstance(key, str) or key not in arrays:
            raise _MismatchError(f"{place}: there is no array {key!r:.80} in {arrays_path.name}")
        unused.discard(key)
        return arrays[key]

    try:
        state = _decode(body["state"], state_type, "state", take)
        extra = {name: _decode_free(node, f"extra.{name}") for name, node in body["extra"].items()}
        if unused:
            raise _MismatchError(f"state: unknown arrays {', '.join(sorted(unused)):.200}")
    except (_MismatchError, RecursionError) as error:
        advice = "resume with the recipe and the version that wrote it, or start the run again"
        raise CheckpointError(f"{path}: {error}; {advice}") from error
    return state, extra


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Replace the safetensors file `path` by `arrays` of bool, int or float, and make its folder."""
    try:
        data = _packed(arrays)
    except (_MismatchError, ValueError) as error:
        raise CheckpointError(f"{path}: these arrays cannot be saved: {error}") from error
    with _writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, data)


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of the safetensors file `path`; CheckpointError where it is missing or malformed."""
    return _unpacked(path, _read(path, "there is no such file"))


def _arrays_name(checksum: str) -> str:
    return f"arrays-{checksum[:12]}.safetensors"


def _packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    from safetensors.numpy import save as pack

    laid: dict[str, NDArray[Any]] = {}
    for key, array in arrays.items():
        if not isinstance(key, str) or key == "__metadata__":
            raise _MismatchError(f"{key!r} cannot name an array: expected text other than '__metadata__'")
        if type(array) is not np.ndarray or array.dtype.name not in _DTYPES:
            found = f"{type(array).__name__} of {getattr(array, 'dtype', 'no dtype')}"
            raise _MismatchError(f"{key}: expected a NumPy array of bool, int or float, found {found}")
        # safetensors writes the memory as it lies; ascontiguousarray makes a scalar [1], hence the reshape
        laid[key] = np.ascontiguousarray(array).reshape(array.shape)
    return bytes(pack(laid))


def _unpacked(path: Path, data: bytes) -> dict[str, NDArray[Any]]:
    from safetensors.numpy import load as unpack

    try:
        arrays = {key: np.array(array) for key, array in unpack(data).items()}
    except Exception as error:  # the library raises errors of many unrelated classes for a malformed file
        raise CheckpointError(f"{path}: not a readable safetensors file ({error!s:.200}); {_RESTORE}") from error
    for key, array in arrays.items():
        if array.dtype.name not in _DTYPES:
            raise CheckpointError(f"{path}: {key:.80}: expected bool, int or float, found {array.dtype}")
    return arrays


def _read(path: Path, missing: str) -> bytes:
    try:
        if not path.exists():
            raise CheckpointError(f"{path}: {missing}")
        if not path.is_file():
            raise CheckpointError(f"{path}: expected a file, found something else")
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error


def _body(path: Path, text: bytes) -> dict[str, Any]:
    """Return the contents of `state.json`, its digest, its version and its keys checked."""
    match = re.fullmatch(rb'\{"digest":"([0-9a-f]{64})","body":(.*)\}\n', text, re.DOTALL)
    if not match or hashlib.sha256(match[2]).hexdigest().encode() != match[1]:
        raise CheckpointError(f"{path}: its contents differ from its digest; {_RESTORE}")
    try:
        body = orjson.loads(match[2])
    except orjson.JSONDecodeError as error:
        raise CheckpointError(f"{path}: not readable as JSON ({error}); {_RESTORE}") from error
    if not isinstance(body, dict) or type(body.get("format")) is not int:
        raise CheckpointError(f"{path}: it names no format version; {_RESTORE}")
    if body["format"] != FORMAT:
        advice = "resume with the version of vynapse that wrote it"
        raise CheckpointError(f"{path}: expected format version {FORMAT}, found {body['format']}; {advice}")
    if body.keys() != {"format", "arrays", "state", "extra"} or not isinstance(body["extra"], dict):
        raise CheckpointError(f"{path}: expected the keys format, arrays, state and extra; {_RESTORE}")
    if not isinstance(body["arrays"], str) or not re.fullmatch("[0-9a-f]{64}", body["arrays"]):
        raise CheckpointError(f"{path}: arrays: expected a SHA-256 digest, found {body['arrays']!r:.80}; {_RESTORE}")
    return body


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
            advice = "free some space and resume; what was saved there before is intact"
            raise CheckpointError(f"{folder}: disk full: {advice}") from error
        raise CheckpointError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _sweep(folder: Path, keep: str) -> None:
    """Delete older arrays, and what a killed process left half-written; one that will not go is no harm."""
    for pattern in ("arrays-*.safetensors", ".arrays-*.tmp", ".state.json.*.tmp"):
        for path in folder.glob(pattern):
            if path.name != keep:
                with suppress(OSError):
                    path.unlink()


def _kind(hint: Any, place: str) -> tuple[str, Any]:
    """Return which of the kinds of value `hint` asks for, and what that kind needs to know."""
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
    elif isinstance(hint, TypeVar):
        raise _MismatchError(f"{place}: its type {hint.__name__} is open; name it, as in load(folder, State[Inner])")
    raise _MismatchError(f"{place}: {hint} is not a type that a checkpoint can hold")


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


@cache
def _hints(cls: type) -> dict[str, Any]:
    """Return the resolved type hints of a dataclass's fields, those aside that it computes itself."""
    try:
        hints = get_type_hints(cls)
    except NameError as error:
        advice = "import it at run time, not under TYPE_CHECKING"
        raise _MismatchError(f"{cls.__name__}: its type hints cannot be resolved: {error}; {advice}") from error
    return {field.name: hints[field.name] for field in fields(cls) if field.init}


def _bound(hint: Any, binding: Mapping[Any, Any]) -> Any:
    """Return `hint` with its type parameters replaced by the types they are bound to."""
    if isinstance(hint, TypeVar):
        return binding.get(hint, hint)
    if isinstance(hint, type) or not getattr(hint, "__parameters__", ()):
        return hint
    return hint[tuple(binding.get(parameter, parameter) for parameter in hint.__parameters__)]


def _encode(value: Any, hint: Any, place: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """Return `value` as JSON; arrays are put into `arrays`, under their place in the state."""
    if isinstance(hint, TypeVar):
        hint = type(value)
    kind, inner = _kind(hint, place)
    match kind:
        case "plain":
            _expect(type(value) in inner, hint, value, place)
            return _encode_plain(value)
        case "optional":
            return None if value is None else _encode(value, inner, place, arrays)
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
            return [_encode(item, inner[1], f"{place}[{i}]", arrays) for i, item in enumerate(value)]
        case "tuple":
            _expect(type(value) is tuple and len(value) == len(inner), hint, value, place)
            return [_encode(item, inner[i], f"{place}[{i}]", arrays) for i, item in enumerate(value)]
        case "mapping":
            _expect(isinstance(value, Mapping) and all(type(key) is str for key in value), hint, value, place)
            return {key: _encode(item, inner, f"{place}.{key}", arrays) for key, item in value.items()}
        case _:
            _expect(type(value) is inner[0], hint, value, place)
            return {
                name: _encode(getattr(value, name), member, f"{place}.{name}", arrays)
                for name, member in inner[1].items()
            }


def _decode(node: Any, hint: Any, place: str, take: Callable[[Any, str], NDArray[Any]]) -> Any:
    """Return the value that `node` stands for, built as `hint` says; `take` returns the array of a key."""
    kind, inner = _kind(hint, place)
    match kind:
        case "plain":
            value = _decode_plain(node, place)
            _expect(type(value) in inner, hint, value, place)
            return value
        case "optional":
            return None if node is None else _decode(node, inner, place, take)
        case "array" | "scalar":
            _expect(isinstance(node, dict) and node.keys() == {"$array"}, hint, node, place)
            array = take(node["$array"], place)
            _expect(_is_of(array.dtype, inner) and (kind == "array" or array.ndim == 0), hint, array, place)
            return array if kind == "array" else array[()]
        case "sequence":
            _expect(isinstance(node, list), hint, node, place)
            return inner[0](_decode(item, inner[1], f"{place}[{i}]", take) for i, item in enumerate(node))
        case "tuple":
            _expect(isinstance(node, list) and len(node) == len(inner), hint, node, place)
            return tuple(_decode(item, inner[i], f"{place}[{i}]", take) for i, item in enumerate(node))
        case "mapping":
            _expect(isinstance(node, dict), hint, node, place)
            return {key: _decode(item, inner, f"{place}.{key}", take) for key, item in node.items()}
        case _:
            return _decode_dataclass(node, hint, inner, place, take)


def _decode_dataclass(node: Any, hint: Any, inner: Any, place: str, take: Callable[[Any, str], NDArray[Any]]) -> Any:
    cls, members = inner
    _expect(isinstance(node, dict), hint, node, place)
    if node.keys() != members.keys():
        wrong = [f"{name} is missing" for name in members if name not in node]
        wrong += [f"{name!r:.40} is unknown" for name in node if name not in members]
        raise _MismatchError(f"{place}: not a {_name(hint)}: {', '.join(wrong):.300}")
    values = {name: _decode(node[name], member, f"{place}.{name}", take) for name, member in members.items()}
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise _MismatchError(f"{place}: not a {_name(hint)}: {error!s:.300}") from error


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
            raise _MismatchError(f"{place}: expected a plain value, found {node!r:.80}")
    return node


def _encode_free(value: Any, place: str) -> Any:
    """Return a value that no hint describes as JSON: plain values, and lists and dicts of such."""
    if isinstance(value, np.bool_ | np.integer | np.floating):
        value = value.item()
    if type(value) in _PLAIN:
        return _encode_plain(value)
    if type(value) is list:
        return [_encode_free(item, f"{place}[{i}]") for i, item in enumerate(value)]
    if type(value) is dict and all(type(key) is str and not key.startswith("$") for key in value):
        return {key: _encode_free(item, f"{place}.{key}") for key, item in value.items()}
    expected = "int, float, str, bool, None, or a list or dict of such, its keys not beginning with $"
    raise _MismatchError(f"{place}: expected {expected}; found {_found(value)}")


def _decode_free(node: Any, place: str) -> Any:
    if isinstance(node, list):
        return [_decode_free(item, f"{place}[{i}]") for i, item in enumerate(node)]
    if isinstance(node, dict) and not any(key.startswith("$") for key in node):
        return {key: _decode_free(item, f"{place}.{key}") for key, item in node.items()}
    return _decode_plain(node, place)


def _is_of(dtype: np.dtype[Any], allowed: tuple[type, ...]) -> bool:
    # the detour by text makes one type of the C types of one size, such as long and long long
    return issubclass(np.dtype(dtype.str).type, allowed)


def _expect(fits: bool, hint: Any, value: Any, place: str) -> None:
    if not fits:
        raise _MismatchError(f"{place}: expected {_name(hint)}, found {_found(value)}")


def _name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)


def _found(value: Any) -> str:
    if isinstance(value, np.ndarray | np.generic):
        return f"{type(value).__name__} of {value.dtype}, shape {value.shape}"
    if isinstance(value, int) and value.bit_length() > 1000:  # Python refuses to write very long integers out
        return f"an int of {value.bit_length()} bits"
    return f"{value!r:.60} ({type(value).__name__})"
