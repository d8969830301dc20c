# SPDX-License-Identifier: MIT OR Apache-2.0
"""SampledTask: a supervised task whose samples lie in memory, loaded once, at the first use."""

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property

from vynapse_core.contracts.task import Dataset, SupervisedTask
from vynapse_core.errors import DataError


class SampledTask(SupervisedTask):
    """A supervised task that loads all its splits at once; shapes and classes are read off the data."""

    @abstractmethod
    def load(self) -> Mapping[str, Dataset]:
        """Return the splits by name, the one to learn from first. Raises DataError."""

    @cached_property
    def datasets(self) -> Mapping[str, Dataset]:
        """The splits by name. Loaded at the first use, then kept with this object."""
        return self.load()

    @property
    def inputs(self) -> tuple[int, ...]:
        """Shape of one sample's input."""
        return tuple(self._first.x.shape[1:])

    @property
    def outputs(self) -> int:
        """Number of classes, or of targets."""
        y = self._first.y
        return int(y.shape[1]) if y.ndim == 2 else int(max(data.y.max() for data in self.datasets.values())) + 1

    @property
    def classification(self) -> bool:
        """Whether targets are class ids."""
        return bool(self._first.y.ndim == 1)

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits."""
        return tuple(self.datasets)

    def data(self, split: str) -> Dataset:
        """Return a split. Raises DataError for a name that is none of `splits`."""
        if split not in self.splits:
            raise DataError(f"this task has no split {split!r}; it has {', '.join(self.splits)}")
        return self.datasets[split]

    @property
    def _first(self) -> Dataset:
        return self.datasets[self.splits[0]]
