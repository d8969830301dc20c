# SPDX-License-Identifier: MIT OR Apache-2.0
"""Ops of plugins within a kernel of lanes: against the reference device, and scans against steps one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Arguments, Builder, Graph, GraphError, Op, Program, SampleKernel, routine_part
from vynapse_core.devices.reference import Reference
from vynapse_core.ops import OPS
from vynapse_numba import lanes
from vynapse_numba.lanes.machine import lanes as width
from vynapse_numba.lanes.program import LanesProgram

Array = npt.NDArray[Any]
L = width()
RNG = np.random.default_rng(8)


@pytest.fixture(autouse=True, scope="module")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VYNAPSE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def sums(arrays: Sequence[Array], attributes: Mapping[str, Any], sizes: Mapping[str, int]) -> Array:
    """Each number of x [B, I], and a factor times the first `count` of numbers [M]."""
    x, numbers, count = arrays
    total = np.float32(0)
    for number in numbers[:count]:
        total += number
    return x + np.float32(attributes["factor"]) * total


def echo(arrays: Sequence[Array], attributes: Mapping[str, Any], sizes: Mapping[str, int]) -> Array:
    """A memory [B, M] moved on by one place, with the sum of x [B, I] at the first."""
    x, memory = arrays
    after = np.empty_like(memory)
    after[:, 1:] = memory[:, :-1]
    after[:, :1] = x[:, :1] + x[:, 1:2] * np.float32(0.5)
    return after


@routine_part
def sums_alone(x: Any, numbers: Any, count: Any, result: Any, scratch: Any, factors: Any, at: Any) -> None:
    scratch[0] = np.float32(0)
    for i in range(count):
        scratch[i + 1] = scratch[i] + numbers[i]
    for i in range(x.shape[1]):
        result[0, i] = x[0, i] + np.float32(factors[at]) * scratch[count]


@routine_part
def echo_alone(x: Any, memory: Any, result: Any) -> None:
    for i in range(memory.shape[1] - 1):
        result[0, i + 1] = memory[0, i]
    result[0, 0] = x[0, 0] + x[0, 1] * np.float32(0.5)


def sums_kernel(attributes: Mapping[str, Any], shapes: Sequence[Any]) -> SampleKernel | None:
    if shapes[0][0] != 1:
        return None
    return SampleKernel(sums_alone, ((*shapes[1],),), ((7, attributes["factor"]), 1))


def echo_kernel(attributes: Mapping[str, Any], shapes: Sequence[Any]) -> SampleKernel:
    return SampleKernel(echo_alone)


OURS = {
    **OPS,
    "sums": Op("sums", "", 3, lambda shapes, dtypes, _: (shapes[0], dtypes[0]), sums, {"factor": (int, 1)}),
    "echo": Op("echo", "", 2, lambda shapes, dtypes, _: (shapes[1], dtypes[1]), echo),
}
SAMPLEWISE = {"sums": sums_kernel, "echo": echo_kernel}
CARRY = {"state": "state", "memory": "memory"}


def playing(turns: int = 2) -> Graph:
    """Return a step of a state [3] and a memory [1, M], by ops of ours and others; what is seen of it; a constant."""
    b = Builder(OURS)
    state, numbers, count = (
        b.parameter("state", (3,)),
        b.parameter("numbers", ("K",)),
        b.parameter("count", (), "int32"),
    )
    memory = b.parameter("memory", (1, "M"))
    x = b.apply("sin", state[:2]).reshape((1, 2))
    y = b.apply("sums", x, numbers, count, factor=3)
    # an operand that the step before has written
    z = b.apply("sums", state.reshape((1, 3)), numbers, count)
    after = memory
    for _ in range(turns):
        after = b.apply("echo", y, after)
    old = b.apply("gather", after, b.constant(np.array([2, 0])), axis=1).reshape((2,))
    moved = b.apply("concat", b.apply("tanh", old + y.reshape((2,))), b.apply("tanh", z[0, 1:2] * 0.1), axis=0)
    return b.graph({"state": moved, "memory": after})


def drawn(p: int, m: int = 5, k: int = 4) -> dict[str, Array]:
    return {
        "state": RNG.normal(size=(p, 3)).astype(np.float32),
        "numbers": RNG.normal(size=(p, k)).astype(np.float32),
        "count": RNG.integers(0, k, p).astype(np.int32),
        "memory": RNG.normal(size=(p, 1, m)).astype(np.float32),
    }


def planned(graph: Graph, threads: int = 1) -> LanesProgram:
    program = lanes.plan(Arguments(graph, ops=OURS), {"sums": sums, "echo": echo}, threads, SAMPLEWISE)
    assert isinstance(program, LanesProgram)
    return program


PROGRAM: list[LanesProgram] = []


def program() -> LanesProgram:
    """Return the program of `playing`, compiled once."""
    if not PROGRAM:
        PROGRAM.append(planned(playing()))
    return PROGRAM[0]


@settings(deadline=None, max_examples=25)
@given(p=st.integers(0, 2 * L + 3), m=st.integers(3, 9), k=st.integers(1, 6))
def test_ops_with_sample_kernels_agree_with_the_reference(p: int, m: int, k: int) -> None:
    arrays = drawn(p, m, k)
    expected = Reference().compile(playing(), ops=OURS)(arrays, {})
    found = program()(arrays, {})
    assert list(found) == ["state", "memory"]
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("p", [1, L, 2 * L + 3])
def test_steps_within_the_kernel_give_the_bits_of_steps_one_by_one(p: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vynapse_numba.lanes.program.GRAIN", 1)
    arrays = drawn(p)
    kept = {name: array.copy() for name, array in arrays.items()}
    expected, _ = Program.scan(program(), arrays, {}, {}, CARRY, 13)
    for threads in (1, 3):
        after, seen = planned(playing(), threads).scan(arrays, {}, {}, CARRY, 13)
        assert not seen
        for name, array in expected.items():
            assert after[name].tobytes() == array.tobytes()
    for name, array in kept.items():
        assert (arrays[name] == array).all()


def test_a_network_that_rests_beside_others_that_do_not_keeps_its_bits() -> None:
    arrays = drawn(L)
    # these come to rest at once, those go on
    for name in ("state", "numbers", "memory"):
        arrays[name][::2] = 0
    expected, _ = Program.scan(program(), arrays, {}, {}, CARRY, 40)
    after, _ = program().scan(arrays, {}, {}, CARRY, 40)
    for name, array in expected.items():
        assert after[name].tobytes() == array.tobytes()


def test_a_memory_that_is_not_carried_is_stepped_one_by_one() -> None:
    arrays = drawn(3)
    expected, memories = Reference().compile(playing(), ops=OURS).scan(arrays, {}, {}, {"state": "state"}, 4)
    after, seen = program().scan(arrays, {}, {}, {"state": "state"}, 4)
    np.testing.assert_allclose(after["state"], expected["state"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(seen["memory"], memories["memory"], rtol=1e-4, atol=1e-5)


def test_a_place_beyond_a_value_of_unknown_size_is_refused() -> None:
    with pytest.raises(GraphError, match="index"):
        program()(drawn(3, m=2), {})


def test_a_graph_that_needs_more_of_such_values_is_not_for_lanes() -> None:
    b = Builder(OURS)
    numbers, count = b.parameter("numbers", ("K",)), b.parameter("count", (), "int32")
    samples = b.apply("sums", b.parameter("x", (4, 2)), numbers, count)
    whole = b.apply("sums", b.parameter("one", (1, 2)), numbers, count) + numbers.sum()
    for value in (samples, whole):
        graph = b.graph({"y": value})
        assert lanes.plan(Arguments(graph, ops=OURS), {}, 1, SAMPLEWISE) is None
    assert lanes.plan(Arguments(playing(), ops=OURS), {"sums": sums, "echo": echo}, 1) is None


def test_machine_code_differs_by_the_numbers_that_a_kernel_needs() -> None:
    b = Builder(OURS)
    x, numbers, count = b.parameter("x", (1, 2)), b.parameter("numbers", ("K",)), b.parameter("count", (), "int32")
    arrays = {
        "x": np.ones((1, 1, 2), np.float32),
        "numbers": np.ones((1, 4), np.float32),
        "count": np.array([2], np.int32),
    }
    found = [
        planned(b.graph({"y": b.apply("sums", x, numbers, count, factor=factor)}))(arrays, {})["y"]
        for factor in (3, 10)
    ]
    assert [each.tolist() for each in found] == [[[[7, 7]]], [[[21, 21]]]]
