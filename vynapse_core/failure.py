# SPDX-License-Identifier: MIT OR Apache-2.0
"""What went wrong in a run, told by the recipe path of the component that raised and the line of its code."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path
from types import TracebackType

from vynapse_core.component import Component
from vynapse_core.errors import RunError, VynapseError
from vynapse_core.experiment import Experiment
from vynapse_core.recipe import components


def explained(error: BaseException, experiment: Experiment, step: int) -> BaseException:
    """Return the error to show for one that ended a run after `step`.

    Ours and interruptions stay as they are; any other becomes a RunError with the path of its component.
    """
    if isinstance(error, VynapseError) or not isinstance(error, Exception):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunError(
            f"disk full after step {step}; make room, and 'vynapse resume' goes on from the last checkpoint"
        )
    if isinstance(error, MemoryError):
        return RunError(f"out of memory at step {step + 1}: a smaller population or batch needs less")
    where, component, place = _raising(error.__traceback__, experiment)
    owner = f"{component.kind} {type(component).__name__} at {where}" if component else "the kernel"
    said = f" raised {type(error).__name__}" + (f": {error}" if str(error) else "")
    return RunError(f"step {step + 1}: {owner}{said} ({place})")


def _raising(trace: TracebackType | None, experiment: Experiment) -> tuple[str, Component | None, str]:
    """Return the path of the innermost component of the recipe on the traceback, it, and its file and line.

    Without one, the place is the innermost of all.
    """
    paths = {id(part): ".".join(map(str, path)) for path, part in components(experiment.recipe)}
    found: tuple[str, Component | None, str] = ("", None, "no place known")
    for frame, line in traceback.walk_tb(trace):
        part = frame.f_locals.get("self")
        place = f"{Path(frame.f_code.co_filename).name}, line {line}"
        if isinstance(part, Component) and id(part) in paths:
            found = (paths[id(part)], part, place)
        elif found[1] is None:
            found = ("", None, place)
    return found
