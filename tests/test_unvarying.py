# SPDX-License-Identifier: MIT OR Apache-2.0
"""A graph parted into what depends on parameters alone and the rest computes the same."""

from __future__ import annotations

import numpy as np

from vynapse_core import Builder, Graph
from vynapse_core.devices.reference import Reference
from vynapse_core.unvarying import parted


def ops(graph: Graph) -> list[str]:
    return sorted(node.op for node in graph.nodes if node.operands)


def test_parts_compute_what_the_whole_computes() -> None:
    builder = Builder()
    x = builder.input("x", ("B", 2))
    w = builder.parameter("w", (2, "H"))
    v = builder.parameter("v", ("H",))
    early = builder.apply("tanh", w * v + 1.0)
    scale = early.sum()
    graph = builder.graph({"y": x @ early * scale + v, "scale": scale})
    first, rest = parted(graph)
    assert first is not None
    assert ops(first) == ["add", "mul", "sum", "tanh"]
    assert ops(rest) == ["add", "matmul", "mul"]
    assert list(first.parameters) == ["w", "v"]
    assert set(rest.parameters) == {"v", *first.outputs}
    rng = np.random.default_rng(1)
    arrays = {"w": rng.normal(size=(3, 2, 5)).astype(np.float32), "v": rng.normal(size=(3, 5)).astype(np.float32)}
    seen = {"x": rng.normal(size=(4, 2)).astype(np.float32)}
    once = Reference().compile(first)(arrays, {})
    found = Reference().compile(rest)({**once, "v": arrays["v"]}, seen)
    for name, whole in Reference().compile(graph)(arrays, seen).items():
        np.testing.assert_array_equal(found[name], whole)


def test_weights_turned_or_cut_are_left_where_they_are() -> None:
    builder = Builder()
    w = builder.parameter("w", (4, 2))
    graph = builder.graph({"y": builder.input("x", ("B", 2)) @ w[:3].T})
    assert parted(graph) == (None, graph)


def test_what_takes_its_shape_from_an_input_stays_with_it() -> None:
    builder = Builder()
    x, w = builder.input("x", ("B", 2)), builder.parameter("w", (2,))
    graph = builder.graph({"y": x + builder.apply("expand_like", w, x)})
    assert parted(graph) == (None, graph)


def test_names_that_are_taken_are_not_given_again() -> None:
    builder = Builder()
    once = builder.parameter("once0", (2,))
    graph = builder.graph({"y": builder.input("x", ("B", 2)) * builder.apply("exp", once) + once})
    first, rest = parted(graph)
    assert first is not None
    assert list(first.outputs) == ["once0'"]
    assert set(rest.parameters) == {"once0", "once0'"}
