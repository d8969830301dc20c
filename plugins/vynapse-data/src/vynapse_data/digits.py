# SPDX-License-Identifier: MIT OR Apache-2.0
"""The digits that come with scikit-learn: small enough to learn in seconds, and there without a download."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from vynapse_core import Array, DataError
from vynapse_data.augmented_task import AugmentedTask
from vynapse_data.split_task import SplitTask

INK = 16
"""The greatest value of a pixel."""


class Digits(SplitTask, AugmentedTask):
    """Handwritten digits: 1,797 images of 8 × 8 pixels, inputs float32 [n, 64] in [0, 1], ten classes.

    Needs scikit-learn, of which only the data is read. Four fifths are the split `train`, the rest `test`.
    Reference: Alpaydin & Kaynak 1998, UCI repository.
    """

    @property
    def source(self) -> str:
        """The data set's name."""
        return "digits"

    @property
    def inputs(self) -> tuple[int, ...]:
        """64 pixels."""
        return (64,)

    @property
    def outputs(self) -> int:
        """Ten digits."""
        return 10

    @property
    def classification(self) -> bool:
        """Ten classes."""
        return True

    @property
    def image(self) -> tuple[int, ...]:
        """One channel of 8 × 8 pixels."""
        return (1, 8, 8)

    def read(self) -> tuple[Array, Array]:
        """Return all images and their classes. Raises DataError where scikit-learn is not installed."""
        table = _table()
        return table[:, :-1] / np.float32(INK), table[:, -1].astype(np.int64)


def _table() -> Array:
    """Return float32 [1797, 65], 64 pixels and the digit.

    The file is read without importing scikit-learn, which takes seconds.
    """
    spec = find_spec("sklearn")
    if spec is None:
        raise DataError('the digits come with scikit-learn, which is not installed: pip install "vynapse-data[digits]"')
    file = Path(spec.origin or "").parent / "datasets" / "data" / "digits.csv.gz"
    if file.is_file():
        return np.loadtxt(file, np.float32, delimiter=",")
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return np.column_stack([x, y]).astype(np.float32)
