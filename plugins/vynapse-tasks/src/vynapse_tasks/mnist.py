# SPDX-License-Identifier: MIT OR Apache-2.0
"""MNIST, the handwritten digits that every method of learning is measured on once."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import Field, model_validator

from vynapse_core import Array, DataPath, Dataset, Loss, Streams, mistake
from vynapse_tasks.data.mnist_files import missing, mnist_folder, read_mnist
from vynapse_tasks.data.prepare import split
from vynapse_tasks.losses import CrossEntropy
from vynapse_tasks.sampled_task import SampledTask

if TYPE_CHECKING:
    from vynapse_core import Experiment

TRAINING_IMAGES = 60_000


class Mnist(SampledTask):
    """Handwritten digits: 60,000 images to learn from and 10,000 to test on, 28 × 28 pixels, ten classes.

    Inputs are float32 [n, 784] in [0, 1], row by row; targets are class ids. The files are looked for at
    `path`; without it at $VYNAPSE_DATA/mnist, then in the user's cache folder, into which they are downloaded
    once and verified.  Reference: LeCun, Bottou, Bengio & Haffner 1998.
    """

    loss: Loss = CrossEntropy()
    """What is minimised."""
    path: DataPath | None = None
    """Folder of the four files, with or without `.gz`; a relative one starts from the working directory."""
    train: int | None = Field(None, gt=0, le=TRAINING_IMAGES)
    """Images to learn from, drawn by classes; without it, all that are not held out."""
    validation: int = Field(0, ge=0, lt=TRAINING_IMAGES)
    """Training images held out as the split `validation`, drawn by classes; the same whatever `train` is."""
    split_seed: int = Field(0, ge=0, lt=2**63)
    """Seed of these draws, apart from the run's seed."""

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if (self.train or 1) + self.validation > TRAINING_IMAGES:
            raise mistake(f"train + validation is above the {TRAINING_IMAGES} training images")
        return self

    @property
    def inputs(self) -> tuple[int, ...]:
        """784 pixels."""
        return (784,)

    @property
    def outputs(self) -> int:
        """Ten digits."""
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
        if self.path is not None and (absent := missing(Path(self.path))):
            yield "path", f"no {', '.join(absent)} (with or without .gz) in this folder"

    def load(self) -> Mapping[str, Dataset]:
        """Return the splits."""
        files = read_mnist(mnist_folder(self.path))
        return {**self._training(*files["train"]), "test": _dataset(*files["test"])}

    def _training(self, images: Array, labels: Array) -> Mapping[str, Dataset]:
        if self.train is None and not self.validation:
            return {"train": _dataset(images, labels)}
        parts = [self.validation, self.train or len(images) - self.validation]
        order = Streams(self.split_seed)("split").permutation(len(images))
        *held_out, learnt = split(len(images), [part for part in parts if part], order, labels)
        pieces = dict(zip(("train", "validation"), (learnt, *held_out), strict=False))
        return {name: _dataset(images[piece], labels[piece]) for name, piece in pieces.items()}


def _dataset(images: Array, labels: Array) -> Dataset:
    pixels = images.reshape(len(images), -1)
    return Dataset(np.divide(pixels, np.float32(255), dtype=np.float32), labels.astype(np.int64))
