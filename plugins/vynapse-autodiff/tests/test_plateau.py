# SPDX-License-Identifier: MIT OR Apache-2.0
"""The plateau: when the rate falls, against PyTorch's where it is installed, and within a trainer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from vynapse_autodiff.optimisers import Sgd as Plain
from vynapse_autodiff.plateau import Plateau, Stall
from vynapse_autodiff.sgd import Sgd
from vynapse_core import wire
from vynapse_core.catalogue import installed
from vynapse_core.recipe import Recipe
from vynapse_core.testing import check_trainer
from vynapse_core.testing.samples import Linear, Plane


def scales(plateau: Plateau, losses: Sequence[float]) -> list[float]:
    stall, found = Stall(), []
    for loss in losses:
        stall = plateau.after(stall, loss)
        found.append(stall.scale)
    return found


def test_the_rate_falls_after_more_steps_than_patience_bears() -> None:
    plateau = Plateau(factor=0.5, patience=2)
    assert scales(plateau, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]) == [1, 1, 1, 0.5, 0.5, 0.5, 0.25]
    assert scales(plateau, [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4]) == [1] * 7


def test_a_fall_below_the_threshold_does_not_count() -> None:
    assert scales(Plateau(factor=0.5, patience=0, threshold=0.1), [1.0, 0.95, 0.8, 0.75]) == [1, 0.5, 0.5, 0.25]
    assert scales(Plateau(factor=0.5, patience=0, threshold=0.1), [-1.0, -1.05, -1.2, -1.3]) == [1, 0.5, 0.5, 0.25]


def test_the_scale_stops_at_the_least_and_steps_of_rest_do_not_count() -> None:
    assert scales(Plateau(factor=0.1, patience=0, least=0.05), [1.0] * 4) == pytest.approx([1, 0.1, 0.05, 0.05])
    assert scales(Plateau(factor=0.5, patience=0, rest=2), [1.0] * 6) == [1, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_a_loss_that_is_no_number_is_no_fall() -> None:
    assert scales(Plateau(factor=0.5, patience=0), [1.0, float("nan"), 0.5]) == [1, 0.5, 0.5]


@pytest.mark.parametrize(
    "plateau", [Plateau(patience=1), Plateau(factor=0.7, patience=3, threshold=0.05, rest=4)], ids=str
)
def test_the_scale_follows_pytorch(plateau: Plateau) -> None:
    torch = pytest.importorskip("torch")
    losses = np.exp(-np.arange(60) / 20) + 0.1 * np.random.default_rng(4).uniform(size=60)
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser,
        factor=plateau.factor,
        patience=plateau.patience,
        threshold=plateau.threshold,
        cooldown=plateau.rest,
        eps=0,
    )
    wanted = []
    for loss in losses:
        theirs.step(float(loss))
        wanted.append(optimiser.param_groups[0]["lr"])
    assert wanted[-1] < 1
    assert scales(plateau, losses.tolist()) == pytest.approx(wanted, rel=1e-12)


def test_a_trainer_multiplies_its_rate_and_resumes_to_the_same_bits() -> None:
    # a rate of 0 learns nothing, so that the loss stands still from the first step
    trainer = Sgd(optimiser=Plain(rate=1e-12), plateau=Plateau(factor=0.5, patience=1), networks=2)
    tables = {"task": Plane(), "genome": Linear(), "trainer": trainer, "device": "reference", "stop": {"steps": 6}}
    wired = wire(Recipe.model_validate(tables, context={"catalogue": installed()}))
    state, rates = wired.trainer.start(wired), []
    for _ in range(6):
        state, report = wired.trainer.step(wired, state)
        rates.append(report.columns["rate"] / 1e-12)
    assert rates == pytest.approx([1, 1, 1, 0.5, 0.5, 0.25])
    check_trainer(trainer)
