# SPDX-License-Identifier: MIT OR Apache-2.0
"""MNIST and Fashion-MNIST: four IDX files each, of the same names and shapes.

Sizes and digests are those of the original distributions (LeCun, Cortes & Burges 1998; Xiao, Rasul & Vollgraf 2017).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vynapse_core import DataError
from vynapse_data.collection import Collection, Content, file_in
from vynapse_data.idx import read_idx

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MNIST = Collection(
    "mnist",
    "MNIST",
    {
        "train-images-idx3-ubyte": Content(
            47040016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte": Content(60008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        "t10k-images-idx3-ubyte": Content(7840016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        "t10k-labels-idx1-ubyte": Content(10008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    },
    (
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
)
FASHION_MNIST = Collection(
    "fashion_mnist",
    "Fashion-MNIST",
    {
        "train-images-idx3-ubyte": Content(
            26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
        ),
        "train-labels-idx1-ubyte": Content(29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        "t10k-images-idx3-ubyte": Content(4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        "t10k-labels-idx1-ubyte": Content(5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    },
    (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    packed=True,
)
SPLITS = {"train": ("train", 60000), "test": ("t10k", 10000)}


def read_idx_images(folder: Path) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Read `{"train": (images, labels), "test": (images, labels)}`.

    Images are uint8 [n, 28, 28], 0 for paper and 255 for ink; labels are uint8 [n], 0 to 9; n is 60000 and
    10000. Raises DataError where a file is missing or does not hold this.
    """
    return {split: _read_split(folder, *SPLITS[split]) for split in SPLITS}


def _read_split(folder: Path, prefix: str, n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    arrays = []
    for name, shape in (
        (f"{prefix}-images-idx3-ubyte", (n, 28, 28)),
        (f"{prefix}-labels-idx1-ubyte", (n,)),
    ):
        file = file_in(folder, name)
        array = read_idx(file)
        if array.dtype != "uint8" or array.shape != shape:
            raise DataError(f"{file}: expected uint8 of shape {shape}, found {array.dtype} of shape {array.shape}")
        arrays.append(array)
    images, labels = arrays
    if labels.max() > 9:
        raise DataError(f"{file}: expected labels from 0 to 9, found {labels.max()}")
    return images, labels
