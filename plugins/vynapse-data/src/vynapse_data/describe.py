# SPDX-License-Identifier: MIT OR Apache-2.0
"""What is in data, in words and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_data.converted import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vynapse_core import Dataset, SupervisedTask

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def described(task: SupervisedTask) -> dict[str, Any]:
    """Return shapes, splits with their sizes, ranges and classes, and files, as plain values. Raises DataError."""
    return {
        "task": type(task).__name__,
        "inputs": list(task.inputs),
        "outputs": task.outputs,
        "targets": "classes" if task.classification else "numbers",
        "class_names": list(getattr(task, "class_names", ())),
        "splits": {split: _split(task.data(split), task.outputs) for split in task.splits},
        "files": list(task.provenance().get("files", [])),
    }


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was found, line by line."""
    yield f"inputs   {' x '.join(map(str, found['inputs']))}, float32"
    yield f"outputs  {found['outputs']}, {found['targets']}"
    if found["class_names"]:
        yield f"classes  {', '.join(found['class_names'])}"
    for name, split in found["splits"].items():
        between = f"inputs from {split['least']:g} to {split['greatest']:g}"
        yield f"{name}: {split['samples']} samples, {sized(split['bytes'])}, {between}"
        if "classes" in split:
            yield f"  samples of each class: {', '.join(map(str, split['classes']))}"
    for file in found["files"]:
        several = f"{file['count']} files, " if "count" in file else ""
        yield f"{file['path']}: {several}{file['bytes']} bytes, SHA-256 {file['sha256']}"


def sized(size: float) -> str:
    """Return a number of bytes in the unit that suits it: `179.9 MiB`."""
    unit = 0
    while size >= 1024 and unit < len(UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.1f} {UNITS[unit]}" if unit else f"{size:.0f} {UNITS[0]}"


def _split(data: Dataset, outputs: int) -> dict[str, Any]:
    # block by block, as a split may be larger than memory
    ranges = [(float(data.x[rows].min()), float(data.x[rows].max())) for rows in blocks(len(data), data.x.nbytes)]
    found: dict[str, Any] = {
        "samples": len(data),
        "bytes": data.x.nbytes + data.y.nbytes,
        "least": min(least for least, _ in ranges),
        "greatest": max(greatest for _, greatest in ranges),
    }
    if data.y.dtype == np.int64:
        found["classes"] = np.bincount(data.y, minlength=max(outputs, 2)).tolist()
    return found
