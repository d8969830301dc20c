# SPDX-License-Identifier: MIT OR Apache-2.0
"""MNIST, the handwritten digits that every method of learning is measured on, and Fashion-MNIST, its harder twin."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from vynapse_core import Array
from vynapse_data.collection import Collection
from vynapse_data.idx_images import FASHION_MNIST, MNIST, read_idx_images
from vynapse_data.published_task import PublishedTask


class Mnist(PublishedTask):
    """Handwritten digits: 60,000 images to learn from and 10,000 to test on, 28 × 28 pixels, ten classes.

    Inputs are float32 [n, 784] in [0, 1], row by row; targets are class ids. The files are looked for at
    `path`; without it at $VYNAPSE_DATA/mnist, then in the user's cache folder, into which they are downloaded
    once and verified.  Reference: LeCun, Bottou, Bengio & Haffner 1998.
    """

    collection: ClassVar[Collection] = MNIST
    shape: ClassVar[tuple[int, ...]] = (784,)
    training_images: ClassVar[int] = 60_000
    class_names: ClassVar[tuple[str, ...]] = tuple("0123456789")

    @property
    def image(self) -> tuple[int, ...]:
        """One channel of 28 × 28 pixels."""
        return (1, 28, 28)

    def read(self, folder: Path) -> Mapping[str, tuple[Array, Array]]:
        """Return images and labels."""
        return read_idx_images(folder)


class FashionMnist(Mnist):
    """Articles of clothing: 60,000 images to learn from and 10,000 to test on, 28 × 28 pixels, ten classes.

    Inputs are float32 [n, 784] in [0, 1], row by row; targets are class ids. The files have the names of MNIST's, and
    are looked for at `path`; without it at $VYNAPSE_DATA/fashion_mnist, then in the user's cache folder, into which
    they are downloaded once and verified.  Reference: Xiao, Rasul & Vollgraf 2017.
    """

    collection: ClassVar[Collection] = FASHION_MNIST
    class_names: ClassVar[tuple[str, ...]] = (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    )  # fmt: skip
