# SPDX-License-Identifier: MIT OR Apache-2.0
"""Training steps repeated within the kernel, against the same steps called one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from vynapse_core import Arguments, Builder, Graph, Program, one_hot, where
from vynapse_core.devices.reference import Reference
from vynapse_numba import lanes
from vynapse_numba.lanes.machine import lanes as width
from vynapse_numba.lanes.program import LanesProgram

Array = npt.NDArray[Any]
L = width()


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VYNAPSE_CACHE", str(tmp_path))


def training(ids: bool = False) -> Graph:
    """Return a step of gradient descent with momentum on a network 2-3-2, its gradient written out by hand."""
    b = Builder()
    x = b.input("x", ("B", 2))
    target = one_hot(b.input("t", ("B",), "int64"), 2) if ids else b.input("t", ("B", 2))
    w0, w1 = b.parameter("w0", (3, 2)), b.parameter("w1", (2, 3))
    v0 = b.parameter("v0", (3, 2))
    rate = b.input("rate", ())
    hidden = b.apply("tanh", x @ w0.T)
    error = hidden @ w1.T - target
    loss = (error**2).mean()
    slope = error * 2.0 / b.apply("size", error, axes=(0, 1))
    g1 = slope.T @ hidden
    g0 = ((slope @ w1) * (1.0 - hidden * hidden)).T @ x
    moved = v0 * 0.9 + g0
    return b.graph({"w0+": w0 - rate * moved, "v0+": moved, "w1+": w1 - rate * g1, "loss": loss})


CARRY = {"w0+": "w0", "v0+": "v0", "w1+": "w1"}


def drawn(p: int, ids: bool = False) -> tuple[dict[str, Array], dict[str, Array]]:
    rng = np.random.default_rng(3)
    shapes = {"w0": (3, 2), "w1": (2, 3), "v0": (3, 2)}
    arrays = {name: rng.normal(size=(p, *shape)).astype(np.float32) for name, shape in shapes.items()}
    target = rng.integers(0, 2, 20) if ids else rng.normal(size=(20, 2)).astype(np.float32)
    x = rng.normal(size=(20, 2)).astype(np.float32)
    return arrays, {"x": x, "t": target, "rate": np.array(0.1, np.float32)}


def rows(steps: int) -> dict[str, Array]:
    taken = np.random.default_rng(4).integers(0, 20, (steps, 5))
    return {"x": taken, "t": taken}


def planned(graph: Graph, threads: int = 1) -> LanesProgram:
    program = lanes.plan(Arguments(graph), {}, threads)
    assert isinstance(program, LanesProgram)
    return program


@pytest.mark.parametrize("ids", [False, True])
@pytest.mark.parametrize("p", [1, L, 2 * L + 3])
def test_steps_within_the_kernel_give_the_bits_of_steps_one_by_one(
    ids: bool, p: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vynapse_numba.lanes.scan.BATCH_BYTES", 160)
    monkeypatch.setattr("vynapse_numba.lanes.program.GRAIN", 1)
    arrays, inputs = drawn(p, ids)
    kept = {name: array.copy() for name, array in arrays.items()}
    graph = training(ids)
    expected, losses = Program.scan(planned(graph), arrays, inputs, rows(11), CARRY)
    for threads in (1, 3):
        after, seen = planned(graph, threads).scan(arrays, inputs, rows(11), CARRY)
        assert list(after) == list(expected)
        for name, array in expected.items():
            assert after[name].tobytes() == array.tobytes()
        assert seen.keys() == {"loss"}
        np.testing.assert_array_equal(seen["loss"], losses["loss"])
    for name, array in kept.items():
        assert (arrays[name] == array).all()


def test_steps_within_the_kernel_agree_with_the_reference() -> None:
    arrays, inputs = drawn(4)
    expected, losses = Reference().compile(training()).scan(arrays, inputs, rows(20), CARRY)
    after, seen = planned(training()).scan(arrays, inputs, rows(20), CARRY)
    for name, array in expected.items():
        np.testing.assert_allclose(after[name], array, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(seen["loss"], losses["loss"], rtol=1e-4)


def test_no_steps_leave_the_parameters_as_they_are() -> None:
    arrays, inputs = drawn(2)
    after, seen = planned(training()).scan(arrays, inputs, rows(0), CARRY)
    assert (after["w0"] == arrays["w0"]).all()
    assert not seen


def test_a_scan_that_carries_only_some_parameters_keeps_the_others() -> None:
    arrays, inputs = drawn(3)
    carry = {"w0+": "w0"}
    expected, losses = Reference().compile(training()).scan(arrays, inputs, rows(4), carry)
    after, seen = planned(training()).scan(arrays, inputs, rows(4), carry)
    assert seen.keys() == losses.keys()
    assert (after["w1"] == arrays["w1"]).all()
    for name, array in losses.items():
        np.testing.assert_allclose(seen[name], array, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(after["w0"], expected["w0"], rtol=1e-4, atol=1e-5)


def test_arrays_that_do_not_fit_are_refused() -> None:
    arrays, inputs = drawn(3)
    with pytest.raises(ValueError, match="w1"):
        planned(training()).scan({**arrays, "w1": arrays["w1"][:, :1]}, inputs, rows(2), CARRY)


def counting(dtype: str) -> Graph:
    """Return a step of a counter that stops at its end."""
    b = Builder()
    n, end = b.parameter("n", (1,), dtype), b.parameter("end", (1,), dtype)
    return b.graph({"n+": where(n.less(end), n + n.builder.constant(1, dtype), n)})


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_a_scan_whose_state_has_come_to_rest_does_not_wait_for_the_last_step(dtype: str) -> None:
    p = 2 * L + 3
    ends = np.random.default_rng(1).integers(0, 50, (p, 1)).astype(dtype)
    program = planned(counting(dtype))
    arrays = {"n": np.zeros((p, 1), dtype), "end": ends}
    # all of them would take days
    after, seen = program.scan(arrays, {}, {}, {"n+": "n"}, 10**15)
    assert (after["n"] == ends).all()
    assert not seen
    few, _ = program.scan(arrays, {}, {}, {"n+": "n"}, 7)
    assert (few["n"] == np.minimum(ends, 7)).all()


def test_a_scan_that_gives_something_out_at_each_step_goes_on_at_rest() -> None:
    b = Builder()
    n = b.parameter("n", (1,))
    program = planned(b.graph({"n+": n * 1.0, "seen": n + 1.0}))
    after, seen = program.scan({"n": np.ones((3, 1), np.float32)}, {}, {}, {"n+": "n"}, 5)
    assert (after["n"] == 1).all()
    assert (seen["seen"] == np.full((5, 3, 1), 2)).all()


def test_outputs_may_change_places_and_replace_what_no_step_reads() -> None:
    b = Builder()
    x, y = b.parameter("x", (2,)), b.parameter("y", (2,))
    b.parameter("unread", (2,))
    program = planned(b.graph({"x+": y + 1.0, "y+": x * 2.0, "sum": x + y}))
    arrays = {name: np.full((L + 1, 2), at, np.float32) for at, name in enumerate(("x", "y", "unread"), 1)}
    carry = {"x+": "x", "y+": "y", "sum": "unread"}
    expected, _ = Program.scan(program, arrays, {}, {}, carry, 6)
    after, _ = program.scan(arrays, {}, {}, carry, 6)
    for name, array in expected.items():
        assert (after[name] == array).all()
