# SPDX-License-Identifier: MIT OR Apache-2.0
"""Losses against closed forms, SciPy and scikit-learn, on the reference device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError
from scipy.special import huber, log_softmax
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error

from vynapse_core import Builder, Loss
from vynapse_core.devices.reference import Reference
from vynapse_tasks.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
)

LOSSES = [MeanSquaredError(), MeanAbsoluteError(), Huber(), CrossEntropy(), BinaryCrossEntropy()]


def measured(loss: Loss, prediction: Any, target: Any, what: str = "loss") -> Any:
    """Return the loss, or which samples are correct, of predictions [B, k]."""
    prediction, target = np.asarray(prediction), np.asarray(target)
    b = Builder()
    y = b.parameter("y", ("B", *prediction.shape[1:]), str(prediction.dtype))
    t = b.input("target", ("B", *target.shape[1:]), str(target.dtype))
    built = loss.build(y, t) if what == "loss" else loss.correct(y, t)
    program = Reference().compile(b.graph({what: built}))
    return program({"y": prediction[None]}, {"target": target})[what][0]


def drawn(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).normal(0, 3, shape)


def test_squared_and_absolute_errors_agree_with_scikit_learn() -> None:
    y, t = drawn(0, 50, 3), drawn(1, 50, 3)
    assert measured(MeanSquaredError(), y, t) == pytest.approx(mean_squared_error(t, y), rel=1e-12)
    assert measured(MeanAbsoluteError(), y, t) == pytest.approx(mean_absolute_error(t, y), rel=1e-12)


@pytest.mark.parametrize("delta", [0.1, 1.0, 5.0])
def test_huber_agrees_with_scipy_on_both_sides_of_delta(delta: float) -> None:
    y, t = drawn(2, 200, 2), drawn(3, 200, 2)
    expected = huber(delta, y - t).mean()
    assert measured(Huber(delta=delta), y, t) == pytest.approx(expected, rel=1e-12)


def test_huber_of_an_extreme_difference_is_finite_in_float32() -> None:
    y, t = np.full((1, 1), 1e30, np.float32), np.zeros((1, 1), np.float32)
    assert measured(Huber(), y, t) == pytest.approx(1e30, rel=1e-6)


def test_cross_entropy_agrees_with_scikit_learn() -> None:
    logits, ids = drawn(4, 300, 5), np.random.default_rng(5).integers(0, 5, 300)
    expected = log_loss(ids, np.exp(log_softmax(logits, axis=1)), labels=range(5))
    assert measured(CrossEntropy(), logits, ids) == pytest.approx(expected, rel=1e-9)


def test_binary_cross_entropy_agrees_with_scikit_learn() -> None:
    logits, ids = drawn(6, 300, 1), np.random.default_rng(7).integers(0, 2, (300, 1))
    expected = log_loss(ids[:, 0], 1 / (1 + np.exp(-logits[:, 0])))
    assert measured(BinaryCrossEntropy(), logits, ids.astype(np.float64)) == pytest.approx(expected, rel=1e-9)


def test_binary_cross_entropy_of_several_outputs_is_their_mean() -> None:
    logits, yes = drawn(8, 40, 3), np.random.default_rng(9).integers(0, 2, (40, 3)).astype(np.float64)
    parts = [measured(BinaryCrossEntropy(), logits[:, [k]], yes[:, [k]]) for k in range(3)]
    assert measured(BinaryCrossEntropy(), logits, yes) == pytest.approx(np.mean(parts), rel=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_class_ids_mean_the_same_as_one_hot_rows(loss: Loss) -> None:
    y, ids = drawn(10, 30, 4).astype(np.float32), np.random.default_rng(11).integers(0, 4, 30)
    rows = np.eye(4, dtype=np.float32)[ids]
    assert measured(loss, y, ids) == measured(loss, y, rows)
    np.testing.assert_array_equal(measured(loss, y, ids, "correct"), measured(loss, y, rows, "correct"))


def test_two_logits_of_which_one_is_zero_are_the_binary_case() -> None:
    z, ids = drawn(12, 50, 1), np.random.default_rng(13).integers(0, 2, 50)
    two = np.concatenate([np.zeros_like(z), z], axis=1)
    assert measured(CrossEntropy(), two, ids) == pytest.approx(measured(BinaryCrossEntropy(), z, ids), rel=1e-12)


@pytest.mark.parametrize("smoothing", [0.1, 0.9])
def test_label_smoothing_mixes_the_target_with_the_uniform_distribution(smoothing: float) -> None:
    logits, ids = drawn(14, 60, 4), np.random.default_rng(15).integers(0, 4, 60)
    logs = log_softmax(logits, axis=1)
    plain, even = -logs[np.arange(60), ids].mean(), -logs.mean()
    expected = (1 - smoothing) * plain + smoothing * even
    assert measured(CrossEntropy(label_smoothing=smoothing), logits, ids) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_logits_cost_their_distance_and_never_overflow(dtype: type) -> None:
    sure: Any = np.array([[1e4, -1e4]], dtype)
    assert measured(CrossEntropy(), sure, [0]) == 0.0
    assert measured(CrossEntropy(), sure, [1]) == pytest.approx(2e4)
    for z, t, expected in [(1e4, 1, 0.0), (1e4, 0, 1e4), (-1e4, 0, 0.0), (-1e4, 1, 1e4)]:
        found = measured(BinaryCrossEntropy(), np.array([[z]], dtype), np.array([[t]], dtype))
        assert found == pytest.approx(expected)


@given(
    arrays(np.float32, (5, 3), elements=st.floats(-1e4, 1e4, width=32)),
    st.lists(st.integers(0, 2), min_size=5, max_size=5),
)
@settings(max_examples=50, deadline=None)
def test_every_loss_is_finite_and_never_negative(y: Any, ids: list[int]) -> None:
    for loss in LOSSES:
        found = measured(loss, y, np.array(ids))
        assert np.isfinite(found)
        assert found >= 0
        assert found.dtype == np.float32


def test_a_single_output_is_parted_at_one_half_and_a_logit_at_zero() -> None:
    y, t = np.array([[0.4], [0.6], [-0.1]]), np.array([[0.0], [1.0], [0.0]])
    np.testing.assert_array_equal(measured(MeanSquaredError(), y, t, "correct"), [1, 1, 1])
    np.testing.assert_array_equal(measured(BinaryCrossEntropy(), y, t, "correct"), [0, 1, 1])


def test_the_largest_of_several_outputs_names_the_class() -> None:
    logits = np.array([[0.0, 2.0, 1.0], [5.0, 4.0, 3.0]])
    np.testing.assert_array_equal(measured(CrossEntropy(), logits, np.array([1, 2]), "correct"), [1, 0])


@pytest.mark.parametrize("loss", LOSSES)
def test_targets_of_another_precision_do_not_change_that_of_the_loss(loss: Loss) -> None:
    y, t = drawn(16, 4, 2).astype(np.float32), np.eye(2)[[0, 1, 1, 0]]
    assert measured(loss, y, t).dtype == np.float32


@pytest.mark.parametrize(
    ("loss", "fields"),
    [(Huber, {"delta": 0.0}), (CrossEntropy, {"label_smoothing": 1.0}), (CrossEntropy, {"label_smoothing": -0.1})],
)
def test_hyperparameters_out_of_range_are_refused(loss: type[Loss], fields: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="expected a value"):
        loss(**fields)
