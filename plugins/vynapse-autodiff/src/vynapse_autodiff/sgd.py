# SPDX-License-Identifier: MIT OR Apache-2.0
"""The trainer `sgd`: updates are compiled by the recipe's device, and a step is one call of it."""

from typing import TYPE_CHECKING

from vynapse_autodiff.descent import Descent
from vynapse_autodiff.lesson import Lesson, Updating

if TYPE_CHECKING:
    from vynapse_core import Experiment


class Sgd(Descent):
    """Train networks by gradients: shuffled batches, any optimiser, the weights of the best step.

    Fitness is measured after each step: on the split `validation` where the task has one, else on what is learnt from.
    A step is one call of the device, by default over all batches of an epoch.
    """

    def updating(self, experiment: "Experiment", lesson: Lesson) -> Updating:
        """Return a scan of the training step, inside the device where it can repeat one."""
        program = experiment.recipe.device.compile(lesson.step.graph)
        carry = lesson.step.carry
        return lambda arrays, inputs, batches, count: program.scan(arrays, inputs, batches, carry, count)
