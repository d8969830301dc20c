# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a recipe's first step asks of a device, found out by letting the trainer begin and stopping it there.

No trainer says how large its population is or which graphs it compiles. It shows it: by the genes that it wants
evaluated, or by the program that it calls.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from vynapse_core.contracts import Device, DirectTask, Program
from vynapse_core.experiment import Experiment, with_device
from vynapse_core.graph import Graph
from vynapse_core.population import Array, Genes

Share = Callable[[int], object]
"""Computes so many networks of a population, or so many repetitions of a program."""


@dataclass(frozen=True)
class Work:
    """What one step computes, for any device to try a share of."""

    size: int
    """The whole: networks, or repetitions, at least 1."""
    on: Callable[[Device], Share]
    """Makes a device ready, and returns what computes a share."""


def rehearsed(experiment: Experiment) -> Work | None:
    """Return what the first step of an experiment asks of its device; None where it asks nothing."""
    if isinstance(experiment.task, DirectTask):
        return None
    recipe = experiment.recipe.model_copy(update={"device": _Stage()})
    rehearsal = _Rehearsal(recipe, experiment.catalogue)
    try:
        experiment.trainer.step(rehearsal, experiment.trainer.start(rehearsal))
    except _Reached as reached:
        return reached.work
    return None


class _Reached(BaseException):
    """Ends a rehearsal. It is no Exception, so that no trainer takes it for a failure of its own."""

    def __init__(self, work: Work) -> None:
        self.work = work


class _Rehearsal(Experiment):
    """An experiment that goes as far as the first evaluation."""

    def evaluate(self, genes: Genes, step: int | None) -> NoReturn:
        """End the rehearsal with the evaluation of this rank's share of the genes."""

        def on(device: Device) -> Share:
            evaluation = with_device(Experiment(self.recipe, self.catalogue), device).evaluation
            return lambda n: evaluation.fitness(genes.take(slice(0, n)), step)

        ranks = self.recipe.distribution.size
        raise _Reached(Work(max(1, -(-len(genes) // ranks)), on))


class _Stage(Device):
    """Computes nothing: it ends the rehearsal with the first call of a program."""

    def compile(self, graph: Graph, per_network: tuple[str, ...] = ()) -> Program:
        """Return a program that ends the rehearsal."""
        return _Shown(graph, per_network)


class _Shown(Program):
    """A program whose first call is what was to be found out."""

    def __init__(self, graph: Graph, per_network: tuple[str, ...]) -> None:
        self.graph = graph
        self.per_network = per_network

    def __call__(self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]) -> NoReturn:
        """End the rehearsal; a share is so many networks."""

        def on(device: Device) -> Share:
            program = device.compile(self.graph, self.per_network)
            return lambda n: program(
                {name: array[:n] for name, array in arrays.items()},
                {name: array[:n] if name in self.per_network else array for name, array in inputs.items()},
            )

        counted = [*arrays.values(), *(inputs[name] for name in self.per_network)]
        raise _Reached(Work(max(1, len(counted[0]) if counted else 1), on))

    def scan(
        self,
        arrays: Mapping[str, Array],
        inputs: Mapping[str, Array],
        batches: Mapping[str, Array],
        carry: Mapping[str, str],
        steps: int | None = None,
    ) -> NoReturn:
        """End the rehearsal; a share is so many repetitions, of all networks."""

        def on(device: Device) -> Share:
            program = device.compile(self.graph, self.per_network)
            return lambda n: program.scan(arrays, inputs, {name: rows[:n] for name, rows in batches.items()}, carry, n)

        raise _Reached(Work(max(1, self.count_steps(batches, steps)), on))
