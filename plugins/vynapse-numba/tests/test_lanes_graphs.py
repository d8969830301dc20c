# SPDX-License-Identifier: MIT OR Apache-2.0
"""Graphs computed in lanes, against the reference device."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from vynapse_core import Arguments, Builder, Graph, GraphError, Program, Value, log_softmax, one_hot, where
from vynapse_core.devices.reference import Reference
from vynapse_core.testing.contract import stream
from vynapse_core.testing.graphs import Case, cases
from vynapse_numba import lanes
from vynapse_numba.addresses import address_of
from vynapse_numba.lanes.machine import lanes as width

Array = npt.NDArray[Any]
L = width()
ELSEWHERE = {"functions of two values", "indices", "random numbers"}
"""Cases with an op that lanes leave to the other engine."""
ACTIVATIONS = ("tanh", "sigmoid", "exp", "abs", "sin", "erf", "neg", "floor", "sign", "sqrt", "log1p")


@pytest.fixture(autouse=True, scope="module")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VYNAPSE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def planned(graph: Graph, per_network: tuple[str, ...] = (), threads: int = 1) -> Program:
    program = lanes.plan(Arguments(graph, per_network), {}, threads)
    assert program is not None
    return program


def assert_close(found: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert (found[name].shape, found[name].dtype) == (array.shape, array.dtype)
        if array.dtype.kind == "f":
            np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=2e-5)
        else:
            np.testing.assert_array_equal(found[name], array)


@cache
def mlp(layers: tuple[int, ...] = (3, 5, 2), activation: str = "tanh") -> Graph:
    """Return a network with outputs of each sample, its mean squared error, and its accuracy."""
    b = Builder()
    x, target = b.input("x", ("B", layers[0])), b.input("target", ("B", layers[-1]))
    value = x
    for i, (fan_in, fan_out) in enumerate(pairwise(layers)):
        value = value @ b.parameter(f"w{i}", (fan_out, fan_in)).T + b.parameter(f"b{i}", (fan_out,))
        value = b.apply(activation, value) if i < len(layers) - 2 else value
    right = value.argmax(-1).equal(target.argmax(-1)).cast("float32")
    return b.graph({"y": value, "loss": ((value - target) ** 2).mean(), "accuracy": right.mean()})


def drawn(graph: Graph, p: int, b: int, seed: int = 0, own: tuple[str, ...] = ()) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)

    def array(name: str, i: int, lead: tuple[int, ...]) -> Array:
        shape = [b if isinstance(dim, str) else dim for dim in graph.nodes[i].shape]
        return rng.normal(size=(*lead, *shape)).astype(graph.nodes[i].dtype)

    arrays = {name: array(name, i, (p,)) for name, i in graph.parameters.items()}
    return arrays, {name: array(name, i, (p,) if name in own else ()) for name, i in graph.inputs.items()}


@pytest.mark.parametrize("case", [case for case in cases() if case.name not in ELSEWHERE], ids=lambda case: case.name)
def test_the_conformance_kits_graphs_agree_with_the_reference_at_every_size(case: Case) -> None:
    program = planned(case.graph, case.per_network)
    reference = Reference().compile(case.graph, case.per_network)
    for p in (0, 1, L - 1, L, L + 1):
        for b in (0, 1, 3, 131) if case.empty else (1, 3, 131):
            arrays, inputs = case.drawn(p, b, stream(p + b))
            assert_close(program(arrays, inputs), reference(arrays, inputs))


@pytest.mark.parametrize("case", [case for case in cases() if case.name in ELSEWHERE], ids=lambda case: case.name)
def test_a_graph_that_lanes_do_not_compute_is_left_to_another_engine(case: Case) -> None:
    assert lanes.plan(Arguments(case.graph, case.per_network), {}, 1) is None


def test_a_large_network_is_left_to_another_engine() -> None:
    assert lanes.plan(Arguments(mlp((64, 64, 10))), {}, 1) is None


def test_an_op_with_a_kernel_of_its_own_is_left_to_another_engine() -> None:
    assert lanes.plan(Arguments(mlp()), {"tanh": lambda: None}, 1) is None


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    layers=st.lists(st.integers(1, 9), min_size=2, max_size=4),
    activation=st.sampled_from(["tanh", "sigmoid", "sin"]),
    p=st.integers(0, 3 * L),
    b=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_a_random_network_agrees_with_the_reference(
    layers: list[int], activation: str, p: int, b: int, seed: int
) -> None:
    graph = mlp(tuple(layers), activation)
    arrays, inputs = drawn(graph, p, b, seed)
    found, expected = planned(graph)(arrays, inputs), Reference().compile(graph)(arrays, inputs)
    # where two outputs are nearly equal, rounding chooses the larger
    found.pop("accuracy"), expected.pop("accuracy")
    assert_close(found, expected)


def one_op(values: list[Value], choice: int) -> Value:
    """Return an op, chosen by a number, on values chosen by it; GraphError where they do not fit."""
    rest, what = divmod(choice, 8)
    rest, at = divmod(rest, len(values))
    kind, other = divmod(rest, len(values))
    first, second = values[at], values[other]
    b = first.builder
    if what == 0:
        return b.apply(ACTIVATIONS[kind % len(ACTIVATIONS)], first)
    if what == 1:
        return b.apply(("add", "sub", "mul", "maximum", "minimum")[kind % 5], first, second)
    if what == 2:
        return first @ values[2]
    if what == 3:
        return first.sum(0, keepdims=True)
    if what == 4:
        return first.max(-1, keepdims=True) + first
    if what == 5:
        return where(first.less(second), first, second * 0.5)
    if what == 6:
        return first.T @ second
    return log_softmax(first)


def combined(choices: list[int]) -> Graph:
    """Return a graph of random ops on values shared, of each sample, and of each network, one made from another."""
    b = Builder()
    values = [b.parameter("w", (2,)), b.input("x", ("B", 2)), b.parameter("v", (2, 2)), b.input("own", ("B", 2))]
    for choice in choices:
        with suppress(GraphError):
            values.append(one_op(values, choice))
    last = values[-1]
    return b.graph({"last": last, "mean": (last * last).mean(), "kind": last.less(0.5)})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(choices=st.lists(st.integers(0, 2**16), min_size=1, max_size=6), b=st.integers(1, 5), p=st.integers(1, L + 2))
def test_random_ops_agree_with_the_reference_or_are_refused(choices: list[int], b: int, p: int) -> None:
    graph = combined(choices)
    program = lanes.plan(Arguments(graph, ("own",)), {}, 1)
    if program is None:
        return
    arrays, inputs = drawn(graph, p, b, sum(choices), ("own",))
    arrays = {name: array / 2 for name, array in arrays.items()}
    found, expected = program(arrays, inputs), Reference().compile(graph, ("own",))(arrays, inputs)
    found.pop("kind"), expected.pop("kind")
    for name, array in expected.items():
        scale = np.abs(array[np.isfinite(array)]).max(initial=1)
        np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize("p", [1, L, 5 * L + 3])
def test_a_network_has_the_same_bits_alone_in_any_share_and_with_any_number_of_threads(
    p: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vynapse_numba.lanes.program.GRAIN", 1)
    graph = mlp()
    arrays, inputs = drawn(graph, p, 7)
    whole = planned(graph)(arrays, inputs)
    for threads in (2, 3):
        for name, array in planned(graph, threads=threads)(arrays, inputs).items():
            assert array.tobytes() == whole[name].tobytes()
    for start, stop in ((0, 1), (p - 1, p), (p // 2, p)):
        share = planned(graph)({name: array[start:stop] for name, array in arrays.items()}, inputs)
        for name, array in share.items():
            assert array.tobytes() == whole[name][start:stop].tobytes()


@pytest.mark.parametrize("lanes_of_another", [4, 8, 16])
def test_registers_of_another_width_give_the_same_bits(lanes_of_another: int, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = mlp((3, 5, 2), "sin")
    arrays, inputs = drawn(graph, 19, 6)
    expected = planned(graph)(arrays, inputs)
    monkeypatch.setattr("vynapse_numba.lanes.machine.lanes", lambda: lanes_of_another)
    for name, array in planned(graph)(arrays, inputs).items():
        assert array.tobytes() == expected[name].tobytes()


def test_a_network_that_holds_nan_or_inf_spoils_no_other() -> None:
    graph = mlp()
    arrays, inputs = drawn(graph, L + 5, 4)
    clean = planned(graph)(arrays, inputs)["loss"]
    arrays["w0"][3] = np.nan
    arrays["b1"][L + 4] = np.inf
    spoilt = planned(graph)(arrays, inputs)["loss"]
    assert np.isnan(spoilt[3])
    assert spoilt[L + 4] == np.inf
    others = [i for i in range(L + 5) if i not in (3, L + 4)]
    assert (spoilt[others] == clean[others]).all()


def test_genes_of_any_strides_and_inputs_of_any_kind_are_read() -> None:
    graph = mlp((2, 3, 1))
    arrays, inputs = drawn(graph, 9, 4)
    expected = planned(graph)(arrays, inputs)
    rows = np.concatenate([array.reshape(9, -1) for array in arrays.values()], axis=1)
    ends = np.cumsum([array[0].size for array in arrays.values()])
    starts = [0, *ends[:-1]]
    views = {
        name: rows[:, start:end].reshape(array.shape)
        for (name, array), start, end in zip(arrays.items(), starts, ends, strict=True)
    }
    spread = {name: np.stack([array, array], axis=-1)[..., 1] for name, array in arrays.items()}
    swapped = {name: array.astype(array.dtype.newbyteorder(">")) for name, array in arrays.items()}
    backwards = {name: array[::-1].copy()[::-1] for name, array in arrays.items()}
    program = planned(graph)
    for kind in (views, spread, swapped, backwards):
        for name, array in program(kind, {name: np.asfortranarray(x) for name, x in inputs.items()}).items():
            assert array.tobytes() == expected[name].tobytes()


def test_the_same_program_serves_calls_of_other_sizes_one_after_the_other() -> None:
    graph = mlp()
    program, reference = planned(graph), Reference().compile(graph)
    for p, b in ((3, 4), (L + 1, 4), (3, 200), (3, 4), (0, 1)):
        arrays, inputs = drawn(graph, p, b, p + b)
        assert_close(program(arrays, inputs), reference(arrays, inputs))


def test_data_that_changed_in_place_is_read_anew() -> None:
    graph = mlp()
    program = planned(graph)
    arrays, inputs = drawn(graph, 3, 4)
    program(arrays, inputs)
    inputs["x"][:] = 1
    arrays["w0"][:] = 0.5
    assert_close(program(arrays, inputs), Reference().compile(graph)(arrays, inputs))


def test_the_results_of_one_call_outlive_the_next() -> None:
    graph = mlp()
    program = planned(graph)
    arrays, inputs = drawn(graph, 3, 4)
    first = program(arrays, inputs)["loss"]
    kept = first.copy()
    program({name: array + 1 for name, array in arrays.items()}, inputs)
    assert (first == kept).all()


def test_sums_over_many_samples_keep_their_digits() -> None:
    graph = mlp((2, 3, 1))
    arrays, inputs = drawn(graph, 2, 50_000)
    found = planned(graph)(arrays, inputs)["loss"]
    exact = Reference().compile(graph.astype("float64"))
    wide = [{name: array.astype(np.float64) for name, array in given.items()} for given in (arrays, inputs)]
    np.testing.assert_allclose(found, exact(wide[0], wide[1])["loss"], rtol=2e-6)


def normalised(x: Value) -> Value:
    """Return x less its mean over samples, over its deviation: what takes three passes."""
    centred = x - x.mean(0, keepdims=True)
    return centred / x.builder.apply("sqrt", (centred**2).mean(0, keepdims=True) + 1e-3)


def test_values_that_need_all_samples_take_further_passes() -> None:
    b = Builder()
    value = normalised(b.input("x", ("B", 2)) @ b.parameter("w", (2, 3)))
    graph = b.graph({"y": value, "top": value.max(0), "loss": (b.apply("tanh", value) ** 2).mean()})
    for p, samples in ((1, 1), (L + 1, 300)):
        arrays, inputs = drawn(graph, p, samples)
        assert_close(planned(graph)(arrays, inputs), Reference().compile(graph)(arrays, inputs))


def test_a_float64_graph_of_plain_arithmetic_is_exact_to_float64() -> None:
    b = Builder()
    x = b.input("x", ("B", 3), "float64")
    graph = b.graph({"y": (x @ b.parameter("w", (3, 2), "float64")).sum(0)})
    arrays, inputs = drawn(graph, 5, 4)
    np.testing.assert_allclose(planned(graph)(arrays, inputs)["y"], (inputs["x"] @ arrays["w"]).sum(1), rtol=1e-13)


def test_outputs_that_no_network_changes_are_given_to_each() -> None:
    b = Builder()
    x, w = b.input("x", ("B", 2)), b.parameter("w", (2,))
    graph = b.graph({"sum": x.sum(0), "y": (x * w).sum(), "one": b.constant([1.0, 2.0])})
    arrays, inputs = drawn(graph, 3, 4)
    assert_close(planned(graph)(arrays, inputs), Reference().compile(graph)(arrays, inputs))


def test_class_ids_become_one_hot_rows() -> None:
    b = Builder()
    logits = b.input("x", ("B", 2)) @ b.parameter("w", (2, 3))
    loss = -(one_hot(b.input("ids", ("B",), "int64"), 3) * log_softmax(logits)).sum(-1).mean()
    graph = b.graph({"loss": loss})
    arrays, inputs = drawn(graph, L + 1, 5)
    inputs["ids"] = np.array([0, 2, 1, 2, 7])
    assert_close(planned(graph)(arrays, inputs), Reference().compile(graph)(arrays, inputs))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays, inputs: arrays.pop("b0"), "parameter 'b0' is missing"),
        (lambda arrays, inputs: arrays.update(b9=arrays["b0"]), "unknown parameter 'b9'"),
        (lambda arrays, inputs: arrays.update(b0=arrays["b0"][:2]), "number of networks"),
        (lambda arrays, inputs: arrays.update(b0=arrays["b0"].astype(np.float64)), "expected float32"),
        (lambda arrays, inputs: inputs.update(x=inputs["x"][:1]), "B is"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_even_after_a_call_that_did(change: Any, message: str) -> None:
    graph = mlp()
    program = planned(graph)
    arrays, inputs = drawn(graph, 3, 4)
    program(arrays, inputs)
    change(arrays, inputs)
    with pytest.raises(ValueError, match=message):
        program(arrays, inputs)


def test_the_maximum_of_no_samples_is_refused() -> None:
    b = Builder()
    graph = b.graph({"y": (b.input("x", ("B", 2)) * b.parameter("w", (2,))).max(0)})
    with pytest.raises(GraphError, match="no maximum"):
        planned(graph)(*drawn(graph, 2, 0))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    dtype=st.sampled_from(["float32", "float64", "int32", "int64", "uint64", "bool"]),
    n=st.integers(1, 11),
    p=st.integers(0, 2 * L + 1),
    seed=st.integers(0, 99),
)
def test_rows_of_any_length_and_dtype_are_read_and_written_whole(dtype: str, n: int, p: int, seed: int) -> None:
    b = Builder()
    graph = b.graph({"y": b.apply("stop_gradient", b.parameter("w", (n,), dtype))})
    rows = np.random.default_rng(seed).integers(0, 2 if dtype == "bool" else 2**30, (p, n)).astype(dtype)
    found = planned(graph)({"w": rows}, {})["y"]
    assert found.dtype == rows.dtype
    assert (found == rows).all()


def test_the_address_of_an_array_is_that_of_its_first_number() -> None:
    rows = np.arange(24.0).reshape(4, 6)
    for array in (rows, rows[1:, 2:], rows[::-1], rows.T, np.array(3), np.frombuffer(b"12345678", np.int64)):
        assert address_of(array) == array.__array_interface__["data"][0]
