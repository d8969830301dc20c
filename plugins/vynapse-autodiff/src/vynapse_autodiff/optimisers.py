# SPDX-License-Identifier: MIT OR Apache-2.0
"""The optimisers: SGD, momentum, Nesterov, Adam, AdamW, RMSprop, Adagrad, Lion and L-BFGS.

Each follows its paper in the form that PyTorch computes, so that hyperparameters mean what they mean there. In a recipe
an optimiser is a table whose `rule` names it.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vynapse_autodiff.lbfgs import Lbfgs
from vynapse_autodiff.optimiser import Optimiser, Values, towards
from vynapse_core import Scheduled, Value


class Sgd(Optimiser):
    """Against the gradient.  Reference: Robbins & Monro 1951."""

    rule: Literal["sgd"] = "sgd"
    """Which optimiser this is."""

    def step(
        self, parameter: Value, gradient: Value, kept: Values, counts: Values, rate: Value
    ) -> tuple[Value, Values]:
        """Return rate · g."""
        return rate * gradient, {}


class Momentum(Optimiser):
    """Against a decaying sum of gradients: v ← m v + g, x ← x − rate · v.  Reference: Polyak 1964."""

    of_each: ClassVar[tuple[str, ...]] = ("velocity",)

    rule: Literal["momentum"] = "momentum"
    """Which optimiser this is."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Share of the sum that is left after an update, within [0, 1)."""

    def step(
        self, parameter: Value, gradient: Value, kept: Values, counts: Values, rate: Value
    ) -> tuple[Value, Values]:
        """Return rate · v."""
        velocity = kept["velocity"] * self.momentum + gradient
        return rate * velocity, {"velocity": velocity}


class Nesterov(Optimiser):
    """Momentum that looks ahead: v ← m v + g, x ← x − rate · (g + m v).

    Reference: Nesterov 1983, in the form of Sutskever et al. 2013, section 2.
    """

    of_each: ClassVar[tuple[str, ...]] = ("velocity",)

    rule: Literal["nesterov"] = "nesterov"
    """Which optimiser this is."""
    momentum: float = Field(0.9, gt=0, lt=1)
    """Share of the sum that is left after an update, within (0, 1)."""

    def step(
        self, parameter: Value, gradient: Value, kept: Values, counts: Values, rate: Value
    ) -> tuple[Value, Values]:
        """Return rate · (g + m v)."""
        velocity = kept["velocity"] * self.momentum + gradient
        return rate * (gradient + velocity * self.momentum), {"velocity": velocity}


class Moments(Optimiser):
    """What Adam and AdamW share: against the mean gradient, by the root of the mean square, both moving.

    The corrections 1 − βᵗ are moving averages of 1, and so they are computed: nothing cancels for small t.
    """

    of_each: ClassVar[tuple[str, ...]] = ("mean", "square")
    of_all: ClassVar[tuple[str, ...]] = ("mean_weight", "square_weight")

    rate: Scheduled = Field(0.001, gt=0)
    """Learning rate: a number above 0, or a schedule over the trainer's steps."""
    beta1: float = Field(0.9, ge=0, lt=1)
    """Decay of the mean gradient, within [0, 1)."""
    beta2: float = Field(0.999, ge=0, lt=1)
    """Decay of the mean square, within [0, 1)."""
    epsilon: float = Field(1e-8, gt=0)
    """Added to the root, above 0."""

    def count(self, counts: Values) -> dict[str, Value]:
        """Return 1 − β1ᵗ and 1 − β2ᵗ after one more update."""
        return {
            "mean_weight": towards(counts["mean_weight"], 1.0, 1 - self.beta1),
            "square_weight": towards(counts["square_weight"], 1.0, 1 - self.beta2),
        }

    def step(
        self, parameter: Value, gradient: Value, kept: Values, counts: Values, rate: Value
    ) -> tuple[Value, Values]:
        """Return rate · m̂ / (√v̂ + ε)."""
        apply = parameter.builder.apply
        mean = towards(kept["mean"], gradient, 1 - self.beta1)
        square = towards(kept["square"], gradient * gradient, 1 - self.beta2)
        scale = 1.0 / apply("sqrt", counts["square_weight"])
        root = apply("sqrt", square) * scale + self.epsilon
        return mean * (rate / counts["mean_weight"]) / root, {"mean": mean, "square": square}


class Adam(Moments):
    """Against the mean gradient, by the root of the mean square.  Reference: Kingma & Ba 2015, alg. 1."""

    rule: Literal["adam"] = "adam"
    """Which optimiser this is."""


class AdamW(Moments):
    """Adam, and weights that shrink apart from the gradient: x ← x − rate · decay · x.

    Reference: Loshchilov & Hutter 2019, alg. 2.
    """

    rule: Literal["adamw"] = "adamw"
    """Which optimiser this is."""
    decay: float = Field(0.01, ge=0)
    """Share of each weight that is taken off, times the rate."""

    def step(
        self, parameter: Value, gradient: Value, kept: Values, counts: Values, rate: Value
    ) -> tuple[Value, Values]:
        """Return Adam's step and rate · decay · x."""
        step, after = super().step(parameter, gradient, kept, counts, rate)
        return step + parameter * (rate * self.decay), after


class RmsProp(Optimiser):
    """Against the gradient, by the root of its moving mean square.  Reference: Hinton 2012, lecture 6e."""

    of_each: ClassVar[tuple[str, ...]] = ("square",)

    rule: Literal["rmsprop"] = "rmsprop"
    """Which optimiser this is."""
    beta: float = Field(0.99, ge=0, lt=1)
    """Decay of the mean square, within [0, 1)."""
    epsilon: float = Field(1e-8, gt=0)
    """Added to the root, above 0."""

    def step(
        self, parameter: Value, gradient: Value, kept: Values, counts: Values, rate: Value
    ) -> tuple[Value, Values]:
        """Return rate · g / (√v + ε)."""
        square = towards(kept["square"], gradient * gradient, 1 - self.beta)
        root = parameter.builder.apply("sqrt", square) + self.epsilon
        return rate * gradient / root, {"square": square}


class Adagrad(Optimiser):
    """Against the gradient, by the root of the sum of all its squares.  Reference: Duchi, Hazan & Singer 2011."""

    of_each: ClassVar[tuple[str, ...]] = ("squares",)

    rule: Literal["adagrad"] = "adagrad"
    """Which optimiser this is."""
    start: float = Field(0.0, ge=0)
    """The sum before the first update, at least 0."""
    epsilon: float = Field(1e-10, gt=0)
    """Added to the root, above 0."""

    def first(self, name: str) -> float:
        """Return the sum before the first update."""
        return self.start

    def step(
        self, parameter: Value, gradient: Value, kept: Values, counts: Values, rate: Value
    ) -> tuple[Value, Values]:
        """Return rate · g / (√Σg² + ε)."""
        squares = kept["squares"] + gradient * gradient
        root = parameter.builder.apply("sqrt", squares) + self.epsilon
        return rate * gradient / root, {"squares": squares}


class Lion(Optimiser):
    """By the sign of a mean gradient, and weights that shrink apart from it.  Reference: Chen et al. 2023, alg. 2."""

    of_each: ClassVar[tuple[str, ...]] = ("mean",)

    rule: Literal["lion"] = "lion"
    """Which optimiser this is."""
    rate: Scheduled = Field(0.0001, gt=0)
    """Learning rate, the length of each step: a number above 0, or a schedule over the trainer's steps."""
    beta1: float = Field(0.9, ge=0, lt=1)
    """Share of the mean in the direction, within [0, 1)."""
    beta2: float = Field(0.99, ge=0, lt=1)
    """Decay of the mean gradient, within [0, 1)."""
    decay: float = Field(0.0, ge=0)
    """Share of each weight that is taken off, times the rate."""

    def step(
        self, parameter: Value, gradient: Value, kept: Values, counts: Values, rate: Value
    ) -> tuple[Value, Values]:
        """Return rate · (sign(β1 m + (1 − β1) g) + decay · x)."""
        direction = towards(kept["mean"], gradient, 1 - self.beta1)
        step = parameter.builder.apply("sign", direction)
        if self.decay:
            step = step + parameter * self.decay
        return step * rate, {"mean": towards(kept["mean"], gradient, 1 - self.beta2)}


AnyOptimiser = Annotated[
    Sgd | Momentum | Nesterov | Adam | AdamW | RmsProp | Adagrad | Lion | Lbfgs, Field(discriminator="rule")
]
"""A field of any of them; a recipe's table says which by `rule`."""
