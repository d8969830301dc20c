# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which samples each batch takes: the order of an epoch is drawn from its own stream, whatever came before."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vynapse_autodiff.layers.layer import KEY
from vynapse_autodiff.training_step import RATE, TARGET, keys
from vynapse_core import Array, Streams

if TYPE_CHECKING:
    from vynapse_autodiff.lesson import Lesson, Updating

Rows = NDArray[np.int64]

CHUNK = 64
"""Augmented batches at most that are in memory together."""
CHUNK_BYTES = 2**26
"""Bytes that they may fill, one batch aside."""


def per_epoch(samples: int, size: int) -> int:
    """Return how many batches an epoch has; samples that fill none are left out of it."""
    return samples // size


def rows(streams: Streams, first: int, count: int, samples: int, size: int) -> Rows:
    """Return the samples of batches `first` to `first + count - 1` since the run began, int64 [count, size]."""
    each = per_epoch(samples, size)
    epochs = range(first // each, (first + count - 1) // each + 1)
    orders = [streams("shuffle", epoch).permutation(samples)[: each * size].reshape(each, size) for epoch in epochs]
    start = first % each
    return np.concatenate(orders)[start : start + count]


def held_out(streams: Streams, samples: int, share: float) -> tuple[Rows, Rows]:
    """Return the samples to learn from and those to judge by, int64 [n] each and rising: a share of all, one at least.

    The second is empty for a share of 0.
    """
    order = np.asarray(streams("validation").permutation(samples), np.int64)
    held = held_count(samples, share)
    return np.sort(order[held:]), np.sort(order[:held])


def held_count(samples: int, share: float) -> int:
    """Return how many samples a share of them is: none for a share of 0, else one at least, and never all."""
    return min(max(1, round(samples * share)), samples - 1) if share else 0


@dataclass(frozen=True)
class Feed:
    """What a step's updates take in, in the form that `Updating` wants."""

    lesson: Lesson
    streams: Streams
    first: int
    """Number of the step's first update since the run began."""
    rows: Rows | None
    """Samples of each update, [updates, size]; None where all take all samples."""
    rate: float

    def run(
        self, update: Updating, arrays: Mapping[str, Array], first: int, count: int
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return parameters and memory after the step's updates from `first` on, and what each measured, [count, P]."""
        after, told = dict(arrays), []
        for inputs, batches, several in self._pieces(first, count):
            after, seen = update(after, inputs, batches, several)
            told.append(seen)
        return after, {name: np.concatenate([seen[name] for seen in told]) for name in told[0]}

    def _pieces(self, first: int, count: int) -> Iterator[tuple[dict[str, Array], dict[str, Array], int]]:
        """Yield (inputs, batches, number of updates): all at once, or where samples are augmented, chunk by chunk."""
        data = self.lesson.data
        mine = None if self.rows is None else self.rows[first : first + count]
        if mine is None or not self.lesson.task.augments:
            batches = {} if mine is None else {"x": mine, TARGET: mine}
            yield self._keyed({"x": data.x, TARGET: data.y}, batches, first, count)
            return
        made = self.lesson.task.batches(mine, self.first + first, self.streams)
        size = mine.shape[1]
        chunk = max(1, min(CHUNK, CHUNK_BYTES // max(1, size * data.x[:1].nbytes)))
        try:
            while several := list(islice(made, chunk)):
                inputs = {
                    "x": np.concatenate([batch.x for batch in several]),
                    TARGET: np.concatenate([batch.y for batch in several]),
                }
                order = np.arange(len(several) * size).reshape(len(several), size)
                yield self._keyed(inputs, {"x": order, TARGET: order}, first, len(several))
                first += len(several)
        finally:
            if isinstance(made, Generator):
                made.close()

    def _keyed(
        self, inputs: dict[str, Array], batches: dict[str, Array], first: int, count: int
    ) -> tuple[dict[str, Array], dict[str, Array], int]:
        """Return inputs and batches with the rate, and with keys where networks draw random numbers."""
        step = self.lesson.step
        inputs[RATE] = np.asarray(self.rate, step.graph.nodes[step.graph.inputs[RATE]].dtype)
        if step.draws:
            inputs[KEY], batches[KEY] = keys(self.streams, self.first + first, count)
        return inputs, batches, count
