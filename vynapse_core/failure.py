# SPDX-License-Identifier: MIT OR Apache-2.0
"""What went wrong in a run, told by the recipe path of the component that raised."""

from __future__ import annotations

import errno
from types import TracebackType

from vynapse_core.component import Component
from vynapse_core.errors import RunError, VynapseError
from vynapse_core.experiment import Experiment
from vynapse_core.recipe import components


def explained(error: BaseException, experiment: Experiment, step: int) -> BaseException:
    """Return the error to show for one that ended a run: ours and interruptions as they are, others with path and step."""
    if isinstance(error, VynapseError) or not isinstance(error, Exception):
        return error
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return RunError(
            f"disk full after step {step}; the last checkpoint is intact: make room, then 'vynapse resume'"
        )
    if isinstance(error, MemoryError):
        return RunError(f"out of memory at step {step + 1}: a smaller population or batch needs less")
    where, component = _raising(error.__traceback__, experiment)
    owner = f"{component.kind} {type(component).__name__} at {where}" if component else "the kernel"
    return RunError(f"step {step + 1}: {owner} raised {type(error).__name__}: {error}")


def _raising(trace: TracebackType | None, experiment: Experiment) -> tuple[str, Component | None]:
    """Find the innermost component of the recipe whose method is on the traceback."""
    paths = {id(part): ".".join(map(str, path)) for path, part in components(experiment.recipe)}
    found: tuple[str, Component | None] = ("", None)
    while trace is not None:
        part = trace.tb_frame.f_locals.get("self")
        if isinstance(part, Component) and id(part) in paths:
            found = (paths[id(part)], part)
        trace = trace.tb_next
    return found
