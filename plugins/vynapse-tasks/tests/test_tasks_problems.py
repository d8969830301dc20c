# SPDX-License-Identifier: MIT OR Apache-2.0
"""Logic functions, powers of two, bit strings and real functions: known values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError
from scipy.optimize import rosen

from vynapse_core import Builder, DataError, Genes, Networks, Streams, SupervisedTask
from vynapse_core.devices.reference import Reference
from vynapse_core.evaluation import Evaluation
from vynapse_core.ops import OPS
from vynapse_tasks.bitstrings import OneMax, Trap
from vynapse_tasks.functions import Ackley, Rastrigin, RealFunction, Rosenbrock, Sphere
from vynapse_tasks.logic import Parity, Xor
from vynapse_tasks.losses import BinaryCrossEntropy
from vynapse_tasks.powers_of_two import PowersOfTwo

FUNCTIONS: list[type[RealFunction]] = [Sphere, Rastrigin, Rosenbrock, Ackley]


def constant_network(inputs: int, *outputs: float) -> Networks:
    """Return one network per value of `outputs`, which answers that value whatever it sees."""
    b = Builder()
    x, bias = b.input("x", ("B", inputs)), b.parameter("bias", (1,))
    y = x[:, :1] * 0.0 + bias
    return Networks(b.graph({"y": y}), {"bias": np.array(outputs, np.float32)[:, None]})


def evaluation(task: SupervisedTask) -> Evaluation:
    return Evaluation(task, None, Reference(), Streams(0), OPS)


def test_xor_has_four_patterns() -> None:
    data = Xor().data("train")
    assert data.x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert data.y.tolist() == [[0], [1], [1], [0]]
    assert data.x.dtype == data.y.dtype == np.float32
    assert (Xor().inputs, Xor().outputs, Xor().splits) == ((2,), 1, ("train",))


def test_fitness_of_a_constant_answer_to_xor_is_known() -> None:
    found = evaluation(Xor()).fitness_of_networks(constant_network(2, 0.5, 1.0), 0)
    assert found.tolist() == [-0.25, -0.5]
    metrics = evaluation(Xor()).metrics(constant_network(2, 1.0))
    assert metrics == {"train": {"loss": 0.5, "accuracy": 0.5}}


def test_xor_is_solved_by_a_small_loss_or_by_full_accuracy() -> None:
    assert Xor().target == -0.01
    assert Xor(fitness="accuracy").target == 1.0


def test_xor_learns_logits_too() -> None:
    task = Xor(loss=BinaryCrossEntropy())
    found = evaluation(task).fitness_of_networks(constant_network(2, 0.0), 0)
    assert found[0] == pytest.approx(-np.log(2))


@given(st.integers(2, 8))
@settings(deadline=None)
def test_parity_of_all_patterns_flips_with_every_bit(bits: int) -> None:
    data = Parity(bits=bits).data("train")
    assert len(np.unique(data.x, axis=0)) == len(data) == 2**bits
    answers = {tuple(x): y for x, (y,) in zip(data.x.tolist(), data.y.tolist(), strict=True)}
    for pattern, answer in answers.items():
        for bit in range(bits):
            flipped = (*pattern[:bit], 1 - pattern[bit], *pattern[bit + 1 :])
            assert answers[flipped] == 1 - answer


def test_parity_of_two_bits_is_xor() -> None:
    parity, xor = Parity(bits=2).data("train"), Xor().data("train")
    assert parity.x.tolist() == xor.x.tolist()
    assert parity.y.tolist() == xor.y.tolist()


def test_parity_of_many_bits_is_a_fixed_draw_of_patterns() -> None:
    first, again = Parity(bits=40, samples=500).data("train"), Parity(bits=40, samples=500).data("train")
    assert first.x.shape == (500, 40)
    assert np.array_equal(first.x, again.x)
    assert np.array_equal(first.y[:, 0], first.x.sum(axis=1) % 2)
    assert 0.4 < first.y.mean() < 0.6
    assert not np.array_equal(first.x, Parity(bits=40, samples=500, sample_seed=1).data("train").x)


def test_powers_of_two_run_from_one_part_in_128_to_one() -> None:
    task = PowersOfTwo()
    data = task.data("train")
    assert data.x[:, 0].tolist() == pytest.approx([n / 7 for n in range(8)])
    assert data.y[:, 0].tolist() == [2**n / 128 for n in range(8)]
    assert data.x.dtype == data.y.dtype == np.float32
    assert (task.inputs, task.outputs, task.classification) == ((1,), 1, False)
    assert np.isfinite(PowersOfTwo(count=64).data("train").y).all()


def test_accuracy_of_a_regression_is_a_problem() -> None:
    experiment: Any = None
    problems = dict(PowersOfTwo(fitness="accuracy").problems(experiment))
    assert "numbers" in problems["fitness"]
    assert not list(Xor(fitness="accuracy").problems(experiment))


def test_an_unknown_split_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DataError, match="no split 'test'; it has train"):
        Xor().data("test")


def test_a_task_stays_frozen_and_equal_to_its_like_after_loading() -> None:
    task = Xor()
    task.data("train")
    assert task == Xor()
    assert task.datasets is task.datasets
    with pytest.raises(ValidationError, match="frozen"):
        task.fitness = "accuracy"  # type: ignore[misc]


@given(arrays(np.uint8, (7, 12), elements=st.integers(0, 1)))
@settings(deadline=None)
def test_onemax_counts_ones(bits: Any) -> None:
    found = OneMax(bits=12).evaluate(Genes(bits))
    assert found.dtype == np.float64
    assert found.tolist() == [row.count(1) for row in bits.tolist()]


def test_onemax_of_many_ones_does_not_wrap_around() -> None:
    task = OneMax(bits=1000)
    assert task.evaluate(Genes(np.ones((1, 1000), np.uint8)))[0] == task.target == 1000


def test_a_trap_falls_towards_zeros_and_peaks_at_ones() -> None:
    steps = np.tri(6, 5, -1, dtype=np.uint8)
    assert Trap(blocks=1, block_size=5).evaluate(Genes(steps)).tolist() == [4, 3, 2, 1, 0, 5]


def test_traps_add_up_over_neighbouring_blocks() -> None:
    task = Trap(blocks=3, block_size=4)
    genes = np.array([[1] * 4 + [0] * 4 + [1, 0, 0, 0], [1] * 12, [0] * 12, [1, 0, 0] * 4], np.uint8)
    assert task.evaluate(Genes(genes)).tolist() == [4 + 3 + 2, 12, 9, 1 + 2 + 2]
    assert (task.length, task.target) == (12, 12)


def deceived(k: int) -> bool:
    """Whether every proper schema of ones in a block is worse on average than the same one of zeros."""
    bits = (np.arange(2**k)[:, None] >> np.arange(k)) & 1
    worth = Trap(blocks=1, block_size=k).evaluate(Genes(bits.astype(np.uint8)))
    means = [[worth[(bits[:, :m] == b).all(axis=1)].mean() for b in (0, 1)] for m in range(1, k)]
    return all(zeros > ones for zeros, ones in means)


def test_traps_deceive_every_smaller_schema_from_four_bits_on() -> None:
    assert [deceived(k) for k in (3, 4, 5, 6)] == [False, True, True, True]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_optimum_is_exactly_zero_and_counts_as_solved(function: type[RealFunction]) -> None:
    task = function(dimensions=6)
    best = np.full((1, 6), 1.0 if function is Rosenbrock else 0.0, np.float32)
    assert task.evaluate(Genes(best))[0] == 0.0
    assert task.target == -1e-8


@pytest.mark.parametrize("function", FUNCTIONS)
@given(data=st.data())
@settings(deadline=None, max_examples=30)
def test_no_point_of_the_domain_is_better_than_the_optimum(function: type[RealFunction], data: Any) -> None:
    task = function(dimensions=3)
    x = data.draw(arrays(np.float64, (4, 3), elements=st.floats(*task.bounds))).astype(np.float32)
    found = task.evaluate(Genes(x))
    assert found.dtype == np.float64
    assert (found <= 1e-12).all()
    assert np.array_equal(task.evaluate(Genes(x[1:3])), found[1:3])


def test_real_functions_agree_with_their_textbook_forms() -> None:
    x = np.random.default_rng(0).uniform(-5, 5, (20, 7))
    cosines = np.cos(2 * np.pi * x)
    ackley = -20 * np.exp(-0.2 * np.sqrt((x**2).mean(axis=1))) - np.exp(cosines.mean(axis=1)) + 20 + np.e
    textbook: dict[type[Any], Any] = {
        Sphere: (x**2).sum(axis=1),
        Rastrigin: 70 + (x**2 - 10 * cosines).sum(axis=1),
        Rosenbrock: rosen(x.T),
        Ackley: ackley,
    }
    for function, expected in textbook.items():
        np.testing.assert_allclose(function(dimensions=7).evaluate(Genes(x)), -expected, rtol=1e-12)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_genes_are_not_written(function: type[RealFunction]) -> None:
    x = np.ones((2, 4), np.float64)
    x.flags.writeable = False
    function(dimensions=4).evaluate(Genes(x))


def test_rosenbrock_of_one_variable_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 2"):
        Rosenbrock(dimensions=1)
