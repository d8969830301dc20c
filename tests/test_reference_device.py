# SPDX-License-Identifier: MIT OR Apache-2.0
"""The reference device: right for P networks, exact about dtypes, plain about what is wrong with its arrays."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from vynapse_core.builder import Builder
from vynapse_core.devices.reference import Reference
from vynapse_core.errors import GraphError
from vynapse_core.graph import Graph
from vynapse_core.ops import OPS, Op

RNG = np.random.default_rng


def mlp_with_loss() -> Graph:
    b = Builder()
    x, t = b.input("x", ("B", 2)), b.input("t", ("B", 1))
    w0, b0 = b.parameter("w0", (4, 2)), b.parameter("b0", (4,))
    w1, b1 = b.parameter("w1", (1, 4)), b.parameter("b1", (1,))
    y = b.apply("tanh", x @ w0.T + b0) @ w1.T + b1
    return b.graph({"y": y, "loss": ((y - t) ** 2).mean()})


def weights(networks: int) -> dict[str, Any]:
    rng = RNG(1)
    shapes = {"w0": (4, 2), "b0": (4,), "w1": (1, 4), "b1": (1,)}
    return {name: rng.normal(size=(networks, *shape)).astype("f4") for name, shape in shapes.items()}


XOR: dict[str, Any] = {
    "x": np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "f4"),
    "t": np.array([[0], [1], [1], [0]], "f4"),
}


def by_einsum(arrays: dict[str, Any], inputs: dict[str, Any]) -> tuple[Any, Any]:
    x = inputs["x"] if inputs["x"].ndim == 3 else np.broadcast_to(inputs["x"], (len(arrays["w0"]), *inputs["x"].shape))
    h = np.tanh(np.einsum("pbi,poi->pbo", x, arrays["w0"]) + arrays["b0"][:, None])
    y = np.einsum("pbi,poi->pbo", h, arrays["w1"]) + arrays["b1"][:, None]
    return y, ((y - inputs["t"]) ** 2).mean((1, 2))


def test_a_population_of_networks_agrees_with_numpy() -> None:
    arrays = weights(5)
    got = Reference().compile(mlp_with_loss())(arrays, XOR)
    y, loss = by_einsum(arrays, XOR)
    assert (got["y"].shape, got["loss"].shape) == ((5, 4, 1), (5,))
    np.testing.assert_allclose(got["y"], y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got["loss"], loss, rtol=1e-5)


def test_float32_stays_float32_and_float64_float64() -> None:
    for dtype in ("float32", "float64"):
        arrays = {name: array.astype(dtype) for name, array in weights(2).items()}
        inputs = {name: array.astype(dtype) for name, array in XOR.items()}
        outputs = Reference().compile(mlp_with_loss().astype(dtype))(arrays, inputs)
        assert {output.dtype.name for output in outputs.values()} == {dtype}


def test_constants_do_not_promote() -> None:
    b = Builder()
    x = b.parameter("x", ())
    graph = b.graph({"y": 0.1 * x.sum() + 1e-3, "n": b.constant([1, 2], "int32")})
    got = Reference().compile(graph)({"x": np.array([0.3, 0.7], "f4")}, {})
    expected = np.float32(0.1) * np.array([0.3, 0.7], "f4") + np.float32(1e-3)
    assert (got["y"].dtype.name, got["n"].dtype.name) == ("float32", "int32")
    np.testing.assert_array_equal(got["y"], expected)
    np.testing.assert_array_equal(got["n"], [[1, 2], [1, 2]])


def test_no_network_gives_empty_outputs_of_the_right_shape() -> None:
    got = Reference().compile(mlp_with_loss())(weights(0), XOR)
    assert (got["y"].shape, got["loss"].shape, got["y"].dtype.name) == ((0, 4, 1), (0,), "float32")


def test_a_program_serves_every_number_of_samples_and_networks() -> None:
    program = Reference().compile(mlp_with_loss())
    for networks, samples in ((1, 4), (3, 1), (2, 4)):
        inputs = {name: array[:samples] for name, array in XOR.items()}
        got = program(weights(networks), inputs)
        assert got["y"].shape == (networks, samples, 1)
        np.testing.assert_allclose(got["y"], by_einsum(weights(networks), {**inputs, "t": 0})[0], rtol=1e-5, atol=1e-6)


def test_no_sample_gives_empty_rows_and_an_undefined_mean() -> None:
    got = Reference().compile(mlp_with_loss())(weights(2), {name: array[:0] for name, array in XOR.items()})
    assert got["y"].shape == (2, 0, 1)
    assert np.isnan(got["loss"]).all()


def test_an_input_per_network_has_a_leading_axis() -> None:
    arrays = weights(3)
    x = RNG(2).normal(size=(3, 4, 2)).astype("f4")
    got = Reference().compile(mlp_with_loss(), ("x",))(arrays, {**XOR, "x": x})
    np.testing.assert_allclose(got["loss"], by_einsum(arrays, {**XOR, "x": x})[1], rtol=1e-5)


def test_inputs_per_network_alone_tell_the_number_of_networks() -> None:
    b = Builder()
    graph = b.graph({"y": b.input("x", ("B",)).sum()})
    got = Reference().compile(graph, ("x",))({}, {"x": np.ones((3, 2), "f4")})
    np.testing.assert_array_equal(got["y"], [2, 2, 2])
    with pytest.raises(ValueError, match="how many"):
        Reference().compile(graph)({}, {"x": np.ones(2, "f4")})


def test_a_network_gets_the_same_bits_in_any_company() -> None:
    program, arrays = Reference().compile(mlp_with_loss()), weights(7)
    whole = program(arrays, XOR)["y"]
    alone = [program({name: array[i : i + 1] for name, array in arrays.items()}, XOR)["y"][0] for i in range(7)]
    np.testing.assert_array_equal(whole, alone)


def counting(calls: list[str]) -> dict[str, Op]:
    """The kernel's ops plus one that notes when it is computed."""

    def meaning(arrays: Any, attributes: Any, sizes: Any) -> Any:
        calls.append(attributes["name_"])
        return arrays[0] + 0

    infer = OPS["exp"].infer
    return {**OPS, "note": Op("note", "", 1, infer, meaning, {"name_": (str, ...)})}


def test_what_does_not_depend_on_the_network_is_computed_once() -> None:
    calls: list[str] = []
    ops = counting(calls)
    b = Builder(ops)
    x, w = b.input("x", ("B",)), b.parameter("w", ())
    shared = b.apply("note", x, name_="shared")
    b.apply("note", w, name_="dead")
    by_shape = b.apply("note", b.apply("expand_like", x, b.apply("note", x * w, name_="like")), name_="by shape")
    own = b.apply("note", shared * w, name_="own")
    graph = b.graph({"y": own + by_shape, "shared": shared})
    got = Reference().compile(graph, ops=ops)({"w": np.array([1, 2, 3], "f4")}, {"x": np.array([1, 10], "f4")})
    assert (calls.count("shared"), calls.count("by shape"), calls.count("own"), calls.count("dead")) == (1, 1, 3, 0)
    np.testing.assert_array_equal(got["y"], [[2, 20], [3, 30], [4, 40]])
    np.testing.assert_array_equal(got["shared"], [[1, 10]] * 3)


def test_what_is_given_is_never_written_and_outputs_are_no_views() -> None:
    b = Builder()
    x, w = b.input("x", ("B", 2)), b.parameter("w", (3, 2))
    patches = b.apply("window", w, size=(2,))
    outs = {"x": x, "w": w, "t": w.T, "f": b.apply("fold", patches, w, size=(2,)), "r": w.reshape((6,)) * 2.0}
    arrays, inputs = {"w": RNG(0).normal(size=(2, 3, 2)).astype("f4")}, {"x": XOR["x"].copy()}
    for array in (*arrays.values(), *inputs.values()):
        array.flags.writeable = False
    for output in Reference().compile(b.graph(outs))(arrays, inputs).values():
        assert output.flags.writeable
        assert not any(np.shares_memory(output, array) for array in (*arrays.values(), *inputs.values()))


def test_overflow_and_invalid_values_are_silent() -> None:
    b = Builder()
    w = b.parameter("w", ())
    graph = b.graph({"inf": b.apply("exp", w), "nan": b.apply("log", -w), "div": w / 0.0})
    got = Reference().compile(graph)({"w": np.array([1e4], "f4")}, {})
    assert np.isposinf(got["inf"][0])
    assert np.isnan(got["nan"][0])
    assert np.isposinf(got["div"][0])


def without(mapping: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key != name}


WRONG: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (without(weights(2), "b0"), XOR, "parameter 'b0' is missing; given: w0, w1, b1"),
    (weights(2), without(XOR, "t"), "input 't' is missing; given: x"),
    ({**weights(2), "w00": 1}, XOR, "unknown parameter 'w00'; did you mean 'w0'"),
    (weights(2), {**XOR, "z": 1}, "unknown input 'z'; known: x, t"),
    (weights(2), {**XOR, "x": XOR["x"][:, :1]}, r"input 'x': expected float32 \[B, 2\], got float32 \[4, 1\]"),
    (weights(2), {**XOR, "x": XOR["x"].astype("f8")}, r"expected float32 \[B, 2\], got float64 \[4, 2\]"),
    (weights(2), {**XOR, "x": XOR["x"][None]}, r"expected float32 \[B, 2\], got float32 \[1, 4, 2\]"),
    ({**weights(2), "w0": weights(2)["w0"][0]}, XOR, r"'w0': expected float32 \[P, 4, 2\], got float32 \[4, 2\]"),
    ({**weights(2), "w1": weights(3)["w1"]}, XOR, "'w1': the number of networks is 3, but 2 in parameter 'w0'"),
    (weights(2), {**XOR, "t": XOR["t"][:3]}, "input 't': B is 3, but 4 in input 'x'"),
]


@pytest.mark.parametrize(("arrays", "inputs", "message"), WRONG)
def test_arrays_that_do_not_fit_are_refused_by_name(arrays: Any, inputs: Any, message: str) -> None:
    program = Reference().compile(mlp_with_loss())
    program(weights(2), XOR)
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            program(arrays, inputs)


def test_a_program_takes_arrays_of_one_size_after_those_of_another_in_any_byte_order() -> None:
    program = Reference().compile(mlp_with_loss())
    expected = {n: program(weights(n), XOR) for n in (2, 3)}
    swapped = {name: array.astype(array.dtype.newbyteorder()) for name, array in XOR.items()}
    for n in (3, 2, 3):
        for inputs in (swapped, XOR):
            found = program(weights(n), inputs)
            for name, value in expected[n].items():
                np.testing.assert_array_equal(found[name], value)


def test_per_network_names_inputs() -> None:
    with pytest.raises(GraphError, match="'xx', which is no input of the graph; did you mean 'x'"):
        Reference().compile(mlp_with_loss(), ("xx",))


def test_a_graph_that_is_not_well_formed_is_not_compiled() -> None:
    graph = mlp_with_loss()
    with pytest.raises(GraphError, match="node 1"):
        Reference().compile(Graph((graph.nodes[0], graph.nodes[-1]), {}))


def test_an_op_that_no_installed_plugin_offers_is_not_compiled() -> None:
    ops = counting([])
    b = Builder(ops)
    graph = b.graph({"y": b.apply("note", b.parameter("w", ()), name_="")})
    with pytest.raises(GraphError, match="unknown op 'note'"):
        Reference().compile(graph)


def test_an_op_that_fails_while_running_is_named() -> None:
    b = Builder()
    w, ids = b.parameter("w", (3,)), b.input("ids", ("B",), "int64")
    program = Reference().compile(b.graph({"y": b.apply("gather", w, ids)}))
    with pytest.raises(GraphError, match=r"gather float32 \[B\] failed: index 3 is outside an axis of size 3"):
        program({"w": np.ones((2, 3), "f4")}, {"ids": np.array([0, 3])})


def test_an_op_whose_value_contradicts_its_shape_is_refused() -> None:
    liar = Op("liar", "", 1, lambda shapes, dtypes, attributes: (shapes[0], dtypes[0]), lambda a, b, c: a[0][:1])
    ops = {**OPS, "liar": liar}
    b = Builder(ops)
    graph = b.graph({"y": b.apply("liar", b.parameter("w", (3,)))})
    with pytest.raises(GraphError, match=r"'y' \(liar\): the op says float32 \[3\] but gives float32 \[1\]"):
        Reference().compile(graph, ops=ops)({"w": np.ones((2, 3), "f4")}, {})


def test_an_op_of_a_plugin_runs_with_its_own_symbol() -> None:
    def infer(shapes: Any, dtypes: Any, attributes: Any) -> Any:
        return (shapes[0][0],), dtypes[0]

    def meaning(arrays: Any, attributes: Any, sizes: Any) -> Any:
        x, sources, link_weights, count = arrays
        assert sizes["C"] == len(sources) == len(link_weights)
        used = int(count)
        return x[:, sources[:used]] @ link_weights[:used]

    ops = {**OPS, "sparse_network": Op("sparse_network", "", 4, infer, meaning)}
    b = Builder(ops)
    x = b.input("x", ("B", 3))
    s, w = b.parameter("sources", ("C",), "int32"), b.parameter("weights", ("C",))
    y = b.apply("sparse_network", x, s, w, b.parameter("count", (), "int64"))
    graph = Graph.from_json(b.graph({"loss": (y**2).mean()}).to_json(), ops)
    program = Reference().compile(graph, ops=ops)
    for links in (2, 4):
        sources = np.arange(2 * links, dtype="int32").reshape(2, links) % 3
        values = RNG(links).normal(size=(2, links)).astype("f4")
        data = RNG(5).normal(size=(6, 3)).astype("f4")
        counts = np.array([1, 2])
        got = program({"sources": sources, "weights": values, "count": counts}, {"x": data})["loss"]
        for i in range(2):
            expected = ((data[:, sources[i, : counts[i]]] @ values[i, : counts[i]]) ** 2).mean()
            np.testing.assert_allclose(got[i], expected, rtol=1e-5)


def test_scan_repeats_a_training_step_and_takes_batches_by_index() -> None:
    b = Builder()
    x, t, w = b.input("x", ("B",)), b.input("t", ("B",)), b.parameter("w", ())
    error = x * w - t
    graph = b.graph({"w'": w - 0.1 * (2.0 * error * x).mean(), "loss": (error**2).mean()})
    data = RNG(3).normal(size=20).astype("f4")
    rows = RNG(4).integers(0, 20, (50, 5))
    batches = {"x": rows, "t": rows}
    after, seen = (
        Reference()
        .compile(graph)
        .scan({"w": np.array([0.0, 9.0], "f4")}, {"x": data, "t": 3 * data}, batches, {"w'": "w"})
    )
    np.testing.assert_allclose(after["w"], 3.0, rtol=1e-2)
    assert seen["loss"].shape == (50, 2)
    assert (seen["loss"][-1] < seen["loss"][0]).all()


def test_one_program_serves_several_threads() -> None:
    program = Reference().compile(mlp_with_loss())
    failures: list[int] = []

    def work(samples: int) -> None:
        inputs = {name: np.repeat(array, samples, 0) for name, array in XOR.items()}
        expected = by_einsum(weights(3), inputs)[0]
        wrong = sum(not np.allclose(program(weights(3), inputs)["y"], expected, atol=1e-5) for _ in range(50))
        failures.append(wrong)

    threads = [threading.Thread(target=work, args=(samples,)) for samples in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [0, 0, 0]
