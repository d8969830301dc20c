# SPDX-License-Identifier: MIT OR Apache-2.0
"""What went wrong in a run, told by the recipe path of the component that raised and the line of its code."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from vynapse_core.component import Component
from vynapse_core.contracts import Program
from vynapse_core.errors import RunError, VynapseError
from vynapse_core.evaluation import Evaluation
from vynapse_core.experiment import Experiment
from vynapse_core.recipe import components

NO_ROOM = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def explained(error: BaseException, experiment: Experiment, step: int, *, checkpoint: bool = True) -> BaseException:
    """Return the error to show for one that ended a run in `step`, which has a `checkpoint` to go on from or has none.

    Ours and interruptions stay as they are; any other becomes a RunError with the path of its component.
    """
    cause = error.__cause__ if isinstance(error, VynapseError) and not checkpoint else error
    if isinstance(cause, OSError) and cause.errno in NO_ROOM:
        after = "'vynapse resume' goes on from the last checkpoint" if checkpoint else "run it again"
        none = "" if checkpoint else "; there is no checkpoint yet"
        return RunError(f"disk full at step {step}{none}; make room, and {after}")
    if isinstance(error, VynapseError) or not isinstance(error, Exception):
        return error
    if isinstance(error, MemoryError):
        return RunError(f"out of memory at step {step}: a smaller population or batch needs less")
    owner, place = _raising(error.__traceback__, experiment)
    return RunError(f"step {step}: {owner or 'the kernel'} {said(error)} ({place})")


def said(error: Exception) -> str:
    """Return what an exception says, as a predicate: `raised ValueError: too hot`."""
    return f"raised {type(error).__name__}" + (f": {error}" if str(error) else "")


def _raising(trace: TracebackType | None, experiment: Experiment) -> tuple[str, str]:
    """Return the innermost part of the experiment on the traceback, in words, and its file and line.

    Without one, the place is the innermost of all.
    """
    recipe = experiment.recipe
    names = {id(part): f"{_named(part)} at {'.'.join(map(str, path))}" for path, part in components(recipe)}
    found = ("", "no place known")
    for frame, line in traceback.walk_tb(trace):
        owner = _owner(frame.f_locals.get("self"), names, experiment)
        if owner or not found[0]:
            found = owner, f"{Path(frame.f_code.co_filename).name}, line {line}"
    return found


def _owner(part: Any, names: dict[int, str], experiment: Experiment) -> str:
    """Return what the recipe calls `part`, whose method was called; empty for what it does not name.

    A program is its device's, and what goes wrong between genome, task and device is told by the task: otherwise the
    distribution or the trainer, which only asked for it, would be named.
    """
    if isinstance(part, Program):
        return f"{_named(experiment.recipe.device)} at device"
    if isinstance(part, Evaluation):
        return f"the evaluation of {_named(experiment.task)} at task"
    return names.get(id(part), "") if isinstance(part, Component) else ""


def _named(part: Component) -> str:
    return f"{part.kind} {type(part).__name__}"
