# SPDX-License-Identifier: MIT OR Apache-2.0
"""The peers of the workload `cartpole`: Gymnasium's environment, stepped by others' policies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sides import Side

LONGEST = 500
FEW = 10
"""Policies of a peer that takes them one by one: a rate needs no more."""


def neat_python(genes: Any, episodes: int) -> Side:
    """`FeedForwardNetwork.activate` and `step`, one after the other; its networks have our weights."""
    import gymnasium
    from neat.activations import tanh_activation
    from neat.aggregations import sum_aggregation
    from neat.nn import FeedForwardNetwork

    few = genes[:: max(1, len(genes) // FEW)][:FEW]
    environment = gymnasium.make("CartPole-v1")
    inputs = [-1, -2, -3, -4]

    def network(row: Any) -> Any:
        w1, b1, w2, b2 = (part[0].tolist() for part in _parts(row[None]))
        # its tanh is of 2.5 times what it is given, which the response undoes
        hidden = [
            (
                number,
                tanh_activation,
                sum_aggregation,
                b1[number] / 2.5,
                0.4,
                list(zip(inputs, w1[number], strict=True)),
            )
            for number in range(8)
        ]
        outputs = [
            (8 + number, float, sum_aggregation, b2[number], 1.0, list(enumerate(w2[number]))) for number in range(2)
        ]
        return FeedForwardNetwork(inputs, [8, 9], hidden + outputs)

    def call() -> float:
        played = 0
        for row in few:
            policy = network(row)
            for episode in range(episodes):
                seen, _ = environment.reset(seed=episode)
                ended = False
                while not ended:
                    left, right = policy.activate(seen.tolist())
                    seen, _, fallen, cut, _ = environment.step(int(right > left))
                    ended = fallen or cut
                    played += 1
        return played / (len(few) * episodes)

    return Side("", call, units=call() * len(few) * episodes, reached=float, note=f"{len(few)} of the policies")


def gymnasium_single(genes: Any, episodes: int) -> Side:
    """One environment, with a policy of two small NumPy products."""
    import gymnasium

    few = genes[:: max(1, len(genes) // FEW)][:FEW]
    environment = gymnasium.make("CartPole-v1")

    def call() -> float:
        played = 0
        for row in few:
            w1, b1, w2, b2 = (part[0] for part in _parts(row[None]))
            for episode in range(episodes):
                seen, _ = environment.reset(seed=episode)
                ended = False
                while not ended:
                    left, right = w2 @ np.tanh(w1 @ seen + b1) + b2
                    seen, _, fallen, cut, _ = environment.step(int(right > left))
                    ended = fallen or cut
                    played += 1
        return played / (len(few) * episodes)

    return Side("", call, units=call() * len(few) * episodes, reached=float, note=f"{len(few)} of the policies")


def gymnasium_vector(genes: Any, episodes: int) -> Side:
    """All episodes of all policies as one vector environment; NumPy computes all policies at once."""
    import gymnasium

    count = len(genes) * episodes
    environment = gymnasium.make_vec("CartPole-v1", num_envs=count, vectorization_mode="vector_entry_point")
    w1, b1, w2, b2 = _parts(genes)
    w1, w2 = np.ascontiguousarray(w1.swapaxes(1, 2)), np.ascontiguousarray(w2.swapaxes(1, 2))

    def call() -> float:
        seen, _ = environment.reset(seed=0)
        first, returns = np.ones(count, bool), np.zeros(count)
        for _ in range(LONGEST):
            hidden = np.tanh(seen.reshape(len(genes), episodes, 4) @ w1 + b1[:, None])
            outputs = hidden @ w2 + b2[:, None]
            actions = (outputs[:, :, 1] > outputs[:, :, 0]).reshape(-1).astype(np.int64)
            seen, _, fallen, cut, _ = environment.step(actions)
            returns += first
            first &= ~(fallen | cut)
        return float(returns.mean())

    note = "an environment that has ended starts anew, and its further steps count too"
    return Side("", call, units=float(count * LONGEST), reached=float, note=note)


def _parts(genes: Any) -> tuple[Any, Any, Any, Any]:
    """Return weights [P, 8, 4], biases [P, 8], weights [P, 2, 8], biases [P, 2] of genes [P, 58]."""
    return genes[:, :32].reshape(-1, 8, 4), genes[:, 32:40], genes[:, 40:56].reshape(-1, 2, 8), genes[:, 56:]


PEERS: dict[str, Callable[[Any, int], Side]] = {
    "neat-python with Gymnasium": neat_python,
    "Gymnasium with a NumPy policy": gymnasium_single,
    "Gymnasium's vector entry point with a NumPy policy": gymnasium_vector,
}
