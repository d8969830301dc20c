# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tracing: functions written with NumPy mean the same as graphs, and what cannot be a graph is named."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from vynapse_core import Builder, GraphError
from vynapse_core.devices.reference import Reference
from vynapse_core.tracing import RULES, traced

NUMBERS = np.array([-math.inf, -2.5, -1.0, -0.0, 0.25, 1.0, 3.0, 1e30, math.inf, math.nan], np.float32)
PAIRS = tuple(np.array(axis) for axis in zip(*[(a, b) for a in NUMBERS for b in NUMBERS], strict=True))
OF_BOOLS = {np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert}


def on_graphs(function: Callable[..., Any], *columns: np.ndarray) -> Any:
    """Return what the traced function gives for each row of the columns, by the reference device."""
    builder = Builder()
    names = [f"v{at}" for at in range(len(columns))]
    values = traced(function, builder, *[builder.parameter(name, (), "float32") for name in names])
    graph = builder.graph({"y": values})
    return Reference().compile(graph)(dict(zip(names, columns, strict=True)), {})["y"]


@pytest.mark.parametrize("function", sorted(set(RULES) - OF_BOOLS, key=lambda each: each.__name__))
def test_a_traced_function_gives_what_numpy_gives(function: np.ufunc) -> None:
    columns = PAIRS if function.nin == 2 else (NUMBERS,)
    if function in (np.remainder, np.floor_divide):
        # NumPy takes the remainder first, which tells huge and infinite numbers apart from their rounded quotient
        fit = np.isfinite(columns[0]) & np.isfinite(columns[1]) & (abs(columns[0]) < 1e6) & (abs(columns[1]) < 1e6)
        columns = tuple(column[fit] for column in columns)
    with np.errstate(all="ignore"):
        expected = function(*columns)
    found = on_graphs(function, *columns)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: 2 * (a > b) - 1.0,
        lambda a, b: a * ~((a <= 1.0) & (b < 0)),
        lambda a, b: np.logical_not(a >= b) * a**2 + abs(b) ** 0.5,
        lambda a, b: ((a > 0) ^ (b > 0)) | (a == b),
        lambda a, b: (a > 0) * (b > 0),
        lambda a, b: (a > 0) + (b > 0),
        lambda a, b: np.float64(0.5) * a - b / np.float32(4) + True * a,
        lambda a, b: np.where(a > b, a, -b),
        lambda a, b: np.where(a > b, a != b, False),
        lambda a, b: np.clip(a, -1.0, np.abs(b)) + np.clip(b, None, 2),
        lambda a, b: a // 2 + -(+a) + 1 / np.maximum(b, 1),
        lambda a, b: np.where(a, 1.0, b),
    ],
)
def test_operators_choices_and_numbers_mix_as_they_do_on_arrays(function: Callable[..., Any]) -> None:
    columns = tuple(np.array([(a, b) for a in (-2, 0, 0.5, 3) for b in (-1, 0.5, 7)], np.float32).T)
    np.testing.assert_allclose(on_graphs(function, *columns), np.asarray(function(*columns), np.float32), rtol=1e-6)


def test_arguments_and_results_keep_their_nesting_and_plain_numbers_become_constants() -> None:
    builder = Builder()
    x = builder.parameter("x", ())
    state, reward, ended = traced(
        lambda p, s: ((s[0] + p[0], 2, *s[1:]), np.float64(0.5), False), builder, (1.0,), (x, x)
    )
    assert [value.dtype for value in (*state, reward, ended)] == ["float32"] * 4 + ["bool"]
    assert len(state) == 3


def in_place(x: Any) -> Any:
    y = x * 2
    y += x
    return y


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda x: x if x > 0 else -x, "a branch depends on a value"),
        (lambda x: max(x, 0.0), "a branch depends on a value"),
        (lambda x: math.sin(x), "not math's"),
        (lambda x: np.arctan2(x, 1.0), "np.arctan2 is not among what is traced: absolute"),
        (lambda x: np.add(x, 1, dtype=np.float64), "np.add is traced without options"),
        (lambda x: np.maximum.reduce(x), "np.maximum is traced without options, got reduce"),
        (lambda x: np.sum(x), "np.sum is no function of single numbers"),
        (lambda x: np.where(x), "np.where is no function"),
        (lambda x: x + np.ones(3), r"np.add got an array \(3,\); expected numbers"),
        (lambda x: np.asarray(x), "return tuples of numbers"),
        (lambda x: x & 1, "on comparisons only"),
        (lambda x: x.shape, "AttributeError"),
        (lambda x: None, "expected a number, got NoneType"),
        (lambda x: (x, np.ones(2)), "expected a number, got ndarray"),
        (in_place, "np.add writes in place; write x = x [+] y"),
    ],
)
def test_what_cannot_be_a_graph_is_told_with_the_functions_name(function: Callable[..., Any], told: str) -> None:
    builder = Builder()
    with pytest.raises(GraphError, match=told) as caught:
        traced(function, builder, builder.parameter("x", ()))
    assert function.__qualname__ in str(caught.value)
    assert "cannot become a graph" in str(caught.value)


def test_the_line_that_went_wrong_is_told() -> None:
    builder = Builder()
    line = in_place.__code__.co_firstlineno + 2
    with pytest.raises(GraphError, match=f"in_place, line {line}, cannot"):
        traced(in_place, builder, builder.parameter("x", ()))
