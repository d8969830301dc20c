# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rollouts: a task and a policy as one graph give the returns of the loop over time steps."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

from vynapse_core import Array, Builder, Device, ElementwiseTask, Graph, GraphError, Networks, Program, Stream, Streams
from vynapse_core.devices.reference import Reference, ReferenceProgram
from vynapse_core.evaluation import Evaluation
from vynapse_core.ops import OPS
from vynapse_core.rollouts import MOST_BYTES, rollout, step_graph
from vynapse_tasks.control.acrobot import Acrobot
from vynapse_tasks.control.cartpole import CartPole
from vynapse_tasks.control.mountain_car import MountainCar, MountainCarContinuous
from vynapse_tasks.control.pendulum import Pendulum
from vynapse_tasks.control.pole_balancing import PoleBalancing

TASKS = (
    Acrobot(episodes=2, limit=40),
    CartPole(episodes=3, limit=60),
    MountainCar(episodes=2, limit=60),
    MountainCarContinuous(episodes=2, limit=60),
    Pendulum(episodes=2, limit=40),
    PoleBalancing(limit=30),
    PoleBalancing(fitness="damped", limit=20),
    PoleBalancing(poles=1, velocities=False, starts="grid", episodes=5, limit=40),
)


class Repeating(Reference):
    """The reference device, saying that it repeats programs by itself."""

    fuses: ClassVar[bool] = True

    def compile(self, graph: Graph, per_network: tuple[str, ...] = (), ops: Any = None) -> ReferenceProgram:
        program = super().compile(graph, per_network, ops)
        program.repeats = True
        return program


class Walk(ElementwiseTask):
    """Walk right; each step earns the way made, an episode ends beyond a goal, and earns nonsense then."""

    goal: float = 10.0
    """Where it ends."""

    @property
    def inputs(self) -> tuple[int]:
        return (1,)

    @property
    def outputs(self) -> int:
        return 1

    @property
    def components(self) -> tuple[str, ...]:
        return ("x",)

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.goal,)

    def start(self, n: int, rng: Stream) -> tuple[Array, ...]:
        return (rng.uniform(n, 0, 5),)

    @property
    def advance(self) -> Callable[..., Any]:
        return walk

    @property
    def observe(self) -> Callable[..., Any]:
        return lambda parameters, state: (state[0] * 0 + 1,)


def walk(parameters: Any, state: Any, outputs: Any) -> Any:
    made = outputs[0] / np.logical_not(state[0] > parameters[0])
    return (state[0] + made,), made, state[0] + made > parameters[0]


class Branching(Walk):
    """A step that looks at a value."""

    @property
    def advance(self) -> Callable[..., Any]:
        return branching


def branching(parameters: Any, state: Any, outputs: Any) -> Any:
    return state, 1.0 if outputs[0] > 0 else 0.0, False


class Forgetful(Walk):
    """Returns no state."""

    @property
    def advance(self) -> Callable[..., Any]:
        return lambda parameters, state, outputs: ((), 1.0, False)


def policy(task: ElementwiseTask, hidden: int = 4) -> Graph:
    builder = Builder()
    x = builder.input("x", ("B", task.inputs[0]))
    inner = builder.apply("tanh", x @ builder.parameter("w", (task.inputs[0], hidden)))
    # as a policy may shape its samples
    inner = inner.reshape(("B", 1, hidden)).reshape(("B", hidden))
    return builder.graph({"y": inner @ builder.parameter("v", (hidden, task.outputs)) + builder.parameter("b", (1,))})


def policies(graph: Graph, p: int) -> Networks:
    rng = np.random.default_rng(3)
    arrays = {
        name: rng.normal(size=(p, *graph.nodes[place].shape)).astype(np.float32)
        for name, place in graph.parameters.items()
    }
    return Networks(graph, arrays)


def part(networks: Networks, rows: slice) -> Networks:
    return Networks(networks.graph, {name: array[rows] for name, array in networks.arrays.items()})


def fitness(task: ElementwiseTask, networks: Networks, device: Device) -> Array:
    with np.errstate(all="ignore"):
        return Evaluation(task, None, device, Streams(7), OPS).fitness_of_networks(networks, 2)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_a_task_fused_with_a_policy_gives_the_returns_of_the_loop(task: ElementwiseTask) -> None:
    networks = policies(policy(task), 12)
    looped, fused = fitness(task, networks, Reference()), fitness(task, networks, Repeating())
    assert fused.dtype == np.float64
    np.testing.assert_allclose(fused, looped, rtol=1e-4, atol=1e-6)


def test_what_is_earned_after_the_end_does_not_count() -> None:
    builder = Builder()
    graph = builder.graph({"y": builder.input("x", ("B", 1)) * builder.parameter("speed", (1,))})
    networks = Networks(graph, {"speed": np.array([[0.5], [2.0], [1e-3], [np.nan]], np.float32)})
    looped = fitness(Walk(episodes=4), networks, Reference())
    fused = fitness(Walk(episodes=4), networks, Repeating())
    assert np.isfinite(looped[:3]).all()
    assert np.isnan(looped[3])
    np.testing.assert_allclose(fused, looped, rtol=1e-5)


def test_a_policy_of_another_axis_name_and_a_parameter_named_state_are_fused() -> None:
    builder = Builder()
    x = builder.input("x", ("samples", 1))
    graph = builder.graph({"y": x * builder.parameter("state", (1,)), "more": x})
    networks = Networks(graph, {"state": np.array([[0.5], [2.0]], np.float32)})
    task = Walk(goal=6.0, limit=5)
    assert list(step_graph(task, graph)[0].outputs) == ["state'"]
    np.testing.assert_allclose(fitness(task, networks, Repeating()), fitness(task, networks, Reference()), rtol=1e-5)


def test_a_population_too_large_to_hold_at_once_is_played_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    task = CartPole(episodes=2, limit=20)
    networks = policies(policy(task), 5)
    whole = fitness(task, networks, Repeating())
    assert MOST_BYTES > 1000
    monkeypatch.setattr("vynapse_core.rollouts.MOST_BYTES", 500)
    np.testing.assert_array_equal(fitness(task, networks, Repeating()), whole)


def recalling(task: ElementwiseTask) -> Graph:
    """Return a policy whose memory [B, 3] fades, and that says what it remembers."""
    builder = Builder()
    x, before = builder.input("x", ("B", task.inputs[0])), builder.input("memory", ("B", 3))
    after = builder.apply("tanh", before * 0.5 + x @ builder.parameter("w", (task.inputs[0], 3)))
    return builder.graph({"y": after @ builder.parameter("v", (3, task.outputs)), "memory": after})


@pytest.mark.parametrize("task", [CartPole(episodes=3, limit=60), PoleBalancing(velocities=False, limit=40)])
def test_a_memory_goes_from_step_to_step_and_begins_anew_with_each_episode(task: ElementwiseTask) -> None:
    networks = policies(recalling(task), 40)
    looped, fused = fitness(task, networks, Reference()), fitness(task, networks, Repeating())
    np.testing.assert_allclose(fused, looped, rtol=1e-4, atol=1e-6)
    numba = pytest.importorskip("vynapse_numba.device").Numba
    assert rollout(task, networks.graph, numba(threads=1)) is not None
    near = np.isclose(fitness(task, networks, numba(threads=1)), looped, rtol=1e-3, atol=1e-5)
    assert near.mean() > 0.9


def test_a_policy_with_a_memory_it_does_not_give_is_not_fused() -> None:
    task = CartPole()
    graph = recalling(task)
    assert rollout(task, Graph(graph.nodes, {"y": graph.outputs["y"]}), Repeating()) is None


def test_no_networks_have_no_returns() -> None:
    task = CartPole()
    assert fitness(task, policies(policy(task), 0), Repeating()).shape == (0,)


def test_a_device_that_does_not_repeat_programs_plays_step_by_step() -> None:
    class Undecided(Reference):
        """Repeats some programs, and not this one."""

        fuses: ClassVar[bool] = True

    task = Walk()
    assert rollout(task, policy(task), Reference()) is None
    assert rollout(task, policy(task), Undecided()) is None
    assert rollout(task, policy(task), Repeating()) is not None


@pytest.mark.parametrize(
    ("task", "told"),
    [
        (Branching(), "branching, line [0-9]+, cannot become a graph: a branch depends on a value"),
        (Forgetful(), "Forgetful: advance returns 0 components; expected a tuple of 1 components"),
    ],
)
def test_a_task_that_cannot_be_fused_is_refused_by_name(task: ElementwiseTask, told: str) -> None:
    with pytest.raises(GraphError, match=told):
        step_graph(task, policy(task))


def test_a_policy_that_sees_something_else_is_refused() -> None:
    with pytest.raises(GraphError, match="observe returns 4 observations; expected a tuple of 1 observations"):
        step_graph(CartPole(), policy(Walk()))


def counting() -> Program:
    builder = Builder()
    n = builder.parameter("n", ())
    return Reference().compile(builder.graph({"n": n + 1.0, "was": n}))


def test_a_scan_without_batches_takes_the_number_of_steps() -> None:
    after, seen = counting().scan({"n": np.zeros(2, np.float32)}, {}, {}, {"n": "n"}, steps=3)
    assert after["n"].tolist() == [3, 3]
    assert seen["was"].tolist() == [[0, 0], [1, 1], [2, 2]]


@pytest.mark.parametrize(("batches", "steps"), [({}, None), ({}, -1), ({"x": 3}, 4), ({"x": 3, "t": 2}, None)])
def test_a_scan_of_unsettled_length_is_refused(batches: Mapping[str, int], steps: int | None) -> None:
    rows = {name: np.zeros((count, 1), np.int64) for name, count in batches.items()}
    with pytest.raises(ValueError, match="scan: expected one number of steps, got"):
        counting().scan({"n": np.zeros(2, np.float32)}, {}, rows, {"n": "n"}, steps)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_the_cpu_device_plays_fused_what_the_loop_plays(task: ElementwiseTask) -> None:
    numba = pytest.importorskip("vynapse_numba.device").Numba
    networks = policies(policy(task), 12)
    assert rollout(task, networks.graph, numba(threads=1)) is not None
    found = fitness(task, networks, numba(threads=1))
    # one rounding may turn the action of a close call, and then the rest of the episode
    near = np.isclose(found, fitness(task, networks, Reference()), rtol=1e-3, atol=1e-5)
    assert near.mean() > 0.9


def test_threads_and_shares_of_the_population_do_not_change_a_bit() -> None:
    numba = pytest.importorskip("vynapse_numba.device").Numba
    task = CartPole(episodes=3)
    networks = policies(policy(task), 400)
    whole = fitness(task, networks, numba(threads=1))
    np.testing.assert_array_equal(fitness(task, networks, numba(threads=3)), whole)
    shares = [fitness(task, part(networks, rows), numba(threads=2)) for rows in (slice(0, 7), slice(7, 400))]
    np.testing.assert_array_equal(np.concatenate(shares), whole)
