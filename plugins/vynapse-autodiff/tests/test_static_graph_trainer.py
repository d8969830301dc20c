# SPDX-License-Identifier: MIT OR Apache-2.0
"""The trainer `static_graph`: at every level the batches, states and reports of `sgd`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from vynapse_autodiff.descent import Descent, State
from vynapse_autodiff.optimisers import Adam, Momentum
from vynapse_autodiff.sgd import Sgd
from vynapse_autodiff.static.trainer import StaticGraph
from vynapse_core import Experiment, Report, wire
from vynapse_core.catalogue import installed
from vynapse_core.recipe import Recipe
from vynapse_core.testing import check_trainer
from vynapse_core.testing.samples import Linear, Plane

LEVELS = (0, 1, 2, 3)


def experiment(trainer: Descent, device: str = "reference", **tables: Any) -> Experiment:
    tree = {"task": Plane(), "genome": Linear(), "trainer": trainer, "device": device, "stop": {"steps": 20}, **tables}
    return wire(Recipe.model_validate(tree, context={"catalogue": installed()}))


def agree(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=1e-5)


def run(wired: Experiment, steps: int) -> tuple[State, list[Report]]:
    state = wired.trainer.start(wired)
    reports = []
    for _ in range(steps):
        state, report = wired.trainer.step(wired, state)
        reports.append(report)
    return state, reports


@pytest.mark.parametrize("level", LEVELS)
def test_the_trainer_keeps_its_contract(level: int) -> None:
    check_trainer(StaticGraph(optimization_level=level, batch=5, networks=2))


def test_the_trainer_keeps_its_contract_on_the_numba_device() -> None:
    wanted = {"task": Plane(), "genome": Linear(), "device": "numba"}
    check_trainer(StaticGraph(batch=5), experiment=wanted, steps=4)


@pytest.mark.parametrize("device", ["reference", "numba"])
@pytest.mark.parametrize("level", LEVELS)
def test_every_level_learns_what_sgd_learns(level: int, device: str) -> None:
    fields: dict[str, Any] = {"optimiser": Adam(rate=0.05, clip_norm=1.0), "batch": 4, "networks": 3}
    wanted, told = run(experiment(Sgd(**fields), device), 4)
    found, reports = run(experiment(StaticGraph(optimization_level=level, **fields), device), 4)
    agree(found.arrays, wanted.arrays)
    agree(found.memory, wanted.memory)
    assert (found.step, found.updates, found.evaluations) == (wanted.step, wanted.updates, wanted.evaluations)
    for mine, other in zip(reports, told, strict=True):
        assert mine.columns.keys() == other.columns.keys()
        assert mine.best == pytest.approx(other.best, rel=1e-4, abs=1e-6)


def test_a_network_of_layers_with_dropout_learns_alike_at_every_level() -> None:
    hidden = {"type": "dense", "units": 6, "activation": "tanh"}
    genome = {"type": "network", "layers": [hidden, {"type": "dropout", "rate": 0.3}, {"type": "dense", "units": 1}]}
    wanted, _ = run(experiment(Sgd(optimiser=Momentum(), batch=4), genome=genome), 3)
    for level in LEVELS:
        trainer = StaticGraph(optimization_level=level, optimiser=Momentum(), batch=4)
        found, _ = run(experiment(trainer, genome=genome), 3)
        agree(found.arrays, wanted.arrays)


def test_the_first_report_says_what_the_passes_did() -> None:
    _, reports = run(experiment(StaticGraph(batch=4, optimiser=Adam())), 2)
    assert reports[0].note.startswith("optimization level 3: ")
    assert "nodes; " in reports[0].note
    assert reports[1].note == ""
    _, reports = run(experiment(StaticGraph(optimization_level=0)), 1)
    assert reports[0].note.endswith("nodes; as written")


def test_a_level_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a value at most 3, found 4"):
        StaticGraph(optimization_level=4)


def test_exclusive_or_is_solved() -> None:
    wired = experiment(
        StaticGraph(optimiser=Adam(rate=0.02), batches=100, networks=4),
        task="xor",
        genome={"type": "mlp", "layers": (2, 4, 1)},
        device="numba",
    )
    _, reports = run(wired, 3)
    assert reports[-1].best > -0.01
