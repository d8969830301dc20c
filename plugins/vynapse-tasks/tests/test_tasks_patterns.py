# SPDX-License-Identifier: MIT OR Apache-2.0
"""Retina and two spirals: the patterns of the literature."""

from __future__ import annotations

import numpy as np
import pytest

from vynapse_core.testing import check_task
from vynapse_tasks.retina import Retina
from vynapse_tasks.two_spirals import TwoSpirals


@pytest.mark.parametrize("task", [Retina(), Retina(goal="or"), TwoSpirals(), TwoSpirals(fitness="accuracy")], ids=repr)
def test_the_contract_is_kept(task: Retina | TwoSpirals) -> None:
    check_task(task)


def test_eight_of_sixteen_halves_are_objects_and_the_halves_are_independent() -> None:
    data = Retina().data("train")
    assert (data.x.shape, data.y.shape) == ((256, 8), (256, 2))
    assert data.y.sum(axis=0).tolist() == [128, 128]
    assert data.y.all(axis=1).sum() == 64
    for half, column in (((0, 1, 4, 5), 0), ((2, 3, 6, 7), 1)):
        seen = {(tuple(x[list(half)]), y[column]) for x, y in zip(data.x, data.y, strict=True)}
        assert len(seen) == 16


def picture(upper: str, lower: str) -> list[float]:
    return [float(pixel == "#") for pixel in upper + lower]


@pytest.mark.parametrize(
    ("upper", "lower", "answers"),
    [
        ("....", "....", [0, 0]),
        ("#...", "....", [1, 0]),
        ("#...", "#...", [1, 0]),
        (".#..", "....", [0, 0]),
        ("##..", "....", [0, 0]),
        (".#..", ".#..", [0, 0]),
        ("##..", ".#..", [1, 0]),
        ("##..", "##..", [1, 0]),
        ("...#", "....", [0, 1]),
        ("...#", "...#", [0, 1]),
        ("..#.", "....", [0, 0]),
        ("..#.", "..##", [0, 1]),
        ("#..#", "....", [1, 1]),
    ],
)
def test_an_object_is_three_black_pixels_or_black_in_the_outer_column_alone(
    upper: str, lower: str, answers: list[int]
) -> None:
    data = Retina().data("train")
    (place,) = np.flatnonzero((data.x == picture(upper, lower)).all(axis=1))
    assert data.y[place].tolist() == answers


def test_goals_of_one_output_join_the_halves() -> None:
    both = Retina().data("train").y.astype(bool)
    for goal, joined in (("and", both.all(axis=1)), ("or", both.any(axis=1))):
        task = Retina.model_validate({"goal": goal})
        assert (task.outputs, task.classification) == (1, True)
        np.testing.assert_array_equal(task.data("train").y[:, 0], joined)
    assert not Retina().classification


def test_two_spirals_are_the_194_points_of_the_benchmark() -> None:
    data = TwoSpirals().data("train")
    assert (data.x.shape, data.y.shape) == ((194, 2), (194, 1))
    first, second = data.x[:97], data.x[97:]
    assert (data.y[:97] == 1).all()
    np.testing.assert_array_equal(second, -first)
    # the generator's outermost, second and innermost points
    np.testing.assert_allclose(first[[0, 1, 96]], [[6.5, 0], [6.31380, 1.25590], [0.5, 0]], atol=1e-4)
    np.testing.assert_allclose(np.hypot(*first.T), 6.5 * (104 - np.arange(97)) / 104, rtol=1e-6)
    np.testing.assert_allclose(TwoSpirals().data("test").x, data.x + np.array([0, 0.1], np.float32))


def test_spirals_may_be_denser_and_larger() -> None:
    dense = TwoSpirals(density=3, radius=1.0).data("train").x
    np.testing.assert_allclose(dense[:289:3], TwoSpirals().data("train").x[:97] / 6.5, atol=1e-6)


def test_two_spirals_are_solved_by_every_point_right() -> None:
    assert TwoSpirals(fitness="accuracy").target == 1.0
    assert TwoSpirals().target is None
