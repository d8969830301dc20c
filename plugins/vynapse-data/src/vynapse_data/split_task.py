# SPDX-License-Identifier: MIT OR Apache-2.0
"""SplitTask: samples that come in one piece, cut by chance into train, validation and test."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from vynapse_core import Array, DataError, Dataset, Loss, SampledTask, Streams, installed, mistake
from vynapse_data.prepare import one_hot, split, standardise
from vynapse_data.provenance import data_record

if TYPE_CHECKING:
    from vynapse_core import Experiment


CROSS_ENTROPY: Any = "vynapse-tasks:cross_entropy"
"""The loss of tasks on classes: a name, as plugins meet in recipes; validation makes the component of it."""

TargetKind = Literal["auto", "classes", "numbers"]
"""What targets are, where a file leaves it open."""


class SplitTask(SampledTask):
    """A supervised task on one table of samples; `split_seed` alone decides the cut, not the run's seed."""

    loss: Loss = Field(CROSS_ENTROPY)
    """What is minimised: `cross_entropy` for classes, `mse` and the like for numbers."""
    validation: float = Field(0.0, ge=0, lt=1)
    """Share of the samples in the split `validation`; 0 for no such split."""
    test: float = Field(0.2, ge=0, lt=1)
    """Share of the samples in the split `test`; 0 for no such split. It does not change with `validation`."""
    split_seed: int = Field(0, ge=0, lt=2**63)
    """Seed of the draw that cuts the samples, apart from the run's seed."""
    stratified: bool = True
    """Whether each split holds of each class its share, where targets are classes."""
    standardise: bool = False
    """Whether inputs are scaled to mean 0 and deviation 1, column by column, by what the train split says."""
    one_hot: bool = False
    """Whether class ids become rows of numbers with a single 1, for losses that compare numbers."""

    @model_validator(mode="after")
    def _leaves_samples(self) -> Self:
        if self.validation + self.test >= 1:
            raise mistake(f"validation + test is {self.validation + self.test:g}, and leaves nothing to train on")
        return self

    @property
    @abstractmethod
    def source(self) -> str:
        """Where the samples come from, for error messages."""

    @abstractmethod
    def read(self) -> tuple[Array, Array]:
        """Return inputs [n] or [n, ...] and targets: class ids int64 [n], or floats [n] or [n, k]."""

    @property
    def files(self) -> tuple[str, ...]:
        """The files that are read, for the run's provenance."""
        return ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes by id, where the source has names."""
        return ()

    def provenance(self) -> Mapping[str, Any]:
        """Return the files with their SHA-256, and the splits' sizes."""
        return data_record(self.files, self.datasets)

    @property
    def classification(self) -> bool:
        """Whether targets are classes: ids, or rows with a single 1."""
        return self._first.y.ndim == 1 or all(_single_ones(data.y) for data in self.datasets.values())

    def load(self) -> Mapping[str, Dataset]:
        """Return the splits that have samples. Raises DataError that names the source."""
        x, y = self.read()
        try:
            x, y = _float32(x if x.ndim > 1 else x[:, None], "inputs"), checked_targets(y)
            pieces = self.pieces(y)
            inputs = [x[piece] for piece in pieces.values()]
            if self.standardise:
                inputs = list(standardise(*inputs))
            y = self.final_targets(y)
            return {name: Dataset(rows, y[piece]) for rows, (name, piece) in zip(inputs, pieces.items(), strict=True)}
        except DataError as error:
            raise DataError(f"{self.source}: {error}") from error

    def pieces(self, y: Array) -> dict[str, Array]:
        """Return the samples of each split that has some, by their targets; the train split first. Raises DataError."""
        parts = {"test": self.test, "validation": self.validation, "train": 1 - self.test - self.validation}
        parts = {name: share for name, share in parts.items() if share > 0}
        order = Streams(self.split_seed)("split").permutation(len(y))
        labels = y if y.ndim == 1 and self.stratified else None
        cut = dict(zip(parts, split(len(y), list(parts.values()), order, labels), strict=True))
        return {name: cut[name] for name in reversed(parts)}

    def final_targets(self, y: Array) -> Array:
        """Return targets as the task gives them: class ids as rows with a single 1 where `one_hot` asks for it."""
        if not self.one_hot:
            return y
        if y.ndim != 1:
            raise DataError("one_hot needs targets that are classes, and these are numbers")
        return one_hot(y, int(y.max()) + 1)

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where accuracy or cross entropy is asked for and the targets are numbers."""
        yield from super().problems(experiment)
        if (
            isinstance(self.loss, installed().find("loss", CROSS_ENTROPY))
            and self.outputs > 1
            and not self._distributions()
        ):
            yield "loss", "cross_entropy compares with classes, and the targets here are numbers; take 'mse'"

    def _distributions(self) -> bool:
        y = self._first.y
        return y.ndim == 1 or bool((y >= 0).all() and np.allclose(y.sum(axis=1), 1, atol=1e-3))


def class_ids(labels: Array) -> Array:
    """Return the ids of `labels` [n], int64 [n]: 0 for the least label, 1 for the next, and so on."""
    ids: Array = np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int64)
    return ids


def checked_targets(y: Array) -> Array:
    """Return class ids int64 [n], or numbers float32 [n, k], of targets as read. Raises DataError."""
    if y.ndim == 1 and y.dtype == np.int64:
        if y.size and y.max() == 0:
            raise DataError("all samples are of one class, so that there is nothing to learn")
        return y
    if y.ndim > 2:
        raise DataError(f"expected targets of shape [n] or [n, k], found {y.shape}")
    return _float32(y if y.ndim == 2 else y[:, None], "targets")


def _float32(values: Array, what: str) -> Array:
    with np.errstate(over="ignore"):
        narrow: Array = np.asarray(values, np.float32)
    if not np.isfinite(narrow).all():
        raise DataError(f"some {what} are not finite, or too large for float32")
    return narrow


def _single_ones(y: Array) -> bool:
    ones: Any = y == 1
    return y.shape[1] > 1 and bool((ones | (y == 0)).all() and (ones.sum(axis=1) == 1).all())
