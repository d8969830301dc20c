# SPDX-License-Identifier: MIT OR Apache-2.0
"""Networks that train by another graph than they are evaluated by: dropout, running statistics, frozen layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vynapse_autodiff.genome import Network
from vynapse_autodiff.layers import BatchNorm, Dense, Dropout, Layer, Residual, assemble
from vynapse_autodiff.optimisers import Sgd as Descent
from vynapse_autodiff.sgd import Sgd
from vynapse_autodiff.training_step import keys, training_step
from vynapse_core import Array, Experiment, Streams, Value, wire
from vynapse_core.catalogue import installed
from vynapse_core.devices.reference import Reference
from vynapse_core.ops import OPS
from vynapse_core.recipe import Recipe
from vynapse_core.testing import check_trainer
from vynapse_core.testing.samples import Plane

UNITS, SAMPLES = 40, 50


def squares(prediction: Value, target: Value) -> dict[str, Value]:
    return {"loss": ((prediction - target) ** 2).mean()}


def thinned(key: list[int], layers: list[Layer], samples: int = SAMPLES) -> Array:
    """Return what ones become in training, [1, samples, UNITS]; the first layer passes them on as they are."""
    made = assemble([Dense(units=UNITS, bias=False), *layers], (UNITS,))
    assert made.training is not None
    eye = {"0.weight": np.eye(UNITS, dtype=np.float32)[None]}
    inputs = {"x": np.ones((samples, UNITS), np.float32), "key": np.array(key, np.uint64)}
    return Reference().compile(made.training)(eye, inputs)["y"]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_dropout_leaves_out_its_share_and_scales_the_rest_so_that_the_mean_stays(rate: float) -> None:
    y = thinned([1, 2], [Dropout(rate=rate)])
    count = y.size
    deviation = np.sqrt(rate * (1 - rate) / count)
    assert (y == 0).mean() == pytest.approx(rate, abs=5 * deviation)
    np.testing.assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-6)


def test_each_update_and_each_layer_leaves_out_others() -> None:
    first, again, second = thinned([1, 2], [Dropout()]), thinned([1, 2], [Dropout()]), thinned([1, 3], [Dropout()])
    np.testing.assert_array_equal(first, again)
    assert 0.3 < ((first == 0) != (second == 0)).mean() < 0.7
    both = thinned([1, 2], [Dropout(), Dropout()])
    assert (both == 0).mean() == pytest.approx(0.75, abs=0.06)


def test_dropout_does_nothing_where_a_network_is_evaluated_or_the_layer_is_frozen() -> None:
    made = assemble([Dense(units=3), Dropout()], (4,))
    assert "key" not in made.graph.inputs
    assert made.graph == assemble([Dense(units=3)], (4,)).graph
    assert assemble([Dense(units=3), Dropout(frozen=True)], (4,)).training is None


def test_a_network_that_trains_as_it_evaluates_has_one_graph() -> None:
    assert assemble([Dense(units=3, activation=RELU), Dense(units=2)], (4,)).training is None


RELU: Any = installed().find("activation", "relu")()


def test_running_statistics_follow_those_of_the_batches() -> None:
    made = assemble([BatchNorm(momentum=0.25), Dense(units=1)], (3,))
    assert made.training is not None
    step = training_step(made.training, squares, Descent(), (("B", 1), "float32"), OPS)
    assert step.trained == ("0.scale", "0.shift", "1.weight", "1.bias")
    x = (Streams(4)("x").normal((32, 3)) * 2 + 1).astype(np.float32)
    arrays = {**made.initial(2, Streams(1)("initial"))}
    inputs = {"x": x, "target": x[:, :1], "rate": np.float32(0.01)}
    order = np.arange(32).reshape(2, 16)
    after, _ = Reference().compile(step.graph).scan(arrays, inputs, {"x": order, "target": order}, step.carry)
    mean, variance = np.zeros(3), np.ones(3)
    for batch in (x[:16], x[16:]):
        mean += 0.25 * (batch.mean(axis=0) - mean)
        variance += 0.25 * (batch.var(axis=0, ddof=1) - variance)
    np.testing.assert_allclose(after["0.mean"], np.stack([mean, mean]), rtol=1e-5)
    np.testing.assert_allclose(after["0.variance"], np.stack([variance, variance]), rtol=1e-5)
    assert not np.array_equal(after["0.scale"], arrays["0.scale"])


def test_a_batch_of_one_sample_has_a_finite_variance() -> None:
    made = assemble([BatchNorm(), Dense(units=1)], (3,))
    assert made.training is not None
    arrays = made.initial(1, Streams(1)("initial"))
    outputs = Reference().compile(made.training)(arrays, {"x": np.ones((1, 3), np.float32)})
    assert all(np.isfinite(array).all() for array in outputs.values())


def test_frozen_parameters_stay_and_the_layers_before_them_still_learn() -> None:
    frozen = Residual(layers=(Dense(units=4), BatchNorm()), frozen=True)
    made = assemble([Dense(units=4), frozen, Dense(units=1)], (4,))
    assert made.training is not None
    step = training_step(made.training, squares, Descent(l2=0.1), (("B", 1), "float32"), OPS)
    assert step.trained == ("0.weight", "0.bias", "2.weight", "2.bias")
    arrays = made.initial(2, Streams(1)("initial"))
    x = Streams(4)("x").normal((20, 4))
    inputs = {"x": x, "target": x[:, :1], "rate": np.float32(0.05)}
    after, _ = Reference().compile(step.graph).scan(arrays, inputs, {}, step.carry, 5)
    for name, array in arrays.items():
        assert np.array_equal(after[name], array) == name.startswith("1."), name


def test_keys_follow_from_the_seed_and_the_number_of_the_update() -> None:
    streams = Streams(5)
    words, rows = keys(streams, 0, 6)
    later, _ = keys(streams, 4, 2)
    np.testing.assert_array_equal(words[rows[4:]], later.reshape(2, 2))
    assert len(np.unique(words[rows], axis=0)) == 6
    assert not np.array_equal(keys(Streams(6), 0, 6)[0], words)


def network(*layers: Layer) -> Network:
    return Network(layers=layers or (Dense(units=6, activation=RELU), BatchNorm(), Dropout(rate=0.2), Dense(units=1)))


def experiment(trainer: Sgd, device: str = "reference", genome: Network | None = None, task: Any = None) -> Experiment:
    tables = {"task": task or Plane(), "genome": genome or network(), "trainer": trainer, "device": device}
    return wire(Recipe.model_validate({**tables, "stop": {"steps": 20}}, context={"catalogue": installed()}))


@pytest.mark.parametrize("device", ["reference", "numba"])
def test_a_run_with_dropout_and_statistics_keeps_the_contract_of_trainers(device: str) -> None:
    parts = {"task": Plane(), "genome": network(), "device": device}
    check_trainer(Sgd(batch=7, batches=3, networks=2), experiment=parts)


def test_the_same_updates_in_other_steps_give_the_same_bits() -> None:
    def arrays(batches: int, steps: int) -> dict[str, Array]:
        wired = experiment(Sgd(batch=7, batches=batches))
        state: Any = wired.trainer.start(wired)
        for _ in range(steps):
            state, _ = wired.trainer.step(wired, state)
        return dict(state.arrays)

    one, other = arrays(6, 1), arrays(2, 3)
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name])


def test_devices_train_a_network_with_dropout_and_statistics_alike() -> None:
    found = []
    for device in ("reference", "numba"):
        wired = experiment(Sgd(batch=7, batches=10), device)
        state: Any = wired.trainer.start(wired)
        found.append(wired.trainer.step(wired, state)[0])
    for name, array in found[0].arrays.items():
        np.testing.assert_allclose(found[1].arrays[name], array, rtol=1e-4, atol=1e-5, err_msg=name)


def test_the_best_genes_give_the_best_network_its_statistics_included() -> None:
    wired = experiment(Sgd(batch=7, batches=10, networks=2, optimiser=Descent(rate=0.02)))
    state: Any = wired.trainer.start(wired)
    for _ in range(3):
        state, _ = wired.trainer.step(wired, state)
    best = wired.trainer.best(wired, state)
    assert best.genes is not None
    arrays = wired.genome.networks(best.genes).arrays
    assert arrays.keys() == state.champion.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, state.champion[name])
    assert not np.array_equal(arrays["1.mean"], np.zeros((1, 6)))
