# SPDX-License-Identifier: MIT OR Apache-2.0
"""Initialisers against the variance and the range that their papers give."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from vynapse_core import Streams
from vynapse_core.initialisers import He, Lecun, Normal, Uniform, Xavier, Zeros

FAN_OUT, FAN_IN = 30, 50


def draw(initialiser, n=40, name="weights"):
    return initialiser.draw(n, FAN_OUT, FAN_IN, Streams(7)(name))


@pytest.mark.parametrize(
    ("initialiser", "variance"),
    [
        (Xavier(), 2 / (FAN_IN + FAN_OUT)),
        (Xavier(distribution="normal", gain=2.0), 4 * 2 / (FAN_IN + FAN_OUT)),
        (He(), 2 / FAN_IN),
        (He(distribution="uniform"), 2 / FAN_IN),
        (Lecun(), 1 / FAN_IN),
        (Lecun(distribution="uniform", gain=0.5), 0.25 / FAN_IN),
        (Normal(sigma=0.3), 0.09),
        (Uniform(low=-0.6, high=0.6), 1.2**2 / 12),
    ],
)
def test_the_variance_is_the_papers(initialiser, variance):
    weights = draw(initialiser).astype(np.float64)
    n = weights.size
    # the sample variance of a normal deviates by √(2 / n), five times which is 2.9% here
    assert weights.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / n))
    assert abs(weights.mean()) < 5 * np.sqrt(variance / n)


def test_a_uniform_xavier_stays_within_the_papers_limit_and_fills_it():
    limit = np.sqrt(6 / (FAN_IN + FAN_OUT))
    weights = draw(Xavier())
    assert abs(weights).max() <= limit
    assert abs(weights).max() > 0.99 * limit


def test_an_interval_need_not_be_around_zero():
    weights = draw(Uniform(low=2.0, high=3.0))
    assert weights.min() >= 2
    assert weights.max() < 3


def test_zeros_are_zero():
    assert not draw(Zeros()).any()


@pytest.mark.parametrize("initialiser", [Zeros(), Uniform(), Normal(), Xavier(), He(), Lecun()])
def test_weights_are_float32_by_network_output_and_input(initialiser):
    weights = draw(initialiser, n=3)
    assert weights.shape == (3, FAN_OUT, FAN_IN)
    assert weights.dtype == np.float32
    assert draw(initialiser, n=0).shape == (0, FAN_OUT, FAN_IN)


@pytest.mark.parametrize("initialiser", [Uniform(), Normal(), Xavier(), He(), Lecun()])
def test_the_stream_decides_the_weights(initialiser):
    assert np.array_equal(draw(initialiser), draw(initialiser))
    assert not np.array_equal(draw(initialiser), draw(initialiser, name="other"))


def test_a_reversed_interval_is_refused():
    with pytest.raises(ValidationError, match=r"'low' \(1.0\) lies above 'high' \(0.0\)"):
        Uniform(low=1.0, high=0.0)


@pytest.mark.parametrize("gain", [0.0, -1.0])
def test_a_gain_that_is_not_positive_is_refused(gain):
    with pytest.raises(ValidationError, match="greater than 0"):
        Xavier(gain=gain)
