# SPDX-License-Identifier: MIT OR Apache-2.0
"""One check for whatever a plugin offers: that of the part's kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from vynapse_core import catalogue as catalogues
from vynapse_core.contracts import Crossover, Mutation
from vynapse_core.plugins import check_hooks
from vynapse_core.testing.contract import Contract, ContractError
from vynapse_core.testing.devices import check_device
from vynapse_core.testing.genomes import check_genome, check_initialiser
from vynapse_core.testing.losses import check_activation, check_loss
from vynapse_core.testing.operators import check_crossover, check_mutation
from vynapse_core.testing.parts import check_component, sample
from vynapse_core.testing.samples import PLAIN
from vynapse_core.testing.schedules import check_schedule
from vynapse_core.testing.selection import check_replacement, check_selector
from vynapse_core.testing.tasks import check_task
from vynapse_core.testing.trainers import check_trainer

if TYPE_CHECKING:
    from vynapse_core.catalogue import Catalogue
    from vynapse_core.component import Component
    from vynapse_core.contracts import Genome

_CHECKS: Mapping[str, Callable[..., None]] = {
    "genome": check_genome,
    "initialiser": check_initialiser,
    "mutation": check_mutation,
    "crossover": check_crossover,
    "selector": check_selector,
    "replacement": check_replacement,
    "loss": check_loss,
    "activation": check_activation,
    "schedule": check_schedule,
    "device": check_device,
    "trainer": check_trainer,
    "task": check_task,
}
"""Distributions and observers act on the world outside; of these only what holds for every component is checked."""


def check(component: Component | type[Component], catalogue: Catalogue | None = None) -> None:
    """Check a component, or the sample of a class, by the check of its kind. Raises ContractError."""
    part = sample(component, catalogue) if isinstance(component, type) else component
    keywords: dict[str, Any] = {}
    if isinstance(part, Mutation | Crossover) and set(part.encodings) - set(PLAIN):
        keywords["genome"] = _genome_for(part, catalogue or catalogues.installed())
    if part.kind in _CHECKS:
        _CHECKS[part.kind](part, **keywords)
    else:
        check_component(part)
    if part.kind == "observer":
        Contract("", "").call(check_hooks, part, given="its hooks")


def _genome_for(part: Mutation | Crossover, catalogue: Catalogue) -> Genome | None:
    for entry in catalogue.of_kind("genome"):
        if getattr(entry.component, "encoding", None) in set(part.encodings) - set(PLAIN):
            try:
                made: Any = sample(entry.component, catalogue)
            except ContractError:
                continue
            genome: Genome = made
            return genome
    return None
