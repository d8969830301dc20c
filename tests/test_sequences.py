# SPDX-License-Identifier: MIT OR Apache-2.0
"""Sequences: networks see time steps one after the other, keep what they remember, and are measured on the last."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from vynapse_core import Array, Builder, Dataset, Graph, Networks, Streams, SupervisedTask, Value
from vynapse_core.devices.reference import Reference
from vynapse_core.evaluation import Evaluation
from vynapse_core.ops import OPS
from vynapse_core.testing import check_task
from vynapse_tasks.losses import MeanSquaredError
from vynapse_tasks.sequence_recall import SequenceRecall


class Sums(SupervisedTask):
    """Say the sum of all numbers seen so far, at the last two of five time steps."""

    loss: MeanSquaredError = MeanSquaredError()
    """Squared error."""
    sequential: ClassVar[bool] = True
    inputs: ClassVar[tuple[int, ...]] = (1,)
    outputs: ClassVar[int] = 1

    def data(self, split: str) -> Dataset:
        x = np.arange(30, dtype=np.float32).reshape(6, 5, 1) / 10
        return Dataset(x, x.cumsum(axis=1)[:, -2:])


class Points(SupervisedTask):
    """Say twice what is seen."""

    loss: MeanSquaredError = MeanSquaredError()
    """Squared error."""
    inputs: ClassVar[tuple[int, ...]] = (1,)
    outputs: ClassVar[int] = 1

    def data(self, split: str) -> Dataset:
        x = np.arange(4, dtype=np.float32)[:, None]
        return Dataset(x, 2 * x)


def summing() -> Graph:
    """Return a network whose memory is its own times `kept` and x, and that says the memory."""
    builder = Builder()
    x, memory = builder.input("x", ("B", 1)), builder.input("memory", ("B", 1))
    after = memory * builder.parameter("kept", (1,)) + x
    return builder.graph({"y": after, "memory": after})


def keeping(*kept: float) -> Networks:
    return Networks(summing(), {"kept": np.array(kept, np.float32)[:, None]})


def evaluation(task: SupervisedTask) -> Evaluation:
    return Evaluation(task, None, Reference(), Streams(5), OPS)


def test_a_network_that_remembers_says_sums_and_one_that_does_not_cannot() -> None:
    data = Sums().data("train")
    forgetful = -np.mean((data.x[:, -2:] - data.y) ** 2)
    found = evaluation(Sums()).fitness_of_networks(keeping(1, 0, 1), 0)
    np.testing.assert_allclose(found, [0, forgetful, 0], atol=1e-5, rtol=1e-5)


def test_each_part_of_the_population_begins_with_an_empty_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluation(Sums()).fitness_of_networks(keeping(1, 0.5, 0.25), 0)
    monkeypatch.setattr("vynapse_core.sequences.MOST_BYTES", 1)
    np.testing.assert_array_equal(evaluation(Sums()).fitness_of_networks(keeping(1, 0.5, 0.25), 0), whole)


def test_batches_of_sequences_are_drawn_as_of_samples() -> None:
    found = evaluation(Sums(batch=2)).fitness_of_networks(keeping(1, 0), 3)
    assert found[0] == pytest.approx(0, abs=1e-5)
    assert found[1] < -0.1


def test_a_network_without_a_memory_takes_each_time_step_by_itself() -> None:
    builder = Builder()
    graph = builder.graph({"y": builder.input("x", ("B", 1)) * builder.parameter("slope", (1,))})
    data = Sums().data("train")
    found = evaluation(Sums()).fitness_of_networks(Networks(graph, {"slope": np.array([[3.0]], np.float32)}), 0)
    np.testing.assert_allclose(found, [-np.mean((3 * data.x[:, -2:] - data.y) ** 2)], rtol=1e-5)


def test_a_network_with_a_memory_sees_a_plain_sample_with_an_empty_one() -> None:
    data = Points().data("train")
    found = evaluation(Points()).fitness_of_networks(keeping(1, 7), 0)
    np.testing.assert_allclose(found, [-np.mean((data.x - data.y) ** 2)] * 2, rtol=1e-6)


def test_metrics_of_sequences_are_those_of_their_time_steps() -> None:
    metrics = evaluation(Sums()).metrics(keeping(1))
    assert metrics["train"]["loss"] == pytest.approx(0, abs=1e-5)


def test_no_networks_have_no_fitness() -> None:
    assert evaluation(Sums()).fitness_of_networks(keeping(), 0).shape == (0,)


def test_the_cpu_device_gives_the_fitness_of_the_reference() -> None:
    numba = pytest.importorskip("vynapse_numba.device").Numba
    found = Evaluation(Sums(), None, numba(threads=1), Streams(5), OPS).fitness_of_networks(keeping(1, 0.5, 0), 0)
    np.testing.assert_allclose(found, evaluation(Sums()).fitness_of_networks(keeping(1, 0.5, 0), 0), atol=1e-6)


def delaying(bits: int, delay: int) -> Networks:
    """Return a network that says what it saw `bits + delay` time steps ago, 0.5 where that was nothing."""
    length = bits + delay
    builder = Builder()
    x, memory = builder.input("x", ("B", 2)), builder.input("memory", ("B", length))
    after = builder.apply("concat", memory[:, 1:], x[:, :1], axis=1)
    said: Value = memory[:, :1] * builder.parameter("half", (1,)) + 0.5
    graph = builder.graph({"y": said, "memory": after})
    return Networks(graph, {"half": np.array([[0.5], [0.0]], np.float32)})


@pytest.mark.parametrize(("bits", "delay"), [(1, 0), (3, 2), (4, 7)])
def test_recall_is_solved_by_saying_what_was_seen_and_by_nothing_less(bits: int, delay: int) -> None:
    task = SequenceRecall(bits=bits, delay=delay, fitness="accuracy")
    right, guess = evaluation(task).fitness_of_networks(delaying(bits, delay), 0)
    assert right == task.target == 1.0
    assert guess == 0.5
    assert evaluation(SequenceRecall(bits=bits, delay=delay)).fitness_of_networks(delaying(bits, delay), 0)[0] == 0


def test_recall_shows_every_string_and_asks_for_it_after_the_delay() -> None:
    data = SequenceRecall(bits=3, delay=2).data("train")
    assert (data.x.shape, data.y.shape) == ((8, 8, 2), (8, 3, 1))
    assert data.x[5, :, 0].tolist() == [1, -1, 1, 0, 0, 0, 0, 0]
    assert data.y[5, :, 0].tolist() == [1, 0, 1]
    asked: Array = data.x[:, :, 1]
    assert (asked == [0, 0, 0, 0, 0, 1, 1, 1]).all()
    assert len(np.unique(data.x[:, :3, 0], axis=0)) == 8


def test_recall_and_sums_keep_the_contract() -> None:
    check_task(SequenceRecall())
    check_task(Sums())
