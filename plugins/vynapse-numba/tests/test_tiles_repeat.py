# SPDX-License-Identifier: MIT OR Apache-2.0
"""A step repeated by machine code: kernels that move numbers, phases that may be done in any order, threads, Ctrl-C."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays_of

from vynapse_core import Builder, Graph, Program
from vynapse_numba.device import Numba
from vynapse_numba.threads import Workers
from vynapse_numba.tiles import repeat, scan as scan_module
from vynapse_numba.tiles.machine import movers
from vynapse_numba.tiles.moves import copying, gathering
from vynapse_numba.tiles.player import Score
from vynapse_numba.tiles.product import dense, turn
from vynapse_numba.tiles.repeat import Half
from vynapse_numba.tiles.schedule import phases
from vynapse_numba.tiles.tape import Native, Tape

CARRY = {"w0'": "w0", "b0'": "b0", "w1'": "w1", "v0'": "v0"}


@pytest.fixture(autouse=True)
def few_steps_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "WORTH", 1)


def training_step(inputs: int, hidden: int, outputs: int) -> Graph:
    """A step of gradient descent with momentum on the first layer, all of whose ops are kernels."""
    b = Builder()
    x, y = b.input("x", ("B", inputs)), b.input("y", ("B", outputs))
    w0, b0, w1 = b.parameter("w0", (hidden, inputs)), b.parameter("b0", (hidden,)), b.parameter("w1", (outputs, hidden))
    v0 = b.parameter("v0", (hidden, inputs))
    h = b.apply("tanh", x @ w0.T + b0)
    error = h @ w1.T - y * 0.5
    slope = error * 0.01
    back = (slope @ w1) * (1.0 - h * h)
    velocity = v0 * 0.9 + (x.T @ back).T
    return b.graph(
        {
            "loss": (error**2).mean(),
            "seen": y.sum(),
            "w1'": w1 - (h.T @ slope).T,
            "v0'": velocity,
            "w0'": w0 - velocity * 0.1,
            "b0'": b0 - b.apply("sum_like", back, b0),
        }
    )


def drawn(networks: int, inputs: int, hidden: int, outputs: int, samples: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(networks)
    shapes = {"w0": (hidden, inputs), "b0": (hidden,), "w1": (outputs, hidden), "v0": (hidden, inputs)}
    parameters = {name: 0.1 * rng.normal(size=(networks, *shape)).astype("f4") for name, shape in shapes.items()}
    data = {"x": rng.normal(size=(samples, inputs)).astype("f4"), "y": rng.normal(size=(samples, outputs)).astype("f4")}
    return parameters, data


def same(found: Any, expected: Any) -> None:
    for mine, its in zip(found, expected, strict=True):
        assert list(mine) == list(its)
        for name, value in its.items():
            np.testing.assert_array_equal(mine[name], value, err_msg=name)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(("sizes", "networks"), [((100, 130, 7), 1), ((5, 9, 3), 1), ((30, 20, 3), 4)])
def test_a_network_has_the_same_bits_step_by_step_and_repeated_on_any_number_of_threads(
    threads: int, sizes: tuple[int, int, int], networks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeat, "LIGHT", 0.0)
    monkeypatch.setattr(repeat, "processors", lambda: threads)
    parameters, data = drawn(networks, *sizes, samples=200)
    rows = np.random.default_rng(3).integers(-200, 200, (23, 64))
    batches = {"x": rows, "y": rows}
    program = Numba(threads=threads, engine="tiles").compile(training_step(*sizes))
    same(program.scan(parameters, data, batches, CARRY), Program.scan(program, parameters, data, batches, CARRY))


def test_steps_of_kernels_are_repeated_without_python(monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[int] = []

    def play(halves: Sequence[Half], steps: int, workers: Workers, threads: int) -> None:
        played.append(steps)
        repeat.play(halves, steps, workers, threads)

    monkeypatch.setattr(scan_module, "play", play)
    parameters, data = drawn(1, 6, 5, 2, samples=30)
    rows = np.random.default_rng(0).integers(0, 30, (10, 8))
    Numba(engine="tiles").compile(training_step(6, 5, 2)).scan(parameters, data, {"x": rows, "y": rows}, CARRY)
    assert played == [10 - scan_module.LED]


def test_what_the_caller_gave_stays_as_it_was() -> None:
    parameters, data = drawn(1, 6, 5, 2, samples=30)
    kept = {name: value.copy() for name, value in parameters.items()}
    rows = np.random.default_rng(0).integers(0, 30, (10, 8))
    Numba(engine="tiles").compile(training_step(6, 5, 2)).scan(parameters, data, {"x": rows, "y": rows}, CARRY)
    same([parameters], [kept])


def test_a_batch_outside_the_samples_is_refused_before_the_first_step() -> None:
    parameters, data = drawn(1, 6, 5, 2, samples=30)
    rows = np.zeros((10, 8), int)
    rows[9, 3] = 30
    with pytest.raises(IndexError, match="sample 30 is outside an input of 30; expected 0 to 29"):
        Numba(engine="tiles").compile(training_step(6, 5, 2)).scan(parameters, data, {"x": rows, "y": rows}, CARRY)


def test_samples_may_lie_in_any_order_of_axes_and_bytes() -> None:
    parameters, data = drawn(1, 6, 5, 2, samples=30)
    other = {"x": np.asfortranarray(data["x"]), "y": data["y"].astype(data["y"].dtype.newbyteorder())}
    rows = np.random.default_rng(0).integers(0, 30, (10, 8))
    program = Numba(engine="tiles").compile(training_step(6, 5, 2))
    batches = {"x": rows, "y": rows}
    same(program.scan(parameters, other, batches, CARRY), program.scan(parameters, data, batches, CARRY))


def test_an_interruption_ends_a_long_scan() -> None:
    parameters, data = drawn(1, 200, 200, 2, samples=8)
    rows = np.tile(np.arange(8), (300_000, 1))
    program = Numba(threads=2, engine="tiles").compile(training_step(200, 200, 2))
    # who runs the tests in the background may have them ignore interruptions
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        timer = threading.Timer(0.3, _thread.interrupt_main)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            program.scan(parameters, data, {"x": rows, "y": rows}, CARRY)
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_copy_has_the_numbers_of_what_was_copied_whatever_the_strides(data: st.DataObject) -> None:
    shape = data.draw(arrays_of.array_shapes(min_dims=0, max_dims=5, min_side=1, max_side=4))
    dtype = data.draw(st.sampled_from(["float32", "float64", "int64", "bool", "int32"]))
    order = data.draw(st.permutations(range(len(shape))))
    x = np.random.default_rng(0).integers(0, 2**20, shape).astype(dtype).transpose(order)
    if data.draw(st.booleans()):
        x = np.broadcast_to(x, (3, *x.shape))
    out = np.zeros(x.shape, dtype)
    native = copying(out, x)
    if native is None:
        assert x.ndim > 4
        return
    native()
    np.testing.assert_array_equal(out, x)


def test_a_copy_that_advances_fills_one_place_after_the_other() -> None:
    x, out = np.arange(6.0), np.zeros((4, 6))
    native = copying(out[0], x, 2 * out.strides[0])
    assert native is not None
    native()
    x += 1
    native()
    np.testing.assert_array_equal(out[::2], [np.arange(6.0), np.arange(6.0) + 1])
    assert not out[1::2].any()


@pytest.mark.parametrize("shape", [(50, 3), (50,), (50, 2, 40)])
def test_batches_are_brought_together_in_turn_and_none_after_the_last(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    source, rows = rng.normal(size=shape).astype("f4"), rng.integers(0, 50, (5, 7))
    out = np.zeros((7, *shape[1:]), "f4")
    native = gathering(source, rows, 1, 2, out)
    for step in (1, 3):
        native()
        np.testing.assert_array_equal(out, source[rows[step]])
    native()
    np.testing.assert_array_equal(out, source[rows[3]])


def test_a_gather_cut_in_parts_brings_together_the_same_batch() -> None:
    rng = np.random.default_rng(0)
    source, rows = rng.normal(size=(50, 30)).astype("f4"), rng.integers(0, 50, (2, 64))
    out = np.zeros((64, 30), "f4")
    native = gathering(source, rows, 0, 1, out)
    parts = [native.part(low, low + 16) for low in range(0, 64, 16)]
    for step in range(2):
        for part in parts[::-1]:
            part()
        np.testing.assert_array_equal(out, source[rows[step]])


def step_of_products(rng: np.random.Generator) -> tuple[list[Native], list[np.ndarray[Any, Any]]]:
    """Return calls that depend on each other in many ways, and the arrays that they work on."""
    a, b, c, d = (rng.normal(size=(1, 160, 160)).astype("f4") for _ in range(4))
    tape = Tape()
    for _ in range(12):
        x, y, z = (a, b, c, d)[rng.integers(4)], (a, b, c, d)[rng.integers(4)], (a, b, c, d)[rng.integers(4)]
        if z is x or z is y:
            tape.copy(z[:, :80], d[:, 80:] if z is not d else a[:, 80:])
        elif rng.random() < 0.5:
            dense(x * np.float32(0.01), y, z, tape=tape)
        else:
            turn(x, z, tape=tape)
    natives = tape.natives()
    assert natives is not None
    return natives, [a, b, c, d]


@pytest.mark.parametrize("seed", range(6))
def test_items_of_a_phase_give_the_same_bits_in_any_order(seed: int) -> None:
    natives, arrays = step_of_products(np.random.default_rng(seed))
    for array_ in arrays:
        array_ /= 1 + abs(array_).max()
    first = [array_.copy() for array_ in arrays]
    for native in natives:
        native()
    expected = [array_.copy() for array_ in arrays]
    for array_, was in zip(arrays, first, strict=True):
        array_[:] = was
    shuffled = np.random.default_rng(seed + 100)
    for phase in phases(natives):
        for at in shuffled.permutation(len(phase)):
            for native in phase[at]:
                native()
    for found, wanted in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_long_product_is_cut_and_goes_with_what_reads_its_rows() -> None:
    rng = np.random.default_rng(0)
    parameters, data = drawn(1, 256, 256, 8, samples=64)
    found: list[Half] = []
    program = Numba(engine="tiles").compile(training_step(256, 256, 8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan_module, "play", lambda halves, *_: found.extend(halves))
        rows = rng.integers(0, 64, (6, 64))
        program.scan(parameters, data, {"x": rows, "y": rows}, CARRY)
    items = [item for phase in phases(found[0].natives) for item in phase]
    products = [item for item in items if item[0].table[2] == 256 and len(item) == 2]
    assert len(products) > 1
    assert sum(item[0].table[1] for item in products) == 256


def test_a_thread_that_comes_late_or_never_delays_nothing() -> None:
    x, out = np.ones(1), np.zeros((40, 1))
    native = copying(out[0], x, out.strides[0])
    assert native is not None
    score = Score([([[[native]]], []), ([[[native]]], [])], 0)
    movers().play(score.address, 0, 20, 0, 3)
    movers().play(score.address, 0, 20, 2, 3)
    movers().play(score.address, 20, 40, 1, 3)
    assert out.sum() == 40
