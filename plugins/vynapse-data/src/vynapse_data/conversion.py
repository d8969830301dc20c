# SPDX-License-Identifier: MIT OR Apache-2.0
"""Samples written in the order of their splits, so that each split is one stretch of a mapped file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import DataError
from vynapse_data.converted import blocks, in_order
from vynapse_data.split_task import checked_targets

if TYPE_CHECKING:
    from pathlib import Path

    from vynapse_core import Array
    from vynapse_data.split_task import SplitTask


def cut(task: SplitTask, x: Array, y: Array, folder: Path) -> dict[str, Any]:
    """Write `x.npy` and `y.npy` of samples x float32 [n, ...] as a task cuts and scales them; return `samples`.

    No more than some megabytes of `x` are in memory at a time. Raises DataError that names the source.
    """
    try:
        y = checked_targets(y)
        pieces = task.pieces(y)
        order = np.concatenate(list(pieces.values()))
        final = task.final_targets(y)[order]
    except DataError as error:
        raise DataError(f"{task.source}: {error}") from error
    out = in_order(x, order, folder / "x.npy")
    if task.standardise:
        _standardise(out, len(pieces["train"]))
    np.save(folder / "y.npy", final, allow_pickle=False)
    return {"samples": {name: len(piece) for name, piece in pieces.items()}}


def _standardise(x: Array, train: int) -> None:
    """Scale a mapped array [n, ...] in its place, as `prepare.standardise` does, by its first `train` rows."""
    first = list(blocks(train, x[:train].nbytes))
    mean = sum((x[rows].sum(axis=0, dtype=np.float64) for rows in first), np.zeros(x.shape[1:])) / train
    squares = sum((np.square(x[rows] - mean).sum(axis=0) for rows in first), np.zeros(x.shape[1:]))
    least = np.minimum.reduce([x[rows].min(axis=0) for rows in first])
    greatest = np.maximum.reduce([x[rows].max(axis=0) for rows in first])
    scale = np.where((least != greatest) & (squares > 0), np.sqrt(squares / train), 1.0)
    for rows in blocks(len(x), x.nbytes):
        x[rows] = (x[rows] - mean) / scale
