# SPDX-License-Identifier: MIT OR Apache-2.0
"""CIFAR-10 in its binary version: six files of 10,000 records, each a byte of label and 3 x 32 x 32 bytes of pixels.

Reference: Krizhevsky 2009, "Learning multiple layers of features from tiny images", and the data set's page.
"""

import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from vynapse_core import Array, DataError
from vynapse_data.collection import Collection, Content, file_in
from vynapse_data.idx import gunzipped
from vynapse_data.published_task import PublishedTask

SHAPE = (3, 32, 32)
"""Of an image: channels red, green and blue, rows, columns."""
RECORD = 1 + 3 * 32 * 32
PER_FILE = 10_000

CIFAR10 = Collection(
    "cifar10",
    "CIFAR-10",
    {
        name: Content(RECORD * PER_FILE, sha256)
        for name, sha256 in {
            "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
            "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
            "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
            "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
            "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
            "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
        }.items()
    },
    ("https://www.cs.toronto.edu/~kriz/",),
    archive="cifar-10-binary.tar.gz",
)


def read_cifar10(folder: Path) -> dict[str, tuple[Array, Array]]:
    """Read `{"train": (images, labels), "test": (images, labels)}`.

    Images are uint8 [n, 3, 32, 32], labels uint8 [n], 0 to 9; n is 50,000 and 10,000. Raises DataError where a file is
    missing, of another size, or has another label.
    """
    *train, test = (_read(file_in(folder, name)) for name in CIFAR10.files)
    images, labels = (np.concatenate(parts) for parts in zip(*train, strict=True))
    return {"train": (images, labels), "test": test}


def _read(file: Path) -> tuple[Array, Array]:
    expected = RECORD * PER_FILE
    try:
        with file.open("rb") as raw, gunzipped(raw) as stream:
            size = os.fstat(raw.fileno()).st_size if stream is raw else 0
            data = stream.read(expected + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error
    if len(data) != expected:
        found = size or ("more" if len(data) > expected else len(data))
        raise DataError(
            f"{file}: expected {expected} bytes, {PER_FILE} records of a label and {'x'.join(map(str, SHAPE))} pixels; "
            f"found {found}"
        )
    records = np.frombuffer(data, np.uint8).reshape(PER_FILE, RECORD)
    labels = records[:, 0]
    if labels.max() > 9:
        record = int(np.argmax(labels > 9))
        raise DataError(f"{file}: expected labels from 0 to 9, found {labels[record]} in record {record}")
    return records[:, 1:].reshape(PER_FILE, *SHAPE), labels


class Cifar10(PublishedTask):
    """Photographs of objects: 50,000 to learn from and 10,000 to test on, 3 × 32 × 32 pixels, ten classes.

    Inputs are float32 [n, 3, 32, 32] in [0, 1], channels first; targets are class ids. The six files of the binary
    version are looked for at `path`; without it at $VYNAPSE_DATA/cifar10, then in the user's cache folder, into which
    they are downloaded once and verified.  Reference: Krizhevsky 2009.
    """

    collection: ClassVar[Collection] = CIFAR10
    shape: ClassVar[tuple[int, ...]] = SHAPE
    training_images: ClassVar[int] = 50_000
    class_names: ClassVar[tuple[str, ...]] = (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip

    def read(self, folder: Path) -> Mapping[str, tuple[Array, Array]]:
        """Return images and labels."""
        return read_cifar10(folder)
