# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a task may ask to be measured besides loss and accuracy: graph nodes, so that every device computes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vynapse_core.builder import Value, one_hot, where
from vynapse_core.contracts.loss import target_like

if TYPE_CHECKING:
    from vynapse_core.contracts import Loss


def measured(name: str, loss: Loss, prediction: Value, target: Value) -> Value:
    """Return a measure by its name: `confusion`, `f1`, `r2` or `topN`.

    `prediction` is [B, k]; `target` is [B, k], or class ids int64 [B].
    """
    if name == "confusion":
        return confusion(loss, prediction, target).cast("int64")
    if name == "f1":
        return macro_f1(confusion(loss, prediction, target))
    if name == "r2":
        return determination(prediction, target)
    return within_top(int(name.removeprefix("top")), prediction, target)


def confusion(loss: Loss, prediction: Value, target: Value) -> Value:
    """Return counts [classes, classes] of samples by their class (rows) and the class named (columns)."""
    classes = max(2, int(prediction.shape[-1]))
    if prediction.shape[-1] == 1:
        named = prediction.reshape(("B",)).greater(loss.threshold).cast("int64")
    else:
        named = prediction.argmax(axis=-1)
    return one_hot(_class_of(target), classes).T @ one_hot(named, classes)


def macro_f1(counts: Value) -> Value:
    """Return the mean over classes of 2 · right / (samples of the class + samples named so), from a confusion matrix.

    A class that neither stands in the data nor is ever named is left out of the mean, as scikit-learn does.
    """
    classes = int(counts.shape[0])
    right = (counts * np.eye(classes, dtype=np.float32)).sum(1)
    either = counts.sum(0) + counts.sum(1)
    there = either.greater(0.0).cast(counts.dtype)
    return (2.0 * right / either.builder.apply("maximum", either, 1.0)).sum() / there.sum()


def determination(prediction: Value, target: Value) -> Value:
    """Return R², the share of the targets' variance that is explained: the mean over outputs.

    An output whose targets are all the same counts 1 where it is met exactly, else 0.
    """
    wanted = target_like(prediction, target).cast(prediction.dtype)
    missed = ((wanted - prediction) ** 2).sum(0)
    spread = ((wanted - wanted.mean(0, keepdims=True)) ** 2).sum(0)
    flat = spread.builder.apply("maximum", 1.0 - missed.greater(0.0).cast(missed.dtype), 0.0)
    some = spread.greater(0.0)
    return where(some, 1.0 - missed / where(some, spread, 1.0), flat).mean()


def within_top(count: int, prediction: Value, target: Value) -> Value:
    """Return the share of samples whose class is among the `count` highest outputs; of equal ones the first counts."""
    classes = int(prediction.shape[-1])
    ids = _class_of(target)
    mine = one_hot(ids, classes, "bool")
    level = where(mine, prediction, 0.0).sum(-1, keepdims=True)
    before = ids.builder.constant(np.arange(classes), "int64").less(ids.reshape(("B", 1)))
    equal_before = where(before, prediction.equal(level).cast(prediction.dtype), 0.0)
    ahead = where(prediction.greater(level), 1.0, equal_before).sum(-1)
    return ahead.less(count - 0.5).cast(prediction.dtype).mean()


def _class_of(target: Value) -> Value:
    """Return class ids int64 [B]: of rows the largest, of a single number whether it is above 0.5."""
    if len(target.shape) == 1:
        return target.cast("int64")
    if target.shape[-1] == 1:
        return target.reshape(("B",)).greater(0.5).cast("int64")
    return target.argmax(axis=-1)
