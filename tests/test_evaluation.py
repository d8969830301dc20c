# SPDX-License-Identifier: MIT OR Apache-2.0
"""Evaluation: batches, accuracy, episodes, and that an individual's fitness is its own affair."""

import gc
import weakref
from typing import Any, ClassVar

import numpy as np
import pytest

from vynapse_core import Builder, Dataset, DirectTask, EpisodicTask, Genes, RunError, Streams, SupervisedTask
from vynapse_core.devices.reference import Reference
from vynapse_core.evaluation import Evaluation
from vynapse_core.ops import OPS
from vynapse_evolution.mlp import Mlp
from vynapse_tasks.losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError


class Points(SupervisedTask):
    """Ten numbered points."""

    loss: MeanSquaredError = MeanSquaredError()
    """Squared error."""
    inputs: ClassVar[tuple[int, ...]] = (1,)
    outputs: ClassVar[int] = 1

    def data(self, split):
        x = np.arange(10, dtype=np.float32)[:, None]
        return Dataset(x, 2 * x)


class Walk(EpisodicTask):
    """Walk right on a line; each step's reward is the way made, an episode ends beyond 3."""

    episodes: int = 2
    """Episodes."""
    limit: int = 8
    """Time steps."""
    inputs: ClassVar[tuple[int, ...]] = (1,)
    outputs: ClassVar[int] = 1

    def reset(self, n, rng):
        place = rng.uniform((n, 1))
        return {"place": place}, place

    def step(self, state, outputs):
        place = state["place"] + np.clip(outputs, -1, 1)
        return {"place": place}, place, (place - state["place"])[:, 0], place[:, 0] > 3


def evaluation(task, layers=(1, 1)):
    return Evaluation(task, Mlp(layers=layers), Reference(), Streams(5), OPS)


def line(slope, offset):
    """Return the genes of networks y = slope x + offset."""
    return Genes(np.array([slope, offset], np.float32).T)


def test_batches_take_each_sample_once_an_epoch_and_another_order_in_the_next():
    samples = evaluation(Points(batch=3)).samples
    epochs = [[samples(3 * epoch + i).x[:, 0].tolist() for i in range(3)] for epoch in range(2)]
    for epoch in epochs:
        seen = [x for batch in epoch for x in batch]
        assert len(set(seen)) == 9
    assert epochs[0] != epochs[1]
    assert samples(1).x.tolist() == samples(1).x.tolist()


def test_only_the_order_of_the_epoch_in_hand_is_kept():
    drawn = []

    class Watched(Streams):
        def __call__(self, *path):
            stream = super().__call__(*path)

            class Drawing:
                def permutation(self, n):
                    order = stream.permutation(n)
                    drawn.append(weakref.ref(order))
                    return order

            return Drawing()

    one = Evaluation(Points(batch=5), Mlp(layers=(1, 1)), Reference(), Watched(5), OPS)
    for step in range(12):
        one.samples(step)
    assert len(drawn) == 6
    gc.collect()
    assert [order() is None for order in drawn] == [True] * 5 + [False]


def test_what_is_compiled_for_one_seed_serves_another_which_draws_its_own_batches():
    compiled = []

    class Counting(Reference):
        def compile(self, graph, *args):
            compiled.append(graph)
            return super().compile(graph, *args)

    first = Evaluation(Points(batch=3), Mlp(layers=(1, 1)), Counting(), Streams(5), OPS)
    other = first.with_streams(Streams(6))
    genes = line([1.0, 0.5], [0.0, 0.0])
    assert not np.array_equal(first.fitness(genes, 0), other.fitness(genes, 0))
    assert len(compiled) == 1
    alone = Evaluation(Points(batch=3), None, Reference(), Streams(6), OPS)
    np.testing.assert_array_equal(other.samples(1).x, alone.samples(1).x)


@pytest.mark.parametrize(("batch", "drawn"), [(None, False), (3, True), (10, False), (11, False)])
def test_a_batch_that_holds_all_samples_is_no_draw(batch, drawn):
    assert Points(batch=batch).stochastic is drawn


def test_without_a_batch_all_samples_are_taken():
    assert len(evaluation(Points()).samples(7)) == 10


class Shaken(Points):
    """Points that each batch sees at other places."""

    augments: ClassVar[bool] = True

    def batches(self, rows, first, streams):
        for update, batch in enumerate(super().batches(rows, first, streams), first):
            yield Dataset(batch.x + streams("noise", update).uniform(batch.x.shape, 0.1, 0.4), batch.y)


@pytest.mark.parametrize("batch", [None, 3, 10, 20])
def test_augmented_samples_are_those_of_the_step_and_plain_where_all_are_asked_for(batch):
    samples, plain = evaluation(Shaken(batch=batch)).samples, evaluation(Points(batch=batch)).samples
    assert Shaken(batch=batch).stochastic
    for step in (0, 4):
        assert np.array_equal(samples(step).x, samples(step).x)
        assert np.array_equal(np.floor(samples(step).x), plain(step).x)
        assert not np.array_equal(samples(step).x, plain(step).x)
    assert np.array_equal(samples(None).x, plain(None).x)


def test_fitness_is_the_negative_loss():
    fitness = evaluation(Points()).fitness(line([2, 0], [0, 0]), 0)
    np.testing.assert_allclose(fitness, [0, -np.mean((2 * np.arange(10)) ** 2)], rtol=1e-6)


def test_the_fitness_of_an_individual_does_not_depend_on_the_others():
    genes = Genes(Streams(1)("genes").normal((7, 2)))
    whole = evaluation(Points(batch=4)).fitness(genes, 3)
    parts = [evaluation(Points(batch=4)).fitness(genes.take(slice(i, i + 1)), 3) for i in range(7)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_a_fitness_that_is_not_finite_is_the_lowest():
    fitness = evaluation(Points()).fitness(line([np.nan, 1e38, 2], [0, 0, 0]), 0)
    assert fitness.tolist() == [-np.inf, -np.inf, 0]


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
@pytest.mark.parametrize(("loss", "border"), [(MeanSquaredError(), 0.5), (BinaryCrossEntropy(), 0.0)])
def test_one_output_parts_two_classes_at_the_loss_own_threshold(loss, border, dtype):
    builder = Builder()
    y = np.array([0, 0, 1, 1], dtype)
    prediction = builder.input("p", ("B", 1))
    target = builder.input("t", ("B",), str(np.dtype(dtype)))
    program = Reference().compile(builder.graph({"right": loss.correct(prediction, target)}), ("p",))
    p = np.array([[border - 1], [border + 1], [border - 1], [border + 1]], np.float32)
    assert program({}, {"p": p[None], "t": y})["right"].tolist() == [[1, 0, 0, 1]]


def test_the_largest_of_several_outputs_names_the_class():
    builder = Builder()
    prediction, target = builder.input("p", ("B", 3)), builder.input("t", ("B",), "int64")
    program = Reference().compile(builder.graph({"right": CrossEntropy().correct(prediction, target)}), ("p",))
    p = np.eye(3, dtype=np.float32)
    assert program({}, {"p": p[None], "t": np.array([0, 2, 2])})["right"].tolist() == [[1, 0, 1]]


def test_the_fitness_of_an_episodic_task_is_the_mean_return():
    task = Walk()
    fitness = evaluation(task).fitness(line([0, 0], [1, -1]), 4)
    starts = task.reset(2, Streams(5)("episodes", 4))[1][:, 0]
    steps = np.ceil(3 - starts + 1e-9)
    np.testing.assert_allclose(fitness, [steps.mean(), -8.0], rtol=1e-6)


def test_all_networks_play_the_same_episodes_whoever_they_are_evaluated_with():
    genes = Genes(Streams(2)("genes").normal((5, 2)))
    whole = evaluation(Walk()).fitness(genes, 1)
    np.testing.assert_array_equal(whole[3:], evaluation(Walk()).fitness(genes.take(slice(3, 5)), 1))


class Returning(DirectTask):
    """Gives as fitness whatever it holds."""

    encoding: ClassVar[str] = "real"
    given: Any = None

    @property
    def length(self):
        return 2

    def evaluate(self, genes):
        return self.given


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (np.zeros(3, complex), r"complex128 \[3\]"),
        (["good", "better", "best"], r"<U6 \[3\]"),
        (np.array([None] * 3), r"object \[3\]"),
        (None, r"object \[\]"),
        (1.0, r"float64 \[\]"),
        (np.zeros(2), r"float64 \[2\]"),
        (np.zeros((3, 0)), r"float64 \[3, 0\]"),
        (np.zeros((3, 2, 2)), r"float64 \[3, 2, 2\]"),
        ([[1.0], [1.0, 2.0], [1.0]], "rows of different lengths"),
    ],
)
def test_what_is_no_fitness_is_laid_to_the_task(given, found):
    with pytest.raises(RunError, match=f"task Returning at task returned {found} as fitness"):
        evaluation(Returning(given=given)).fitness(line([1] * 3, [0] * 3), 0)


@pytest.mark.parametrize("given", [[1, 2, 3], np.array([True, False, True]), np.zeros((3, 2), np.float32)])
def test_numbers_of_any_kind_become_float64(given):
    fitness = evaluation(Returning(given=given)).fitness(line([1] * 3, [0] * 3), 0)
    assert fitness.dtype == np.float64
    np.testing.assert_array_equal(fitness, np.asarray(given, float))


@pytest.mark.parametrize("values", [np.zeros((3, 2)), np.zeros((3, 3), np.float32), np.zeros((2, 2), np.float32)])
def test_new_values_of_genes_have_the_shape_and_the_dtype_of_the_old(values):
    with pytest.raises(ValueError, match=r"must be float32 \[3, 2\] like the old ones, found float"):
        line([1] * 3, [0] * 3).with_values(values)
