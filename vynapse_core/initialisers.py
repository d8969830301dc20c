# SPDX-License-Identifier: MIT OR Apache-2.0
"""Initialisers: the distributions of first weights, shared by all that starts from random networks."""

from math import sqrt
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from vynapse_core.contracts.genome import Initialiser
from vynapse_core.population import Array
from vynapse_core.settings import mistake
from vynapse_core.streams import Stream


class Zeros(Initialiser):
    """All weights 0."""

    def draw(self, n: int, fan_out: int, fan_in: int, rng: Stream) -> Array:
        """Return zeros float32 [n, fan_out, fan_in]."""
        return np.zeros((n, fan_out, fan_in), np.float32)


class Uniform(Initialiser):
    """Weights uniform in an interval, whatever the size of the layer."""

    low: float = -1.0
    """The least weight."""
    high: float = 1.0
    """The greatest weight."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.low > self.high:
            raise mistake(f"'low' ({self.low}) lies above 'high' ({self.high})", "exchange them")
        return self

    def draw(self, n: int, fan_out: int, fan_in: int, rng: Stream) -> Array:
        """Return weights float32 [n, fan_out, fan_in]."""
        return rng.uniform((n, fan_out, fan_in), self.low, self.high)


class Normal(Initialiser):
    """Normal weights around 0, whatever the size of the layer."""

    sigma: float = Field(0.1, ge=0)
    """Standard deviation."""

    def draw(self, n: int, fan_out: int, fan_in: int, rng: Stream) -> Array:
        """Return weights float32 [n, fan_out, fan_in]."""
        return rng.normal((n, fan_out, fan_in), sigma=self.sigma)


class Xavier(Initialiser):
    """Weights of variance gain² · 2 / (fan_in + fan_out).

    Keeps the size of signals and of gradients from layer to layer where the activation is near the identity, as tanh is
    around 0.  Reference: Glorot & Bengio 2010, eq. 12 and 16.
    """

    distribution: Literal["uniform", "normal"] = "uniform"
    """Shape of the distribution; the variance is the same."""
    gain: float = Field(1.0, gt=0)
    """Factor on the standard deviation."""

    def draw(self, n: int, fan_out: int, fan_in: int, rng: Stream) -> Array:
        """Return weights float32 [n, fan_out, fan_in]."""
        deviation = self.gain * sqrt(2 / (fan_in + fan_out))
        return _drawn(self.distribution, deviation, (n, fan_out, fan_in), rng)


class He(Initialiser):
    """Weights of variance gain² · 2 / fan_in.

    Keeps the size of signals from layer to layer under ReLU, which drops half of them.

    Reference: He, Zhang, Ren & Sun 2015, eq. 10.
    """

    distribution: Literal["uniform", "normal"] = "normal"
    """Shape of the distribution; the variance is the same."""
    gain: float = Field(1.0, gt=0)
    """Factor on the standard deviation."""

    def draw(self, n: int, fan_out: int, fan_in: int, rng: Stream) -> Array:
        """Return weights float32 [n, fan_out, fan_in]."""
        return _drawn(self.distribution, self.gain * sqrt(2 / fan_in), (n, fan_out, fan_in), rng)


class Lecun(Initialiser):
    """Weights of variance gain² / fan_in.

    Keeps the size of signals from layer to layer where the activation has slope 1 around 0.

    Reference: LeCun, Bottou, Orr & Müller 1998, "Efficient BackProp", §4.6, eq. 16.
    """

    distribution: Literal["uniform", "normal"] = "normal"
    """Shape of the distribution; the variance is the same."""
    gain: float = Field(1.0, gt=0)
    """Factor on the standard deviation."""

    def draw(self, n: int, fan_out: int, fan_in: int, rng: Stream) -> Array:
        """Return weights float32 [n, fan_out, fan_in]."""
        return _drawn(self.distribution, self.gain * sqrt(1 / fan_in), (n, fan_out, fan_in), rng)


class Orthogonal(Initialiser):
    """Rows, or columns where these are fewer, that are orthogonal and of length gain.

    Keeps the length of signals through deep linear networks, and nearly so where the activation is near the identity.

    Reference: Saxe, McClelland & Ganguli 2014, section 3.
    """

    gain: float = Field(1.0, gt=0)
    """Length of the rows or columns."""

    def draw(self, n: int, fan_out: int, fan_in: int, rng: Stream) -> Array:
        """Return weights float32 [n, fan_out, fan_in]."""
        few, many = sorted((fan_out, fan_in))
        rows = _orthonormal(rng.normal((n, few, many), dtype=np.float64)) * self.gain
        return np.ascontiguousarray(rows if few == fan_out else rows.transpose(0, 2, 1), np.float32)


def _orthonormal(rows: Array) -> Array:
    """Return `rows` [n, few, many] made orthogonal one after the other, each of length 1 (Gram & Schmidt, twice).

    Sums are NumPy's own, as a BLAS with another number of threads would give other bits.
    """
    done = np.empty_like(rows)
    for at in range(rows.shape[1]):
        row, before = rows[:, at], done[:, :at]
        for _ in range(2):
            along = (before * row[:, None, :]).sum(axis=2)
            row = row - (before * along[:, :, None]).sum(axis=1)
        done[:, at] = row / np.sqrt((row * row).sum(axis=1, keepdims=True))
    return done


def _drawn(distribution: str, deviation: float, shape: tuple[int, ...], rng: Stream) -> Array:
    if distribution == "normal":
        return rng.normal(shape, sigma=deviation)
    limit = sqrt(3) * deviation  # a uniform number in ±limit has the standard deviation limit / √3
    return rng.uniform(shape, -limit, limit)
