# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every hook of Vynapse, on one page.

A plugin is a module named by an entry point of the group `vynapse`; it implements any of these functions, marked with
`@hookimpl`. Keep that module light: import what is heavy inside the functions.

A hook that contributes components returns `{name: class}`, the name being what a recipe writes as `type`. Where one
name serves classes of two kinds, the value is a tuple of them: `{"uniform": (UniformMutation, UniformCrossover)}`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import click

    from vynapse_core.component import Component
    from vynapse_core.contracts import Gradient, Kernel, Report
    from vynapse_core.experiment import Experiment
    from vynapse_core.ops import Op
    from vynapse_core.run import Result
    from vynapse_core.stop import Progress

    Components = Mapping[str, type[Component] | tuple[type[Component], ...]]

hookspec = pluggy.HookspecMarker("vynapse")
hookimpl = pluggy.HookimplMarker("vynapse")


@hookspec
def vynapse_genomes() -> Components:
    """Contribute genomes: how individuals are encoded. Kinds: genome, initialiser."""


@hookspec
def vynapse_operators() -> Components:
    """Contribute operators: what makes offspring out of parents. Kinds: mutation, crossover."""


@hookspec
def vynapse_selectors() -> Components:
    """Contribute selectors: who becomes a parent, and who lives on. Kinds: selector, replacement."""


@hookspec
def vynapse_losses() -> Components:
    """Contribute what is built out of graph nodes. Kinds: loss, activation."""


@hookspec
def vynapse_schedules() -> Components:
    """Contribute schedules: numbers that change as a run goes on. Kind: schedule."""


@hookspec
def vynapse_devices() -> Components:
    """Contribute devices: what compiles and computes graphs. Kind: device."""


@hookspec
def vynapse_trainers() -> Components:
    """Contribute trainers: the methods of learning. Kind: trainer."""


@hookspec
def vynapse_tasks() -> Components:
    """Contribute tasks: what is to be learnt. Kind: task."""


@hookspec
def vynapse_distributions() -> Components:
    """Contribute distributions: where evaluations happen. Kind: distribution."""


@hookspec
def vynapse_observers() -> Components:
    """Contribute observers: components that implement the hooks on a run's life. Kind: observer."""


@hookspec
def vynapse_ops() -> Mapping[str, Op]:
    """Contribute graph ops: name, shape rule and NumPy meaning."""


@hookspec
def vynapse_kernels() -> Mapping[tuple[str, str], Kernel]:
    """Contribute an op's implementation for a named device: `{(device, op): kernel}`."""


@hookspec
def vynapse_gradients() -> Mapping[str, Gradient]:
    """Contribute an op's vector-Jacobian product, written in graph ops: `{op: gradient}`."""


@hookspec
def vynapse_commands() -> Mapping[str, click.Command]:
    """Contribute commands of the command line: `{name: command}`."""


@hookspec
def vynapse_run_started(experiment: Experiment, folder: Path, resumed_at: int | None) -> None:
    """A run is about to take its first step, or the one after `resumed_at`."""


@hookspec
def vynapse_step_finished(report: Report, progress: Progress) -> None:
    """A trainer has finished a step; `progress` tells how far the run has come."""


@hookspec
def vynapse_checkpoint_started(progress: Progress) -> None:
    """A checkpoint is about to be written: what a run resumed from there needs of you must be on disk."""


@hookspec
def vynapse_run_finished(result: Result) -> None:
    """A run has ended, whatever the reason, and its files are written."""
