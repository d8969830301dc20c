# SPDX-License-Identifier: MIT OR Apache-2.0
"""A training step as one graph: (parameters, memory, x, target, rate) to (parameters, memory, loss).

A device repeats it without Python between two steps. The network's graph is `Networks.training` where networks have it.
A parameter whose next value that graph gives itself, such as a running mean, takes this value; one that it gives back
as it was is frozen. Frozen parameters, and those that are no floats, such as the structure of evolved networks, go in
and are left as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vynapse_autodiff.gradient import grad
from vynapse_autodiff.layers.assembly import NEXT
from vynapse_autodiff.layers.layer import KEY
from vynapse_core import Array, Builder, Graph, GraphError, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from vynapse_autodiff.optimiser import Optimiser
    from vynapse_core import Gradient, Op, Streams

    Measures = Callable[[Value, Value], Mapping[str, Value]]

FLOATS = ("float32", "float64")
RATE = "rate"
"""The input that is the learning rate, a scalar."""
TARGET = "target"


@dataclass(frozen=True)
class TrainingStep:
    """The graph of a step, and how its outputs lead to the next one."""

    graph: Graph
    """Inputs `x`, `target`, `rate`, and `key` where the network draws random numbers; parameters are the network's and
    the optimiser's memory; outputs are their next values, `loss`, and what else is measured."""
    trained: tuple[str, ...]
    """The network's parameters that move."""
    carry: Mapping[str, str]
    """{output: parameter}, as `Program.scan` takes it."""
    firsts: Mapping[str, tuple[str | None, float]]
    """{name in memory: (the parameter whose shape it has, or None for a number; its first value)}."""

    @property
    def draws(self) -> bool:
        """Whether a step needs a `key`, as `keys` gives it."""
        return KEY in self.graph.inputs

    def memory(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return the optimiser's memory before the first step of networks with parameters `arrays` [P, ...]."""
        networks = len(next(iter(arrays.values())))
        return {
            name: np.full(
                (networks,) if like is None else arrays[like].shape,
                first,
                self.graph.nodes[self.graph.parameters[name]].dtype,
            )
            for name, (like, first) in self.firsts.items()
        }


def training_step(
    network: Graph,
    measures: Measures,
    optimiser: Optimiser,
    target: tuple[tuple[int | str, ...], str],
    ops: Mapping[str, Op],
    rules: Mapping[str, Gradient] | None = None,
) -> TrainingStep:
    """Return the training step of a network whose graph has the input `x` and the output `y`.

    `measures` builds scalars by name from prediction and target, of which `loss` is minimised and all are outputs;
    `target` is shape and dtype. `rules` are gradients of ops that come before those of installed plugins. Raises
    GraphError for a network without float parameters, and for a loss without a gradient.
    """
    builder = Builder(ops)
    told = builder.extend(network)
    measured = dict(measures(told["y"], builder.input(TARGET, *target)))
    leaves = {name: network.nodes[place] for name, place in network.parameters.items()}
    trained = {
        name: builder.parameter(name, node.shape, node.dtype)
        for name, node in leaves.items()
        if node.dtype in FLOATS and NEXT + name not in told
    }
    if not trained:
        raise GraphError("there is nothing to train: no parameter of this network is a float that is not frozen")
    slopes = dict(zip(trained, grad(measured["loss"], list(trained.values()), rules), strict=True))
    dtype = next(iter(trained.values())).dtype
    kept = optimiser.memory_of({name: value.shape for name, value in trained.items()})
    like = {f"{key}.{name}": name for name in trained for key in optimiser.kept}
    memory = {
        name: builder.parameter(name, shape, trained[like[name]].dtype if name in like else dtype)
        for name, (shape, _) in kept.items()
    }
    moved, remembered = optimiser.update(trained, slopes, memory, builder.input(RATE, (), dtype))
    followed = {name: told[NEXT + name] for name in leaves if NEXT + name in told}
    stays = {name for name, value in followed.items() if network.outputs[NEXT + name] == network.parameters[name]}
    after = moved | {name: value for name, value in followed.items() if name not in stays} | remembered
    return TrainingStep(
        builder.graph({NEXT + name: value for name, value in after.items()} | measured),
        tuple(trained),
        {NEXT + name: name for name in after},
        {name: (like.get(name), first) for name, (_, first) in kept.items()},
    )


def keys(streams: Streams, first: int, updates: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the keys of updates `first`, `first` + 1, ...: all their words [2 · updates], and which are whose.

    They are the input `key` and its rows [updates, 2] for `Program.scan`. A key follows from the seed and the number of
    its update alone, so that a resumed run draws the same.
    """
    words = np.empty((updates, 2), np.uint64)
    words[:, 0] = streams("training").words(1)
    words[:, 1] = np.arange(first, first + updates, dtype=np.uint64)
    return words.reshape(-1), np.arange(2 * updates, dtype=np.int64).reshape(updates, 2)
