# SPDX-License-Identifier: MIT OR Apache-2.0
"""What watches a run: the recipe's observers and the plugins that implement the hooks on a run's life."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from vynapse_core.contracts import Observer, Report
from vynapse_core.errors import RunError, VynapseError
from vynapse_core.experiment import Experiment
from vynapse_core.failure import said
from vynapse_core.plugins import HookRelay, relay

if TYPE_CHECKING:
    from vynapse_core.run import Result
    from vynapse_core.stop import Progress

    Tell = Callable[[Report, Progress], Any]


class Watcher:
    """An observer's hooks. It is equal to itself alone, where two observers with the same fields are equal."""

    def __init__(self, observer: Observer) -> None:
        for name in dir(observer):
            if name.startswith("vynapse_"):
                setattr(self, name, getattr(observer, name))


EVENTS = ("vynapse_run_started", "vynapse_step_finished", "vynapse_checkpoint_started", "vynapse_run_finished")
"""The hooks on a run's life."""


def watchers(experiment: Experiment) -> HookRelay:
    """Return the relay of a run's events; the recipe's observers watch rank 0 alone."""
    # pluggy looks at all that a module has, which takes longer than to see whether it watches
    plugins = [each for each in experiment.catalogue.plugins if any(hasattr(each.module, name) for name in EVENTS)]
    found = relay(plugins)
    if experiment.recipe.distribution.rank == 0:
        for index, observer in enumerate(experiment.recipe.observers):
            found.register(Watcher(observer), name=f"observers.{index}")
    return found


def step_teller(told: HookRelay) -> Tell:
    """Return what tells all watchers of a step: pluggy's call, its look-ups done once and not at every step."""
    hook = told.hook.vynapse_step_finished
    found = list(reversed(hook.get_hookimpls()))
    if any(each.wrapper or each.hookwrapper for each in found):
        return lambda report, progress: hook(report=report, progress=progress)
    calls = tuple(_taking(each.function, each.argnames) for each in found)

    def tell(report: Report, progress: Progress) -> None:
        for call in calls:
            call(report, progress)

    return tell


def _taking(function: Callable[..., Any], names: Sequence[str]) -> Tell:
    """Return `function`, which takes some of the hook's arguments in some order, as one that takes them all."""
    if tuple(names) == ("report", "progress"):
        return function

    def call(report: Report, progress: Progress) -> None:
        given = {"report": report, "progress": progress}
        function(*[given[name] for name in names])

    return call


def tell_end(told: HookRelay, result: Result) -> list[str]:
    """Tell all watchers of the run's end, each on its own, and return in words which of them raised."""
    failures = []
    for hook in reversed(told.hook.vynapse_run_finished.get_hookimpls()):
        others = [plugin for plugin in told.get_plugins() if plugin is not hook.plugin]
        try:
            told.subset_hook_caller("vynapse_run_finished", others)(result=result)
        except Exception as error:
            text = f": {error}" if isinstance(error, VynapseError) else f" {said(error)}"
            failures.append(f"at the run's end {hook.plugin_name}{text}")
    return failures


def beside(failure: BaseException, others: list[str]) -> BaseException:
    """Return the error to show for a run that ended by `failure` and whose watchers had `others`."""
    if not others or not isinstance(failure, VynapseError):
        return failure
    return RunError("\n  ".join([str(failure), *others]))
