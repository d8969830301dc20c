# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which samples each batch takes: the order of an epoch is drawn from its own stream, whatever came before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vynapse_core import Streams


def per_epoch(samples: int, size: int) -> int:
    """Return how many batches an epoch has; samples that fill none are left out of it."""
    return samples // size


def rows(streams: Streams, first: int, count: int, samples: int, size: int) -> NDArray[np.int64]:
    """Return the samples of batches `first` to `first + count - 1` since the run began, int64 [count, size]."""
    each = per_epoch(samples, size)
    epochs = range(first // each, (first + count - 1) // each + 1)
    orders = [streams("shuffle", epoch).permutation(samples)[: each * size].reshape(each, size) for epoch in epochs]
    start = first % each
    return np.concatenate(orders)[start : start + count]
