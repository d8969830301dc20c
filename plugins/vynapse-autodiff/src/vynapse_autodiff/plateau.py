# SPDX-License-Identifier: MIT OR Apache-2.0
"""Plateau: a learning rate that falls when the loss does. As it follows the run, its state is part of the trainer's."""

from dataclasses import dataclass, replace
from math import inf

from pydantic import Field

from vynapse_core import Settings


@dataclass(frozen=True)
class Stall:
    """How long the loss has not fallen."""

    least: float = inf
    """The least loss so far."""
    steps: int = 0
    """Steps since, those of rest aside."""
    rest: int = 0
    """Steps that do not count, still to come."""
    scale: float = 1.0
    """What the rate is multiplied by."""


class Plateau(Settings):
    """Multiply the learning rate by a factor whenever the loss has not fallen for some steps.

    It watches the loss on the validation split, or on what is learnt from where there is none, and in the form that
    PyTorch's `ReduceLROnPlateau` has.
    """

    factor: float = Field(0.1, gt=0, lt=1)
    """What the rate is multiplied by, within (0, 1)."""
    patience: int = Field(10, ge=0)
    """Steps without a lower loss that are borne; the next one lowers the rate."""
    threshold: float = Field(1e-4, ge=0, lt=1)
    """Share of the least loss by which it must fall to count."""
    rest: int = Field(0, ge=0)
    """Steps after a multiplication that do not count."""
    least: float = Field(0.0, ge=0, le=1)
    """Where the product of all factors stops falling."""

    def after(self, stall: Stall, loss: float) -> Stall:
        """Return the state after a step's loss."""
        lower = loss < stall.least * (1 - self.threshold if stall.least >= 0 else 1 + self.threshold)
        resting = stall.rest > 0
        steps = 0 if lower or resting else stall.steps + 1
        following = Stall(loss if lower else stall.least, steps, max(0, stall.rest - 1), stall.scale)
        if steps <= self.patience:
            return following
        return replace(following, steps=0, rest=self.rest, scale=max(self.least, stall.scale * self.factor))
