# SPDX-License-Identifier: MIT OR Apache-2.0
"""Layers by themselves: what they compute, their shapes, gradients on both devices, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from vynapse_autodiff.check import check_gradient
from vynapse_autodiff.layers import (
    Assembly,
    AveragePool,
    Conv2d,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Layer,
    MaxPool,
    Residual,
    Sequential,
    assemble,
)
from vynapse_core import Array, Builder, GraphError, Networks, Streams, installed
from vynapse_core.devices.reference import Reference

IMAGES = (2, 6, 5)


def layer(**table: Any) -> Layer:
    """Return a layer as a recipe's table gives it."""
    return Sequential.model_validate({"layers": (table,)}, context={"catalogue": installed()}).layers[0]


def said(made: Assembly, arrays: dict[str, Array], x: Array) -> Array:
    return Reference().compile(made.graph)(arrays, {"x": x})["y"]


def drawn(shape: tuple[int, ...], name: str = "x") -> Array:
    return Streams(3)(name).normal(shape)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.sampled_from(["same", "valid", (1, 2), (0, 3)]),
    st.integers(1, 2),
)
def test_a_convolution_is_the_sum_over_a_window_of_a_padded_image(
    size: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], padding: Any, groups: int
) -> None:
    filters = Conv2d(filters=4, size=size, stride=stride, dilation=dilation, padding=padding, groups=groups)
    try:
        made = assemble([filters], IMAGES)
    except GraphError:
        reach = [d * (s - 1) + 1 for d, s in zip(dilation, size, strict=True)]
        added = padding if isinstance(padding, tuple) else (0, 0)
        assert any(r > n + 2 * p for r, n, p in zip(reach, IMAGES[1:], added, strict=True))
        return
    arrays = made.initial(1, Streams(1)("initial"))
    arrays["0.bias"] = drawn((1, 4), "bias")
    x = drawn((2, *IMAGES))
    y = said(made, arrays, x)[0]
    around = []
    for n, s, step, apart in zip(IMAGES[1:], size, stride, dilation, strict=True):
        total = max((-(-n // step) - 1) * step + apart * (s - 1) + 1 - n, 0)
        around.append((total // 2, total - total // 2) if padding == "same" else (0, 0))
    if isinstance(padding, tuple):
        around = [(padding[0], padding[0]), (padding[1], padding[1])]
    image = np.pad(x, [(0, 0), (0, 0), *around])
    weight, seen = arrays["0.weight"][0], IMAGES[0] // groups
    for filter_, row, column in np.ndindex(y.shape[1:]):
        first = filter_ // (4 // groups) * seen
        top, left = row * stride[0], column * stride[1]
        patch = image[:, first : first + seen, top:, left:]
        patch = patch[:, :, : dilation[0] * size[0] : dilation[0], : dilation[1] * size[1] : dilation[1]]
        wanted = (patch[:, :, : size[0], : size[1]] * weight[filter_]).sum((1, 2, 3)) + arrays["0.bias"][0, filter_]
        np.testing.assert_allclose(y[:, filter_, row, column], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_padding_gives_as_many_positions_as_the_stride_fits_into_the_image(stride: int) -> None:
    for made in (
        Conv2d(filters=1, size=3, stride=stride, padding="same"),
        MaxPool(size=3, stride=stride, padding="same"),
    ):
        outputs = assemble([made], IMAGES).outputs
        assert outputs[1:] == tuple(-(-n // stride) for n in IMAGES[1:])


def test_padding_never_counts_in_a_pool() -> None:
    x = np.full((1, 1, 3, 3), -2.0, np.float32)
    for pool in (MaxPool(size=3, stride=1, padding="same"), AveragePool(size=3, stride=1, padding=1)):
        made = assemble([pool, Flatten(), Dense(units=9, bias=False)], (1, 3, 3))
        eye = {"2.weight": np.eye(9, dtype=np.float32)[None]}
        np.testing.assert_allclose(said(made, eye, x), -2.0, rtol=1e-6)


def test_an_id_outside_an_embedding_is_taken_as_the_nearest_within() -> None:
    made = assemble([Embedding(entries=3, units=2)], (4,))
    table = np.arange(6, dtype=np.float32).reshape(1, 3, 2)
    rows = said(made, {"0.weight": table}, np.array([[-1, 0, 2, 7]], np.float32))
    np.testing.assert_array_equal(rows[0, 0], table[0, [0, 0, 2, 2]])


NETWORKS: dict[str, tuple[list[dict[str, Any]], tuple[int, ...]]] = {
    "dense": ([{"type": "dense", "units": 3, "activation": "tanh"}], (4,)),
    "conv2d": ([{"type": "conv2d", "filters": 4, "size": [3, 2], "stride": [2, 1], "padding": 1}], IMAGES),
    "conv2d in groups": ([{"type": "conv2d", "filters": 4, "size": 2, "dilation": 2, "groups": 2}], IMAGES),
    "max_pool": ([{"type": "conv2d", "filters": 2, "size": 1}, {"type": "max_pool", "stride": 1}], IMAGES),
    "average_pool": (
        [{"type": "conv2d", "filters": 2, "size": 1}, {"type": "average_pool", "size": 3, "padding": "same"}],
        IMAGES,
    ),
    "global_pool": ([{"type": "conv2d", "filters": 2, "size": 1}, {"type": "global_pool"}], IMAGES),
    "batch_norm": ([{"type": "dense", "units": 3, "bias": False}, {"type": "batch_norm"}], (4,)),
    "batch_norm of images": ([{"type": "batch_norm"}], IMAGES),
    "layer_norm": ([{"type": "layer_norm"}], IMAGES),
    "dropout": ([{"type": "dense", "units": 6}, {"type": "dropout", "rate": 0.3}], (4,)),
    "embedding": ([{"type": "embedding", "entries": 3, "units": 2}, {"type": "flatten"}], (4,)),
    "residual": (
        [
            {
                "type": "residual",
                "layers": [{"type": "conv2d", "filters": 3, "size": 3, "stride": 2, "padding": "same"}],
                "activation": "tanh",
            }
        ],
        IMAGES,
    ),
    "shared": (
        [
            {"type": "dense", "units": 4, "name": "twice", "activation": "tanh"},
            {"type": "dense", "units": 4, "name": "twice"},
        ],
        (4,),
    ),
}


def in_training(name: str) -> tuple[Any, dict[str, Array], dict[str, Array]]:
    """Return the training graph of a network with a loss, its parameters [3, ...] and its inputs."""
    tables, shape = NETWORKS[name]
    made = assemble([layer(**table) for table in tables], shape)
    builder = Builder()
    outputs = builder.extend(made.training or made.graph)
    loss = (outputs["y"] * outputs["y"] * builder.input("weights", outputs["y"].shape)).sum()
    graph = builder.graph({**outputs, "loss": loss})
    arrays = made.initial(3, Streams(2)("initial"))
    arrays = {k: array + 0.3 * drawn(array.shape, k) ** 2 for k, array in arrays.items()}
    inputs = {"x": drawn((4, *shape)), "weights": drawn((4, *made.outputs), "weights")}
    if "key" in graph.inputs:
        inputs["key"] = np.array([7, 8], np.uint64)
    return graph, arrays, inputs


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_of_a_layer_in_training_are_those_of_central_differences(name: str) -> None:
    graph, arrays, inputs = in_training(name)
    one = {k: array[0] for k, array in arrays.items()}
    errors = check_gradient(graph, one, inputs, output="loss")
    assert errors


@pytest.mark.parametrize("name", NETWORKS)
def test_the_numba_device_computes_what_the_reference_computes(name: str) -> None:
    pytest.importorskip("vynapse_numba")
    from vynapse_numba.device import Numba

    graph, arrays, inputs = in_training(name)
    expected = Reference().compile(graph)(arrays, inputs)
    found = Numba(engine="tiles").compile(graph)(arrays, inputs)
    for output, wanted in expected.items():
        np.testing.assert_allclose(found[output], wanted, rtol=1e-4, atol=1e-5, err_msg=output)


def test_layers_of_one_name_share_their_parameters() -> None:
    made = assemble([Dense(units=4, name="twice"), Dense(units=4, name="twice")], (4,))
    assert [parameter.name for parameter in made.parameters] == ["twice.weight", "twice.bias"]


def test_a_shared_parameter_of_two_shapes_is_refused() -> None:
    with pytest.raises(
        GraphError, match=r"dense cannot take values \[3\]: .*'a.weight' .*\[3, 4\].*\[3, 3\]"
    ) as raised:
        assemble([Dense(units=3, name="a"), Dense(units=3, name="a")], (4,))
    assert raised.value.key == "layers.1"


def test_the_parameters_of_a_block_lie_under_its_own() -> None:
    block = Residual(layers=(Sequential(layers=(Dense(units=4),)), Dropout()))
    names = [parameter.name for parameter in assemble([Flatten(), block], (2, 3)).parameters]
    assert names == ["1.0.0.weight", "1.0.0.bias", "1.projection"]


def test_each_network_draws_its_own_first_weights() -> None:
    made = assemble([Dense(units=3)], (4,))
    networks: Networks = made.networks(made.initial(5, Streams(1)("initial")))
    weights = networks.arrays["0.weight"].reshape(5, -1)
    assert len({row.tobytes() for row in weights}) == 5
    assert not networks.arrays["0.bias"].any()


@pytest.mark.parametrize(
    ("table", "shape", "key", "text"),
    [
        ({"type": "dense", "units": 2}, IMAGES, "", r"dense cannot take values \[2, 6, 5\]: .* put a 'flatten'"),
        ({"type": "conv2d", "filters": 2, "size": 3}, (60,), "", r"conv2d .* \[60\]: expected images"),
        ({"type": "conv2d", "filters": 2, "size": 7}, IMAGES, "", "a window 7 high is larger than the image, 6 high"),
        (
            {"type": "conv2d", "filters": 3, "size": 1, "groups": 3},
            IMAGES,
            "",
            "2 channels cannot be cut into 3 groups",
        ),
        ({"type": "max_pool", "size": [2, 9]}, IMAGES, "", "a window 9 wide is larger than the image, 5 wide"),
        ({"type": "max_pool", "padding": 2}, IMAGES, "", "a padding of 2 is more than half of a window of 2"),
        ({"type": "global_pool"}, (4,), "", "expected channels with positions"),
        ({"type": "layer_norm", "axes": 2}, (4,), "", "expected at least 2 axes"),
        (
            {"type": "residual", "layers": [{"type": "flatten"}]},
            IMAGES,
            "",
            r"residual cannot take values \[2, 6, 5\]: its layers give \[60\], and no projection leads there",
        ),
        (
            {"type": "residual", "layers": [{"type": "flatten"}, {"type": "conv2d", "filters": 1, "size": 1}]},
            IMAGES,
            ".layers.1",
            r"conv2d cannot take values \[60\]",
        ),
    ],
)
def test_a_shape_that_does_not_fit_names_layer_shape_and_key(
    table: dict[str, Any], shape: tuple[int, ...], key: str, text: str
) -> None:
    before = layer(type="activation", function="relu")
    with pytest.raises(GraphError, match=text) as raised:
        assemble([before, layer(**table)], shape)
    assert raised.value.key == "layers.1" + key


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"type": "conv3d"}, "unknown type 'conv3d'"),
        ({"type": "conv2d", "filters": 3, "size": 3, "groups": 2}, r"'filters' \(3\) must be a multiple of 'groups'"),
        ({"type": "conv2d", "filters": 2, "size": [3, 3, 3]}, "expected at most 2 items"),
        ({"type": "conv2d", "filters": 2, "size": 0}, "expected a value greater than 0"),
        ({"type": "conv2d", "filters": 2, "size": 3, "padding": -1}, "expected 'same', 'valid', an integer from 0"),
        ({"type": "conv2d", "filters": 2, "size": 3, "padding": "full"}, "expected 'same', 'valid'.* found 'full'"),
        ({"type": "dropout", "rate": 1.0}, "expected a value less than 1"),
        ({"type": "dense", "units": 2, "name": "0"}, "expected a text like"),
        ({"type": "sequential", "layers": []}, "expected at least 1 item"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_expected(table: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        layer(**table)


def test_a_layer_that_needs_no_keys_may_be_written_as_its_name() -> None:
    table = {"layers": ("max_pool", {"type": "flatten"})}
    made = Sequential.model_validate(table, context={"catalogue": installed()})
    assert made.layers == (MaxPool(), Flatten())


def test_a_layer_out_of_a_recipe_is_the_one_built_in_python() -> None:
    table = {"type": "residual", "layers": [{"type": "conv2d", "filters": 2, "size": 3, "padding": "same"}]}
    assert layer(**table) == Residual(layers=(Conv2d(filters=2, size=(3, 3), padding="same"),))
