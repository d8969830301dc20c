# SPDX-License-Identifier: MIT OR Apache-2.0
"""Layers against PyTorch's: values, gradients by input and parameters, running statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vynapse_autodiff.gradient import gradient
from vynapse_autodiff.layers import (
    Activate,
    AveragePool,
    BatchNorm,
    Conv2d,
    Dense,
    Embedding,
    GlobalPool,
    Layer,
    LayerNorm,
    MaxPool,
    Residual,
    assemble,
)
from vynapse_core import Array, Builder, Graph, Streams
from vynapse_core.devices.reference import Reference

torch = pytest.importorskip("torch")
nn = torch.nn

CHANNELS, HIGH, WIDE = 4, 9, 7
SHAPE = (CHANNELS, HIGH, WIDE)
LINEAR = Conv2d(filters=5, size=1)
"""What stands before a layer without parameters."""

SLOPES: dict[str, Any] = {
    "identity": nn.Identity(),
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "relu": nn.ReLU(),
    "leaky_relu": nn.LeakyReLU(0.01),
    "elu": nn.ELU(),
    "gelu": nn.GELU(),
    "silu": nn.SiLU(),
    "softplus": nn.Softplus(),
    "softmax": nn.Softmax(dim=-1),
}


def linear() -> Any:
    return nn.Conv2d(CHANNELS, 5, 1)


def squared(graph: Graph) -> Graph:
    """Return the gradients of a weighted sum of squares of a graph's output by all its leaves."""
    builder = Builder()
    outputs = builder.extend(graph)
    y = outputs["y"]
    loss = (y * y * builder.input("weights", y.shape)).sum()
    leaves = [*graph.parameters, "x"]
    return gradient(builder.graph({**outputs, "loss": loss}), "loss", leaves)


def compared(layers: list[Layer], module: Any, shape: tuple[int, ...], renamed: dict[str, str]) -> dict[str, Array]:
    """Compare a network with PyTorch's in training, on the same parameters, in float64; return what it gave."""
    made = assemble(layers, shape)
    rng = np.random.default_rng(5)
    arrays = {parameter.name: rng.uniform(0.2, 1.2, parameter.shape) for parameter in made.parameters}
    x = rng.normal(size=(3, *shape))
    module = module.double().train()
    theirs = dict(module.named_parameters()) | dict(module.named_buffers())
    with torch.no_grad():
        for name, array in arrays.items():
            tensor = theirs[renamed.get(name, name)]
            tensor.copy_(torch.from_numpy(array.reshape(tuple(tensor.shape))))
    x_theirs = torch.from_numpy(x).requires_grad_()
    y_theirs = module(x_theirs)
    weights = rng.normal(size=tuple(y_theirs.shape))
    (y_theirs**2 * torch.from_numpy(weights)).sum().backward()
    graph = squared(made.training or made.graph).astype("float64")
    program = Reference().compile(graph)
    ours = program({name: array[None] for name, array in arrays.items()}, {"x": x, "weights": weights})
    np.testing.assert_allclose(ours["y"][0], y_theirs.detach().numpy(), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(ours["d_x"][0], x_theirs.grad.numpy(), rtol=1e-7, atol=1e-8)
    for parameter in made.parameters:
        tensor = theirs[renamed.get(parameter.name, parameter.name)]
        if parameter.learnt:
            expected = tensor.grad.numpy().reshape(parameter.shape)
            np.testing.assert_allclose(ours["d_" + parameter.name][0], expected, rtol=1e-7, atol=1e-8)
        else:
            expected = tensor.numpy().reshape(parameter.shape)
            np.testing.assert_allclose(ours["next." + parameter.name][0], expected, rtol=1e-9)
    evaluated = Reference().compile(made.graph.astype("float64"))
    # what PyTorch has now become is what training gives
    after = {name: ours.get("next." + name, array[None]) for name, array in arrays.items()}
    y = evaluated(after, {"x": x})["y"][0]
    np.testing.assert_allclose(y, module.eval()(torch.from_numpy(x)).detach().numpy(), rtol=1e-9, atol=1e-10)
    return ours


@pytest.mark.parametrize("stride", [1, (2, 3)])
@pytest.mark.parametrize("padding", ["valid", 2, (1, 0)])
@pytest.mark.parametrize("dilation", [1, (2, 1)])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_is_pytorchs(stride: Any, padding: Any, dilation: Any, groups: int) -> None:
    layer = Conv2d(filters=6, size=(3, 2), stride=stride, padding=padding, dilation=dilation, groups=groups)
    theirs = nn.Conv2d(CHANNELS, 6, (3, 2), stride, 0 if padding == "valid" else padding, dilation, groups)
    compared([layer], nn.Sequential(theirs), SHAPE, {})


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(("size", "dilation"), [((3, 3), (1, 1)), ((2, 4), (1, 1)), ((3, 2), (2, 3))])
def test_same_padding_is_pytorchs(size: Any, dilation: Any) -> None:
    layer = Conv2d(filters=3, size=size, padding="same", dilation=dilation, bias=False)
    theirs = nn.Conv2d(CHANNELS, 3, size, 1, "same", dilation, bias=False)
    compared([layer], nn.Sequential(theirs), SHAPE, {})


@pytest.mark.parametrize("name", SLOPES)
def test_an_activation_is_pytorchs(name: str) -> None:
    layers: list[Layer] = [Dense(units=5, activation=name), Activate(function=name)]
    theirs = nn.Sequential(nn.Sequential(nn.Linear(7, 5), SLOPES[name], SLOPES[name]))
    compared(layers, theirs, (7,), {"0.weight": "0.0.weight", "0.bias": "0.0.bias"})


@pytest.mark.parametrize(("size", "stride", "padding"), [(2, None, 0), (3, 2, 1), ((3, 2), (1, 3), (1, 0))])
def test_max_pooling_is_pytorchs(size: Any, stride: Any, padding: Any) -> None:
    layer = MaxPool(size=size, stride=stride, padding=padding)
    compared([LINEAR, layer], nn.Sequential(linear(), nn.MaxPool2d(size, stride, padding)), SHAPE, {})


@pytest.mark.parametrize(("size", "stride", "padding"), [(2, None, 0), (3, 2, 1), ((3, 2), (1, 3), (1, 0))])
def test_average_pooling_is_pytorchs_that_does_not_count_padding(size: Any, stride: Any, padding: Any) -> None:
    layer = AveragePool(size=size, stride=stride, padding=padding)
    theirs = nn.AvgPool2d(size, stride, padding, count_include_pad=False)
    compared([LINEAR, layer], nn.Sequential(linear(), theirs), SHAPE, {})


@pytest.mark.parametrize(("of", "theirs"), [("average", nn.AdaptiveAvgPool2d(1)), ("max", nn.AdaptiveMaxPool2d(1))])
def test_global_pooling_is_pytorchs(of: Any, theirs: Any) -> None:
    compared([LINEAR, GlobalPool(of=of)], nn.Sequential(linear(), theirs, nn.Flatten()), SHAPE, {})


@pytest.mark.parametrize("shape", [(CHANNELS, HIGH, WIDE), (CHANNELS,)])
def test_batch_normalisation_and_its_running_statistics_are_pytorchs(shape: tuple[int, ...]) -> None:
    layer = BatchNorm(momentum=0.3, epsilon=1e-3)
    theirs = (nn.BatchNorm2d if len(shape) > 1 else nn.BatchNorm1d)(CHANNELS, momentum=0.3, eps=1e-3)
    names = {"scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"}
    compared([layer], nn.Sequential(theirs), shape, {f"0.{ours}": f"0.{theirs}" for ours, theirs in names.items()})


@pytest.mark.parametrize(("axes", "shape"), [(None, (CHANNELS, HIGH, WIDE)), (2, (HIGH, WIDE)), (1, (WIDE,))])
def test_layer_normalisation_is_pytorchs(axes: int | None, shape: tuple[int, ...]) -> None:
    names = {"0.scale": "0.weight", "0.shift": "0.bias"}
    compared([LayerNorm(axes=axes)], nn.Sequential(nn.LayerNorm(shape)), SHAPE, names)


def test_an_embedding_is_pytorchs() -> None:
    made = assemble([Embedding(entries=6, units=3)], (4,))
    table = Streams(1)("table").normal((6, 3))
    ids = Streams(1)("ids").integers(0, 6, (5, 4))
    weights = Streams(1)("weights").normal((5, 4, 3))
    builder = Builder()
    y = builder.extend(made.graph)["y"]
    loss = (y * y * builder.input("weights", y.shape)).sum()
    program = Reference().compile(gradient(builder.graph({"y": y, "loss": loss})))
    ours = program({"0.weight": table[None]}, {"x": ids.astype(np.float32), "weights": weights})
    theirs = nn.Embedding.from_pretrained(torch.from_numpy(table), freeze=False)
    said = theirs(torch.from_numpy(ids))
    (said**2 * torch.from_numpy(weights)).sum().backward()
    np.testing.assert_array_equal(ours["y"][0], said.detach().numpy())
    np.testing.assert_allclose(ours["d_0.weight"][0], theirs.weight.grad.numpy(), rtol=1e-5, atol=1e-6)


class Around(nn.Module):
    """A residual block with a projection, as PyTorch's users write it."""

    def __init__(self, inner: Any, projection: Any) -> None:
        super().__init__()
        self.inner = inner
        self.projection = projection

    def forward(self, x: Any) -> Any:
        return torch.relu(self.inner(x) + self.projection(x))


def test_a_residual_block_with_a_projection_is_pytorchs() -> None:
    inner: Any = (
        Conv2d(filters=6, size=3, stride=2, padding=1, activation="tanh"),
        Conv2d(filters=6, size=3, padding="same"),
    )
    theirs = Around(
        nn.Sequential(nn.Conv2d(CHANNELS, 6, 3, 2, 1), nn.Tanh(), nn.Conv2d(6, 6, 3, padding="same")),
        nn.Conv2d(CHANNELS, 6, 1, 2, bias=False),
    )
    names = {
        "0.0.weight": "inner.0.weight",
        "0.0.bias": "inner.0.bias",
        "0.1.weight": "inner.2.weight",
        "0.1.bias": "inner.2.bias",
        "0.projection": "projection.weight",
    }
    block = Residual(layers=inner, activation="relu")
    compared([block], theirs, SHAPE, names)
