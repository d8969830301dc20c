# SPDX-License-Identifier: MIT OR Apache-2.0
"""Images of 784 pixels and their classes: MNIST's first, or random ones of the same shape."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from vynapse_core import Array, Task
from vynapse_core.catalogue import installed


def images(n: int, folder: Path | None, split: str = "train") -> tuple[Array, Array, str]:
    """Return n images float32 [n, 784] in [0, 1], their classes int64 [n], and where they come from."""
    if folder is None:
        rng = np.random.default_rng(0)
        return rng.random((n, 784), np.float32), rng.integers(0, 10, n), "random images of MNIST's shape"
    task = installed().build(Task, {"type": "mnist", "path": str(folder)})
    data = task.data(split)
    return np.ascontiguousarray(data.x[:n]), np.ascontiguousarray(data.y[:n]), f"MNIST's first {n:,} images, {split}"


def default_folder() -> Path | None:
    """Return the folder of MNIST's files that the environment names, if it is there."""
    folder = Path(os.environ.get("VYNAPSE_DATA", "")) / "mnist"
    return folder if os.environ.get("VYNAPSE_DATA") and folder.is_dir() else None
