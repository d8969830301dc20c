# SPDX-License-Identifier: MIT OR Apache-2.0
"""The criteria of XOR, told apart."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from vynapse_core import Array, Builder, Device, Networks, Streams
from vynapse_core.devices.reference import Reference
from vynapse_core.evaluation import Evaluation
from vynapse_core.ops import OPS
from vynapse_tasks.logic import Xor


def saying(answers: Any) -> Networks:
    """Return networks that answer the four patterns with `answers` [P, 4]."""
    builder = Builder()
    place = builder.input("x", ("B", 2)) @ builder.constant(np.array([[2.0], [1.0]], np.float32))
    here = place.equal(builder.constant(np.arange(4, dtype=np.float32))).cast("float32")
    graph = builder.graph({"y": here @ builder.parameter("answers", (4, 1))})
    return Networks(graph, {"answers": np.asarray(answers, np.float32)[:, :, None]})


def fitness(criterion: Any, answers: Any, device: Device | None = None) -> Array:
    task = Xor(criterion=criterion)
    return Evaluation(task, None, device or Reference(), Streams(1), OPS).fitness_of_networks(saying(answers), 0)


TRUTH = np.array([0, 1, 1, 0])
GOOD = [0.4, 0.6, 0.6, 0.4]
ALMOST = [0.4, 0.6, 0.6, 0.5000001]
EXACT = [0.0, 1.0, 1.0, 0.0]


def test_stanleys_fitness_is_the_square_of_four_less_the_errors() -> None:
    answers = [[0, 0, 0, 0], [1, 0, 0, 1], [0.2, 0.4, 0.9, 0.1], [0.5, 0.5, 0.5, 0.5]]
    np.testing.assert_allclose(fitness("stanley2002", answers), [4.0, 0.0, 3.0**2, 4.0], rtol=1e-5)


def test_by_stanleys_criterion_four_outputs_on_the_right_side_solve() -> None:
    assert Xor(criterion="stanley2002").target == 16
    found = fitness("stanley2002", [GOOD, ALMOST, EXACT])
    assert found.tolist() == [16, pytest.approx(2.3**2, rel=1e-4), 16]


def test_neat_pythons_fitness_is_four_less_the_squared_errors_and_stricter() -> None:
    assert Xor(criterion="neat-python").target == 3.9
    found = fitness("neat-python", [GOOD, EXACT, [0, 0, 0, 0]])
    np.testing.assert_allclose(found, [4 - 4 * 0.16, 4, 2], rtol=1e-6)
    assert found[0] < 3.9


@given(st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4))
def test_a_network_has_the_full_fitness_just_when_it_solves(answers: list[float]) -> None:
    right = ((np.array(answers, np.float32) > 0.5) == (TRUTH > 0.5)).all()
    assert (fitness("stanley2002", [answers])[0] >= 16) == right


def test_errors_beyond_four_earn_nothing() -> None:
    assert fitness("stanley2002", [[100, -100, 100, -100]]).tolist() == [0]


def test_the_loss_is_the_criterion_that_nothing_else_names() -> None:
    assert Xor() == Xor(criterion="loss")
    np.testing.assert_allclose(fitness("loss", [GOOD]), [-0.16], rtol=1e-6)


@pytest.mark.parametrize("criterion", ["stanley2002", "neat-python"])
def test_the_cpu_device_measures_by_every_criterion(criterion: str) -> None:
    numba = pytest.importorskip("vynapse_numba.device").Numba
    answers = np.random.default_rng(1).uniform(size=(50, 4))
    answers[:9] = (answers[:9] + TRUTH * 9) / 10
    found = fitness(criterion, answers, numba(threads=1))
    np.testing.assert_allclose(found, fitness(criterion, answers), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "loss", "field"),
    [({}, 0.1, "criterion"), ({"fitness": "accuracy"}, None, "fitness"), ({"batch": 2}, None, "batch"), ({}, None, "")],
)
def test_what_the_criterion_takes_no_notice_of_is_refused(options: Any, loss: float | None, field: str) -> None:
    experiment: Any = SimpleNamespace(recipe=SimpleNamespace(stop=SimpleNamespace(loss=loss)))
    found = [name for name, _ in Xor(criterion="stanley2002", **options).problems(experiment)]
    assert found == [field] * bool(field)
