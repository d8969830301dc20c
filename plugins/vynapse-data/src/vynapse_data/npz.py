# SPDX-License-Identifier: MIT OR Apache-2.0
"""NPZ files: two named arrays of numbers. Pickled objects are never loaded, since a pickle can run code."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import DataError, nearest
from vynapse_data.idx import DEFLATE_AT_MOST

if TYPE_CHECKING:
    import os

    from numpy.lib.npyio import NpzFile
    from numpy.typing import NDArray

# All that NumPy and zipfile raise on damaged or encrypted archives and on headers that claim too much.
_DAMAGE = (
    ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError,
    RuntimeError, MemoryError, OverflowError, SyntaxError,
)  # fmt: skip


def read_npz(path: str | os.PathLike[str], x: str = "x", y: str = "y") -> tuple[NDArray[Any], NDArray[Any]]:
    """Read the arrays named `x` [n, ...] and `y` [n, ...], of any numeric type, as they lie in the file.

    Raises DataError where the file is missing or damaged, a name is not in it, an array does not hold
    finite numbers, or the two differ in length.
    """
    file = Path(path)
    try:
        if not zipfile.is_zipfile(file):
            found = "no such file" if not file.exists() else "not an NPZ archive (a zip file of .npy arrays)"
            raise DataError(f"{file}: {found}")
        # NumPy leaves a damaged file open when it is given a name.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            first, second = (_array(archive, name, file) for name in (x, y))
    except _DAMAGE as error:
        raise DataError(f"{file}: cannot be read: {error}") from error
    if first.shape[0] != second.shape[0]:
        raise DataError(
            f"{file}: {x!r} and {y!r} must have one row a sample each: found shapes {first.shape} and {second.shape}"
        )
    return first, second


def _array(archive: NpzFile, name: str, file: Path) -> NDArray[Any]:
    if name not in archive.files:
        there = ", ".join(repr(known) for known in archive.files) or "nothing"
        hint = nearest(name, archive.files)
        raise DataError(f"{file}: no array {name!r}; the file holds {there}" + (f" ({hint})" if hint else ""))
    try:
        _check_size(archive, name, file)
        array: NDArray[Any] = archive[name]
    except _DAMAGE as error:
        raise DataError(f"{file}: array {name!r} cannot be read: {error}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        found = array.dtype if isinstance(array, np.ndarray) else "no array"
        raise DataError(f"{file}: array {name!r}: expected booleans, integers or floats, found {found}")
    if array.ndim == 0:
        raise DataError(f"{file}: array {name!r}: expected one row a sample, found a single number")
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(index) for index in np.argwhere(~finite)[0])
        raise DataError(
            f"{file}: array {name!r}: expected finite numbers, found {array[where]} at index {where} "
            f"({array.size - int(finite.sum())} such values in all)"
        )
    return array


def _check_size(archive: NpzFile, name: str, file: Path) -> None:
    """Refuse an array that is to inflate beyond what its bytes can hold, before anything is allocated for it."""
    packed = archive.zip
    if packed is None:
        return
    member = packed.getinfo(name if name in packed.namelist() else f"{name}.npy")
    with packed.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
    promised = math.prod(shape) * dtype.itemsize
    held = min(member.file_size, DEFLATE_AT_MOST * member.compress_size)
    if dtype.kind in "biuf" and promised > held:
        raise DataError(
            f"{file}: array {name!r}: the header promises {promised} bytes of data (shape {shape}, {dtype}); "
            f"what is in the archive holds at most {held}"
        )
