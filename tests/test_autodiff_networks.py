# SPDX-License-Identifier: MIT OR Apache-2.0
"""Gradients of whole populations: genomes of other packages, losses of tasks, every device the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vynapse_autodiff.check import check_gradient
from vynapse_autodiff.gradient import gradient
from vynapse_core import Builder, Graph, Loss, Networks, Streams
from vynapse_core.catalogue import installed
from vynapse_core.devices.reference import Reference
from vynapse_evolution.mlp import Mlp
from vynapse_neat.genome import Neat
from vynapse_numba.device import Numba
from vynapse_tasks.losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError

ACTIVATIONS = ("tanh", "relu", "sigmoid", "gelu", "silu", "softplus", "elu", "leaky_relu", "sin", "gauss")


def with_loss(networks: Networks, loss: Loss, outputs: int, classes: bool) -> Graph:
    builder = Builder({**Builder().ops, **installed().ops})
    y = builder.extend(networks.graph)["y"]
    target = builder.input("target", ("B",), "int64") if classes else builder.input("target", ("B", outputs))
    return builder.graph({"loss": loss.build(y, target)})


def data(inputs: int, outputs: int, classes: bool, samples: int = 23) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(samples, inputs)).astype("float32")
    target = rng.integers(0, outputs, samples) if classes else rng.uniform(size=(samples, outputs)).astype("float32")
    return {"x": x, "target": target}


def mlps(layers: tuple[int, ...], activation: str, networks: int) -> Networks:
    genome = Mlp.model_validate({"layers": layers, "activation": {"type": activation}})
    genes = genome.initial(networks, Streams(1)("initial", 0))
    # biases off 0, so that no sum lies on a kink
    genes.values[:] += np.random.default_rng(2).normal(0.0, 0.1, genes.values.shape).astype("float32")
    return genome.networks(genes)


def close(found: Any, wanted: Any) -> None:
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        scale = max(float(np.abs(value).max()), 1e-6)
        np.testing.assert_allclose(found[name] / scale, value / scale, atol=3e-5, err_msg=name)


@pytest.mark.parametrize("engine", ["tiles", "lanes"])
@pytest.mark.parametrize(
    ("loss", "layers", "classes"),
    [
        (CrossEntropy(), (6, 9, 4), True),
        (MeanSquaredError(), (3, 5, 5, 2), False),
        (BinaryCrossEntropy(), (2, 8, 1), False),
    ],
)
def test_gradients_of_many_networks_at_once_are_those_of_each_on_every_device(
    engine: str, loss: Loss, layers: tuple[int, ...], classes: bool
) -> None:
    networks = mlps(layers, "tanh", 7)
    graph = gradient(with_loss(networks, loss, layers[-1], classes))
    inputs = data(layers[0], layers[-1], classes)
    wanted = Reference().compile(graph)(networks.arrays, inputs)
    close(Numba(engine=engine, threads=1).compile(graph)(networks.arrays, inputs), wanted)
    alone = Reference().compile(graph)(networks.part(slice(4, 5)).arrays, inputs)
    for name, value in alone.items():
        np.testing.assert_array_equal(value[0], wanted[name][4])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_of_networks_with_each_activation_agree_with_central_differences(activation: str) -> None:
    networks = mlps((3, 5, 2), activation, 1)
    graph = with_loss(networks, CrossEntropy(), 2, True)
    point = {name: array[0] for name, array in networks.arrays.items()}
    check_gradient(graph, point, data(3, 2, True), tolerance=1e-6)


def test_the_gradient_of_an_evolved_network_comes_from_the_plugin_that_offers_its_op() -> None:
    genome = Neat(inputs=3, outputs=2)
    networks = genome.networks(genome.initial(4, Streams(1)("initial", 0)))
    graph = with_loss(networks, MeanSquaredError(), 2, False)
    inputs = data(3, 2, False)
    found = gradient(graph)
    assert [name for name in found.outputs if name != "loss"] == ["d_values"]
    wanted = Reference().compile(found)(networks.arrays, inputs)
    assert np.abs(wanted["d_values"]).max() > 0
    check_gradient(graph, {name: array[0] for name, array in networks.arrays.items()}, inputs)
