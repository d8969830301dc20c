# SPDX-License-Identifier: MIT OR Apache-2.0
"""A state on disk: a dataclass of arrays and plain values, saved so that it loads back to the same bits.

A checkpoint is a folder of two files: `arrays-<digest>.safetensors` holds the arrays, `state.json` the rest
and the digests of both. Replacing `state.json` is the commit: a process killed between any two system calls
leaves the old checkpoint or the new one. Reading trusts nothing: digests are checked, and a file that does not hold
a state of the type that the caller names is refused. What a state may hold: `state_tree`.
"""

from __future__ import annotations

import errno
import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import orjson

from vynapse_core.errors import CheckpointError
from vynapse_core.files import replace_file, replace_files
from vynapse_core.state_tree import MismatchError, decode, decode_free, encode, encode_free

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT = 1
"""Version of the layout; a checkpoint of another version is refused."""

S = TypeVar("S")
_DTYPES = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}
"""Kind and bytes of the numbers that can be saved."""
_RESTORE = "restore the folder from a copy, or start the run again"


def save(folder: Path, state: Any, /, **extra: Any) -> None:
    """Replace the checkpoint in `folder` by the dataclass `state` and, in `extra`, named plain values.

    Arrays come back in C order, whatever order they had; NumPy scalars in `extra` as Python's. Raises
    CheckpointError for a value of the wrong type and where the disk is full or refuses; the checkpoint that
    was there is then as it was.
    """
    arrays: dict[str, NDArray[Any]] = {}
    try:
        tree = encode(state, type(state), "state", arrays)
        more = {name: encode_free(value, f"extra.{name}") for name, value in extra.items()}
        data = _packed(arrays)
        checksum = hashlib.sha256(data).hexdigest()
        body = orjson.dumps({"format": FORMAT, "arrays": checksum, "state": tree, "extra": more})
    except (MismatchError, TypeError, ValueError, RecursionError) as error:
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
            raise MismatchError(f"{place}: there is no array {key!r:.80} in {arrays_path.name}")
        unused.discard(key)
        return arrays[key]

    try:
        state = decode(body["state"], state_type, "state", take)
        extra = {name: decode_free(node, f"extra.{name}") for name, node in body["extra"].items()}
        if unused:
            raise MismatchError(f"state: unknown arrays {', '.join(sorted(unused)):.200}")
    except (MismatchError, RecursionError) as error:
        advice = "resume with the recipe and the version that wrote it, or start the run again"
        raise CheckpointError(f"{path}: {error}; {advice}") from error
    return state, extra


def save_arrays(
    folder: Path, arrays: Mapping[str, Mapping[str, NDArray[Any]]], others: Mapping[str, bytes] | None = None
) -> None:
    """Replace files of `folder`, and make it: `arrays` {name: arrays of bool, int or float} and `others` {name: data}.

    Arrays become safetensors files. Raises CheckpointError for what cannot be saved or written.
    """
    files = {}
    for name, held in arrays.items():
        try:
            files[name] = _packed(held)
        except (MismatchError, ValueError) as error:
            raise CheckpointError(f"{folder / name}: these arrays cannot be saved: {error}") from error
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        replace_files(folder, {**files, **(others or {})})


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
            raise MismatchError(f"{key!r} cannot name an array: expected text other than '__metadata__'")
        if type(array) is not np.ndarray or array.dtype.str[1:] not in _DTYPES:
            found = f"{type(array).__name__} of {getattr(array, 'dtype', 'no dtype')}"
            raise MismatchError(f"{key}: expected a NumPy array of bool, int or float, found {found}")
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
        if array.dtype.str[1:] not in _DTYPES:
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
