# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pooling in the engine `tiles`: windows are never copied, equal maxima share a gradient, and a scan trains by it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Arguments, Builder, Graph, Value, where
from vynapse_core.devices.reference import Reference
from vynapse_core.ops import OPS
from vynapse_numba.device import Numba
from vynapse_numba.tiles import plan

AXES = (2, 3)


def tiles(threads: int = 2) -> Numba:
    return Numba(threads=threads, engine="tiles")


def largest(x: Value, size: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]) -> Value:
    return x.builder.apply("window", x, size=size, stride=stride, dilation=dilation).max(AXES)


def largest_gradient(x: Value, g: Value, at: dict[str, tuple[int, int]]) -> Value:
    """Return the gradient of a maximum over windows, as autodiff builds it: equal ones share it."""
    b = x.builder
    cut = b.apply("window", x, **at)
    faced = (*g.shape[:2], 1, 1, *g.shape[2:])
    chosen = cut.equal(cut.max(AXES).reshape(faced))
    share = g.reshape(faced) / chosen.cast(g.dtype).sum(AXES).reshape(faced)
    return b.apply("fold", where(chosen, share, 0.0), x, **at)


def compared(graph: Graph, arrays: dict[str, np.ndarray], inputs: dict[str, np.ndarray]) -> None:
    expected = Reference().compile(graph)(arrays, inputs)
    found = tiles(1).compile(graph)(arrays, inputs)
    again = tiles(2).compile(graph)(arrays, inputs)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(again[name], found[name])


def steps(graph: Graph) -> list[str]:
    made = plan(Arguments(graph, (), OPS), {}, 1)._plan  # type: ignore[attr-defined]
    return [graph.nodes[step.nodes[0]].op for step in made.steps if not step.view and step.chain is None]


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_pools_of_any_shape_and_their_gradients_agree_ties_included(data: st.DataObject) -> None:
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    size, stride, dilation = data.draw(pair), data.draw(pair), data.draw(pair)
    spans = [step * (n - 1) + 1 for n, step in zip(size, dilation, strict=True)]
    images = [span + data.draw(st.integers(0, 5)) for span in spans]
    at = {"size": size, "stride": stride, "dilation": dilation}
    b = Builder()
    x = b.input("x", ("B", 3, *images)) * b.parameter("scale", (3, 1, 1))
    cut = b.apply("window", x, **at)
    y, total = cut.max(AXES), cut.sum(AXES)
    g = b.input("g", y.shape)
    spread = b.apply("fold", b.apply("expand_like", g.reshape((*g.shape[:2], 1, 1, *g.shape[2:])), cut), x, **at)
    graph = b.graph({"max": y, "sum": total, "dmax": largest_gradient(x, g, at), "dsum": spread})
    assert {"window", "where"}.isdisjoint(steps(graph))
    samples = data.draw(st.sampled_from([1, 5, 16, 33]))
    rng = np.random.default_rng(samples)
    inputs = {
        "x": rng.integers(-2, 3, (samples, 3, *images)).astype("f4"),
        "g": rng.normal(size=(samples, *[int(n) for n in y.shape[1:]])).astype("f4"),
    }
    compared(graph, {"scale": rng.normal(size=(2, 3, 1, 1)).astype("f4")}, inputs)


def rectified(stride: int = 2, size: int = 2, images: int = 9) -> Graph:
    """A convolution, a rectifier and a pool, with the gradient by what the rectifier takes."""
    b = Builder()
    x, w, bias = b.input("x", ("B", 1, images, images)), b.parameter("w", (4, 4)), b.parameter("b", (4,))
    places = images - 1
    y = (w @ b.apply("window", x, size=(2, 2)).reshape(("B", 4, places**2))).reshape(("B", 4, places, places))
    column = bias.reshape((4, 1, 1))
    y = y + column
    raised = b.apply("maximum", y, 0.0)
    at = {"size": (size, size), "stride": (stride, stride), "dilation": (1, 1)}
    pooled = b.apply("window", raised, **at).max(AXES)
    g = b.apply("tanh", pooled) + 1.0
    slopes = where(b.constant(0.0).less(y), largest_gradient(raised, g, at), 0.0)
    patches = b.apply("window", x, size=(2, 2)).reshape(("B", 4, places**2))
    dw = b.apply("sum_like", slopes.reshape(("B", 4, places**2)) @ patches.transpose((0, 2, 1)), w)
    db = b.apply("sum_like", slopes, column).reshape((4,))
    return b.graph({"y": pooled, "slopes": slopes, "dw": dw, "w": w - dw * 1e-4, "b": bias - db * 1e-4})


@pytest.mark.parametrize("images", [9, 10])
@pytest.mark.parametrize(("stride", "size"), [(2, 2), (1, 2), (3, 2), (2, 3)])
def test_a_rectifier_before_a_pool_is_taken_in(images: int, stride: int, size: int) -> None:
    graph = rectified(stride, size, images)
    assert steps(graph) == ["add", "max", "where", "sum_like", "sum_like"]
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.normal(size=(2, *map(int, graph.nodes[i].shape))).astype("f4") for name, i in graph.parameters.items()
    }
    x = rng.integers(-1, 2, (35, 1, images, images)).astype("f4")
    compared(graph, arrays, {"x": x})


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("dims", [1, 2])
def test_a_pool_over_all_positions_is_one_step(keepdims: bool, dims: int) -> None:
    b = Builder()
    x = b.input("x", ("B", 3, *(5, 4)[:dims])) * b.parameter("scale", (3, *(1, 1)[:dims]))
    axes = AXES[:dims]
    graph = b.graph({"sum": x.sum(axes, keepdims=keepdims), "max": x.max(axes, keepdims=keepdims)})
    assert sorted(steps(graph)) == ["max", "sum"]
    rng = np.random.default_rng(2)
    inputs = {"x": rng.normal(size=(19, 3, *(5, 4)[:dims])).astype("f4")}
    compared(graph, {"scale": rng.normal(size=(2, 3, *(1, 1)[:dims])).astype("f4")}, inputs)


def test_nan_in_a_window_is_its_maximum_and_gets_no_gradient() -> None:
    b = Builder()
    x, scale = b.input("x", ("B", 1, 2, 4)), b.parameter("scale", ())
    at = {"size": (2, 2), "stride": (2, 2), "dilation": (1, 1)}
    y = largest(x * scale, **at)
    graph = b.graph({"y": y, "dx": largest_gradient(x * scale, y * 0.0 + 1.0, at)})
    values = np.arange(8, dtype="f4").reshape(1, 1, 2, 4)
    values[0, 0, 0, 0] = np.nan
    compared(graph, {"scale": np.ones(1, "f4")}, {"x": values})


@pytest.mark.parametrize("images", [9, 29])
def test_a_scan_of_a_convolutional_network_gives_the_reference_and_the_same_bits_on_two_threads(images: int) -> None:
    graph = rectified(images=images)
    rng = np.random.default_rng(1)
    arrays = {
        k: rng.normal(size=(1, *map(int, graph.nodes[i].shape))).astype("f4") for k, i in graph.parameters.items()
    }
    inputs = {"x": rng.normal(size=(90, 1, images, images)).astype("f4")}
    batches, carry = {"x": rng.integers(0, 90, (9, 40))}, {"w": "w", "b": "b"}
    live = Graph(graph.nodes, {name: graph.outputs[name] for name in carry})
    alone, shared = (tiles(threads).compile(live).scan(arrays, inputs, batches, carry)[0] for threads in (1, 2))
    expected = Reference().compile(live).scan(arrays, inputs, batches, carry)[0]
    for name in carry:
        np.testing.assert_array_equal(alone[name], shared[name])
        np.testing.assert_allclose(alone[name], expected[name], rtol=1e-4, atol=1e-4)
