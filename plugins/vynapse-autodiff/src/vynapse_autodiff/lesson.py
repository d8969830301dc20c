# SPDX-License-Identifier: MIT OR Apache-2.0
"""The lesson: what a trainer by gradients needs of a task and its networks, made once a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vynapse_autodiff.batches import held_out
from vynapse_autodiff.training_step import TrainingStep, training_step
from vynapse_core import Array, Dataset, Networks, RunError, SupervisedTask, Value

if TYPE_CHECKING:
    from vynapse_autodiff.optimiser import Optimiser
    from vynapse_autodiff.training_step import Measures
    from vynapse_core import Experiment

Updating = Callable[
    [Mapping[str, Array], Mapping[str, Array], Mapping[str, Array], int], tuple[dict[str, Array], dict[str, Array]]
]
"""(arrays, inputs, batches, count) -> (arrays after the updates, {name: what each update measured [count, P]}).

The arguments are those of `Program.scan`: `arrays` {parameter or name in memory: [P, ...]}, `inputs` {input: array},
`batches` {input: int64 [count, rows]} says which rows of an input each update takes; an input that is not in it is the
same for all updates. None of them may be written.
"""

MEMORY = "memory"
"""The input by which a network's graph has a memory."""
VALIDATION = "validation"
"""The split on which the best weights are chosen, where the task has it."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is learnt, and how it is judged."""

    task: SupervisedTask
    networks: Networks
    """The networks before training, with the graph that all of a run share."""
    measures: Measures
    """What a batch measures, of prediction and target: `loss`, and `accuracy` where there are classes."""
    optimiser: Optimiser
    target: tuple[tuple[int | str, ...], str]
    """Shape and dtype of a batch's targets."""
    step: TrainingStep
    """An update as one graph."""
    data: Dataset
    """The split that is learnt from."""
    chosen: NDArray[np.int64] | None
    """Which of its samples are, where a share of them is held out."""
    judged: Dataset
    """What fitness is measured on: the validation split, the share held out, or else what is learnt from or 10,000
    samples of it."""
    validated: bool
    """Whether that are other samples than those that are learnt from."""
    asked: tuple[str, ...]
    """What is measured there: fitness, loss and accuracy where it is validated, and the task's metrics."""

    @property
    def samples(self) -> int:
        """How many samples are learnt from."""
        return len(self.data) if self.chosen is None else len(self.chosen)

    def judge(self, experiment: Experiment, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return what is `asked` of the networks with parameters `arrays` [P, ...], [P] each."""
        networks = Networks(self.networks.graph, arrays)
        return experiment.evaluation.measure(networks, self.judged, self.asked)


def lesson_of(experiment: Experiment, networks: Networks, optimiser: Optimiser, share: float = 0.0) -> Lesson:
    """Return the lesson of an experiment, a share of the samples held out to judge by.

    Raises RunError for a task or networks that cannot be learnt by gradients.
    """
    task = experiment.task
    if not isinstance(task, SupervisedTask):
        raise RunError(f"gradients are those of a loss, and {type(task).__name__} has no samples to lose on")
    if MEMORY in networks.graph.inputs:
        raise RunError("gradients do not go back through time here, and these networks have a memory")

    def measures(prediction: Value, target: Value) -> dict[str, Value]:
        correct = {"accuracy": task.loss.correct(prediction, target).mean()} if task.classification else {}
        return {"loss": task.loss.build(prediction, target), **correct}

    train = task.data(task.splits[0])
    target = (("B", *train.y.shape[1:]), str(train.y.dtype))
    catalogue = experiment.catalogue
    graph = networks.training or networks.graph
    step = training_step(graph, measures, optimiser, target, catalogue.ops, catalogue.gradients)
    chosen: NDArray[np.int64] | None = None
    if share:
        chosen, others = held_out(experiment.streams, len(train), share)
        judged = train.take(others)
    elif VALIDATION in task.splits:
        judged = task.data(VALIDATION)
    else:
        judged = experiment.evaluation.samples(None)
    validated = bool(share) or VALIDATION in task.splits
    told = ("loss", *("accuracy",) * task.classification) if validated else ()
    asked = ("fitness", *told, *(name for name in task.metrics if name != "confusion"))
    return Lesson(task, networks, measures, optimiser, target, step, train, chosen, judged, validated, asked)
