# SPDX-License-Identifier: MIT OR Apache-2.0
"""Anomalies, functions with a gradient of their own, checkpoints, traces, and tensors moved by optimisers."""

from __future__ import annotations

import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from vynapse_autodiff.eager import (
    Minimiser,
    Replay,
    Tensor,
    checkpoint,
    concatenate,
    custom_gradient,
    detect_anomaly,
    grad,
    graph_of,
    no_grad,
    run,
    stack,
    stop_gradient,
    tensor,
    trace,
)
from vynapse_autodiff.gradient import gradient
from vynapse_autodiff.optimisers import Adam, AdamW, Lbfgs, Lion, Momentum, RmsProp, Sgd
from vynapse_autodiff.training_step import training_step
from vynapse_core import Builder, Device, GraphError, installed, log_softmax, one_hot, softmax, where
from vynapse_core.activations import Elu, Gelu, LeakyRelu, Relu, Silu, Softmax, Softplus, Tanh
from vynapse_core.contracts import Activation
from vynapse_core.schedules import Exponential

RNG = np.random.default_rng(1)


def leaf(*shape: int, dtype: str = "float64", name: str = "") -> Tensor:
    return tensor(RNG.standard_normal(shape), requires_grad=True, name=name, dtype=dtype)


@contextmanager
def silent() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def test_an_anomaly_is_told_with_its_op_and_line() -> None:
    x = tensor([1.0, -1.0], name="x")
    with silent(), detect_anomaly(), pytest.raises(GraphError, match=r"test_eager_functions.py:\d+: log\('x'.*NaN"):
        x.log()
    with silent(), detect_anomaly(), pytest.raises(GraphError, match=r"div\(.*an infinity"):
        1.0 / (x - x)
    with silent():
        assert np.isnan(x.log().data).any()


def test_an_anomaly_that_was_there_before_is_told_as_such() -> None:
    x = tensor([np.nan], name="sensor")
    with detect_anomaly(), pytest.raises(GraphError, match=r"it was there before, in 'sensor' float32 \[1\]"):
        x * 2.0


def test_an_anomaly_of_the_backward_pass_names_the_op_and_its_line_in_the_forward_pass() -> None:
    x = tensor([0.0, 4.0], requires_grad=True, name="x")
    with detect_anomaly():
        root = x.sqrt()
        loss = root.sum()
        with pytest.raises(
            GraphError, match=r"the gradient of sqrt\('x' float32 \[2\]\) at test_eager_functions.py:\d+"
        ):
            loss.backward()
    loss = x.sqrt().sum()
    with detect_anomaly(), pytest.raises(GraphError, match=r"the gradient of sqrt\(.*\) makes an infinity in its div"):
        loss.backward()


def test_without_an_anomaly_the_mode_changes_nothing() -> None:
    w = leaf(3)
    with detect_anomaly():
        (w.tanh() * w).sum().backward()
    once = w.grad
    w.zero_grad()
    (w.tanh() * w).sum().backward()
    np.testing.assert_array_equal(w.grad, once)


def test_a_custom_gradient_takes_the_place_of_the_true_one() -> None:
    rounded = custom_gradient(lambda x: x.floor(), lambda g, y, x: g)
    w = leaf(4)
    y = rounded(w * 3.0)
    np.testing.assert_array_equal(y.data, np.floor(w.numpy() * 3))
    (y * y).sum().backward()
    np.testing.assert_allclose(w.grad, 6 * y.data)


def test_a_custom_gradient_serves_several_inputs_and_its_own_derivatives() -> None:
    product = custom_gradient(lambda x, y, n: x * y, lambda g, out, x, y, n: [g * y, g * x, None])
    x, y = leaf(3), leaf(3)
    n = tensor([1, 2])
    first = grad((product(x, y, n) * x).sum(), x, create_graph=True)
    np.testing.assert_allclose(first.data, 2 * x.data * y.data)
    second = grad(first.sum(), [x, y])
    np.testing.assert_allclose(second[0].data, 2 * y.data)
    np.testing.assert_allclose(second[1].data, 2 * x.data)


def test_the_rule_of_each_call_is_its_own() -> None:
    w = leaf(2)
    for factor in (1.0, 2.0, 3.0):
        w.zero_grad()
        custom_gradient(lambda x: x + 1.0, lambda g, y, x, factor=factor: g * factor)(w).sum().backward()
        np.testing.assert_allclose(w.grad, factor)


@pytest.mark.parametrize("size", [3, 40_000])
def test_cotangents_that_are_one_array_stay_apart(size: int) -> None:
    a, b = tensor(np.ones(size), requires_grad=True), tensor(np.ones(size), requires_grad=True)
    add = custom_gradient(lambda x, y: x + y, lambda g, out, x, y: (g, g))
    (add(a * 2.0, b * 3.0) * 5.0).sum().backward()
    np.testing.assert_array_equal(a.grad, np.full(size, 10.0))
    np.testing.assert_array_equal(b.grad, np.full(size, 15.0))
    a.zero_grad()
    b.zero_grad()
    add(a, b).sum().backward()
    assert a.grad is not None
    assert b.grad is not None
    assert not np.shares_memory(a.grad, b.grad)


def test_a_custom_gradient_of_another_shape_is_refused() -> None:
    w = leaf(2, name="w")
    with pytest.raises(GraphError, match=r"gives float64 \[\] as the cotangent of float64 \[2\]"):
        custom_gradient(lambda x: x * 1.0, lambda g, y, x: g.sum())(w).sum().backward()
    with pytest.raises(GraphError, match="gives 0 cotangents for 1 inputs"):
        custom_gradient(lambda x: x * 1.0, lambda g, y, x: [])(w).sum().backward()


def test_gradients_stop_where_they_are_told_to() -> None:
    w = leaf(3)
    (stop_gradient(w * 2.0) * w).sum().backward()
    np.testing.assert_allclose(w.grad, 2 * w.numpy())


def block(x: Tensor, w: Tensor) -> Tensor:
    for _ in range(6):
        x = (x @ w).tanh() * 1.01 + x
    return x


def test_a_checkpoint_changes_no_gradient() -> None:
    x, w, v = leaf(5, 4), leaf(4, 4), leaf(4, 4)
    (block(block(x, w), v) * x).sum().backward()
    expected = [t.grad for t in (x, w, v)]
    for t in (x, w, v):
        t.zero_grad()
    hidden = checkpoint(block, x, w)
    (checkpoint(lambda h: block(h, v), hidden) * x).sum().backward()
    for t, wanted in zip((x, w, v), expected, strict=True):
        np.testing.assert_allclose(t.grad, wanted)


def test_a_checkpoint_has_higher_derivatives() -> None:
    x, w = leaf(3, 2), leaf(2, 2)

    def penalty(f: Callable[..., Tensor]) -> Tensor:
        slope = grad((f(x, w) ** 2).sum(), x, create_graph=True)
        return grad((slope * slope).sum(), w)

    np.testing.assert_allclose(penalty(lambda *a: checkpoint(block, *a)).data, penalty(block).data, rtol=1e-9)


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_checkpoint_counts_an_input_once_however_it_comes_in(create_graph: bool) -> None:
    def product(a: Tensor, b: Tensor) -> Tensor:
        return a * b

    w = tensor(3.0, requires_grad=True)
    assert grad(checkpoint(product, w, w), w, create_graph=create_graph).item() == 6.0
    assert grad(checkpoint(product, w, w * 2.0), w, create_graph=create_graph).item() == 12.0
    assert grad(checkpoint(lambda a: a * w, w * 2.0), w, create_graph=create_graph).item() == 12.0


def test_a_checkpoint_of_dependent_inputs_has_higher_derivatives() -> None:
    w = tensor(3.0, requires_grad=True)
    slope = grad(checkpoint(lambda a: a * a * w, w * 2.0), w, create_graph=True)
    assert grad(slope, w).item() == 4 * 6 * 3.0


def test_an_anomaly_inside_a_checkpoint_is_told_with_its_op() -> None:
    x = tensor(-1.0, requires_grad=True)
    with silent(), detect_anomaly(), pytest.raises(GraphError, match=r"log\(float32 \[\]\) makes a NaN"):
        checkpoint(lambda a: (a.log() * 0.0).maximum(0.0), x)


def test_checkpoints_lower_peak_memory() -> None:
    x, w = leaf(300, 30), leaf(30, 30)
    w.assign(w.data * 0.1)

    def peak(step: Callable[[Tensor, Tensor], Tensor]) -> int:
        def loss() -> None:
            h = x
            for _ in range(8):
                h = step(h, w)
            h.sum().backward()

        loss()
        x.zero_grad()
        w.zero_grad()
        tracemalloc.start()
        loss()
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    plain, sparing = peak(block), peak(lambda h, w: checkpoint(block, h, w))
    assert sparing < 0.35 * plain


def test_a_checkpoint_tells_what_it_cannot_use() -> None:
    x = leaf(3)
    hidden = x * 2.0
    with pytest.raises(GraphError, match="which an op made; pass it as input"):
        checkpoint(lambda h: h * hidden, x)


def test_a_trace_is_the_graph_of_the_function() -> None:
    w, b = leaf(2, 3, dtype="float32", name="w"), leaf(3, dtype="float32")
    scale = np.array([1.0, 2.0, 3.0], np.float32)

    def f(x: Tensor, flag: Tensor) -> dict[str, Tensor]:
        h = (x @ w + b).tanh() * scale
        return {"h": h, "mean": h[flag].mean() / 2 + (h > 0).cast("float32").sum()}

    x, flag = RNG.standard_normal((4, 2)).astype(np.float32), np.array([0, 2])
    graph = trace(f, x, flag)
    graph.validate()
    assert list(graph.inputs) == ["x", "flag"]
    assert list(graph.parameters) == ["w", "p0"]
    device = installed().build(Device, {"type": "vynapse:reference"})
    found = device.compile(graph)({"w": w.data[None], "p0": b.data[None]}, {"x": x, "flag": flag})
    expected = f(tensor(x), tensor(flag))
    for name in ("h", "mean"):
        np.testing.assert_allclose(found[name][0], expected[name].data, rtol=1e-6)


def test_a_gradient_that_is_taken_inside_is_part_of_the_trace() -> None:
    def slope(x: Tensor) -> Tensor:
        return grad((x.sin() * x).sum(), x)

    x = leaf(3)
    graph = trace(slope, x)
    device = installed().build(Device, {"type": "vynapse:reference"})
    other = RNG.standard_normal(3)
    builder = Builder()
    held = builder.parameter("held", (), "float64")
    outputs = builder.extend(graph)
    program = device.compile(builder.graph({"y": outputs["y"] + held * 0.0}))
    found = program({"held": np.zeros(1)}, {"x": other})["y"][0]
    np.testing.assert_allclose(found, np.sin(other) + other * np.cos(other))


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: x if x.sum() > 0 else -x, "a branch depends on a value"),
        (lambda x: np.exp(np.asarray(x)), "an array was made of a tensor"),
        (lambda x: x * x.numpy(), "an array was made of a tensor"),
        (lambda x: x / float(x.sum()), "a number was made of a tensor"),
        (lambda x: x * int(x.argmax()), "a number was made of a tensor"),
        (lambda x: (x.sum().backward(), x)[1], "backward changes leaves"),
        (lambda x: checkpoint(lambda h: h, x * 1.0), "cannot be traced"),
        (lambda x: [1.0], "'y0' is no tensor"),
    ],
)
def test_a_trace_refuses_what_no_graph_can_express(f: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        trace(f, leaf(3))


def test_what_is_traced_without_recording_has_no_gradient_in_the_graph_either() -> None:
    def f(x: Tensor) -> Tensor:
        with no_grad():
            scale = x * x
        return (scale * x).sum()

    x = leaf(3)
    graph = gradient(trace(f, x), "y", ["x"])
    f(x).backward()
    found = installed().build(Device, {"type": "reference"}).compile(graph, per_network=("x",))({}, {"x": x.data[None]})
    np.testing.assert_allclose(found["d_x"][0], x.grad)


def test_names_of_leaves_are_their_own() -> None:
    a, b = leaf(2, name="w"), leaf(2, name="w")
    with pytest.raises(GraphError, match="two leaves are called 'w'"):
        graph_of({"y": a * b})


def test_what_was_recorded_is_a_graph() -> None:
    w = leaf(2, 2, name="w")
    graph = graph_of({"loss": ((tensor(np.ones((3, 2))) @ w).relu() + 1.0).sum()})
    graph.validate()
    assert (list(graph.parameters), list(graph.inputs)) == (["w"], ["x0"])


ACTIVATIONS: list[Activation] = [Elu(), Gelu(), LeakyRelu(), Relu(), Silu(), Softmax(), Softplus(), Tanh()]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: type(a).__name__)
def test_parts_that_build_graphs_take_tensors(activation: Activation) -> None:
    x = RNG.standard_normal((3, 4))
    builder = Builder()
    parameter = builder.parameter("x", (3, 4), "float64")
    graph = builder.graph({"y": activation.build(parameter)})
    device = installed().build(Device, {"type": "vynapse:reference"})
    expected = device.compile(graph)({"x": x[None]}, {})["y"][0]
    given: Any = tensor(x)
    np.testing.assert_allclose(activation.build(given).data, expected)


def test_the_kernels_functions_of_values_take_tensors() -> None:
    x, ids = leaf(3, 4), tensor([1, 0, 3])
    given: Any = x
    chosen: Any = ids
    shares = np.exp(x.data) / np.exp(x.data).sum(-1, keepdims=True)
    np.testing.assert_allclose(softmax(given).data, shares)
    np.testing.assert_allclose(log_softmax(given).data, np.log(shares))
    np.testing.assert_array_equal(one_hot(chosen, 4).data, np.eye(4)[[1, 0, 3]])
    np.testing.assert_array_equal(where(given > 0, given, 0.0).data, np.maximum(x.data, 0))


def test_tensors_are_joined_as_arrays_are() -> None:
    a, b = leaf(2, 3), leaf(1, 3)
    (concatenate([a, b], -2) * np.arange(9.0).reshape(3, 3)).sum().backward()
    np.testing.assert_allclose(b.grad, [[6, 7, 8]])
    for axis in (0, 1, 2, -1):
        np.testing.assert_array_equal(stack([a, a * 2.0], axis).data, np.stack([a.data, a.data * 2], axis))
    with pytest.raises(GraphError, match="is not stacked on"):
        stack([a, b])
    with pytest.raises(GraphError, match="no tensor to join"):
        stack([])


def test_a_graph_is_computed_on_tensors_for_any_batch() -> None:
    builder = Builder()
    x = builder.input("x", ("B", 2), "float64")
    w = builder.parameter("w", (2, 3), "float64")
    y = builder.apply("tanh", x @ w)
    graph = builder.graph({"y": y, "loss": (y.reshape(("B", 3, 1)) ** 2).mean()})
    slopes = gradient(graph)
    device = installed().build(Device, {"type": "vynapse:reference"})
    replay, weights = Replay(graph), leaf(2, 3)
    for samples in (4, 5, 4):
        array = RNG.standard_normal((samples, 2))
        outputs = replay({"x": tensor(array), "w": weights})
        expected = device.compile(slopes)({"w": weights.data[None]}, {"x": array})
        np.testing.assert_allclose(outputs["y"].data, expected["y"][0])
        weights.zero_grad()
        outputs["loss"].backward()
        np.testing.assert_allclose(weights.grad, expected["d_w"][0])
    with pytest.raises(GraphError, match="'x' is missing; given: w"):
        run(graph, {"w": weights})
    with pytest.raises(GraphError, match=r"input 'x': expected float64 \[B, 2\], got float64 \[3, 3\]"):
        run(graph, {"w": weights, "x": tensor(np.zeros((3, 3)))})


OPTIMISERS = [
    Sgd(rate=0.1),
    Sgd(rate=0.1, l1=0.01, l2=0.1, clip_value=0.3),
    Momentum(rate=0.05, clip_norm=0.5),
    Adam(rate=0.05),
    AdamW(rate=0.05, accumulate=2),
    RmsProp(rate=0.01, average=0.5),
    Lion(rate=0.01, decay=0.1),
]


@pytest.mark.parametrize("optimiser", OPTIMISERS, ids=lambda o: o.rule)
def test_tensors_follow_the_optimiser_as_its_graph_does(optimiser: Any) -> None:
    x, target = RNG.standard_normal((6, 2)), RNG.standard_normal((6, 1))
    arrays = {"w": RNG.standard_normal((2, 3)), "b": np.zeros(3), "v": RNG.standard_normal((3, 1))}

    def network(x: Any, leaves: Any) -> Any:
        return x.builder.apply("tanh", x @ leaves["w"] + leaves["b"]) @ leaves["v"]

    builder = Builder()
    leaves = {name: builder.parameter(name, array.shape, "float64") for name, array in arrays.items()}
    graph = builder.graph({"y": network(builder.input("x", ("B", 2), "float64"), leaves)})
    step = training_step(
        graph, lambda y, t: {"loss": ((y - t) ** 2).mean()}, optimiser, (("B", 1), "float64"), builder.ops
    )
    program = installed().build(Device, {"type": "vynapse:reference"}).compile(step.graph)
    state = {name: array[None] for name, array in arrays.items()}
    state |= step.memory(state)
    after, seen = program.scan(state, {"x": x, "target": target, "rate": np.float64(optimiser.rate)}, {}, step.carry, 9)
    tensors = {name: tensor(array, requires_grad=True) for name, array in arrays.items()}
    minimiser = Minimiser(tensors.values(), optimiser)
    for number in range(9):
        loss = ((network(tensor(x), tensors) - target) ** 2).mean()
        np.testing.assert_allclose(loss.item(), seen["loss"][number, 0], rtol=1e-9)
        loss.backward()
        minimiser.step()
        minimiser.zero_grad()
    judged = optimiser.judged({name: after[name] for name in arrays}, after)
    for (name, x_), mean in zip(tensors.items(), minimiser.means(), strict=True):
        np.testing.assert_allclose(x_.data, after[name][0], rtol=1e-9)
        np.testing.assert_allclose(mean, judged[name][0], rtol=1e-9)


def test_the_rate_follows_its_schedule() -> None:
    w = tensor([0.0], requires_grad=True)
    minimiser = Minimiser([w], Sgd(rate=Exponential(start=1.0, end=0.01)), steps=3)
    rates = []
    for _ in range(3):
        rates.append(minimiser.rate)
        before = w.item()
        w.sum().backward()
        minimiser.step()
        minimiser.zero_grad()
        assert before - w.item() == pytest.approx(rates[-1], rel=1e-5)
    assert rates == pytest.approx([1.0, 0.1, 0.01])


def test_numbers_assigned_between_two_steps_are_where_it_goes_on() -> None:
    w = tensor([1.0, 2.0], requires_grad=True)
    minimiser = Minimiser([w], Sgd(rate=1.0))
    w.assign([5.0, 6.0])
    w.sum().backward()
    minimiser.step()
    assert w.numpy().tolist() == [4.0, 5.0]


def test_what_was_recorded_before_a_step_has_no_gradient_after_it() -> None:
    w = leaf(2)
    minimiser = Minimiser([w], Sgd())
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    minimiser.step()
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


def test_what_cannot_be_moved_is_refused() -> None:
    w = leaf(2, name="w")
    with pytest.raises(GraphError, match="expected a leaf"):
        Minimiser([w * 2.0], Sgd())
    with pytest.raises(GraphError, match="no tensor"):
        Minimiser([], Sgd())
    with pytest.raises(GraphError, match="float32 and float64: take a minimiser for each"):
        Minimiser([w, leaf(2, dtype="float32")], Sgd())
    w.sum().backward()
    with pytest.raises(GraphError, match="Lbfgs looks at the loss several times"):
        Minimiser([w], Lbfgs()).step()
    w.zero_grad()
    with pytest.raises(GraphError, match="no tensor has a gradient"):
        Minimiser([w], Sgd()).step()


def test_a_network_learns_xor() -> None:
    x = tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = tensor([[0.0], [1.0], [1.0], [0.0]])
    rng = np.random.default_rng(3)
    w = tensor(rng.standard_normal((2, 8)).astype(np.float32), requires_grad=True)
    b = tensor(np.zeros(8, np.float32), requires_grad=True)
    v = tensor(rng.standard_normal((8, 1)).astype(np.float32), requires_grad=True)
    minimiser = Minimiser([w, b, v], Adam(rate=0.05))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(200):
            loss = (((x @ w + b).tanh() @ v - y) ** 2).mean()
            loss.backward()
            minimiser.step()
            minimiser.zero_grad()
    with no_grad():
        assert (((x @ w + b).tanh() @ v - y) ** 2).mean().item() < 1e-3
