# SPDX-License-Identifier: MIT OR Apache-2.0
"""Episodes step by step: compiled environments, networks with a memory, and that a network's return is its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

from vynapse_core import Array, Builder, Device, ElementwiseTask, EpisodicTask, Graph, GraphError, Networks, Streams
from vynapse_core.devices.reference import Reference
from vynapse_core.episodes import Compiled, Plain, Play, player
from vynapse_core.evaluation import Evaluation
from vynapse_core.ops import OPS
from vynapse_tasks.control.acrobot import Acrobot
from vynapse_tasks.control.cartpole import CartPole
from vynapse_tasks.control.mountain_car import MountainCarContinuous
from vynapse_tasks.control.pole_balancing import PoleBalancing

TASKS = (
    Acrobot(episodes=2, limit=40),
    CartPole(episodes=3, limit=60),
    MountainCarContinuous(episodes=2, limit=40),
    PoleBalancing(limit=30),
    PoleBalancing(fitness="damped", limit=20),
    PoleBalancing(fitness="whole", poles=1, starts="grid", episodes=5, limit=12),
)


class Fusing(Reference):
    """The reference device, saying that it fuses, though none of its programs repeats by itself."""

    fuses: ClassVar[bool] = True


class Echo(EpisodicTask):
    """Pays what a network says, and ends when that exceeds 3; an episode sees its own number."""

    limit: int = 6
    """Time steps."""
    episodes: int = 3
    """Episodes."""
    inputs: ClassVar[tuple[int, ...]] = (1,)
    outputs: ClassVar[int] = 1

    def reset(self, n: int, rng: Any) -> tuple[Mapping[str, Array], Array]:
        number = np.arange(n, dtype=np.float32)[:, None]
        return {"number": number}, number

    def step(self, state: Mapping[str, Array], outputs: Array) -> tuple[Mapping[str, Array], Array, Array, Array]:
        said = outputs[:, 0].astype(np.float32)
        return state, state["number"], said, said > 3


def counting(sizes: str | int = "M") -> Graph:
    """Return a network whose memory adds up x times its weights, and that says the memory's sum and 1."""
    builder = Builder()
    x = builder.input("x", ("B", 1))
    memory = builder.input("memory", ("B", sizes))
    after = memory + x @ builder.parameter("w", (1, sizes))
    said = after.sum(axes=1, keepdims=True) + builder.parameter("start", (1,))
    return builder.graph({"y": said, "memory": after})


def policy(task: ElementwiseTask, memory: int = 0) -> Graph:
    builder = Builder()
    x = builder.input("x", ("B", task.inputs[0]))
    inner = x @ builder.parameter("w", (task.inputs[0], 4))
    outputs = {}
    if memory:
        before = builder.input("memory", ("B", memory))
        outputs["memory"] = builder.apply("tanh", before @ builder.parameter("r", (memory, memory)) + x[:, :memory])
        inner = inner + before @ builder.parameter("u", (memory, 4))
    hidden = builder.apply("tanh", inner)
    outputs["y"] = hidden @ builder.parameter("v", (4, task.outputs))
    return builder.graph(outputs)


def drawn(graph: Graph, p: int) -> Networks:
    rng = np.random.default_rng(3)
    shapes = {name: (p, *map(int, graph.nodes[place].shape)) for name, place in graph.parameters.items()}
    return Networks(graph, {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})


def fitness(task: EpisodicTask, networks: Networks, device: Device) -> Array:
    return Evaluation(task, None, device, Streams(7), OPS).fitness_of_networks(networks, 2)


def by_hand(task: EpisodicTask, networks: Networks, memory: int) -> list[float]:
    """Return the mean returns of `policy` networks, one episode of one network after the other."""
    found = []
    for i in range(len(networks)):
        w = {name: array[i] for name, array in networks.arrays.items()}
        starts, firsts = task.reset(task.episodes, Streams(7)("episodes", 2))
        total = 0.0
        for episode in range(task.episodes):
            state: Mapping[str, Array] = {name: array[[episode]] for name, array in starts.items()}
            seen = firsts[[episode]]
            held = np.zeros((1, memory), np.float32)
            for _ in range(task.limit):
                y = np.tanh(seen @ w["w"] + held @ w["u"]) @ w["v"]
                held = np.tanh(held @ w["r"] + seen[:, :memory])
                state, seen, reward, ended = task.step(state, y)
                total += float(reward[0])
                if ended[0]:
                    break
        found.append(total / task.episodes)
    return found


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_compiled_environments_give_the_returns_of_the_tasks_own_step(task: ElementwiseTask) -> None:
    networks = drawn(policy(task), 9)
    chosen = player(task, networks.graph, Fusing())
    assert isinstance(chosen, Play)
    assert isinstance(chosen.environments, Compiled)
    plain = fitness(task, networks, Reference())
    np.testing.assert_allclose(fitness(task, networks, Fusing()), plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("device", [Reference(), Fusing()], ids=["plain", "compiled"])
@pytest.mark.parametrize("task", [CartPole(episodes=3, limit=60), PoleBalancing(limit=40)], ids=repr)
def test_a_memory_is_kept_for_each_episode_of_each_network(task: ElementwiseTask, device: Device) -> None:
    networks = drawn(policy(task, memory=2), 7)
    expected = by_hand(task, networks, 2)
    assert len(set(expected)) > 3
    np.testing.assert_allclose(fitness(task, networks, device), expected, rtol=1e-4)


def test_without_its_memory_a_network_plays_otherwise() -> None:
    task = CartPole(episodes=3, limit=60)
    networks = drawn(policy(task, memory=2), 7)
    arrays = {**networks.arrays, "u": np.zeros_like(networks.arrays["u"])}
    forgetful = fitness(task, Networks(networks.graph, arrays), Reference())
    assert (forgetful != fitness(task, networks, Reference())).any()


@pytest.mark.parametrize("sizes", ["M", 2])
def test_a_memory_starts_at_zero_and_may_have_the_size_of_a_parameter(sizes: str | int) -> None:
    weights = np.array([[[0.5, 0.5]], [[0.0, 0.0]], [[2.0, 0.0]]], np.float32)
    networks = Networks(counting(sizes), {"w": weights, "start": np.zeros((3, 1), np.float32)})
    # what network p says in its t-th step of episode e is t e s, s the sum of its weights; beyond 3 the episode ends
    said = [[0.0, 1 + 2 + 3 + 4, 2 + 4], [0.0, 0.0, 0.0], [0.0, 2 + 4, 4.0]]
    np.testing.assert_allclose(fitness(Echo(), networks, Reference()), np.mean(said, axis=1))


def test_a_network_plays_alike_whoever_is_evaluated_with_it() -> None:
    task = CartPole(episodes=3, limit=60)
    networks = drawn(policy(task, memory=2), 9)
    for device in (Reference(), Fusing()):
        whole = fitness(task, networks, device)
        parts = [fitness(task, networks.part(rows), device) for rows in (slice(0, 2), slice(2, 9))]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_many_networks_are_played_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    task = CartPole(episodes=3, limit=60)
    networks = drawn(policy(task, memory=2), 9)
    whole = fitness(task, networks, Fusing())
    monkeypatch.setattr("vynapse_core.episodes.MOST_BYTES", 300)
    np.testing.assert_array_equal(fitness(task, networks, Fusing()), whole)


def test_no_networks_with_a_memory_have_no_returns() -> None:
    task = CartPole()
    assert fitness(task, drawn(policy(task, memory=2), 0), Fusing()).shape == (0,)


def test_networks_whose_episodes_have_ended_are_computed_no_more() -> None:
    rows = []

    class Watched(Plain):
        def step(self, state: Any, outputs: Array) -> Any:
            rows.append(len(outputs))
            return super().step(state, outputs)

    graph = counting()
    arrays = {"w": np.zeros((2, 1, 2), np.float32), "start": np.array([[4.0], [1.0]], np.float32)}
    task = Echo()
    played = Play(Watched(task), None, Reference().compile(graph, ("x", "memory")), task.limit)
    np.testing.assert_array_equal(played(Networks(graph, arrays), *task.reset(3, None)), [4.0, 6.0])
    assert rows == [6] + [3] * 5


def test_what_depends_on_parameters_alone_is_computed_once() -> None:
    task = CartPole(episodes=2, limit=50)
    builder = Builder()
    weights = builder.apply("tanh", builder.parameter("w", (4, 2)) * 2.0)
    graph = builder.graph({"y": builder.input("x", ("B", 4)) @ weights})
    chosen = player(task, graph, Reference())
    assert isinstance(chosen, Play)
    assert chosen.once is not None
    assert [node.op for node in chosen.policy.graph.nodes if node.operands] == ["matmul"]
    networks = drawn(graph, 5)
    whole = Play(Plain(task), None, Reference().compile(graph, ("x",)), task.limit)
    start = task.reset(2, Streams(7)("episodes", 2))
    np.testing.assert_array_equal(chosen(networks, *start), whole(networks, *start))


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        ({"y"}, "needs an output of the same type, got no output of this name"),
        ({"y", "memory"}, r"no parameter has the size 'M'"),
    ],
)
def test_a_memory_that_cannot_be_is_refused(outputs: set[str], told: str) -> None:
    builder = Builder()
    memory = builder.input("memory", ("B", "M"))
    y = builder.input("x", ("B", 1)) * builder.parameter("w", (1,))
    every = {"y": y, "memory": memory + 1.0}
    graph = builder.graph({name: value for name, value in every.items() if name in outputs})
    with pytest.raises(GraphError, match=told):
        Networks(graph, {"w": np.zeros((1, 1), np.float32)}).blank_memory(3)


def test_the_cpu_device_plays_networks_with_a_memory() -> None:
    numba = pytest.importorskip("vynapse_numba.device").Numba
    task = CartPole(episodes=3, limit=60)
    for graph in (policy(task, memory=2), policy(task)):
        networks = drawn(graph, 40)
        found = fitness(task, networks, numba(threads=1))
        np.testing.assert_array_equal(fitness(task, networks, numba(threads=2)), found)
        parts = [fitness(task, networks.part(rows), numba(threads=2)) for rows in (slice(0, 7), slice(7, 40))]
        np.testing.assert_array_equal(np.concatenate(parts), found)
        # one rounding may turn the action of a close call, and then the rest of the episode
        assert np.isclose(found, fitness(task, networks, Reference()), rtol=1e-3).mean() > 0.9


def test_the_cpu_device_knows_a_memory_of_a_parameters_size() -> None:
    numba = pytest.importorskip("vynapse_numba.device").Numba
    networks = Networks(counting(), drawn(counting(3), 5).arrays)
    found = fitness(Echo(), networks, numba(threads=1))
    np.testing.assert_allclose(found, fitness(Echo(), networks, Reference()), rtol=1e-5)
