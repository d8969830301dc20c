# SPDX-License-Identifier: MIT OR Apache-2.0
"""A program repeated inside the engine `tiles` gives the bits of as many calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vynapse_core import Builder, Graph, GraphError, Op, Program
from vynapse_core.devices.reference import Reference
from vynapse_core.ops import OPS
from vynapse_numba.device import Numba
from vynapse_numba.tiles import memory

CARRY = {"w0'": "w0", "b0'": "b0", "w1'": "w1"}


def tiles(threads: int = 2) -> Numba:
    return Numba(threads=threads, engine="tiles")


def training_step(inputs: int = 5, hidden: int = 9, outputs: int = 3) -> Graph:
    """A network's step of gradient descent, with an index, a value in double precision and one that is shared."""
    b = Builder()
    x, ids = b.input("x", ("B", inputs)), b.input("ids", ("B",), "int64")
    w0, b0, w1 = b.parameter("w0", (hidden, inputs)), b.parameter("b0", (hidden,)), b.parameter("w1", (outputs, hidden))
    rate = b.parameter("rate", ())
    h = b.apply("tanh", x @ w0.T + b0)
    error = h @ w1.T - b.apply("gather", w1[:, 0], ids).reshape(("B", 1))
    slope = error * 2.0 / b.apply("size", error, axes=(0, 1))
    back = (slope @ w1) * (1.0 - h * h)
    return b.graph(
        {
            "loss": (error**2).mean(),
            "errors": error,
            "exact": b.apply("tanh", error.cast("float64")).sum(),
            "seen": x.sum(),
            "w1'": w1 - rate * (h.T @ slope).T,
            "w0'": w0 - rate * (x.T @ back).T,
            "b0'": b0 - rate * b.apply("sum_like", back, b0),
        }
    )


def drawn(networks: int, samples: int = 40) -> tuple[Any, Any]:
    rng = np.random.default_rng(networks)
    shapes = {"w0": (9, 5), "b0": (9,), "w1": (3, 9), "rate": ()}
    arrays = {name: rng.normal(size=(networks, *shape)).astype("f4") for name, shape in shapes.items()}
    arrays["rate"] = np.abs(arrays["rate"]) * np.float32(0.1)
    return arrays, {"x": rng.normal(size=(samples, 5)).astype("f4"), "ids": rng.integers(0, 3, samples)}


def same(found: Any, expected: Any) -> None:
    for mine, its in zip(found, expected, strict=True):
        assert list(mine) == list(its)
        for name, value in its.items():
            assert mine[name].dtype == value.dtype
            np.testing.assert_array_equal(mine[name], value, err_msg=name)


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 4, 9])
@pytest.mark.parametrize("batch", [1, 7])
def test_a_scan_gives_the_bits_of_as_many_calls(steps: int, batch: int) -> None:
    arrays, inputs = drawn(7)
    rows = np.random.default_rng(steps).integers(0, 40, (steps, batch))
    program = tiles().compile(training_step())
    given = (arrays, inputs, {"x": rows, "ids": rows}, CARRY)
    same(program.scan(*given), Program.scan(program, *given))


@pytest.mark.parametrize("networks", [1, 5, 37])
def test_a_scan_has_the_same_bits_on_any_number_of_threads_and_in_any_company(
    networks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "TILE", 4000)
    monkeypatch.setattr(memory, "STEP", 2)
    monkeypatch.setattr(memory, "ROW", 20)
    arrays, inputs = drawn(networks)
    rows = np.random.default_rng(0).integers(0, 40, (6, 11))
    graph = training_step()
    whole = tiles(1).compile(graph).scan(arrays, inputs, {"x": rows, "ids": rows}, CARRY)
    same(tiles(3).compile(graph).scan(arrays, inputs, {"x": rows, "ids": rows}, CARRY), whole)
    first = {name: array[:1] for name, array in arrays.items()}
    alone = tiles(2).compile(graph).scan(first, inputs, {"x": rows, "ids": rows}, CARRY)
    same(alone, ({n: v[:1] for n, v in whole[0].items()}, {n: v[:, :1] for n, v in whole[1].items()}))


def test_a_scan_agrees_with_the_reference_and_leaves_what_it_is_given() -> None:
    arrays, inputs = drawn(4)
    for array in (*arrays.values(), *inputs.values()):
        array.flags.writeable = False
    rows = np.random.default_rng(1).integers(0, 40, (12, 8))
    given = (arrays, inputs, {"x": rows, "ids": rows}, CARRY)
    found, expected = (device.compile(training_step()).scan(*given) for device in (tiles(), Reference()))
    for mine, its in zip(found, expected, strict=True):
        for name, value in its.items():
            np.testing.assert_allclose(mine[name], value, rtol=1e-4, atol=1e-4, err_msg=name)


def test_steps_without_batches_take_the_same_inputs_each_network_its_own_if_wanted() -> None:
    arrays, inputs = drawn(6)
    own = {"x": np.stack([inputs["x"] + i for i in range(6)]), "ids": inputs["ids"]}
    for given, per_network in ((inputs, ()), (own, ("x",))):
        program = tiles().compile(training_step(), per_network)
        call: Any = (arrays, given, {}, CARRY, 5)
        same(program.scan(*call), Program.scan(program, *call))


def test_a_scan_may_carry_nothing_or_pass_parameters_through() -> None:
    b = Builder()
    w, v = b.parameter("w", (3,)), b.parameter("v", (3,))
    program = tiles().compile(b.graph({"a": v, "b": w, "sum": w + v}))
    arrays = {"w": np.ones((2, 3), "f4"), "v": np.zeros((2, 3), "f4")}
    for carry in ({}, {"a": "w", "b": "v"}, {"sum": "w"}):
        call: Any = (arrays, {}, {}, carry, 4)
        same(program.scan(*call), Program.scan(program, *call))


def test_the_next_scan_does_not_touch_what_the_last_one_returned() -> None:
    arrays, inputs = drawn(3)
    program = tiles().compile(training_step())
    first = program.scan(arrays, inputs, {}, CARRY, 4)
    kept = tuple({name: value.copy() for name, value in part.items()} for part in first)
    program.scan({name: array * 2 for name, array in arrays.items()}, inputs, {}, CARRY, 4)
    same(first, kept)


def test_an_op_of_a_plugin_is_repeated_like_any_other() -> None:
    ops = {**OPS, "twice": Op("twice", "", 1, OPS["neg"].infer, lambda arrays, attributes, sizes: arrays[0] * 2)}
    b = Builder(ops)
    w = b.apply("twice", b.parameter("w", (3,)))
    program = tiles().compile(b.graph({"w'": w - 1.0, "w": w}), ops=ops)
    call: Any = ({"w": np.ones((2, 3), "f4")}, {}, {}, {"w'": "w"}, 6)
    same(program.scan(*call), Program.scan(program, *call))


def test_an_error_in_a_late_step_says_which_op_failed() -> None:
    arrays, inputs = drawn(2)
    inputs["ids"][-1] = 7
    rows = np.zeros((6, 4), int)
    rows[5, 2] = 39
    with pytest.raises(GraphError, match=r"gather float32 .* failed: index 7 is outside an axis of size 3"):
        tiles().compile(training_step()).scan(arrays, inputs, {"x": rows, "ids": rows}, CARRY)


def test_a_batch_outside_the_samples_is_refused() -> None:
    arrays, inputs = drawn(2)
    rows = np.full((5, 4), 40)
    with pytest.raises(IndexError):
        tiles().compile(training_step()).scan(arrays, inputs, {"x": rows, "ids": rows}, CARRY)
