# SPDX-License-Identifier: MIT OR Apache-2.0
"""The contracts: one file a kind of component, and what passes between them."""

from vynapse_core.contracts.device import Device, Kernel, Program, SampleKernel
from vynapse_core.contracts.distribution import Distribution
from vynapse_core.contracts.elementwise import ElementwiseTask
from vynapse_core.contracts.genome import Genome, Initialiser
from vynapse_core.contracts.loss import Activation, Gradient, Loss
from vynapse_core.contracts.observer import Observer
from vynapse_core.contracts.operator import Crossover, Mutation
from vynapse_core.contracts.sampled import SampledTask
from vynapse_core.contracts.selector import Replacement, Selector
from vynapse_core.contracts.task import Dataset, DirectTask, EpisodicTask, SupervisedTask, Task
from vynapse_core.contracts.trainer import Report, Solution, Trainer

__all__ = [
    "Activation",
    "Crossover",
    "Dataset",
    "Device",
    "DirectTask",
    "Distribution",
    "ElementwiseTask",
    "EpisodicTask",
    "Genome",
    "Gradient",
    "Initialiser",
    "Kernel",
    "Loss",
    "Mutation",
    "Observer",
    "Program",
    "Replacement",
    "Report",
    "SampleKernel",
    "SampledTask",
    "Selector",
    "Solution",
    "SupervisedTask",
    "Task",
    "Trainer",
]
