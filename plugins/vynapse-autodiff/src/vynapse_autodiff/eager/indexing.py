# SPDX-License-Identifier: MIT OR Apache-2.0
"""Indexing as NumPy does it, in ops: a slice an axis, and one gather for all arrays of integers."""

from __future__ import annotations

from types import EllipsisType
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_autodiff.eager.blame import at_line, described
from vynapse_autodiff.eager.modes import MODE
from vynapse_autodiff.eager.record import applied
from vynapse_autodiff.eager.tensor import Tensor, constant
from vynapse_core import GraphError

if TYPE_CHECKING:
    from vynapse_core import Array


def indexed(x: Tensor, index: Any) -> Tensor:
    """Return the part of `x` that an index names. Arrays of integers must stand side by side.

    Raises GraphError for an index that is out of range or of another kind; for masks, take `where`.
    """
    parts = _parts(x, index)
    _check_apart(x, parts)
    kept: list[int] = []
    arrays: list[tuple[int, Tensor]] = []
    axis, place = 0, -1
    for part in parts:
        if part is None:
            kept.append(1)
            continue
        if _is_array(part):
            place = len(kept)
            arrays.append((axis, _whole(x, axis, part)))
        elif isinstance(part, slice):
            x = _sliced(x, axis, part)
            kept.append(x.shape[axis])
        else:
            x = _sliced(x, axis, slice(_number(x, axis, part), _number(x, axis, part) + 1))
        axis += 1
    if not arrays:
        return x if tuple(kept) == x.shape else x.reshape(kept)
    sizes = [x.shape[at] for at, _ in arrays]
    if len(arrays) > 1:
        _check_inside(x, arrays)
    first = arrays[0][0]
    flat = x.reshape(*x.shape[:first], -1, *x.shape[first + len(arrays) :]) if len(arrays) > 1 else x
    places = _joined([array for _, array in arrays], sizes)
    found = applied("gather", (flat, places), {"axis": first})
    shape = (*kept[:place], *places.shape, *kept[place:])
    return found if shape == found.shape else found.reshape(shape)


def _check_inside(x: Tensor, arrays: list[tuple[int, Tensor]]) -> None:
    """Refuse an index beyond its axis, which would name an element of the next row once axes are one."""
    for axis, array in arrays:
        found = array._data
        if found.size and not 0 <= found.min() <= found.max() < x.shape[axis]:
            odd = int(found.min() if found.min() < 0 else found.max())
            size = x.shape[axis]
            raise GraphError(at_line(f"{described(x)}: index {odd} is outside axis {axis} of size {size}"))


def _joined(arrays: list[Tensor], sizes: list[int]) -> Tensor:
    """Return one array of indices into axes that were made one; ops only where a graph is traced."""
    if MODE.get().everything:
        places = arrays[0]
        for array, size in zip(arrays[1:], sizes[1:], strict=True):
            places = places * constant(size, places.dtype) + array
        return places
    flat = arrays[0]._data
    for array, size in zip(arrays[1:], sizes[1:], strict=True):
        flat = flat * size + array._data
    return Tensor(flat)


def _parts(x: Tensor, index: Any) -> list[Any]:
    """Return an entry an axis, and None for each new one."""
    parts = list(index) if isinstance(index, tuple) else [index]
    dots = [i for i, part in enumerate(parts) if isinstance(part, EllipsisType)]
    left = x.ndim - sum(part is not None and not isinstance(part, EllipsisType) for part in parts)
    if left < 0 or len(dots) > 1:
        raise GraphError(at_line(f"index {index!r} does not fit the {x.ndim} axes of {described(x)}"))
    at = dots[0] if dots else len(parts)
    return [*parts[:at], *[slice(None)] * left, *parts[at + len(dots) :]]


def _check_apart(x: Tensor, parts: list[Any]) -> None:
    """Refuse arrays and integers that do not stand side by side: NumPy puts their axes first, which few expect."""
    chosen = [i for i, part in enumerate(parts) if part is not None and not isinstance(part, slice)]
    if any(_is_array(parts[i]) for i in chosen) and chosen[-1] - chosen[0] >= len(chosen):
        raise GraphError(at_line(f"{described(x)}: arrays of indices must stand side by side; index twice"))


def _is_array(part: Any) -> bool:
    return isinstance(part, list) or (isinstance(part, Tensor | np.ndarray) and part.shape != ())


def _whole(x: Tensor, axis: int, part: Any) -> Tensor:
    """Return indices as int64 from 0; negative ones count from the end."""
    array: Array = part.data if isinstance(part, Tensor) else np.asarray(part)
    if array.dtype.kind not in "iu":
        raise GraphError(at_line(f"{described(x)} is indexed by {array.dtype}; expected integers, or take where"))
    if isinstance(part, Tensor) and array.dtype.kind == "i" and (array.size == 0 or array.min() >= 0):
        return part.cast("int64")
    if isinstance(part, Tensor) and MODE.get().everything:
        raise GraphError(at_line("indices that count from the end cannot be traced; add the size to them"))
    if array.size and array.min() < 0:
        array = np.where(array < 0, array + x.shape[axis], array)
    # a copy, as the caller may write into the array before a backward pass
    return Tensor(array.astype(np.int64))


def _number(x: Tensor, axis: int, part: Any) -> int:
    size = x.shape[axis]
    if isinstance(part, Tensor):
        part = part.data
    whole = isinstance(part, int | np.integer | np.ndarray) and not isinstance(part, bool)
    if not whole or np.asarray(part).dtype.kind not in "iu" or not -size <= int(part) < size:
        raise GraphError(at_line(f"{described(x)}: cannot index axis {axis} of size {size} by {part!r}"))
    return int(part) % size


def _sliced(x: Tensor, axis: int, part: slice) -> Tensor:
    size = x.shape[axis]
    start, stop, step = part.indices(size)
    if step != 1:
        chosen = Tensor(np.arange(start, stop, step, dtype=np.int64))
        return applied("gather", (x, chosen), {"axis": axis})
    if start == 0 and stop == size:
        return x
    return applied("slice", (x,), {"axis": axis, "start": start, "stop": max(start, stop)})
