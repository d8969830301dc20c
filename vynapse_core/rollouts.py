# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rollouts: an elementwise task and a policy as one graph, a time step of one episode, that a device repeats.

A row of the program's axis P is one episode of one network: its weights beside the numbers of its state, and what the
network remembers. A row that has ended costs little, since its state rests; once many have, they are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from vynapse_core.builder import Builder, Value, where
from vynapse_core.contracts import Device, ElementwiseTask, Program
from vynapse_core.errors import GraphError
from vynapse_core.graph import Graph, Node, make_node
from vynapse_core.networks import MEMORY, Networks
from vynapse_core.ops import OPS, Op
from vynapse_core.population import Array
from vynapse_core.tracing import traced

FEWEST, MOST = 32, 256
"""Time steps between two looks at who still plays; between these bounds, twice those played so far."""
CROWDED = 0.75
"""The share of rows that must play for all of them to be kept."""
FEW = 10_000
"""Time steps of ended rows that cost less than to leave them out."""
MOST_BYTES = 2**26
"""Of the weights of the rows played at a time."""


def rollout(task: ElementwiseTask, policy: Graph, device: Device, ops: Mapping[str, Op] = OPS) -> Rollout | None:
    """Return the rollout of a task by a policy where the device repeats it by itself; None where it does not.

    Raises GraphError for a task whose functions cannot be traced.
    """
    if not device.fuses or (MEMORY in policy.inputs and MEMORY not in policy.outputs):
        return None
    graph, state, memory = step_graph(task, policy, ops)
    program = device.compile(graph)
    return Rollout(program, state, memory, len(task.components)) if program.repeats else None


@dataclass(frozen=True)
class Rollout:
    """A compiled time step."""

    program: Program
    state: str
    """The name of the state, parameter and output: components, return since last asked, and 1 while playing."""
    memory: str
    """The name of the networks' memory, parameter and output; empty where they have none."""
    components: int
    """Numbers of the environment's own in the state."""

    def returns(self, networks: Networks, starts: Array, limit: int) -> Array:
        """Return the mean return float64 [P] of episodes from `starts` [E, c], of `limit` time steps at most."""
        p = len(networks)
        memory = [array[0, 0] for array in networks.part(slice(0, 1)).blank_memory(1).values()] if p else []
        size = sum(array[:1].nbytes for array in networks.arrays.values()) + sum(array.nbytes for array in memory)
        most = max(1, MOST_BYTES // max(1, size * len(starts)))
        means = [self._played(networks.part(slice(at, at + most)), starts, limit) for at in range(0, p, most)]
        return np.concatenate(means) if means else np.zeros(0)

    def _played(self, networks: Networks, starts: Array, limit: int) -> Array:
        p, episodes = len(networks), len(starts)
        weights = networks.arrays
        total = np.zeros(p * episodes)
        rows = np.arange(p * episodes)
        arrays = {n: np.repeat(array, episodes, axis=0) if episodes > 1 else array for n, array in weights.items()}
        blank = networks.blank_memory(1)
        carried = {self.memory: np.repeat(blank[MEMORY], episodes, axis=0)} if blank else {}
        state = np.zeros((p * episodes, self.components + 2), np.float32)
        state[:, : self.components] = np.tile(starts, (p, 1))
        state[:, -1] = 1
        done = 0
        while done < limit and len(rows):
            steps = min(limit - done, max(FEWEST, min(2 * done, MOST)))
            carried[self.state] = state
            after, _ = self.program.scan({**arrays, **carried}, {}, {}, {name: name for name in carried}, steps)
            done += steps
            carried = {name: after[name] for name in carried}
            state = carried[self.state]
            # float32 within a few steps, float64 over an episode
            total[rows] += state[:, -2]
            playing = state[:, -1] > 0
            count = np.count_nonzero(playing)
            if not count:
                break
            if count < CROWDED * len(rows) and (len(rows) - count) * max(FEWEST, min(2 * done, MOST)) > FEW:
                rows, state = rows[playing], state[playing]
                arrays = {name: array[rows // episodes] for name, array in weights.items()}
                carried = {name: array[playing] for name, array in carried.items()}
            state[:, -2] = 0
        mean: Array = total.reshape(p, episodes).mean(axis=1)
        return mean


def step_graph(task: ElementwiseTask, policy: Graph, ops: Mapping[str, Op] = OPS) -> tuple[Graph, str, str]:
    """Return the graph of one time step of one episode, and the names of its state [c + 2] and of its memory [1, ...].

    Both are parameters and outputs; the memory's name is empty where the policy has none. The state holds the task's c
    components, the sum of rewards, and 1 while the episode has not ended. The other parameters are the policy's. Raises
    GraphError for a task whose functions cannot be traced or do not fit the policy.
    """
    builder = Builder(ops)
    single, x = _one_sample(policy, ops)
    name, memory = _free("state", single), _free(MEMORY, single) if MEMORY in single.inputs else ""
    state = builder.parameter(name, (len(task.components) + 2,))
    seen = observed(task, builder, tuple(state[at : at + 1] for at in range(len(task.components))))
    _check_count(task, "observe", "observations", seen, x.shape[-1] if len(x.shape) == 2 else 0)
    bound = joined(seen).cast(x.dtype).reshape(x.shape)
    bind = {"x": bound}
    if memory:
        node = single.nodes[single.inputs[MEMORY]]
        bind[MEMORY] = builder.parameter(memory, node.shape, node.dtype)
    found = builder.extend(single, bind=bind)
    after = joined(advanced(task, builder, state, found["y"].cast("float32").reshape((-1,))))
    return builder.graph({name: after, **({memory: found[MEMORY]} if memory else {})}), name, memory


def _free(name: str, policy: Graph) -> str:
    while name in policy.parameters:
        name += "'"
    return name


def observed(task: ElementwiseTask, builder: Builder, components: tuple[Value, ...]) -> tuple[Value, ...]:
    """Return what a network sees of an environment whose numbers are `components`."""
    seen: tuple[Value, ...] = traced(task.observe, builder, task.parameters, components)
    return seen


def advanced(task: ElementwiseTask, builder: Builder, state: Value, y: Value) -> tuple[Value, ...]:
    """Return components, sum of rewards, and 1 while playing, after the network's outputs `y` [k] in a `state` [c + 2].

    Raises GraphError for a task whose functions cannot be traced or return the wrong number of results.
    """
    *before, total, playing = (state[at : at + 1] for at in range(len(task.components) + 2))
    outputs = tuple(y[at : at + 1] for at in range(task.outputs))
    results = traced(task.advance, builder, task.parameters, tuple(before), outputs)
    _check_count(task, "advance", "results", results, 3)
    found, reward, ended = results
    _check_count(task, "advance", "components", found, len(task.components))
    gained = where(playing.greater(0), reward.cast("float32"), 0)
    return (*found, total + gained, where(ended.cast("bool"), 0, playing))


def joined(values: tuple[Value, ...]) -> Value:
    """Return values of shape [1] or [] as one of shape [n]."""
    parts = [value.cast("float32").reshape((1,)) for value in values]
    return parts[0].builder.apply("concat", *parts, axis=0)


def _check_count(task: ElementwiseTask, function: str, what: str, found: object, expected: object) -> None:
    count = f"{len(found)} {what}" if isinstance(found, tuple) else "one number"
    if not isinstance(found, tuple) or len(found) != expected:
        raise GraphError(f"{type(task).__name__}: {function} returns {count}; expected a tuple of {expected} {what}")


def _one_sample(policy: Graph, ops: Mapping[str, Op]) -> tuple[Graph, Node]:
    """Return the policy for a single sample, its axis of samples of size 1, and its input."""
    axis = policy.nodes[policy.inputs["x"]].shape[0]
    nodes: list[Node] = []
    for node in policy.nodes:
        shape = tuple(1 if dim == axis else dim for dim in node.shape)
        attributes = dict(node.attributes)
        if node.op == "reshape":
            attributes["shape"] = tuple(1 if dim == axis else dim for dim in attributes["shape"])
        nodes.append(make_node(nodes, node.op, node.operands, attributes, shape, node.dtype, ops))
    single = replace(policy, nodes=tuple(nodes))
    return single, nodes[policy.inputs["x"]]
