# SPDX-License-Identifier: MIT OR Apache-2.0
"""Initialisers against the variance and the range that their papers give."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from vynapse_core import Streams
from vynapse_core.initialisers import He, Lecun, Normal, Orthogonal, Uniform, Xavier, Zeros

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


@pytest.mark.parametrize(("fan_out", "fan_in"), [(3, 8), (8, 3), (5, 5), (1, 4)])
def test_orthogonal_rows_or_columns_have_the_length_of_the_gain(fan_out, fan_in):
    weights = Orthogonal(gain=2.0).draw(4, fan_out, fan_in, Streams(7)("weights")).astype(np.float64)
    few = weights if fan_out <= fan_in else weights.transpose(0, 2, 1)
    wanted = np.broadcast_to(4.0 * np.eye(few.shape[1]), (4, few.shape[1], few.shape[1]))
    np.testing.assert_allclose(few @ few.transpose(0, 2, 1), wanted, atol=1e-6)


def test_every_rotation_is_as_likely_as_its_mirror_image():
    signs = np.sign(np.linalg.det(Orthogonal().draw(400, 3, 3, Streams(7)("weights"))))
    assert abs(signs.sum()) < 100, "five standard deviations of the sum of 400 fair signs"


def test_zeros_are_zero():
    assert not draw(Zeros()).any()


@pytest.mark.parametrize("initialiser", [Zeros(), Uniform(), Normal(), Xavier(), He(), Lecun(), Orthogonal()])
def test_weights_are_float32_by_network_output_and_input(initialiser):
    weights = draw(initialiser, n=3)
    assert weights.shape == (3, FAN_OUT, FAN_IN)
    assert weights.dtype == np.float32
    assert draw(initialiser, n=0).shape == (0, FAN_OUT, FAN_IN)


@pytest.mark.parametrize("initialiser", [Uniform(), Normal(), Xavier(), He(), Lecun(), Orthogonal()])
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
