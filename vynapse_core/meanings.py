# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the ops of the graph language mean, in NumPy.

A meaning is a function of an op's operands. One that depends on attributes comes from a function of attributes and
sizes: what can be decided without the arrays is decided once, outside the loop over networks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from vynapse_core.errors import GraphError
from vynapse_core.shapes import Attributes, window_steps

Array = npt.NDArray[Any]
Sizes = Mapping[str, int]


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    # exp of a number that is never positive cannot overflow
    e = np.exp(np.copysign(x, -1.0))
    return np.where(x >= 0, 1.0, e).astype(e.dtype, copy=False) / (1.0 + e)


_erf_object = np.frompyfunc(math.erf, 1, 1)


def erf(x: Array) -> Array:
    """The error function of the standard library, element by element."""
    return np.asarray(_erf_object(x), dtype=x.dtype)


def total(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    """Sum over axes, in the dtype of x."""
    axes, keepdims = attributes["axes"], attributes["keepdims"]
    return lambda x: np.add.reduce(x, axis=axes, dtype=x.dtype, keepdims=keepdims)


def largest(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    """Maximum over axes; NaN where there is one."""
    axes, keepdims = attributes["axes"], attributes["keepdims"]
    return lambda x: np.maximum.reduce(x, axis=axes, keepdims=keepdims)


def argmax(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    """Index of the first maximum along an axis, int64."""
    axis, keepdims = attributes["axis"], attributes["keepdims"]
    return lambda x: np.asarray(np.argmax(x, axis=axis, keepdims=keepdims), dtype=np.int64)


def count(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    """Number of elements along axes, in the dtype of x."""
    axes = attributes["axes"]
    return lambda x: np.asarray(math.prod(x.shape[axis] for axis in axes), dtype=x.dtype)


def reshape(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    """The same elements in C order, in another shape."""
    shape = tuple(sizes[dim] if isinstance(dim, str) else dim for dim in attributes["shape"])
    return lambda x: x.reshape(shape)


def transpose(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    """The axes in another order."""
    axes = attributes["axes"]
    return lambda x: x.transpose(axes)


def expand_like(x: Array, like: Array) -> Array:
    """x, broadcast to the shape of like and written out."""
    result = np.empty(like.shape, x.dtype)
    result[...] = x
    return result


def sum_like(x: Array, like: Array) -> Array:
    """Sum of x over the axes that broadcasting gave it, down to the shape of like."""
    shape = (1,) * (x.ndim - like.ndim) + like.shape
    axes = tuple(axis for axis, size in enumerate(shape) if size == 1)
    return np.add.reduce(x, axis=axes, dtype=x.dtype, keepdims=True).reshape(like.shape)


def part(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    """The op `slice`: start to stop along an axis."""
    index = (slice(None),) * attributes["axis"] + (slice(attributes["start"], attributes["stop"]),)
    return lambda x: x[index]


def pad(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    """An axis made longer with a value at either end."""
    axis, before, after, value = (attributes[name] for name in ("axis", "before", "after", "value"))

    def pad(x: Array) -> Array:
        size = x.shape[axis]
        result = np.full((*x.shape[:axis], before + size + after, *x.shape[axis + 1 :]), value, x.dtype)
        result[(slice(None),) * axis + (slice(before, before + size),)] = x
        return result

    return pad


def concat(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    """Operands, joined along an axis."""
    axis = attributes["axis"]
    return lambda *arrays: np.concatenate(arrays, axis=axis)


def _check_indices(indices: Array, size: int) -> None:
    if indices.size and not 0 <= indices.min() <= indices.max() < size:
        wrong = indices.min() if indices.min() < 0 else indices.max()
        raise GraphError(f"index {wrong} is outside an axis of size {size}; expected 0 to {size - 1}")


def gather(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    """X at the indices along an axis; GraphError for an index outside it."""
    axis = attributes["axis"]

    def gather(x: Array, indices: Array) -> Array:
        _check_indices(indices, x.shape[axis])
        return np.take(x, indices, axis=axis)

    return gather


def scatter_add(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    """Zeros shaped as like, plus updates at the indices along an axis; GraphError for an index outside it."""
    axis = attributes["axis"]

    def scatter_add(like: Array, indices: Array, updates: Array) -> Array:
        _check_indices(indices, like.shape[axis])
        result = np.zeros(like.shape, updates.dtype)
        front = np.moveaxis(updates, range(axis, axis + indices.ndim), range(indices.ndim))
        np.add.at(np.moveaxis(result, axis, 0), indices, front)
        return result

    return scatter_add


def window(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    """Patches of the last axes, [.., *size, *positions]."""
    steps = window_steps(attributes)
    k = len(steps)

    def window(x: Array) -> Array:
        lead = x.ndim - k
        spans = tuple(dilation * (size - 1) + 1 for size, _, dilation in steps)
        view = np.lib.stride_tricks.sliding_window_view(x, spans, axis=tuple(range(lead, x.ndim)))
        places = [slice(None, None, stride) for _, stride, _ in steps]
        index: Any = (..., *places, *[slice(None, None, dilation) for _, _, dilation in steps])
        patches: Array = view[index]
        return patches.transpose(*range(lead), *range(lead + k, lead + 2 * k), *range(lead, lead + k))

    return window


def fold(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    """Patches, each added to its place in zeros shaped as like."""
    steps = window_steps(attributes)

    def fold(patches: Array, like: Array) -> Array:
        result = np.zeros(like.shape, patches.dtype)
        places = patches.shape[patches.ndim - len(steps) :]
        for offset in itertools.product(*[range(size) for size, _, _ in steps]):
            to = [
                slice(o * dilation, o * dilation + stride * (n - 1) + 1, stride)
                for o, n, (_, stride, dilation) in zip(offset, places, steps, strict=True)
            ]
            target: Any = (..., *to)
            source: Any = (..., *offset, *[slice(None)] * len(steps))
            result[target] += patches[source]
        return result

    return fold


def uniform(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    """Floats in [0, 1) shaped as like, out of a key uint64 [2] and a stream number."""
    counter = np.array([0, 0, 0, attributes["stream"]], dtype=np.uint64)

    def uniform(like: Array, key: Array) -> Array:
        """Words of Philox 4x64-10 (Salmon et al., SC 2011), counter words 1 to 3 being (0, 0, stream).

        Word 4n + m is word m of the block whose counter word 0 is n + 1 (NumPy counts before it draws).
        Elements are numbered in C order. float64: element i is (word i >> 11) * 2^-53. float32: element 2j
        takes the low and 2j + 1 the high 32 bits h of word j, as (h >> 8) * 2^-24.
        """
        source = np.random.Philox(counter=counter, key=np.asarray(key))
        if like.dtype == np.float64:
            words = source.random_raw(like.size)
            return ((words >> np.uint64(11)) * 2.0**-53).reshape(like.shape)
        halves = source.random_raw((like.size + 1) // 2).astype("<u8").view("<u4")[: like.size]
        scaled: Array = (halves >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
        return scaled.reshape(like.shape)

    return uniform


def cast(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    """The elements as another dtype, truncated towards 0."""
    dtype = np.dtype(attributes["dtype"])
    return lambda x: x.astype(dtype)
