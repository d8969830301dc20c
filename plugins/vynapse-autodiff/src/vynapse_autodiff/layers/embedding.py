# SPDX-License-Identifier: MIT OR Apache-2.0
"""The layer `embedding`: a learnt vector for each id."""

from typing import Literal

from pydantic import Field

from vynapse_autodiff.layers.layer import NORMAL, Layer, Scope
from vynapse_core import Initialiser, Value


class Embedding(Layer):
    """A learnt row for each id, [B, ...] to [B, ..., units]; ids are whole numbers from 0, as floats."""

    type: Literal["embedding"] = "embedding"
    """Which layer this is."""
    entries: int = Field(gt=0)
    """Number of ids; an id outside is taken as the nearest one within."""
    units: int = Field(gt=0)
    """Length of a row."""
    initialiser: Initialiser = NORMAL
    """Distribution of the first rows."""

    def build(self, x: Value, scope: Scope) -> Value:
        """Return the rows of the ids, parameter `weight` [entries, units]."""
        rows = scope.parameter("weight", (self.entries, self.units), self.initialiser, self.entries)
        apply = x.builder.apply
        ids = apply("maximum", apply("minimum", x, self.entries - 1.0), 0.0).cast("int64")
        return apply("gather", rows, ids)
