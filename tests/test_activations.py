# SPDX-License-Identifier: MIT OR Apache-2.0
"""Activations on the reference device, against SciPy and closed forms, at inputs small and large."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import special, stats

from vynapse_core import Builder
from vynapse_core.activations import (
    Elu,
    Gauss,
    Gelu,
    Identity,
    LeakyRelu,
    Relu,
    Sigmoid,
    Silu,
    Sin,
    Softmax,
    Softplus,
    Tanh,
)
from vynapse_core.devices.reference import Reference

INPUTS = np.concatenate(
    [[0.0, -0.0, 1e-7, -1e-7, 1e-4, -1e-4, 100, -100, 88.8, -88.8, 30, -30], np.linspace(-8, 8, 160)]
)

CLOSED_FORMS = [
    (Identity(), lambda x: x),
    (Tanh(), np.tanh),
    (Sigmoid(), special.expit),
    (Relu(), lambda x: np.maximum(x, 0)),
    (LeakyRelu(), lambda x: np.where(x > 0, x, 0.01 * x)),
    (LeakyRelu(slope=0.3), lambda x: np.where(x > 0, x, 0.3 * x)),
    (LeakyRelu(slope=2.0), lambda x: np.where(x > 0, x, 2 * x)),
    (Elu(), lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
    (Elu(alpha=1.7), lambda x: np.where(x > 0, x, 1.7 * np.expm1(np.minimum(x, 0)))),
    (Gelu(), lambda x: x * stats.norm.cdf(x)),
    (Silu(), lambda x: x * special.expit(x)),
    (Softplus(), lambda x: np.logaddexp(x, 0)),
    (Softmax(), lambda x: special.softmax(x, axis=-1)),
    (Sin(), np.sin),
    (Gauss(), lambda x: np.exp(-(x**2))),
]
NAMES = [repr(activation) for activation, _ in CLOSED_FORMS]


def computed(activation, x):
    """Return `activation` of the rows `x` [B, k], in the dtype of x."""
    builder = Builder()
    value = builder.input("x", ("B", x.shape[1]), str(x.dtype))
    graph = builder.graph({"y": activation.build(value) + builder.parameter("zero", (), str(x.dtype))})
    return Reference().compile(graph)({"zero": np.zeros(1, x.dtype)}, {"x": x})["y"][0]


@pytest.mark.parametrize(("activation", "formula"), CLOSED_FORMS, ids=NAMES)
def test_an_activation_is_its_closed_form(activation, formula):
    x = INPUTS.reshape(4, -1)
    assert np.allclose(computed(activation, x), formula(x), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(("activation", "formula"), CLOSED_FORMS, ids=NAMES)
def test_float32_is_finite_and_as_good_as_float32_can_be(activation, formula):
    x = INPUTS.astype(np.float32).reshape(4, -1)
    y = computed(activation, x)
    assert y.dtype == np.float32
    assert y.shape == x.shape
    assert np.isfinite(y).all()
    assert np.allclose(y, formula(x.astype(np.float64)), rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize("x", [-1e-6, -1e-4, -1e-2])
def test_elu_keeps_its_digits_near_zero(x):
    x = np.float32([[x]])
    assert computed(Elu(), x) == pytest.approx(np.expm1(x.astype(np.float64)), rel=1e-6)


@pytest.mark.parametrize("x", [-20.0, -10.0])
def test_softplus_keeps_its_digits_far_below_zero(x):
    assert computed(Softplus(), np.float32([[x]])) == pytest.approx(np.exp([[x]]), rel=1e-4)


def test_softmax_shares_sum_to_one_for_each_sample():
    x = np.float32([[100, -100, 100], [0, 0, 0]])
    assert np.allclose(computed(Softmax(), x), [[0.5, 0, 0.5], [1 / 3] * 3])


def test_an_elu_without_a_positive_alpha_is_refused():
    with pytest.raises(ValidationError, match="greater than 0"):
        Elu(alpha=0.0)
