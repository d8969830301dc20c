# SPDX-License-Identifier: MIT OR Apache-2.0
"""The trainer `autodiff`: each batch is computed op by op, recorded, and gone back through, network after network.

It needs no compiler, and every op can be looked at; a trainer that compiles its updates is faster where they are many.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from vynapse_autodiff.descent import Descent
from vynapse_autodiff.eager.minimiser import NAME, Minimiser
from vynapse_autodiff.eager.modes import detect_anomaly
from vynapse_autodiff.eager.tensor import Tensor
from vynapse_autodiff.eager.tracing import Replay
from vynapse_autodiff.lesson import Lesson, Updating
from vynapse_autodiff.training_step import RATE, TARGET
from vynapse_core import Array, Builder, Graph, GraphError, RunError

if TYPE_CHECKING:
    from vynapse_core import Experiment


class Autodiff(Descent):
    """Train networks by gradients of what was computed op by op: what `sgd` does, without a compiled step.

    Batches, state and reports are those of `sgd`, and so are the results, to rounding.
    """

    anomaly: bool = False
    """Whether a NaN or an infinity, forward or backward, stops the run and is told with the op that made it."""

    def updating(self, experiment: "Experiment", lesson: Lesson) -> Updating:
        """Return what computes updates on tensors."""
        return Updates(lesson, self.anomaly, experiment)


class Updates:
    """Updates of a lesson's networks, computed on tensors."""

    def __init__(self, lesson: Lesson, anomaly: bool, experiment: "Experiment") -> None:
        """Ready the graph of a batch: the network, what is measured, and the next values that it gives itself."""
        self.lesson = lesson
        self.anomaly = anomaly
        builder = Builder(experiment.catalogue.ops)
        graph: Graph = lesson.networks.training or lesson.networks.graph
        told = builder.extend(graph)
        self.followed = {output: name for output, name in lesson.step.carry.items() if output in told}
        """{output: parameter} of what follows the samples without a gradient, such as running means."""
        measured = dict(lesson.measures(told["y"], builder.input(TARGET, *lesson.target)))
        self.measures = tuple(measured)
        leaves = {name: lesson.networks.arrays[name][0] for name in lesson.step.trained}
        self.trained = {name: Tensor(np.array(array), requires_grad=True, name=name) for name, array in leaves.items()}
        self.minimiser = Minimiser(self.trained.values(), lesson.optimiser)
        """It moves one network after the other, each with its own numbers."""
        self.replay = Replay(builder.graph({**measured, **{output: told[output] for output in self.followed}}))

    def __call__(
        self, arrays: Mapping[str, Array], inputs: Mapping[str, Array], batches: Mapping[str, Array], count: int
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return parameters and memory after the updates, and what each measured [count, P]."""
        networks = len(next(iter(arrays.values())))
        after = {name: np.array(array) for name, array in arrays.items()}
        seen = {name: np.empty((count, networks)) for name in self.measures}
        with ExitStack() as stack:
            stack.enter_context(np.errstate(all="ignore"))
            if self.anomaly:
                stack.enter_context(detect_anomaly())
            try:
                for network in range(networks):
                    self._train(network, after, inputs, batches, seen)
            except GraphError as error:
                raise RunError(f"autodiff: {error}") from error
        return after, seen

    def _train(
        self,
        network: int,
        arrays: Mapping[str, Array],
        inputs: Mapping[str, Array],
        batches: Mapping[str, Array],
        seen: Mapping[str, Array],
    ) -> None:
        """Move one network's arrays, within `arrays` [P, ...], and write what its updates measured."""
        minimiser, trained = self.minimiser, self.trained
        minimiser.zero_grad()
        for name, tensor in trained.items():
            tensor.assign(arrays[name][network])
        self._exchange(network, arrays, into=False)
        leaves = {name: Tensor(array[network], name=name) for name, array in arrays.items() if name not in trained}
        leaves |= {name: Tensor(array, name=name) for name, array in inputs.items() if name not in batches}
        leaves |= trained
        rate = float(inputs[RATE])
        for update in range(len(next(iter(seen.values())))):
            for name, rows in batches.items():
                leaves[name] = Tensor(inputs[name][rows[update]], name=name)
            outputs = self.replay(leaves)
            outputs["loss"].backward()
            minimiser.step(rate)
            minimiser.zero_grad()
            for output, name in self.followed.items():
                leaves[name] = outputs[output].detach()
            for name in self.measures:
                seen[name][update, network] = outputs[name].data
        for name, tensor in trained.items():
            arrays[name][network] = tensor.data
        for name in self.followed.values():
            arrays[name][network] = leaves[name].data
        self._exchange(network, arrays, into=True)

    def _exchange(self, network: int, arrays: Mapping[str, Array], into: bool) -> None:
        """Copy what the optimiser remembers out of `arrays` [P, ...], or `into` them."""
        optimiser, minimiser = self.lesson.optimiser, self.minimiser
        pairs = [(minimiser.memory[name], arrays[name][network : network + 1]) for name in optimiser.counted]
        for key in optimiser.kept:
            parts = minimiser.parts(minimiser.memory[f"{key}.{NAME}"])
            pairs += [
                (part, arrays[f"{key}.{name}"][network])
                for part, name in zip(parts, self.lesson.step.trained, strict=True)
            ]
        for mine, theirs in pairs:
            if into:
                theirs[...] = mine
            else:
                mine[...] = theirs.reshape(mine.shape)
