# SPDX-License-Identifier: MIT OR Apache-2.0
"""Calls that are made again: they compute what the first one did, and nothing where an array is another."""

from __future__ import annotations

import gc
import threading
import weakref
from array import array
from typing import Any

import numpy as np
import pytest

from vynapse_core import Arguments, Builder, GraphError, Op
from vynapse_core.ops import OPS
from vynapse_numba.addresses import address_of
from vynapse_numba.device import Numba
from vynapse_numba.lanes import replaying as lanes_replaying
from vynapse_numba.lanes.program import LanesProgram
from vynapse_numba.replay import Like, Patch, replay
from vynapse_numba.replay_code import NOBODY
from vynapse_numba.tiles import plan, replaying

FLOATS, WHOLES = np.dtype("f4"), np.dtype("i8")


def looked_at(likes: list[Like], *arrays: Any) -> bool:
    return replay(likes, [], [], (), 1)(*arrays)


def test_a_replay_puts_addresses_and_numbers_into_tables() -> None:
    table = array("q", [1, 2, 3])
    a, b = np.zeros((3, 4), FLOATS), np.zeros(5, WHOLES)
    patches = [Patch(table, 0, 1, 16), Patch(table, 2, NOBODY, -7)]
    assert replay([Like.of(a), Like.of(b)], patches, [], (), 1)(a, b) is True
    assert list(table) == [address_of(b) + 16, 2, -7]


@pytest.mark.parametrize(
    "other",
    [
        np.zeros((3, 4), "f8"),
        np.zeros((3, 4), "i4"),
        np.zeros((3, 4), ">f4"),
        np.zeros((3, 5), "f4"),
        np.zeros((4, 3), "f4"),
        np.zeros((3, 4, 1), "f4"),
        np.zeros(12, "f4"),
        np.zeros((3, 8), "f4")[:, ::2],
        np.zeros((4, 3), "f4").T,
        np.zeros(49, "i1")[1:].view("f4").reshape(3, 4),
        np.ma.zeros((3, 4), "f4"),
        [[0.0] * 4] * 3,
        None,
    ],
    ids=repr,
)
def test_a_replay_does_nothing_for_an_array_that_is_not_alike(other: Any) -> None:
    table, alike = array("q", [0]), np.zeros((3, 4), FLOATS)
    again = replay([Like.of(alike)], [Patch(table, 0, 0)], [], (), 1)
    assert again(other) is False
    assert list(table) == [0]
    assert again(alike) is True


def test_a_replay_does_nothing_for_another_number_of_arrays() -> None:
    x = np.zeros(3, FLOATS)
    assert looked_at([Like.of(x)]) is False
    assert looked_at([Like.of(x)], x, x) is False
    assert looked_at([]) is True


def test_strides_are_looked_at_where_an_array_is_not_contiguous() -> None:
    wide = np.zeros((3, 9), FLOATS)
    like = Like.of(wide[:, :4])
    assert looked_at([like], wide[:, 5:])
    assert not looked_at([like], wide[:, ::2][:, :4])
    assert not looked_at([like], np.zeros((3, 4), FLOATS))


def test_an_axis_may_be_as_long_as_another_one_whatever_that_is() -> None:
    likes = [Like(FLOATS, (3, (0, 1))), Like(WHOLES, ((0, 1), 2))]
    for size in (1, 5, 0):
        assert looked_at(likes, np.zeros((3, size), FLOATS), np.zeros((size, 2), WHOLES))
    assert not looked_at(likes, np.zeros((3, 5), FLOATS), np.zeros((4, 2), WHOLES))
    assert not looked_at(likes, np.zeros((2, 5), FLOATS), np.zeros((5, 2), WHOLES))


def squared(engine: Any, threads: int = 1) -> Any:
    """Return a program, of a small network and its error: y [B, 2] of x [B, 3], and the error of each network."""
    b = Builder()
    x, target = b.input("x", ("B", 3)), b.input("target", ("B", 2))
    y = b.apply("tanh", x @ b.parameter("w", (3, 2)) + b.parameter("b", (2,)))
    graph = b.graph({"y": y, "error": ((y - target) * (y - target)).mean()})
    return Numba(engine=engine, threads=threads).compile(graph)


def drawn(seed: int, networks: int = 5, samples: int = 4) -> tuple[dict[str, Any], dict[str, Any]]:
    rng = np.random.default_rng(seed)
    arrays = {"w": rng.standard_normal((networks, 3, 2), "f4"), "b": rng.standard_normal((networks, 2), "f4")}
    return arrays, {"x": rng.standard_normal((samples, 3), "f4"), "target": rng.standard_normal((samples, 2), "f4")}


def same(one: Any, other: Any) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name])


@pytest.mark.parametrize("engine", ["lanes", "tiles"])
@pytest.mark.parametrize("threads", [1, 2])
def test_calls_that_are_alike_give_the_bits_of_a_program_that_is_called_once(engine: str, threads: int) -> None:
    program = squared(engine, threads)
    for seed, networks, samples in [(0, 5, 4), (1, 5, 4), (2, 5, 4), (3, 40, 4), (4, 40, 4), (5, 40, 4), (6, 5, 4)]:
        given = drawn(seed, networks, samples)
        same(program(*given), squared(engine)(*given))


@pytest.mark.parametrize("engine", ["lanes", "tiles"])
def test_from_the_third_call_on_nothing_is_looked_at_in_python(engine: str, monkeypatch: Any) -> None:
    program = squared(engine)
    for seed in range(2):
        program(*drawn(seed))
    expected = squared(engine)(*drawn(7))

    def refused(*_: Any) -> Any:
        raise AssertionError("the long way was taken")

    monkeypatch.setattr(Arguments, "check", refused)
    monkeypatch.setattr(LanesProgram, "_laid_out", refused)
    same(program(*drawn(7)), expected)
    with pytest.raises(AssertionError, match="long way"):
        program(*drawn(7, samples=5))


@pytest.mark.parametrize("engine", ["lanes", "tiles"])
def test_an_array_that_does_not_fit_is_refused_after_many_calls_in_the_words_of_the_first(engine: str) -> None:
    program = squared(engine)
    for seed in range(4):
        arrays, inputs = drawn(seed)
        program(arrays, inputs)
    with pytest.raises(ValueError, match="input 'x': expected float32"):
        program(arrays, {**inputs, "x": inputs["x"].astype("f8")})
    with pytest.raises(ValueError, match="input 'target' is missing"):
        program(arrays, {"x": inputs["x"]})
    with pytest.raises(ValueError, match="unknown input 'more'"):
        program(arrays, {**inputs, "more": inputs["x"]})
    with pytest.raises(ValueError, match=r"B is 4, but 3 in"):
        program(arrays, {**inputs, "x": inputs["x"][:3]})


@pytest.mark.parametrize("engine", ["lanes", "tiles"])
def test_arrays_that_lie_otherwise_are_read_after_many_calls_too(engine: str) -> None:
    program = squared(engine)
    for seed in range(4):
        program(*drawn(seed))
    arrays, inputs = drawn(9)
    expected = squared(engine)(arrays, inputs)
    turned = {name: np.asfortranarray(value) for name, value in inputs.items()}
    wide = {name: np.repeat(value, 2, axis=-1)[..., ::2] for name, value in arrays.items()}
    same(program(wide, turned), expected)
    one = inputs["x"][:, :2]
    same(program(arrays, {"x": inputs["x"], "target": one}), squared(engine)(arrays, {**inputs, "target": one.copy()}))


@pytest.mark.parametrize("engine", ["lanes", "tiles"])
def test_outputs_of_a_call_are_not_written_to_by_the_next(engine: str) -> None:
    program = squared(engine)
    found = [program(*drawn(seed)) for seed in range(6)]
    for seed, each in enumerate(found):
        same(each, squared(engine)(*drawn(seed)))


@pytest.mark.parametrize("engine", ["lanes", "tiles"])
def test_threads_call_one_program_at_once(engine: str) -> None:
    program = squared(engine, 2)
    wrong: list[int] = []

    def called(seed: int) -> None:
        given = drawn(seed, 200)
        expected = squared(engine)(*given)
        found = [program(*given) for _ in range(100)]
        wrong.extend(seed for each in found for name in each if not np.array_equal(each[name], expected[name]))

    threads = [threading.Thread(target=called, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("engine", ["lanes", "tiles"])
@pytest.mark.parametrize(("networks", "samples"), [(1, 1), (1, 7), (0, 3), (3, 0)])
def test_calls_of_one_of_something_or_none_are_alike_too(engine: str, networks: int, samples: int) -> None:
    program = squared(engine)
    for seed in range(5):
        given = drawn(seed, networks, samples)
        same(program(*given), squared(engine)(*given))


def test_a_team_shares_the_networks_of_a_call_that_is_made_again(monkeypatch: Any) -> None:
    shared: list[int] = []
    made = lanes_replaying.replay

    def noted(likes: Any, patches: Any, jobs: Any, held: object, threads: int) -> Any:
        shared.extend(job.rows for job in jobs)
        return made(likes, patches, jobs, held, threads)

    monkeypatch.setattr(lanes_replaying, "replay", noted)
    program, alone = squared("lanes", 2), squared("lanes", 1)
    for seed in range(5):
        given = drawn(seed, 40_000, 40)
        same(program(*given), alone(*given))
    assert max(shared) > 0


@pytest.mark.parametrize("engine", ["lanes", "tiles", "auto"])
def test_an_output_that_depends_on_no_input_is_there_in_every_call(engine: Any) -> None:
    b = Builder()
    x = b.input("x", ("B", 3))
    fixed = b.apply("expand_like", b.constant(np.full((1, 3), 7, "f4")), x)
    graph = b.graph({"y": x @ b.parameter("w", (3, 2)), "c": b.constant(np.arange(4, dtype="f4")), "fixed": fixed})
    program = Numba(engine=engine, threads=1).compile(graph)
    for seed in range(5):
        arrays, inputs = drawn(seed)
        found = program({"w": arrays["w"]}, {"x": inputs["x"]})
        np.testing.assert_array_equal(found["c"], np.tile(np.arange(4, dtype="f4"), (5, 1)))
        np.testing.assert_array_equal(found["fixed"], np.full((5, 4, 3), 7, "f4"))
        for value in found.values():
            value[...] = 99


@pytest.mark.parametrize("engine", ["lanes", "tiles"])
def test_lists_and_mapped_files_are_taken_after_many_calls_too(engine: str, tmp_path: Any) -> None:
    program = squared(engine)
    arrays, inputs = drawn(1)
    mapped = np.memmap(tmp_path / "x", "f4", "w+", shape=inputs["x"].shape)
    mapped[...] = inputs["x"]
    expected = squared(engine)(arrays, inputs)
    for x in (mapped, inputs["x"]) * 5:
        same(program(arrays, {**inputs, "x": x}), expected)


def asked(kernel: Any) -> Any:
    """Return a program of tiles in which a plugin's kernel computes `mean_of`, x plus the mean of w [W]."""
    op = Op("mean_of", "", 2, lambda shapes, dtypes, attributes: (shapes[1], dtypes[1]), lambda a, _, sizes: a[1])
    b = Builder({**OPS, "mean_of": op})
    y = b.apply("mean_of", b.parameter("w", ("W",)), b.input("x", ("B", 2)))
    return plan(Arguments(b.graph({"y": y * y}), (), {**OPS, "mean_of": op}), {"mean_of": kernel}, 1)


def test_a_plugins_kernel_is_asked_again_and_told_the_sizes_that_it_alone_reads() -> None:
    told: list[Any] = []

    def kernel(operands: Any, attributes: Any, sizes: Any, threads: int) -> Any:
        told.append((dict(sizes), threads))
        w, x = operands
        return x + w.sum(axis=1)[:, None, None]

    program = asked(kernel)
    x = np.ones((4, 2), "f4")
    for width in (3, 3, 3, 8, 5, 0, 1):
        w = 1 + np.arange(3 * width, dtype="f4").reshape(3, width)
        found = program({"w": w}, {"x": x})["y"]
        np.testing.assert_array_equal(found, np.broadcast_to((1 + w.sum(axis=1)[:, None, None]) ** 2, (3, 4, 2)))
        assert told[-1] == ({"W": width, "B": 4}, 1)


def test_a_plugins_kernel_that_was_given_nothing_at_first_is_given_what_is_there() -> None:
    program = asked(lambda operands, attributes, sizes, threads: operands[1] + operands[0].sum(axis=1)[:, None, None])
    for width in (0, 0, 0, 8):
        found = program({"w": np.ones((3, width), "f4")}, {"x": np.ones((4, 2), "f4")})["y"]
        np.testing.assert_array_equal(found, np.full((3, 4, 2), (1 + width) ** 2, "f4"))


def test_a_plugins_kernel_whose_results_lie_otherwise_is_asked_once_a_call() -> None:
    times: list[int] = []

    def kernel(operands: Any, attributes: Any, sizes: Any, threads: int) -> Any:
        times.append(1)
        return np.asfortranarray(operands[1] + operands[0].sum(axis=1)[:, None, None])

    program = asked(kernel)
    for _ in range(10):
        program({"w": np.ones((3, 2), "f4")}, {"x": np.ones((4, 2), "f4")})
    # the calls at which a replay is looked for are the second, the fourth and the eighth
    assert len(times) == 13


def test_a_plugins_kernel_that_fails_after_many_calls_is_named_and_asked_again(monkeypatch: Any) -> None:
    fails = False

    def kernel(operands: Any, attributes: Any, sizes: Any, threads: int) -> Any:
        if fails:
            raise RuntimeError("no more")
        return operands[1] + operands[0].sum(axis=1)[:, None, None]

    program = asked(kernel)
    given = {"w": np.ones((3, 2), "f4")}, {"x": np.ones((4, 2), "f4")}
    for _ in range(4):
        program(*given)
    fails = True
    for _ in range(2):
        with pytest.raises(GraphError, match=r"mean_of .* failed: no more"):
            program(*given)
    fails = False
    monkeypatch.setattr(Arguments, "check", None)
    np.testing.assert_array_equal(program(*given)["y"], np.full((3, 4, 2), 9, "f4"))


def test_a_plugins_kernel_may_overflow_in_silence_after_many_calls() -> None:
    program = asked(
        lambda operands, attributes, sizes, threads: operands[1] * np.float32(3e38) + operands[0][:, None, :1]
    )
    for _ in range(4):
        assert np.isinf(program({"w": np.ones((3, 2), "f4")}, {"x": np.full((4, 2), 9, "f4")})["y"]).all()


def test_the_arrays_of_the_call_that_was_written_down_are_let_go(monkeypatch: Any) -> None:
    made, found = replaying._apart, []

    def noted(*given: Any) -> Any:
        array = made(*given)
        found.append(weakref.ref(array))
        return array

    monkeypatch.setattr(replaying, "_apart", noted)
    program = squared("tiles")
    for seed in range(3):
        program(*drawn(seed))
    gc.collect()
    assert len(found) == 6
    assert not [each for each in found if each() is not None]
    same(program(*drawn(8)), squared("tiles")(*drawn(8)))
