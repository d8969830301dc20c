# SPDX-License-Identifier: MIT OR Apache-2.0
"""The choice that `auto` stands for: every candidate is measured on the recipe, and the fastest is taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Any

import numpy as np
from pydantic import ValidationError
from threadpoolctl import threadpool_limits

from vynapse_core.catalogue import Catalogue
from vynapse_core.contracts import Device
from vynapse_core.devices.auto import Auto
from vynapse_core.devices.estimate import Estimate, estimate
from vynapse_core.devices.rehearsal import Work, rehearsed
from vynapse_core.errors import RunError, VynapseError
from vynapse_core.experiment import Experiment, with_device
from vynapse_core.failure import said
from vynapse_core.recipe import FASTEST_FIRST
from vynapse_core.source import written

TIE = 1.1
"""Up to how many times the least estimate counts as much: measurements are not better than that."""


@dataclass(frozen=True)
class Candidate:
    """A device that may be picked, and what is known of it."""

    name: str
    device: Device | None = None
    """None where it could not be made."""
    estimate: Estimate | None = None
    """None where it was not measured."""
    failure: str = ""
    """Why it is left out."""


@dataclass(frozen=True)
class Choice:
    """Which device was picked, and why."""

    picked: Candidate
    others: tuple[Candidate, ...] = ()
    unmeasured: str = ""
    """Why nothing was measured."""

    def __str__(self) -> str:
        parts = [_figures(self.picked.estimate) if self.picked.estimate else f"not measured, as {self.unmeasured}"]
        parts += [f"{each.name} {_figures(each.estimate)}" for each in self.others if each.estimate]
        parts += [f"{each.name} left out: {each.failure}" for each in self.others if each.failure]
        return f"device {self.picked.name}: {'; '.join(parts)}"

    def record(self) -> Mapping[str, Any]:
        """Return the choice as plain tables, times in seconds, for `run.json` and the log."""
        every = (self.picked, *self.others)
        return {
            "picked": self.picked.name,
            "measured": {
                each.name: {"step": each.estimate.seconds, "ready": each.estimate.preparing}
                for each in every
                if each.estimate
            },
            "left_out": {each.name: each.failure for each in every if each.failure},
            "unmeasured": self.unmeasured,
        }


def settled(experiment: Experiment) -> Experiment:
    """Return the experiment with the device that `auto` picks for it, and the choice; any other one as it is.

    Raises RunError where no device can compute it.
    """
    auto = experiment.recipe.device
    if not isinstance(auto, Auto):
        return experiment
    found = list(candidates(auto, experiment.catalogue))
    # BLAS as a run has it
    with threadpool_limits(1, "blas"):
        try:
            work = rehearsed(experiment)
            unmeasured = "" if work else "the first step asks nothing of a device"
        except Exception as error:
            # the run will meet it again, and say where it comes from
            work, unmeasured = None, f"the trainer cannot start: it {said(error)}"
        if work is not None:
            found = _measured(found, work, auto.seconds, experiment.recipe.stop.steps)
            place = _fastest(found, experiment)
        else:
            place = next((place for place, each in enumerate(found) if each.device is not None), None)
    if place is None or (device := found[place].device) is None:
        causes = [f"  {each.name}: {each.failure}" for each in found]
        raise RunError("\n".join(["device: 'auto' finds none that can compute this recipe", *causes]))
    choice = Choice(found.pop(place), tuple(found), unmeasured)
    return replace(with_device(experiment, device), choice=choice)


def candidates(auto: Auto, catalogue: Catalogue) -> Iterator[Candidate]:
    """Yield the devices to choose from, that first which is the best guess."""
    if auto.among:
        yield from (Candidate(_name(device, catalogue), device) for device in auto.among)
        return
    guesses = {name: place for place, name in enumerate(FASTEST_FIRST)}
    for entry in sorted(catalogue.of_kind("device"), key=lambda entry: guesses.get(entry.full, len(guesses))):
        if entry.component is Auto:
            continue
        try:
            yield Candidate(catalogue.written(entry), catalogue.build(Device, {"type": entry.full}))
        except Exception as error:
            yield Candidate(catalogue.written(entry), failure=_cause(error))


def _measured(found: list[Candidate], work: Work, budget: float, steps: int | None) -> list[Candidate]:
    """Return the candidates with their estimates, or with why they have none."""
    best, measured = inf, []
    for each in found:
        try:
            if each.device is not None:
                figures = estimate(partial(work.on, each.device), work.size, budget, best)
                best = min(best, figures.each_step(steps))
                each = replace(each, estimate=figures)
        except Exception as error:
            each = replace(each, failure=_cause(error))
        measured.append(each)
    return measured


def _fastest(found: list[Candidate], experiment: Experiment) -> int | None:
    """Return the place of the candidate to take: the first of those that are about as fast as the fastest.

    All ranks take the same: what each of them measured is added up.
    """
    recipe = experiment.recipe
    steps = recipe.stop.steps
    seconds = np.array([each.estimate.each_step(steps) if each.estimate else inf for each in found])
    if recipe.distribution.size > 1:
        able = next((each.device for each in found if each.device is not None), None)
        recipe.distribution.start(with_device(experiment, able) if able else experiment)
        try:
            seconds = recipe.distribution.sum(seconds)
        finally:
            recipe.distribution.stop()
    least = min(seconds, default=inf)
    return int(np.argmax(seconds <= TIE * least)) if least < inf else None


def _name(device: Device, catalogue: Catalogue) -> str:
    """Return a device's name with the fields that were set: `numba (threads = 2)`."""
    fields = ", ".join(f"{name} = {getattr(device, name)!r}" for name in sorted(device.model_fields_set))
    return catalogue.name_of(type(device)) + (f" ({fields})" if fields else "")


def _cause(error: Exception) -> str:
    """Return why a device cannot be used, in a line."""
    if isinstance(error, ValidationError):
        text = "; ".join(f"{written(each['loc'])}: {each['msg']}" for each in error.errors(include_url=False))
    else:
        text = str(error) if isinstance(error, VynapseError) else said(error)
    return " ".join(text.split())


def _figures(figures: Estimate) -> str:
    """Return an estimate in words: `about 2.1 ms a step, 35 ms to get ready`."""
    preparing = f", {_duration(figures.preparing)} to get ready" if figures.preparing >= 1e-3 else ""
    return f"about {_duration(figures.seconds)} a step{preparing}"


def _duration(seconds: float) -> str:
    units = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
    unit, scale = next((pair for pair in units if seconds >= pair[1]), units[-1])
    return f"{seconds / scale:,.{0 if seconds / scale >= 10 else 1}f} {unit}"
