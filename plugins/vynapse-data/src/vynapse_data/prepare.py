# SPDX-License-Identifier: MIT OR Apache-2.0
"""Making data fit for training: splits, scaling, targets. Pure functions; chance enters as a permutation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


def split(
    n: int, parts: Sequence[float], permutation: ArrayLike, labels: ArrayLike | None = None
) -> tuple[NDArray[np.intp], ...]:
    """Cut n samples into disjoint parts: one array of indices each, in the order of `permutation` [n].

    `parts` are counts (integers) or fractions of n (floats, rounded so that parts which sum to 1 use every
    sample once). With `labels` [n] the parts are stratified: each class is spread evenly over the order
    before it is cut, so that a part holds of every class its share, give or take a few samples. Raises
    DataError where the parts do not fit n, or one would be empty.
    """
    order = np.asarray(permutation)
    if order.shape != (n,) or order.dtype.kind not in "iu" or not np.array_equal(np.sort(order), np.arange(n)):
        raise DataError(f"split: expected a permutation of 0…{n - 1}, found {order.dtype} of shape {order.shape}")
    order = order.astype(np.intp)
    if labels is not None:
        order = _interleaved(order, np.asarray(labels))
    ends = _ends(n, parts)
    return tuple(order[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True))


def _ends(n: int, parts: Sequence[float]) -> list[int]:
    counted = bool(parts) and all(isinstance(part, int | np.integer) for part in parts)
    total = sum(parts)
    if not parts or any(not part > 0 for part in parts) or total > (n if counted else 1 + 1e-9):
        raise DataError(
            f"split of {n} samples: expected positive counts that sum to at most {n}, or fractions that "
            f"sum to at most 1; found {list(parts)}"
        )
    ends = [int(end) if counted else min(n, round(float(end) * n)) for end in np.cumsum(parts)]
    for number, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        if start == end:
            raise DataError(f"split of {n} samples by {list(parts)}: part {number} would be empty")
    return ends


def _interleaved(order: NDArray[np.intp], labels: NDArray[Any]) -> NDArray[np.intp]:
    """Reorder so that any stretch holds each class by its share: the r-th of c goes to (r + ½)/c."""
    if labels.shape != order.shape:
        raise DataError(f"split: expected one label for each of {order.size} samples, found shape {labels.shape}")
    _, classes, counts = np.unique(labels[order], return_inverse=True, return_counts=True)
    by_class = np.argsort(classes, kind="stable")
    starts = np.cumsum(counts) - counts
    rank = np.empty(order.size, np.intp)
    rank[by_class] = np.arange(order.size) - np.repeat(starts, counts)
    return order[np.argsort((rank + 0.5) / counts[classes], kind="stable")]


def standardise(train: ArrayLike, *others: ArrayLike) -> tuple[NDArray[np.float32], ...]:
    """Give each column of `train` [n, ...] mean 0 and deviation 1, and the others [m, ...] the same scaling.

    Mean and deviation are those of `train` alone, computed in float64. A column that is constant there is
    centred and not scaled, so no NaN arises. Returns float32 arrays, `train` first. Raises DataError where
    shapes do not fit or `train` is empty or not finite.
    """
    given = [np.asarray(array) for array in (train, *others)]
    first = given[0]
    if first.ndim == 0 or first.shape[0] == 0:
        raise DataError(f"standardise: expected at least one training sample, found shape {first.shape}")
    for array in given[1:]:
        if array.shape[1:] != first.shape[1:]:
            raise DataError(
                f"standardise: expected columns of shape {first.shape[1:]} as in training, found {array.shape[1:]}"
            )
    mean = np.mean(first, axis=0, dtype=np.float64)
    deviation = np.std(first, axis=0, dtype=np.float64)
    if not np.isfinite(deviation).all():
        raise DataError("standardise: the training samples hold values that are not finite, or whose square is not")
    # Rounding leaves a constant column a deviation near 1e-17: only its range tells.
    varies = (first.max(axis=0) != first.min(axis=0)) & (deviation > 0)
    scale = np.where(varies, deviation, 1.0)
    return tuple(np.asarray((array - mean) / scale, np.float32) for array in given)


def one_hot(ids: ArrayLike, classes: int) -> NDArray[np.float32]:
    """Turn class ids, integers [n] in 0…classes-1, into float32 [n, classes] with one 1 a row."""
    index = np.asarray(ids)
    if index.ndim != 1 or index.dtype.kind not in "iu":
        raise DataError(f"one_hot: expected integers [n], found {index.dtype} of shape {index.shape}")
    if index.size and not 0 <= index.min() <= index.max() < classes:
        raise DataError(f"one_hot: expected ids from 0 to {classes - 1}, found {index.min()} to {index.max()}")
    hot = np.zeros((index.size, classes), np.float32)
    hot[np.arange(index.size), index] = 1.0
    return hot
