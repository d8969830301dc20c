# SPDX-License-Identifier: MIT OR Apache-2.0
"""The engine `tiles`: what the reference device computes, the same bits in any company, in little memory."""

from __future__ import annotations

import itertools
import logging
import threading
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Arguments, Builder, Graph, GraphError, Op, Value, log_softmax, one_hot, where
from vynapse_core.devices.reference import Reference
from vynapse_core.ops import OPS
from vynapse_core.testing import check_device
from vynapse_numba.device import Numba
from vynapse_numba.tiles import memory, plan
from vynapse_numba.tiles.split import Stage

ACTIVATIONS = ("tanh", "sigmoid", "erf", "sin", "exp", "relu")


def tiles(threads: int = 2) -> Numba:
    return Numba(threads=threads, engine="tiles")


def activated(name: str, x: Value) -> Value:
    return x.builder.apply("maximum", x, 0.0) if name == "relu" else x.builder.apply(name, x)


def network(b: Builder, layers: list[int], activation: str, bias: bool = True) -> Value:
    value = b.input("x", ("B", layers[0]))
    for i, (fan_in, fan_out) in enumerate(itertools.pairwise(layers)):
        value = value @ b.parameter(f"w{i}", (fan_out, fan_in)).T
        if bias:
            value = value + b.parameter(f"b{i}", (fan_out,))
        if i < len(layers) - 2:
            value = activated(activation, value)
    return value


def classifier(layers: list[int], activation: str = "tanh", bias: bool = True) -> Graph:
    b = Builder()
    y = network(b, layers, activation, bias)
    ids = b.input("ids", ("B",), "int64")
    loss = -(log_softmax(y) * one_hot(ids, layers[-1])).sum(-1).mean()
    accuracy = y.argmax(-1).equal(ids).cast("float32").mean()
    return b.graph({"y": y, "loss": loss, "accuracy": accuracy, "largest": y.max((0,))})


def regression_with_gradient(hidden: int = 9) -> Graph:
    """A network, its loss, and its backward pass as autodiff would append it."""
    b = Builder()
    x, t = b.input("x", ("B", 5)), b.input("t", ("B", 3))
    w0, b0, w1 = b.parameter("w0", (hidden, 5)), b.parameter("b0", (hidden,)), b.parameter("w1", (3, hidden))
    h = b.apply("tanh", x @ w0.T + b0)
    error = h @ w1.T - t
    slope = error * 2.0 / b.apply("size", error, axes=(0, 1))
    back = (slope @ w1) * (1.0 - h * h)
    return b.graph(
        {
            "loss": (error**2).mean(),
            "w1'": w1 - 0.1 * (h.T @ slope).T,
            "w0'": w0 - 0.1 * (x.T @ back).T,
            "b0'": b0 - 0.1 * b.apply("sum_like", back, b0),
        }
    )


def drawn(graph: Graph, networks: int, samples: int, per_network: tuple[str, ...] = (), seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)

    def values(place: int, lead: tuple[int, ...]) -> Any:
        node = graph.nodes[place]
        shape = (*lead, *[samples if isinstance(dim, str) else dim for dim in node.shape])
        if node.dtype == "int64":
            return rng.integers(0, 2, shape)
        return rng.normal(size=shape).astype(node.dtype)

    arrays = {name: values(place, (networks,)) for name, place in graph.parameters.items()}
    lead = {name: (networks,) if name in per_network else () for name in graph.inputs}
    return arrays, {name: values(place, lead[name]) for name, place in graph.inputs.items()}


def agree(found: Any, expected: Any, rtol: float = 2e-5, atol: float = 2e-5) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)
        np.testing.assert_allclose(found[name], value, rtol=rtol, atol=atol, err_msg=name)


def same(found: Any, expected: Any) -> None:
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few samples and tiles of a few networks, so that small cases have many of them."""
    monkeypatch.setattr(memory, "STEP", 2)
    monkeypatch.setattr(memory, "ROW", 1)
    monkeypatch.setattr(memory, "TILE", 600)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_device_keeps_its_contract(threads: int) -> None:
    check_device(tiles(threads))


@pytest.mark.usefixtures("small_blocks")
def test_the_device_keeps_its_contract_in_blocks_of_two_samples() -> None:
    check_device(tiles())


LAYERS = st.lists(st.integers(1, 20), min_size=2, max_size=4)


@settings(max_examples=40, deadline=None)
@given(LAYERS, st.sampled_from(ACTIVATIONS), st.booleans(), st.integers(1, 9), st.integers(1, 70), st.booleans())
def test_networks_with_losses_agree_with_the_reference(
    layers: list[int], activation: str, bias: bool, networks: int, samples: int, own: bool
) -> None:
    graph = classifier([*layers[:-1], max(layers[-1], 2)], activation, bias)
    per_network = ("x",) if own else ()
    arrays, inputs = drawn(graph, networks, samples, per_network)
    # large weights make exp and sin magnify what rounding leaves
    factor = np.float32(0.1 if activation == "exp" else 0.3)
    arrays = {name: array * factor for name, array in arrays.items()}
    expected = Reference().compile(graph, per_network)(arrays, inputs)
    found = tiles().compile(graph, per_network)(arrays, inputs)
    for name in ("y", "loss", "largest"):
        # where large values cancel, what is left has the error of the large ones
        size = max(float(np.abs(expected["y"]).max()), 1.0)
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-4 * size)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("samples", [0, 1, 2, 7, 40])
@pytest.mark.parametrize("per_network", [(), ("x",), ("x", "t")])
def test_gradients_summed_over_blocks_agree_with_the_reference(samples: int, per_network: tuple[str, ...]) -> None:
    graph = regression_with_gradient()
    arrays, inputs = drawn(graph, 5, samples, per_network)
    expected = Reference().compile(graph, per_network)(arrays, inputs)
    agree(tiles().compile(graph, per_network)(arrays, inputs), expected)


def test_a_gradient_graph_is_computed_in_blocks() -> None:
    graph = regression_with_gradient()
    stages = tiles().compile(graph)._plan.split.stages  # type: ignore[attr-defined]
    assert {Stage.ONCE, Stage.EACH, Stage.SUMS, Stage.AFTER} <= set(stages)


def test_double_precision_is_kept() -> None:
    graph = regression_with_gradient().astype("float64")
    arrays, inputs = drawn(graph, 3, 50)
    agree(tiles().compile(graph)(arrays, inputs), Reference().compile(graph)(arrays, inputs), 1e-12, 1e-12)


@pytest.mark.parametrize("graph", [classifier([6, 17, 4]), regression_with_gradient()], ids=["forward", "backward"])
@pytest.mark.parametrize("samples", [1, 33, 300])
def test_bits_depend_neither_on_threads_nor_on_the_share_of_the_population(graph: Graph, samples: int) -> None:
    arrays, inputs = drawn(graph, 37, samples)
    whole = tiles(1).compile(graph)(arrays, inputs)
    for threads in (2, 3):
        same(tiles(threads).compile(graph)(arrays, inputs), whole)
    program = tiles(2).compile(graph)
    for cut in (slice(0, 1), slice(36, 37), slice(5, 12), slice(1, 36)):
        part = program({name: array[cut] for name, array in arrays.items()}, inputs)
        same(part, {name: value[cut] for name, value in whole.items()})


def test_weights_may_be_views_of_rows_of_genes_or_lie_in_any_order() -> None:
    graph = classifier([6, 5, 3])
    arrays, inputs = drawn(graph, 8, 20)
    expected = tiles().compile(graph)(arrays, inputs)
    genes = np.concatenate([array.reshape(8, -1) for array in arrays.values()], axis=1)
    views, start = {}, 0
    for name, array in arrays.items():
        views[name] = genes[:, start : start + array[0].size].reshape(array.shape)
        start += array[0].size
    same(tiles().compile(graph)(views, inputs), expected)
    turned = {name: np.asfortranarray(array) for name, array in arrays.items()}
    same(tiles().compile(graph)(turned, {name: np.asfortranarray(x) for name, x in inputs.items()}), expected)
    swapped = {name: array.astype(array.dtype.newbyteorder(">")) for name, array in arrays.items()}
    same(tiles().compile(graph)(swapped, inputs), expected)


def test_what_is_given_is_never_written_and_outputs_are_the_callers() -> None:
    b = Builder()
    x, w = b.input("x", ("B", 2)), b.parameter("w", (3, 2))
    graph = b.graph({"x": x, "w": w, "t": w.T, "e": b.apply("expand_like", w[0], x), "s": b.apply("exp", w) + w})
    arrays, inputs = drawn(graph, 4, 6)
    for array in (*arrays.values(), *inputs.values()):
        array.flags.writeable = False
    program = tiles().compile(graph)
    first = program(arrays, inputs)
    kept = {name: value.copy() for name, value in first.items()}
    program({"w": arrays["w"] + 1}, {"x": inputs["x"] + 1})
    same(first, kept)
    for output in first.values():
        assert output.flags.writeable
        assert not any(np.shares_memory(output, array) for array in (*arrays.values(), *inputs.values()))


def test_values_read_again_are_not_overwritten_in_place() -> None:
    b = Builder()
    x, w = b.input("x", ("B", 3)), b.parameter("w", (3,))
    first = x * w
    second = b.apply("exp", first)
    third = b.apply("neg", second.T).T
    graph = b.graph({"first": first, "sum": second + third * first, "second": second, "once": b.apply("neg", w * w)})
    arrays, inputs = drawn(graph, 3, 200)
    same(tiles().compile(graph)(arrays, inputs), tiles(1).compile(graph)(arrays, inputs))
    agree(tiles().compile(graph)(arrays, inputs), Reference().compile(graph)(arrays, inputs))


def test_nan_and_infinity_stay_in_their_network_and_sample() -> None:
    graph = classifier([4, 6, 3])
    arrays, inputs = drawn(graph, 5, 30)
    clean = tiles().compile(graph)(arrays, inputs)
    arrays["w0"][2, 1, 1], inputs["x"][7, 0] = np.nan, np.inf
    found = tiles().compile(graph)(arrays, inputs)
    expected = Reference().compile(graph)(arrays, inputs)
    np.testing.assert_array_equal(np.isnan(found["y"]), np.isnan(expected["y"]))
    assert np.isnan(found["y"][2]).all()
    others = np.delete(np.arange(30), 7)
    np.testing.assert_array_equal(found["y"][0][others], clean["y"][0][others])


@pytest.mark.parametrize(("op", "least", "most"), [("erf", -6, 6), ("sigmoid", -200, 200), ("tanh", -20, 20)])
def test_activations_are_right_over_their_whole_range(op: str, least: float, most: float) -> None:
    b = Builder()
    graph = b.graph({"y": b.apply(op, b.parameter("x", (20001,)))})
    special = np.array([0.0, -0.0, np.inf, -np.inf, 1e-30, 3e38, -3e38], "f4")
    x = np.concatenate([np.linspace(least, most, 20001 - len(special), dtype="f4"), special])[None]
    exact = Reference().compile(graph.astype("float64"))({"x": x.astype("f8")}, {})["y"]
    found = tiles().compile(graph)({"x": x}, {})["y"]
    np.testing.assert_allclose(found, exact, rtol=1e-6, atol=5e-7)
    assert np.isnan(tiles().compile(graph)({"x": np.full_like(x, np.nan)}, {})["y"]).all()


def test_a_value_of_each_sample_that_needs_a_sum_over_all_is_computed_whole() -> None:
    b = Builder()
    x, w = b.input("x", ("B", 3)), b.parameter("w", (3,))
    v = x * w
    centred = v - v.mean((0,), keepdims=True)
    graph = b.graph({"centred": centred, "spread": (centred**2).mean(), "gram": v @ v.T})
    arrays, inputs = drawn(graph, 7, 90)
    agree(tiles().compile(graph)(arrays, inputs), Reference().compile(graph)(arrays, inputs))


def test_graphs_with_leading_axes_and_indices_agree_with_the_reference() -> None:
    b = Builder()
    x, ids, table = b.input("x", ("B", 6, 4)), b.input("ids", ("B", 2), "int64"), b.parameter("table", (5, 3))
    w, picks = b.parameter("w", (4, 3)), b.parameter("picks", (7,), "int64")
    scores = x @ w
    rows = b.apply("gather", table, ids)
    graph = b.graph(
        {
            "scores": scores,
            "attended": (scores @ scores.transpose((0, 2, 1))) @ x,
            "rows": rows,
            "shared": b.apply("gather", x, picks, axis=1),
            "own": b.apply("gather", table, picks),
            "added": b.apply("scatter_add", table, ids, rows),
            "added own": b.apply("scatter_add", table, picks, b.apply("gather", table, picks)),
            "chosen": where(scores.greater(0.0), scores, scores * 0.1).sum((1, 2)),
        }
    )
    arrays, inputs = drawn(graph, 6, 11)
    for per_network in ((), ("x",), ("ids",), ("x", "ids")):
        arrays, inputs = drawn(graph, 6, 11, per_network)
        expected = Reference().compile(graph, per_network)(arrays, inputs)
        agree(tiles().compile(graph, per_network)(arrays, inputs), expected)


def test_an_index_out_of_range_is_refused_as_by_the_reference() -> None:
    b = Builder()
    w, ids = b.parameter("w", (3,)), b.input("ids", ("B",), "int64")
    program = tiles().compile(b.graph({"y": b.apply("gather", w, ids)}))
    with pytest.raises(GraphError, match=r"gather float32 \[B\] failed: index 3 is outside an axis of size 3"):
        program({"w": np.ones((2, 3), "f4")}, {"ids": np.array([0, 3])})


def doubling() -> dict[str, Op]:
    def meaning(arrays: Any, attributes: Any, sizes: Any) -> Any:
        return arrays[0] * 2 + arrays[1]

    return {**OPS, "twice_and": Op("twice_and", "", 2, OPS["add"].infer, meaning)}


def graph_of_a_plugin(ops: dict[str, Op]) -> Graph:
    b = Builder(ops)
    return b.graph({"y": b.apply("twice_and", b.parameter("w", (3,)), b.input("x", (3,)))})


def test_an_op_without_kernel_is_computed_network_by_network_with_one_warning(caplog: Any) -> None:
    ops = doubling()
    graph = graph_of_a_plugin(ops)
    arrays, inputs = drawn(graph, 4, 1)
    with caplog.at_level(logging.WARNING, "vynapse_numba"):
        program = tiles().compile(graph, ops=ops)
        found = program(arrays, inputs)
        program(arrays, inputs)
    np.testing.assert_array_equal(found["y"], arrays["w"] * 2 + inputs["x"])
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "the op 'twice_and' has no kernel for the device 'numba'"
    ]


def test_an_op_with_a_kernel_of_a_plugin_uses_it_for_all_networks_at_once(caplog: Any) -> None:
    ops = doubling()
    graph = graph_of_a_plugin(ops)
    seen: list[tuple[int, ...]] = []

    def kernel(arrays: Any, attributes: Any, sizes: Any, threads: int) -> Any:
        seen.extend(array.shape for array in arrays)
        return arrays[0] * 2 + arrays[1]

    arrays, inputs = drawn(graph, 4, 1)
    found = plan(Arguments(graph, (), ops), {"twice_and": kernel}, 1)(arrays, inputs)
    np.testing.assert_array_equal(found["y"], arrays["w"] * 2 + inputs["x"])
    assert seen == [(4, 3), (1, 3)]
    assert not caplog.records


@pytest.mark.parametrize("samples", [3, 20_000])
def test_a_kernel_is_told_the_sizes_of_each_call_also_those_that_nothing_else_depends_on(samples: int) -> None:
    op = Op(
        "mean_of", "", 2, lambda shapes, dtypes, attributes: (shapes[1], dtypes[1]), lambda arrays, _, sizes: arrays[1]
    )
    b = Builder({**OPS, "mean_of": op})
    y = b.apply("mean_of", b.parameter("w", ("W",)), b.input("x", ("B", 2)))
    graph = b.graph({"y": y, "total": y.sum()})
    blocks: list[int] = []

    def kernel(arrays: Any, attributes: Any, sizes: Any, threads: int) -> Any:
        w, x = arrays
        blocks.append(sizes["B"])
        assert sizes == {"W": w.shape[1], "B": x.shape[1]}
        return x + (w.sum(axis=1) / sizes["W"])[:, None, None]

    program = plan(Arguments(graph, (), {**OPS, "mean_of": op}), {"mean_of": kernel}, 1)
    x = np.zeros((samples, 2), "f4")
    for at, width in enumerate((4, 7, 4, 9, 4)):
        w = np.arange(3 * width, dtype="f4").reshape(3, width)
        blocks.clear()
        found = program({"w": w}, {"x": x})
        expected = np.broadcast_to(w.mean(axis=1)[:, None, None], (3, samples, 2))
        np.testing.assert_allclose(found["y"], expected)
        np.testing.assert_allclose(found["total"], expected.sum(axis=(1, 2)), rtol=1e-5)
        # a call that is written down for others like it is made twice: the second, where all samples are one block
        assert sum(blocks) == samples * (2 if at == 1 and len(set(blocks)) == 1 else 1)


@pytest.mark.parametrize(("samples", "tiles_of"), [(4, [(8, 2)]), (8000, [(4, 1), (4, 1)])])
def test_threads_share_the_networks_of_a_kernel_that_has_much_to_do(
    samples: int, tiles_of: list[tuple[int, int]]
) -> None:
    op = Op("scaled", "", 2, lambda shapes, _, attributes: (shapes[1], "float32"), lambda arrays, _, sizes: arrays[1])
    b = Builder({**OPS, "scaled": op})
    graph = b.graph({"y": b.apply("scaled", b.parameter("w", ("W",)), b.input("x", ("B",)))})
    seen: list[tuple[int, int]] = []

    def kernel(arrays: Any, attributes: Any, sizes: Any, threads: int) -> Any:
        seen.append((len(arrays[0]), threads))
        return arrays[0][:, :1] * arrays[1]

    program = plan(Arguments(graph, (), {**OPS, "scaled": op}), {"scaled": kernel}, 2)
    w, x = np.arange(8 * 200, dtype="f4").reshape(8, 200), np.ones(samples, "f4")
    np.testing.assert_array_equal(program({"w": w}, {"x": x})["y"], w[:, :1] * x)
    assert seen == tiles_of


def test_an_op_whose_value_contradicts_its_shape_is_refused() -> None:
    liar = Op("liar", "", 1, lambda shapes, dtypes, attributes: (shapes[0], dtypes[0]), lambda a, b, c: a[0][:1])
    ops = {**OPS, "liar": liar}
    b = Builder(ops)
    graph = b.graph({"y": b.apply("liar", b.parameter("w", (3,)))})
    with pytest.raises(GraphError, match=r"'y' \(liar\): the op says float32 \[3\] but gives float32 \[1\]"):
        tiles().compile(graph, ops=ops)({"w": np.ones((2, 3), "f4")}, {})


def test_one_program_serves_several_threads_and_sizes_at_once() -> None:
    graph = classifier([5, 8, 3])
    program = tiles(2).compile(graph)
    failures: list[str] = []

    def work(samples: int) -> None:
        arrays, inputs = drawn(graph, 20, samples, seed=samples)
        expected = tiles(1).compile(graph)(arrays, inputs)
        for _ in range(30):
            found = program(arrays, inputs)
            failures.extend(name for name, value in expected.items() if not np.array_equal(found[name], value))

    threads = [threading.Thread(target=work, args=(samples,)) for samples in (1, 40, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_memory_does_not_grow_with_networks_times_samples() -> None:
    b = Builder()
    y = network(b, [784, 64, 10], "tanh")
    ids = b.input("ids", ("B",), "int64")
    graph = b.graph({"loss": -(log_softmax(y) * one_hot(ids, 10)).sum(-1).mean()})
    rng = np.random.default_rng(0)
    shapes = {"w0": (64, 784), "b0": (64,), "w1": (10, 64), "b1": (10,)}
    arrays = {name: np.broadcast_to(rng.random(shape, "f4"), (200, *shape)) for name, shape in shapes.items()}
    samples = 3000
    inputs: Any = {"x": rng.random((samples, 784), "f4"), "ids": rng.integers(0, 10, samples)}
    program = tiles(2).compile(graph)
    tracemalloc.start()
    program({name: array[:2] for name, array in arrays.items()}, inputs)
    first = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    program(arrays, inputs)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # the samples packed once, and a few MB a thread; hidden values alone would take 154 MB
    assert first < inputs["x"].nbytes + 16e6
    assert peak - before < 8e6


def test_the_device_says_why_lanes_do_not_serve_a_graph() -> None:
    with pytest.raises(GraphError, match="'lanes' does not compute this graph"):
        Numba(engine="lanes").compile(classifier([784, 64, 10]))


def test_a_graph_or_a_name_that_does_not_fit_is_not_compiled() -> None:
    with pytest.raises(GraphError, match="'xx', which is no input of the graph; did you mean 'x'"):
        tiles().compile(classifier([2, 3, 2]), ("xx",))
