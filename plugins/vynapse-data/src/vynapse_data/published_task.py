# SPDX-License-Identifier: MIT OR Apache-2.0
"""PublishedTask: a published collection of images with training and test images of its own."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from vynapse_core import Array, DataPath, Dataset, Loss, Streams, mistake
from vynapse_data.augmented_task import AugmentedTask
from vynapse_data.collection import Collection, collection_folder, file_in, missing
from vynapse_data.prepare import split
from vynapse_data.provenance import data_record
from vynapse_data.split_task import CROSS_ENTROPY

if TYPE_CHECKING:
    from vynapse_core import Experiment


class PublishedTask(AugmentedTask):
    """Images of ten classes, uint8 in their files and float32 in [0, 1] here; the test images are the collection's."""

    collection: ClassVar[Collection]
    """The files."""
    shape: ClassVar[tuple[int, ...]]
    """Of a sample's input."""
    training_images: ClassVar[int]
    """How many images there are to learn from."""
    class_names: ClassVar[tuple[str, ...]]
    """By class id."""

    loss: Loss = Field(CROSS_ENTROPY)
    """What is minimised."""
    path: DataPath | None = None
    """Folder of the files, with or without `.gz`; a relative one starts from the working directory."""
    train: int | None = Field(None, gt=0)
    """Images to learn from, drawn by classes; without it, all that are not held out."""
    validation: int = Field(0, ge=0)
    """Training images held out as the split `validation`, drawn by classes; the same whatever `train` is."""
    split_seed: int = Field(0, ge=0, lt=2**63)
    """Seed of these draws, apart from the run's seed."""

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if (self.train or 1) + self.validation > self.training_images:
            raise mistake(f"train + validation is above the {self.training_images} training images")
        return self

    @abstractmethod
    def read(self, folder: Path) -> Mapping[str, tuple[Array, Array]]:
        """Return images uint8 [n, ...] and labels uint8 [n] of the splits `train` and `test`. Raises DataError."""

    @property
    def inputs(self) -> tuple[int, ...]:
        """Shape of an input."""
        return self.shape

    @property
    def outputs(self) -> int:
        """Ten classes."""
        return 10

    @property
    def classification(self) -> bool:
        """Ten classes."""
        return True

    @property
    def splits(self) -> tuple[str, ...]:
        """Training, what is held out of it, and test."""
        return ("train", "validation", "test") if self.validation else ("train", "test")

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where `path` lacks files; nothing is read or downloaded yet."""
        yield from super().problems(experiment)
        if self.path is not None and (absent := missing(Path(self.path), self.collection.files)):
            yield "path", f"no {', '.join(absent)} (with or without .gz) in this folder"

    def load(self) -> Mapping[str, Dataset]:
        """Return the splits."""
        read = self.read(collection_folder(self.collection, self.path))
        return {**self._training(*read["train"]), "test": self._dataset(*read["test"])}

    def provenance(self) -> Mapping[str, Any]:
        """Return the files with their SHA-256, and the splits' sizes."""
        folder = collection_folder(self.collection, self.path)
        return data_record([file_in(folder, name) for name in self.collection.files], self.datasets)

    def _training(self, images: Array, labels: Array) -> Mapping[str, Dataset]:
        if self.train is None and not self.validation:
            return {"train": self._dataset(images, labels)}
        parts = [self.validation, self.train or len(images) - self.validation]
        order = Streams(self.split_seed)("split").permutation(len(images))
        *held_out, learnt = split(len(images), [part for part in parts if part], order, labels)
        pieces = dict(zip(("train", "validation"), (learnt, *held_out), strict=False))
        return {name: self._dataset(images[piece], labels[piece]) for name, piece in pieces.items()}

    def _dataset(self, images: Array, labels: Array) -> Dataset:
        pixels = images.reshape(len(images), *self.shape)
        return Dataset(np.divide(pixels, np.float32(255), dtype=np.float32), labels.astype(np.int64))
