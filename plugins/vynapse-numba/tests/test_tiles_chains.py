# SPDX-License-Identifier: MIT OR Apache-2.0
"""Chains: ops on single elements and reductions in one compiled pass, against the reference and in higher precision."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.special
from hypothesis import given, settings, strategies as st

from vynapse_core import Arguments, Builder, Graph, GraphError, Value, log_softmax, one_hot, softmax, where
from vynapse_core.devices.reference import Reference
from vynapse_numba.device import Numba
from vynapse_numba.tiles import fused, memory
from vynapse_numba.tiles.chains import Chain, Chains
from vynapse_numba.tiles.outputs import LEAST, Outputs
from vynapse_numba.tiles.split import Stage, split

Array = npt.NDArray[Any]


def tiles(threads: int = 2) -> Numba:
    return Numba(threads=threads, engine="tiles")


def chains(graph: Graph) -> list[list[str]]:
    """Return the ops of each chain of a graph that differs by network."""
    arguments = Arguments(graph)
    nodes = arguments.live.nodes

    def valued(node: Any) -> tuple[int, ...]:
        only_shape = arguments.ops[node.op].shape_only if node.operands else ()
        return tuple(o for at, o in enumerate(node.operands) if at not in only_shape)

    found = Chains(arguments, split(arguments, valued), tuple(range(len(nodes))), valued, frozenset(), frozenset())
    differing = [entry for entry in found.order if isinstance(entry, Chain) and entry.stage is not Stage.SHARED]
    return [[m.op for m in entry.members.values()] for entry in differing]


def compared(graph: Graph, arrays: Any, inputs: Any, rtol: float = 2e-5, atol: float = 2e-5) -> None:
    expected = Reference().compile(graph)(arrays, inputs)
    with np.errstate(all="raise"):
        found = tiles().compile(graph)(arrays, inputs)
    for name, value in expected.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)
        np.testing.assert_allclose(found[name], value, rtol=rtol, atol=atol, err_msg=name)
    alone = tiles(1).compile(graph)({name: array[:1] for name, array in arrays.items()}, inputs)
    for name, value in alone.items():
        np.testing.assert_array_equal(value, found[name][:1], err_msg=name)


LEAST_NORMAL = 2.0**-126
ORACLES: dict[str, tuple[Callable[[Array], Array], float]] = {
    "tanh": (np.tanh, 6), "sigmoid": (scipy.special.expit, 4), "exp": (np.exp, 2), "log": (np.log, 2),
    "log1p": (np.log1p, 3), "erf": (scipy.special.erf, 6), "sin": (np.sin, 2), "cos": (np.cos, 2),
    "sqrt": (np.sqrt, 0.5),
}  # fmt: skip
"""Op -> (what it means, largest error in units of the last place)."""


@pytest.mark.parametrize("op", ORACLES)
def test_a_function_of_float32_is_within_its_stated_error_at_every_magnitude(op: str) -> None:
    oracle, most = ORACLES[op]
    bits = np.arange(0, 0x7F800000, 19997, dtype=np.uint32).view(np.float32)
    usual = np.random.default_rng(5).uniform(-20, 20, 100_000).astype(np.float32)
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 3.4e38, -3.4e38], np.float32)
    x = np.concatenate([special, bits, -bits, usual])
    b = Builder()
    found = tiles().compile(b.graph({"y": b.apply(op, b.parameter("x", (len(x),)))}))({"x": x[None]}, {})["y"][0]
    with np.errstate(all="ignore"):
        exact = oracle(x.astype(np.longdouble if op in ("sin", "cos", "log1p") else np.float64))
        rounded = exact.astype(np.float32)
        same = (rounded == found) | (np.isnan(rounded) & np.isnan(found))
        error = np.where(
            same, 0, np.abs(found - exact) / np.spacing(np.maximum(np.abs(rounded), np.float32(LEAST_NORMAL)))
        )
    if op == "sigmoid":
        # below the least normal number there is no last place to keep
        error[x < -87] = 0
        assert (found[x < -87] <= 2 * LEAST_NORMAL).all()
    assert error.max() <= most, x[error.argmax()]


def values(*shape: int, seed: int = 0, scale: float = 1.0) -> Array:
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


SAMPLES = st.sampled_from([0, 1, 2, 15, 16, 17, 33, 100])


@settings(max_examples=25, deadline=None)
@given(SAMPLES, st.integers(1, 20), st.integers(1, 4), st.booleans())
def test_the_end_of_a_classifier_is_one_pass(samples: int, classes: int, networks: int, small: bool) -> None:
    b = Builder()
    y, ids = b.input("x", ("B", classes)) * b.parameter("w", (classes,)), b.input("ids", ("B",), "int64")
    loss = -(log_softmax(y) * one_hot(ids, classes)).sum(-1).mean()
    graph = b.graph(
        {
            "loss": loss,
            "accuracy": y.argmax(-1).equal(ids).cast("float32").mean(),
            "shares": softmax(y),
            "largest": y.max((1,)),
        }
    )
    inputs = {"x": values(samples, classes, scale=5), "ids": np.arange(samples) % classes}
    with pytest.MonkeyPatch.context() as patch:
        if small:
            patch.setattr(memory, "STEP", 2)
            patch.setattr(memory, "ROW", 1)
        if samples:
            compared(graph, {"w": values(networks, classes, seed=1)}, inputs, atol=1e-4)


def test_softmax_loss_and_accuracy_are_found_as_one_chain() -> None:
    b = Builder()
    y, ids = b.input("x", ("B", 10)) * b.parameter("w", (10,)), b.input("ids", ("B",), "int64")
    graph = b.graph(
        {
            "loss": (log_softmax(y) * one_hot(ids, 10)).sum(),
            "accuracy": y.argmax(-1).equal(ids).cast("float32").sum(),
        }
    )
    assert len(chains(graph)) == 1


@settings(max_examples=25, deadline=None)
@given(SAMPLES, st.integers(1, 9), st.integers(1, 4), st.booleans())
def test_squared_errors_and_sums_over_either_axis_agree(samples: int, width: int, networks: int, small: bool) -> None:
    b = Builder()
    x, w = b.input("x", ("B", width)), b.parameter("w", (width,))
    error = b.apply("tanh", x * w) - 0.5
    graph = b.graph(
        {
            "total": (error**2).sum(),
            "of each": (error**2).sum((1,)),
            "of each column": error.sum((0,)),
            "kept": error.sum((0,), keepdims=True),
            "like": b.apply("sum_like", error * w, w),
            "worst": b.apply("abs", error).sum((1,)).sum(),
            "error": error,
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        if small:
            patch.setattr(memory, "STEP", 2)
            patch.setattr(memory, "ROW", 1)
        compared(graph, {"w": values(networks, width, seed=1)}, {"x": values(samples, width)})


def _ops(b: Builder, x: Value, w: Value) -> dict[str, Value]:
    positive = b.apply("abs", x) + 0.1
    return {
        "add": x + w, "sub": x - w, "mul": x * w, "div": x / (b.apply("abs", w) + 0.5), "pow": x**3,
        "maximum": b.apply("maximum", x, w), "minimum": b.apply("minimum", x, 0.0), "neg": -x, "abs": positive,
        "sign": b.apply("sign", x), "exp": b.apply("exp", x), "log": b.apply("log", positive),
        "log1p": b.apply("log1p", positive), "sqrt": b.apply("sqrt", positive), "floor": b.apply("floor", x * 3.0),
        "where": where(x.less(w), x, w * 2.0), "cast": (x * 9.0).cast("int64").cast("float32"),
        "equal": b.apply("floor", x).equal(0.0).cast("float32"), "wide": x.cast("float64") * 2.0,
        "spread": b.apply("expand_like", w, x) - x, "whole": (x * 50.0).cast("int64") * (w * 9.0).cast("int64"),
        "flag": x.less(w), "kept": b.apply("stop_gradient", x * w), "power": x ** b.apply("floor", w),
    }  # fmt: skip


@pytest.mark.parametrize("op", _ops(b := Builder(), b.parameter("x", (2,)), b.parameter("w", (2,))))
@pytest.mark.parametrize("samples", [1, 16, 37])
def test_every_op_on_single_elements_agrees_with_the_reference(op: str, samples: int) -> None:
    b = Builder()
    graph = b.graph({"y": _ops(b, b.input("x", ("B", 5)), b.parameter("w", (5,)))[op]})
    compared(graph, {"w": values(3, 5, seed=1)}, {"x": values(samples, 5)}, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (7,), (3, 1), (1, 5), (4, 3, 2), (0, 3), (2, 40)])
def test_values_without_samples_agree_in_any_shape(shape: tuple[int, ...]) -> None:
    b = Builder()
    w, v = b.parameter("w", shape), b.parameter("v", shape)
    moved = w - 0.1 * b.apply("tanh", v * w)
    graph = b.graph({"moved": moved, "square": (moved * moved).sum() if shape else moved * moved})
    compared(graph, {"w": values(6, *shape), "v": values(6, *shape, seed=1)}, {})


def test_a_maximum_of_no_samples_is_refused_as_by_the_reference() -> None:
    b = Builder()
    graph = b.graph({"y": (b.input("x", ("B", 3)) * b.parameter("w", (3,))).max((0, 1))})
    for device in (tiles(), Reference()):
        with pytest.raises(GraphError, match="max float32"):
            device.compile(graph)({"w": values(2, 3)}, {"x": values(0, 3)})


def test_nan_wins_a_maximum_and_is_the_largest_by_index() -> None:
    b = Builder()
    y = b.input("x", ("B", 4)) * b.parameter("w", (4,))
    graph = b.graph({"max": y.max((1,)), "index": y.argmax(-1), "all": y.max()})
    x = np.array([[1, np.nan, 3, np.nan], [-np.inf] * 4, [np.inf, 1, np.inf, 0], [2, 2, 1, 2]], "f4")
    compared(graph, {"w": np.ones((2, 4), "f4")}, {"x": x})


def test_a_chain_that_reads_one_value_in_two_ways_does_not_overwrite_it() -> None:
    b = Builder()
    square = b.apply("exp", b.parameter("w", (9, 9)))
    graph = b.graph({"sum": square + square.T * 2.0, "again": square - square.T})
    compared(graph, {"w": values(3, 9, 9)}, {})


def test_arrays_in_any_order_are_read_right() -> None:
    b = Builder()
    graph = b.graph({"y": b.apply("tanh", b.parameter("w", (6, 33))) * b.input("x", (6, 33))})
    w, x = values(4, 33, 6).transpose(0, 2, 1), values(12, 66)[::2, ::2]
    compared(graph, {"w": w}, {"x": x})


def test_long_rows_go_past_the_caches_to_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    b = Builder()
    graph = b.graph({"y": b.apply("exp", b.parameter("x", ("B",)))})
    for samples in (64, 65, 100):
        arrays = {"x": values(3, samples)}
        expected = tiles().compile(graph)(arrays, {})["y"]
        monkeypatch.setattr(fused, "PAST", 0)
        np.testing.assert_array_equal(tiles().compile(graph)(arrays, {})["y"], expected)
        monkeypatch.undo()


def test_memory_of_an_output_is_given_out_again_once_nothing_holds_a_view_of_it() -> None:
    outputs = Outputs()
    first = outputs.array((LEAST,), np.dtype("float32"))
    place = first.__array_interface__["data"][0]
    view = first[5:].reshape(-1, 1)
    del first
    gc.collect()
    other = outputs.array((LEAST,), np.dtype("float32"))
    assert not np.shares_memory(view, other)
    del view
    gc.collect()
    again = outputs.array((LEAST // 2,), np.dtype("float64"))
    assert again.__array_interface__["data"][0] == place
    assert again.flags.writeable
    assert again.shape == (LEAST // 2,)
