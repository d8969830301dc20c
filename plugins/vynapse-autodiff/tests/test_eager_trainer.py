# SPDX-License-Identifier: MIT OR Apache-2.0
"""The trainer `autodiff`: it does what `sgd` does, and says where a number was lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from vynapse_autodiff.descent import Descent
from vynapse_autodiff.eager.trainer import Autodiff
from vynapse_autodiff.optimisers import Adam, Lbfgs, Momentum, Sgd as Plain
from vynapse_autodiff.sgd import Sgd
from vynapse_core import Experiment, RunError, wire
from vynapse_core.catalogue import installed
from vynapse_core.cli import main
from vynapse_core.experiment import with_seed
from vynapse_core.recipe import Recipe
from vynapse_core.testing import check_trainer
from vynapse_core.testing.samples import Linear, Plane

PLANE = {"task": Plane(), "genome": Linear(), "device": "reference"}
LAYERS = {"type": "mlp", "layers": [2, 6, 1], "activation": "tanh"}


def experiment(trainer: Descent, task: Any = "xor", genome: Any = LAYERS, steps: int = 20) -> Experiment:
    tables = {"task": task, "genome": genome, "trainer": trainer, "device": "reference"}
    recipe = Recipe.model_validate({**tables, "stop": {"steps": steps}}, context={"catalogue": installed()})
    return with_seed(wire(recipe), 1)


def trained(trainer: Descent, steps: int, **rest: Any) -> tuple[Any, list[Any]]:
    made = experiment(trainer, **rest)
    state, reports = trainer.start(made), []
    for _ in range(steps):
        state, report = trainer.step(made, state)
        reports.append(report)
    return state, reports


FIELDS = [
    {"optimiser": Adam(rate=0.05), "networks": 2},
    {"optimiser": Momentum(rate=0.1, clip_norm=0.5, average=0.9), "batch": 2},
    {"optimiser": Plain(rate=0.1, accumulate=2, l2=0.01), "batch": 1, "batches": 6},
    {"optimiser": Lbfgs(), "networks": 2},
]


@pytest.mark.parametrize("fields", FIELDS, ids=lambda fields: fields["optimiser"].rule)
def test_it_trains_as_sgd_does(fields: dict[str, Any]) -> None:
    wanted, told = trained(Sgd(**fields), 5)
    found, said = trained(Autodiff(**fields), 5)
    for kind in ("arrays", "memory", "champion"):
        expected, got = getattr(wanted, kind), getattr(found, kind)
        assert list(expected) == list(got)
        for name, array in expected.items():
            assert got[name].dtype == array.dtype
            np.testing.assert_allclose(got[name], array, rtol=2e-4, atol=2e-5, err_msg=name)
    for ours, theirs in zip(said, told, strict=True):
        assert ours.evaluations == theirs.evaluations
        assert ours.columns.keys() == theirs.columns.keys()
        assert ours.columns["loss"] == pytest.approx(theirs.columns["loss"], rel=1e-3, abs=1e-6)


def test_it_is_a_trainer() -> None:
    check_trainer(Autodiff(optimiser=Adam(rate=0.1), batch=5, networks=2), experiment=PLANE, steps=4)


def test_networks_of_layers_train_with_their_running_means_and_dropout() -> None:
    layers = [{"type": "dense", "units": 6}, {"type": "batch_norm"}, {"type": "dropout"}, {"type": "dense", "units": 1}]
    fields = {"optimiser": Momentum(rate=0.05), "networks": 2}
    wanted, _ = trained(Sgd(**fields), 3, genome={"type": "network", "layers": layers})
    found, _ = trained(Autodiff(**fields), 3, genome={"type": "network", "layers": layers})
    assert len(wanted.arrays) > 4
    for name, array in wanted.arrays.items():
        np.testing.assert_allclose(found.arrays[name], array, rtol=1e-4, atol=1e-5, err_msg=name)


def test_nothing_that_it_is_given_is_written() -> None:
    made = experiment(Autodiff(optimiser=Adam(rate=0.1)))
    trainer = made.recipe.trainer
    assert isinstance(trainer, Autodiff)
    state = trainer.start(made)
    before = {name: array.copy() for name, array in state.arrays.items()}
    trainer.step(made, state)
    for name, array in state.arrays.items():
        np.testing.assert_array_equal(array, before[name])


def test_an_anomaly_stops_the_run_and_names_the_op() -> None:
    fields = {"optimiser": Plain(rate=1e30), "anomaly": True, "batches": 4}
    with pytest.raises(RunError, match=r"autodiff: .*makes (a NaN|an infinity)"):
        trained(Autodiff(**fields), 5)


RECIPE = """
[task]
type = "xor"
[trainer]
type = "autodiff"
anomaly = true
batches = 4
optimiser = { rule = "sgd", rate = 1e38 }
[stop]
steps = 20
"""


def test_an_anomaly_of_a_recipe_names_no_line_of_the_machinery(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    done = CliRunner().invoke(main, ["run", str(tmp_path / "recipe.toml"), "--out", str(tmp_path / "run"), "--quiet"])
    assert done.exit_code == 1
    assert "makes a" in done.output
    assert ".py:" not in done.output
