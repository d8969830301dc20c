# SPDX-License-Identifier: MIT OR Apache-2.0
"""Convolutions in the engine `tiles`: they and their gradients are one step each, and what the reference computes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Arguments, Builder, Graph, Value
from vynapse_core.devices.reference import Reference
from vynapse_core.ops import OPS
from vynapse_numba.device import Numba
from vynapse_numba.tiles import plan
from vynapse_numba.tiles.convolution_runs import Window

Pair = tuple[int, int]


def tiles(threads: int = 2) -> Numba:
    return Numba(threads=threads, engine="tiles")


def convolved(
    b: Builder, x: Value, filters: int, size: Pair, stride: Pair = (1, 1), dilation: Pair = (1, 1), groups: int = 1
) -> dict[str, Value]:
    """Return a convolution with a bias, and its gradients by the cotangent `g`, as autodiff would build them."""
    channels = int(x.shape[1])
    rows, terms = filters // groups, channels // groups * size[0] * size[1]
    weights = b.parameter("w", (rows, terms) if groups == 1 else (groups, rows, terms), x.dtype)
    bias = b.parameter("b", (filters,), x.dtype).reshape((filters, 1, 1))
    at = {"size": size, "stride": stride, "dilation": dilation}
    cut = b.apply("window", x, **at)
    places = (int(cut.shape[-2]), int(cut.shape[-1]))
    several = () if groups == 1 else (groups,)
    positions = places[0] * places[1]
    patches = cut.reshape(("B", *several, terms, positions))
    y = (weights @ patches).reshape(("B", filters, *places)) + bias
    g = b.input("g", ("B", filters, *places), x.dtype)
    slopes = g.reshape(("B", *several, rows, positions))
    turned = (*range(1 + len(several)), 2 + len(several), 1 + len(several))
    back = (0, 2, 1) if several else (1, 0)
    return {
        "y": y,
        "dw": b.apply("sum_like", slopes @ patches.transpose(turned), weights),
        "db": b.apply("sum_like", g, bias),
        "dx": b.apply("fold", (weights.transpose(back) @ slopes).reshape(cut.shape), x, **at),
    }


def drawn(graph: Graph, networks: int, samples: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    rng = np.random.default_rng(networks + samples)

    def array(place: int, *lead: int) -> np.ndarray:
        node = graph.nodes[place]
        return rng.normal(size=(*lead, *[samples if n == "B" else int(n) for n in node.shape])).astype(node.dtype)

    arrays = {name: array(place, networks) for name, place in graph.parameters.items()}
    return arrays, {name: array(place) for name, place in graph.inputs.items()}


def compared(graph: Graph, networks: int, samples: int, per_network: tuple[str, ...] = ()) -> None:
    """Compare with the reference, and one thread with two, bit by bit."""
    arrays, inputs = drawn(graph, networks, samples)
    for name in per_network:
        inputs[name] = np.stack([inputs[name] * (1 + i) for i in range(networks)])
    expected = Reference().compile(graph, per_network)(arrays, inputs)
    found = tiles(1).compile(graph, per_network)(arrays, inputs)
    again = tiles(2).compile(graph, per_network)(arrays, inputs)
    for name, value in expected.items():
        exact = 1e-12 if value.dtype == np.float64 else 2e-5
        np.testing.assert_allclose(found[name], value, rtol=exact, atol=exact * (1 + abs(value).max(initial=0)))
        np.testing.assert_array_equal(again[name], found[name])


def steps(graph: Graph, per_network: tuple[str, ...] = ()) -> list[str]:
    """Return the ops of the steps that compute a graph."""
    made = plan(Arguments(graph, per_network, OPS), {}, 1)._plan  # type: ignore[attr-defined]
    return [graph.nodes[step.nodes[0]].op for step in made.steps if not step.view and step.chain is None]


@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_and_its_gradients_are_four_steps_without_patches(groups: int) -> None:
    b = Builder()
    found = convolved(b, b.input("x", ("B", 4, 8, 8)), 6, (3, 3), groups=groups) | {}
    assert steps(b.graph(found), ("g", "x")) == ["add", "sum_like", "sum_like", "fold"]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_convolutions_of_any_shape_agree_with_the_reference(data: st.DataObject) -> None:
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    size, stride, dilation = data.draw(pair), data.draw(pair), data.draw(pair)
    spans = [step * (n - 1) + 1 for n, step in zip(size, dilation, strict=True)]
    images = tuple(span + data.draw(st.integers(0, 6)) for span in spans)
    groups = data.draw(st.sampled_from([1, 1, 2, 3]))
    filters, channels = (groups * data.draw(st.integers(1, n)) for n in (11, 5))
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    b = Builder()
    x = b.input("x", ("B", channels, *images), dtype)
    graph = b.graph(convolved(b, x, filters, size, stride, dilation, groups))
    own = data.draw(st.sampled_from([(), ("x",), ("g",), ("x", "g")]))
    networks = data.draw(st.integers(1, 3))
    compared(graph, networks, data.draw(st.sampled_from([1, 2, 7, 16, 17, 40])), own)


@pytest.mark.parametrize("dims", [1, 3])
def test_convolutions_along_one_axis_and_three_agree(dims: int) -> None:
    b = Builder()
    x, w = b.input("x", ("B", 3, *(6, 5, 4)[:dims])), b.parameter("w", (5, 3 * 2**dims))
    cut = b.apply("window", x, size=(2,) * dims)
    places = [int(n) for n in cut.shape[-dims:]]
    patches = cut.reshape(("B", 3 * 2**dims, int(np.prod(places))))
    y = (w @ patches).reshape(("B", 5, *places))
    slopes = b.apply("tanh", y).reshape(("B", 5, int(np.prod(places))))
    dx = b.apply("fold", (w.T @ slopes).reshape(cut.shape), x, size=(2,) * dims)
    dw = b.apply("sum_like", slopes @ patches.transpose((0, 2, 1)), w)
    compared(b.graph({"y": y, "dx": dx, "dw": dw}), 2, 9)


def test_layers_one_upon_the_other_agree_with_padding_between() -> None:
    b = Builder()
    x = b.input("x", ("B", 2, 7, 7))
    for axis in (2, 3):
        x = b.apply("pad", x, axis=axis, before=1, after=1)
    w0, w1 = b.parameter("w0", (5, 18)), b.parameter("w1", (3, 5 * 9))
    y = (w0 @ b.apply("window", x, size=(3, 3)).reshape(("B", 18, 49))).reshape(("B", 5, 7, 7))
    y = b.apply("maximum", y, 0.0)
    for axis in (2, 3):
        y = b.apply("pad", y, axis=axis, before=1, after=1)
    y = (w1 @ b.apply("window", y, size=(3, 3), stride=(2, 2)).reshape(("B", 45, 16))).reshape(("B", 3, 4, 4))
    compared(b.graph({"y": y, "sum": y.sum((0, 2, 3)), "mean": y.mean()}), 2, 21)


def test_a_value_of_all_samples_that_waits_for_their_mean_agrees() -> None:
    b = Builder()
    w = b.parameter("w", (4, 9))
    y = (w @ b.apply("window", b.input("x", ("B", 1, 6, 6)), size=(3, 3)).reshape(("B", 9, 16))).reshape(("B", 4, 4, 4))
    mean = y.mean((0, 2, 3)).reshape((4, 1, 1))
    compared(b.graph({"centred": y - mean, "square": ((y - mean) ** 2).sum((0, 2, 3))}), 2, 37)


def test_filters_that_are_a_view_of_a_parameter_agree() -> None:
    b = Builder()
    w = b.parameter("w", (3, 2, 5)).transpose((2, 1, 0)).reshape((5, 6))
    y = w @ b.apply("window", b.input("x", ("B", 2, 4, 4)), size=(1, 3)).reshape(("B", 6, 8))
    compared(b.graph({"y": y}), 3, 5)


def test_no_samples_give_empty_results_and_gradients_of_0() -> None:
    b = Builder()
    graph = b.graph(convolved(b, b.input("x", ("B", 2, 5, 5)), 3, (3, 3)))
    arrays, inputs = drawn(graph, 2, 0)
    found = tiles().compile(graph)(arrays, inputs)
    assert found["y"].shape == (2, 0, 3, 3, 3)
    assert not found["dw"].any()


def test_windows_that_leave_no_gap_lie_apart_and_longer_steps_leave_gaps() -> None:
    assert Window((2, 3), (2, 3), (1, 1), (9, 8)).apart
    assert not Window((2, 2), (3, 2), (1, 1), (9, 8)).apart
    assert not Window((2, 2), (3, 2), (1, 1), (9, 8)).overlaps
    assert Window((3, 2), (2, 1), (1, 2), (9, 8)).overlaps
    assert Window((3, 2), (2, 1), (1, 2), (9, 8)).places == (4, 6)


def test_a_number_of_samples_that_the_graph_fixes_agrees() -> None:
    b = Builder()
    x, w = b.input("x", (5, 2, 6, 6)), b.parameter("w", (3, 18))
    y = (w @ b.apply("window", x, size=(3, 3)).reshape((5, 18, 16))).reshape((5, 3, 4, 4))
    y = y + b.parameter("b", (3,)).reshape((3, 1, 1))
    top = b.apply("window", b.apply("maximum", y, 0.0), size=(2, 2), stride=(2, 2)).max((2, 3))
    slopes = b.apply("tanh", y).reshape((5, 3, 16))
    dx = b.apply("fold", (w.T @ slopes).reshape((5, 2, 3, 3, 4, 4)), x, size=(3, 3))
    compared(b.graph({"y": y, "top": top, "dx": dx}), 3, 5)


def test_a_scan_over_padded_images_gives_what_the_reference_does_on_any_number_of_threads() -> None:
    b = Builder()
    x = b.input("x", ("B", 2, 12, 12))
    for axis in (2, 3):
        x = b.apply("pad", x, axis=axis, before=1, after=1, value=0.5)
    w = b.parameter("w", (16, 18))
    patches = b.apply("window", x, size=(3, 3)).reshape(("B", 18, 144))
    slopes = b.apply("tanh", w @ patches)
    graph = b.graph({"w": w - b.apply("sum_like", slopes @ patches.transpose((0, 2, 1)), w) * 1e-4})
    rng = np.random.default_rng(3)
    arrays = {"w": rng.normal(size=(1, 16, 18)).astype("f4")}
    inputs, rows = {"x": rng.normal(size=(80, 2, 12, 12)).astype("f4")}, {"x": rng.integers(0, 80, (8, 50))}
    found = [each.compile(graph).scan(arrays, inputs, rows, {"w": "w"})[0]["w"] for each in (tiles(1), tiles(2))]
    expected = Reference().compile(graph).scan(arrays, inputs, rows, {"w": "w"})[0]["w"]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-4)
