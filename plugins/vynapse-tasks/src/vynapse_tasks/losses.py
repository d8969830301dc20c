# SPDX-License-Identifier: MIT OR Apache-2.0
"""Losses: what networks are to minimise, as graph nodes, in forms that neither overflow nor cancel."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from vynapse_core import Loss, SupervisedTask, Value, log_softmax, target_like

if TYPE_CHECKING:
    from vynapse_core import Experiment


class MeanSquaredError(Loss):
    """Squared difference, averaged over outputs and samples.

    Predictions [B, k]; targets [B, k], or class ids [B] which stand for one-hot rows.
    """

    def build(self, prediction: Value, target: Value) -> Value:
        """Return mean((prediction - target)²)."""
        return ((prediction - _numbers(prediction, target)) ** 2).mean()


class MeanAbsoluteError(Loss):
    """Magnitude of the difference, averaged over outputs and samples: outliers weigh less than in `mse`."""

    def build(self, prediction: Value, target: Value) -> Value:
        """Return mean(|prediction - target|)."""
        difference = prediction - _numbers(prediction, target)
        return difference.builder.apply("abs", difference).mean()


class Huber(Loss):
    """Half the squared difference up to `delta`, a straight line beyond.  Reference: Huber 1964."""

    delta: float = Field(1.0, gt=0, allow_inf_nan=False)
    """Difference at which the parabola turns into a line, in units of the targets."""

    def build(self, prediction: Value, target: Value) -> Value:
        """Return mean(c (|d| - c/2)) with c = min(|d|, delta): both branches, and no square to overflow."""
        difference = prediction - _numbers(prediction, target)
        size = difference.builder.apply("abs", difference)
        clipped = size.builder.apply("minimum", size, self.delta)
        return (clipped * (size - clipped * 0.5)).mean()


class CrossEntropy(Loss):
    """Cross entropy of the softmax of K logits, in nats, averaged over samples.

    Predictions [B, K] are logits; targets are class ids [B], or rows [B, K] of probabilities.
    """

    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of each target spread evenly over all classes.  Reference: Szegedy et al. 2016, section 7."""

    def build(self, prediction: Value, target: Value) -> Value:
        """Return the mean of -Σ target · log softmax(prediction)."""
        wanted = _numbers(prediction, target)
        if self.label_smoothing > 0:
            share = self.label_smoothing / int(prediction.shape[-1])
            wanted = wanted * (1 - self.label_smoothing) + share
        return -(wanted * log_softmax(prediction)).sum(-1).mean()

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where there is one output: its softmax is 1 whatever the network says."""
        task = experiment.task
        if isinstance(task, SupervisedTask) and task.outputs == 1:
            yield (
                "",
                "cross_entropy compares outputs with each other, and this task has a single one; take "
                "binary_cross_entropy for two classes, mse for numbers",
            )


class BinaryCrossEntropy(Loss):
    """Cross entropy of a yes or no per output, on logits, in nats, averaged over outputs and samples.

    Predictions [B, k] are logits; targets [B, k] are 0, 1 or a probability; class ids [B] stand for one-hot
    rows.
    """

    threshold: ClassVar[float] = 0.0
    """A logit above 0 is a probability above one half."""

    def build(self, prediction: Value, target: Value) -> Value:
        """Return mean(max(z, 0) - z t + log(1 + exp(-|z|))), which is exact for logits of any size."""
        apply = prediction.builder.apply
        tail = apply("log1p", apply("exp", -apply("abs", prediction)))
        wanted = _numbers(prediction, target)
        return (apply("maximum", prediction, 0.0) - prediction * wanted + tail).mean()


def _numbers(prediction: Value, target: Value) -> Value:
    """Return the target in shape and dtype of the prediction."""
    return target_like(prediction, target).cast(prediction.dtype)
