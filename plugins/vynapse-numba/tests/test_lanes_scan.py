# SPDX-License-Identifier: MIT OR Apache-2.0
"""Training steps repeated within the kernel, against the same steps called one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from vynapse_core import Arguments, Builder, Graph, Program, one_hot
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
    monkeypatch.setattr("vynapse_numba.lanes.program.SMALL", 0)
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
