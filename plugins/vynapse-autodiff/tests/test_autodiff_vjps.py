# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every op's rule against central differences in float64: first and second order, alone and in random compositions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_autodiff.check import check_gradient
from vynapse_autodiff.gradient import grad
from vynapse_autodiff.vjps import VJPS
from vynapse_core import Builder, Graph, Value, log_softmax, softmax, where
from vynapse_core.devices.reference import Reference
from vynapse_core.ops import OPS

Shapes = tuple[tuple[int, ...], ...]
Case = tuple[Shapes, Callable[..., Value]]
FLAT = {"sign", "floor", "less", "equal", "argmax", "size", "uniform", "stop_gradient"}
"""Ops through which no gradient passes: their cases hold them to that."""


def case(op: str, *shapes: tuple[int, ...], **attributes: Any) -> Case:
    return shapes, lambda x, *rest: x.builder.apply(op, x, *rest, **attributes)


def ids(x: Value, *values: Any) -> Value:
    return x.builder.constant(np.array(values), "int64")


TWO: list[Shapes] = [((3, 2), (3, 2)), ((2, 1, 3), (4, 1)), ((), (2,)), ((3,), ())]
ONE = ("neg", "abs", "exp", "log", "log1p", "sqrt", "tanh", "sigmoid", "erf", "sin", "cos")
CASES: dict[str, list[Case]] = {
    **{op: [case(op, *shapes) for shapes in TWO] for op in ("add", "sub", "mul", "div", "pow", "maximum", "minimum")},
    **{op: [case(op, (2, 3))] for op in ONE},
    **{op: [(((3,),), lambda x, op=op: x * x.builder.apply(op, x))] for op in ("sign", "floor")},
    **{op: [(((3,), (3,)), lambda x, y, op=op: x * x.builder.apply(op, x, y).cast("float64"))]
       for op in ("less", "equal")},
    "stop_gradient": [(((3,),), lambda x: x * x.builder.apply("stop_gradient", x.builder.apply("floor", x)))],
    "where": [(((3,), (2, 1)), lambda x, y: where(x.less(1.0), x, y * y))],
    "cast": [(((3,),), lambda x: x * x.cast("float64") + x.cast("int64").cast("float64"))],
    "sum": [case("sum", (2, 3, 2), axes=(0, 2)), case("sum", (2, 3), axes=(1,), keepdims=True),
            case("sum", (2,), axes=())],
    "max": [case("max", (2, 3, 2), axes=(0, 2)), case("max", (2, 3), axes=(1,), keepdims=True)],
    "argmax": [(((2, 3),), lambda x: x.sum((1,)) * x.argmax(1).cast("float64"))],
    "size": [(((2, 3),), lambda x: x.mean(1))],
    "reshape": [case("reshape", (2, 3), shape=(3, -1))],
    "transpose": [case("transpose", (2, 3, 4), axes=(2, 0, 1))],
    "expand_like": [(((3, 1), (2, 3, 4)), lambda x, y: y * x.builder.apply("expand_like", x, y))],
    "sum_like": [(((2, 3, 4), (3, 1)), lambda x, y: y * x.builder.apply("sum_like", x, y))],
    "slice": [case("slice", (2, 5), axis=1, start=1, stop=4), case("slice", (5,), axis=0, start=1, stop=-1)],
    "pad": [case("pad", (2, 3), axis=1, before=2, after=1, value=5.0)],
    "concat": [case("concat", (2, 3), (2, 1), (2, 2), axis=1)],
    "matmul": [case("matmul", (2, 3), (3, 4)), case("matmul", (3, 1, 2, 3), (2, 3, 2))],
    "gather": [(((4, 2),), lambda x: x.builder.apply("gather", x, ids(x, [3, 0], [3, 3]))),
               (((2, 4),), lambda x: x.builder.apply("gather", x, ids(x, 1, 1, 2), axis=1))],
    "scatter_add": [
        (((3, 2), (2, 2, 2)), lambda x, u: x * x.builder.apply("scatter_add", x, ids(x, [0, 2], [2, 2]), u)),
        (((2, 4), (2, 3)), lambda x, u: x * x.builder.apply("scatter_add", x, ids(x, 1, 1, 3), u, axis=1)),
    ],
    "window": [case("window", (2, 7), size=(3,), stride=(2,), dilation=(2,)),
               case("window", (2, 4, 5), size=(2, 3), stride=(2, 1))],
    "fold": [(((2, 3, 2), (2, 7)),
              lambda p, x: x * x.builder.apply("fold", p, x, size=(3,), stride=(2,), dilation=(2,)))],
    "uniform": [(((3,),), lambda x: x * x * x.builder.apply("uniform", x, x.builder.constant([1, 2], "uint64")))],
}  # fmt: skip


def weighed(out: Value) -> Value:
    """Return a scalar to which each element contributes in its own measure; the square bends what is linear."""
    shape: Any = out.shape
    return (out * out * np.linspace(0.5, 1.5, math.prod(shape)).reshape(shape)).sum()


def drawn(graph: Graph, seed: int) -> dict[str, Any]:
    """Return values in (0.2, 1.8): within the domain of all ops, and off the kinks."""
    rng = np.random.default_rng(seed)
    return {name: rng.uniform(0.2, 1.8, graph.nodes[place].shape) for name, place in graph.parameters.items()}


def written(shapes: Shapes, build: Callable[..., Value], order: int = 1) -> Graph:
    b = Builder()
    values = [b.parameter(f"p{i}", shape, "float64") for i, shape in enumerate(shapes)]
    loss = weighed(build(*values))
    for _ in range(order - 1):
        loss = sum((weighed(slope) for slope in grad(loss, values)), start=b.constant(0.0, "float64"))
    return b.graph({"loss": loss})


def test_every_op_of_the_kernel_has_a_rule_and_a_case() -> None:
    assert set(VJPS) == set(OPS) == set(CASES)


@pytest.mark.parametrize("op", sorted(OPS))
def test_a_gradient_agrees_with_central_differences(op: str) -> None:
    for shapes, build in CASES[op]:
        graph = written(shapes, build)
        assert op in {node.op for node in graph.nodes}
        check_gradient(graph, drawn(graph, 7))


@pytest.mark.parametrize("op", sorted(OPS))
def test_a_gradient_of_a_gradient_agrees_with_central_differences(op: str) -> None:
    for shapes, build in CASES[op]:
        graph = written(shapes, build, order=2)
        check_gradient(graph, drawn(graph, 8))


@pytest.mark.parametrize("op", sorted(FLAT))
def test_ops_that_are_flat_pass_no_gradient(op: str) -> None:
    b = Builder()
    x, y = b.parameter("x", (2, 3)), b.parameter("y", (2, 3))
    rest: list[Any] = {"uniform": [b.constant([1, 2], "uint64")], "less": [y], "equal": [y]}.get(op, [])
    how: dict[str, Any] = {"argmax": {"axis": 1}, "size": {"axes": (0,)}}.get(op, {})
    (slope,) = grad((b.apply(op, x, *rest, **how).cast("float32") * 3.0).sum(), [x])
    assert b.nodes[slope.place] == b.nodes[b.apply("expand_like", b.constant(0.0), x).place]


def at_ties(op: str) -> Any:
    b = Builder()
    x, y = b.parameter("x", (3,)), b.parameter("y", (3,))
    slopes = grad((b.apply(op, x, y) * np.array([1.0, 2.0, 4.0], "float32")).sum(), [x, y])
    values = {"x": np.array([[1.0, 2.0, 3.0]], "float32"), "y": np.array([[2.0, 2.0, 2.0]], "float32")}
    program = Reference().compile(b.graph(dict(zip("xy", slopes, strict=True))))
    return {name: value[0].tolist() for name, value in program(values, {}).items()}


def test_equal_operands_share_the_gradient_of_an_extreme() -> None:
    assert at_ties("maximum") == {"x": [0.0, 1.0, 4.0], "y": [1.0, 1.0, 0.0]}
    assert at_ties("minimum") == {"x": [1.0, 1.0, 0.0], "y": [0.0, 1.0, 4.0]}


def test_an_operand_equal_to_a_constant_gets_no_gradient_of_an_extreme() -> None:
    b = Builder()
    x = b.parameter("x", (3,))
    relu, mirrored = b.apply("maximum", x, 0.0), b.apply("minimum", b.constant(0.0), x)
    slopes = {"relu": grad(relu.sum(), [x])[0], "mirrored": grad(mirrored.sum(), [x])[0]}
    found = Reference().compile(b.graph(slopes))({"x": np.array([[-1.0, 0.0, 1.0]], "float32")}, {})
    assert found["relu"].tolist() == [[0.0, 0.0, 1.0]]
    assert found["mirrored"].tolist() == [[1.0, 0.0, 0.0]]


def test_the_gradient_of_a_layers_weights_is_a_product_and_no_transposed_copy() -> None:
    b = Builder()
    x, w, v = b.input("x", ("B", 4)), b.parameter("w", (3, 4)), b.parameter("v", (2, 3))
    slopes = grad((b.apply("tanh", x @ w.T) @ v.T).sum(), [w, v])
    assert [b.nodes[slope.place].op for slope in slopes] == ["matmul", "matmul"]


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0])
def test_powers_of_zero_have_finite_gradients(exponent: float) -> None:
    b = Builder()
    x, e = b.parameter("x", (2,), "float64"), b.parameter("e", (), "float64")
    graph = b.graph({"loss": b.apply("pow", x, exponent).sum() + b.apply("pow", x, e).sum()})
    check_gradient(graph, {"x": np.array([0.0, 0.5]), "e": np.array(exponent)}, wrt=["x"], tolerance=2e-5)


SMOOTH: dict[str, Callable[[Value, Value], Value]] = {
    "add": lambda x, y: x + y,
    "product": lambda x, y: x * y,
    "quotient": lambda x, y: x / (1.0 + y * y),
    "power": lambda x, y: (0.5 + x * x) ** (y * 0.5),
    "tanh": lambda x, y: x.builder.apply("tanh", x),
    "sigmoid": lambda x, y: x.builder.apply("sigmoid", x - y),
    "erf": lambda x, y: x.builder.apply("erf", x),
    "wave": lambda x, y: x.builder.apply("sin", x) * x.builder.apply("cos", y),
    "logarithm": lambda x, y: x.builder.apply("log1p", x * x) + x.builder.apply("log", 1.0 + y * y),
    "root": lambda x, y: x.builder.apply("sqrt", 1.0 + x * x),
    "exponential": lambda x, y: x.builder.apply("exp", -(x * x)),
    "softmax": lambda x, y: softmax(x) + log_softmax(y, 0) * 0.1,
    "turned": lambda x, y: (x @ y.T) @ y * 0.3,
    "mean": lambda x, y: x - y.mean(0),
    "norm": lambda x, y: x / x.builder.apply("sqrt", 0.5 + (x * x).sum(1, keepdims=True)),
    "parts": lambda x, y: x.builder.apply("concat", x[:, 1:], y[:, :1], axis=1),
    "rows": lambda x, y: x.builder.apply("gather", x, ids(x, 2, 0, 2)) * y,
    "patches": lambda x, y: x.builder.apply("fold", x.builder.apply("window", x, size=(2,)), x, size=(2,)) * y,
}
ROUGH: dict[str, Callable[[Value, Value], Value]] = {
    "relu": lambda x, y: x.builder.apply("maximum", x, 0.0),
    "smaller": lambda x, y: x.builder.apply("minimum", x, y),
    "magnitude": lambda x, y: x.builder.apply("abs", x) - y,
    "largest": lambda x, y: x - y.max(1, keepdims=True),
    "choice": lambda x, y: where(x.less(y), x * 0.1, y),
}


def composed(steps: list[str], order: int) -> Graph:
    """Return a scalar of two matrices [3, 4], each step made from the two values before it."""
    b = Builder()
    values = leaves = [b.parameter(name, (3, 4), "float64") for name in ("a", "b")]
    for step in steps:
        values = [*values[1:], {**SMOOTH, **ROUGH}[step](values[-1], values[-2])]
    loss = weighed(values[-1]) + weighed(values[-2])
    if order == 2:
        loss = sum((slope * weight).sum() for slope, weight in zip(grad(loss, leaves), (0.7, 1.3), strict=True))
    return b.graph({"loss": loss})


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(sorted(SMOOTH)), min_size=1, max_size=6), st.integers(0, 10**6), st.integers(1, 2))
def test_random_smooth_compositions_agree_with_central_differences(steps: list[str], seed: int, order: int) -> None:
    graph = composed(steps, order)
    rng = np.random.default_rng(seed)
    check_gradient(graph, {name: rng.normal(size=(3, 4)) for name in "ab"}, tolerance=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(sorted(SMOOTH | ROUGH)), min_size=1, max_size=6), st.integers(0, 10**6))
def test_random_compositions_with_kinks_agree_with_central_differences(steps: list[str], seed: int) -> None:
    graph = composed(steps, 1)
    rng = np.random.default_rng(seed)
    check_gradient(graph, {name: rng.normal(size=(3, 4)) for name in "ab"}, tolerance=1e-4, step=1e-6)
