# SPDX-License-Identifier: MIT OR Apache-2.0
"""Episodes: networks play a task time step by time step, for whatever no device repeats by itself.

A time step is one call of the policy's program, for all episodes of all networks, and one step of all environments at
once: by a compiled program where the task is elementwise and the device fuses, else by the task's own `step`. Networks
whose episodes have all ended are left out from time to time. An episode that has ended beside others of its network
is played on, and counts no more, so that the number of samples, and with it a network's bits, depends on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from vynapse_core.builder import Builder
from vynapse_core.contracts import Device, ElementwiseTask, EpisodicTask, Program
from vynapse_core.graph import Graph
from vynapse_core.networks import Networks
from vynapse_core.ops import OPS, Op
from vynapse_core.population import Array
from vynapse_core.rollouts import MOST, advanced, joined, observed, rollout
from vynapse_core.unvarying import parted

FEWEST = 16
"""Time steps between two looks at who still plays, at least."""
MOST_BYTES = 2**27
"""Of what the networks played at a time remember, see and are in."""

Player = Callable[[Networks, Mapping[str, Array], Array], Array]
"""Takes networks, and the state [E, ...] of E episodes and what is seen at their start; returns mean returns [P]."""

State = Any
"""Of n environments, with their rewards and who still plays, as the kind of environments keeps it."""


class Environments(Protocol):
    """Environments that are stepped together."""

    @property
    def patience(self) -> int:
        """Most time steps between two looks at who still plays."""

    def begin(self, state: Mapping[str, Array], n: int) -> State:
        """Return the state of n environments that start."""

    def step(self, state: State, outputs: Array) -> tuple[State, Array]:
        """Return the state and the observations [n, ...] after the networks' `outputs` [n, k]."""

    def look(self, state: State) -> tuple[State, Array, Array]:
        """Return the state with no rewards left in it, the rewards since the last look, and who still plays [n]."""

    def taken(self, state: State, rows: Array) -> State:
        """Return the state of the environments at `rows`."""


PlainState = tuple[Mapping[str, Array], Array, Array]
"""The task's own state, the rewards since the last look, and who still plays."""


@dataclass(frozen=True)
class Plain:
    """Environments stepped by their task."""

    task: EpisodicTask
    patience: int = 1

    def begin(self, state: Mapping[str, Array], n: int) -> PlainState:
        """See `Environments`."""
        return state, np.zeros(n), np.ones(n, bool)

    def step(self, state: PlainState, outputs: Array) -> tuple[PlainState, Array]:
        """See `Environments`."""
        before, total, playing = state
        after, seen, reward, ended = self.task.step(before, outputs)
        return (after, total + np.where(playing, reward, 0), playing & ~ended), seen

    def look(self, state: PlainState) -> tuple[PlainState, Array, Array]:
        """See `Environments`."""
        now, total, playing = state
        return (now, np.zeros_like(total), playing), total, playing

    def taken(self, state: PlainState, rows: Array) -> PlainState:
        """See `Environments`."""
        now, total, playing = state
        return {name: array[rows] for name, array in now.items()}, total[rows], playing[rows]


@dataclass(frozen=True)
class Compiled:
    """Environments of an elementwise task stepped by a program; a row holds its numbers, its rewards and a 1."""

    components: tuple[str, ...]
    program: Program
    patience: int = MOST

    def begin(self, state: Mapping[str, Array], n: int) -> Array:
        """See `Environments`."""
        columns = [state[name] for name in self.components]
        return np.stack([*columns, np.zeros(n), np.ones(n)], axis=1, dtype=np.float32, casting="same_kind")

    def step(self, state: Array, outputs: Array) -> tuple[Array, Array]:
        """See `Environments`."""
        after = self.program({"state": state, "y": outputs.astype(np.float32, copy=False)}, {})
        return after["state"], after["seen"]

    def look(self, state: Array) -> tuple[Array, Array, Array]:
        """See `Environments`."""
        # float32 within a few steps, float64 over an episode
        gained = state[:, -2].astype(np.float64)
        rest = state.copy()
        rest[:, -2] = 0
        return rest, gained, state[:, -1] > 0

    def taken(self, state: Array, rows: Array) -> Array:
        """See `Environments`."""
        return state[rows]


@dataclass(frozen=True)
class Play:
    """A policy and a task, compiled for time steps."""

    environments: Environments
    once: Program | None
    """Computes what depends on a policy's parameters alone."""
    policy: Program
    limit: int
    """Most time steps of an episode."""

    def __call__(self, networks: Networks, state: Mapping[str, Array], seen: Array) -> Array:
        """Return the mean return of the networks' episodes, as a `Player` does."""
        episodes = len(seen)
        held = (*networks.part(slice(0, 1)).blank_memory(episodes).values(), *state.values(), seen)
        most = max(1, MOST_BYTES // max(1, sum(array.nbytes for array in held)))
        parts = [self._played(networks.part(slice(at, at + most)), state, seen) for at in range(0, len(networks), most)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _played(self, networks: Networks, starts: Mapping[str, Array], seen: Array) -> Array:
        p, episodes = len(networks), len(seen)
        total, rows = np.zeros((p, episodes)), np.arange(p)
        arrays, memory = self._prepared(networks), networks.blank_memory(episodes)
        state = self.environments.begin({name: _repeated(array, p) for name, array in starts.items()}, p * episodes)
        seen = _repeated(seen, p)
        done = 0
        while done < self.limit and len(rows):
            steps = min(self.limit - done, self.environments.patience, max(FEWEST, done // 2))
            for _ in range(steps):
                outputs = self.policy(arrays, {"x": seen.reshape(len(rows), episodes, *seen.shape[1:]), **memory})
                memory = {name: outputs[name] for name in memory}
                state, seen = self.environments.step(state, outputs["y"].reshape(len(seen), -1))
            done += steps
            state, gained, playing = self.environments.look(state)
            total[rows] += gained.reshape(-1, episodes)
            kept = np.flatnonzero(playing.reshape(-1, episodes).any(axis=1))
            if len(kept) < len(rows):
                rows = rows[kept]
                arrays = {name: array[kept] for name, array in arrays.items()}
                memory = {name: array[kept] for name, array in memory.items()}
                episode = (kept[:, None] * episodes + np.arange(episodes)).ravel()
                state, seen = self.environments.taken(state, episode), seen[episode]
        mean: Array = total.mean(axis=1)
        return mean

    def _prepared(self, networks: Networks) -> Mapping[str, Array]:
        arrays = dict(networks.arrays)
        if self.once is not None:
            arrays |= self.once({name: arrays[name] for name in self.once.graph.parameters}, {})
        return {name: arrays[name] for name in self.policy.graph.parameters}


def player(task: EpisodicTask, policy: Graph, device: Device, ops: Mapping[str, Op] = OPS) -> Player:
    """Return what plays a task by networks of a graph: the device by itself where it can, else time step by time step.

    Raises GraphError for an elementwise task that cannot be traced.
    """
    elementwise = task if isinstance(task, ElementwiseTask) else None
    if elementwise is not None:
        fused, names = rollout(elementwise, policy, device, ops), elementwise.components
        if fused is not None:
            return lambda networks, state, seen: fused.returns(
                networks, np.stack([state[name] for name in names], axis=1), task.limit
            )
    first, rest = parted(policy, ops)
    environments: Environments = Plain(task)
    if elementwise is not None and device.fuses:
        environments = Compiled(elementwise.components, device.compile(environment_graph(elementwise, ops)))
    once = None if first is None else device.compile(first)
    return Play(environments, once, device.compile(rest, per_network=tuple(rest.inputs)), task.limit)


def environment_graph(task: ElementwiseTask, ops: Mapping[str, Op] = OPS) -> Graph:
    """Return the graph of one time step of one environment, after what its network has said.

    Parameters are `state` [c + 2], as in `rollouts.step_graph`, and `y` [k]; outputs are the next `state` and what is
    then `seen`. Raises GraphError for a task whose functions cannot be traced.
    """
    builder = Builder(ops)
    state = builder.parameter("state", (len(task.components) + 2,))
    y = builder.parameter("y", (task.outputs,))
    after = advanced(task, builder, state, y)
    seen = observed(task, builder, after[:-2])
    return builder.graph({"state": joined(after), "seen": joined(seen)})


def _repeated(array: Array, times: int) -> Array:
    return np.tile(array, (times, *[1] * (array.ndim - 1)))
