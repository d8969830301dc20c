# SPDX-License-Identifier: MIT OR Apache-2.0
"""The layer `dropout`: some values are left out while training."""

from typing import Literal

from pydantic import Field

from vynapse_autodiff.layers.layer import Layer, Scope
from vynapse_core import Value, where


class Dropout(Layer):
    """Values set to 0 at random while training, the others scaled up so that their mean stays; nothing afterwards.

    Networks that are trained side by side leave out the same.  Reference: Srivastava et al. 2014, section 10.
    """

    type: Literal["dropout"] = "dropout"
    """Which layer this is."""
    rate: float = Field(0.5, ge=0, lt=1)
    """Probability that a value is left out, within [0, 1)."""

    def build(self, x: Value, scope: Scope) -> Value:
        """Return `x` [B, ...], thinned out where it is trained."""
        if not scope.learning or not self.rate:
            return x
        return where(scope.uniform(x).less(self.rate), 0.0, x * (1.0 / (1.0 - self.rate)))
