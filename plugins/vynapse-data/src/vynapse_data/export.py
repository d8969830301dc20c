# SPDX-License-Identifier: MIT OR Apache-2.0
"""Splits written to files: a table or an archive for each, or the numbers of their rows in the source."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np

from vynapse_core import DataError
from vynapse_data.converted import blocks
from vynapse_data.split_task import SplitTask, checked_targets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vynapse_core import Dataset, SupervisedTask


def write_splits(task: SupervisedTask, folder: Path, form: str) -> Iterator[Path]:
    """Write the splits of a task as `csv`, `npz` or `index`, and yield each file once it is written.

    A table has the inputs in the columns x0, x1, … and the targets in y or y0, y1, …; classes are ids. Raises DataError
    where the folder holds such a file already, and for the index of a task that does not cut its samples itself.
    """
    files = [folder / "split.json"] if form == "index" else [folder / f"{split}.{form}" for split in task.splits]
    there = [file for file in files if file.exists()]
    if there:
        raise DataError(f"{there[0]} exists already; name another folder, or delete it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if form == "index":
            _write_index(task, files[0])
            yield files[0]
            return
        for split, file in zip(task.splits, files, strict=True):
            data = task.data(split)
            if form == "npz":
                np.savez(file, x=data.x, y=data.y)
            else:
                _write_csv(data, file)
            yield file
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _write_csv(data: Dataset, file: Path) -> None:
    x, y = data.x.reshape(len(data), -1), data.y.reshape(len(data), -1)
    names = [f"x{at}" for at in range(x.shape[1])]
    names += ["y"] if y.shape[1] == 1 else [f"y{at}" for at in range(y.shape[1])]
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(names)
        for rows in blocks(len(data), x.nbytes):
            # a float32 printed by itself has the digits that it takes to read it back, and no more
            inputs, targets = x[rows].astype(str).tolist(), y[rows].astype(str).tolist()
            writer.writerows([*left, *right] for left, right in zip(inputs, targets, strict=True))


def _write_index(task: SupervisedTask, file: Path) -> None:
    if not isinstance(task, SplitTask):
        raise DataError(f"the splits of {type(task).__name__} are files of their own; take csv or npz")
    pieces = task.pieces(checked_targets(task.read()[1]))
    file.write_text(json.dumps({name: rows.tolist() for name, rows in pieces.items()}) + "\n", encoding="utf-8")
