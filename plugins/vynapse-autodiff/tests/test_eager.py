# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tensors: they compute as NumPy does, and their gradients are the static ones and the true ones."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from vynapse_autodiff.eager import Tensor, backward, grad, no_grad, structure, tensor
from vynapse_autodiff.gradient import gradient
from vynapse_core import Array, Builder, Device, GraphError, installed

RNG = np.random.default_rng(0)


def leaf(*shape: int, dtype: str = "float64", name: str = "") -> Tensor:
    return tensor(RNG.standard_normal(shape), requires_grad=True, name=name, dtype=dtype)


def differences(f: Any, x: Tensor, step: float = 1e-6) -> Array:
    """Return central differences of a scalar function by `x`, float64."""
    slopes = np.zeros(x.shape)
    for at in np.ndindex(*x.shape):
        values = []
        for sign in (1, -1):
            moved = x.numpy()
            moved[at] += sign * step
            values.append(f(tensor(moved)).item())
        slopes[at] = (values[0] - values[1]) / (2 * step)
    return slopes


ARITHMETIC = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / (b * b + 1.0),
    "numbers": lambda a, b: 2.0 * a - b / 4 + (1 - a) * (3.0 / (b * b + 2)),
    "power": lambda a, b: (a * a + 1.0) ** 1.5 + b**2 + 2.0**b,
    "negative": lambda a, b: -a + abs(b),
}


@pytest.mark.parametrize(
    "shapes", [((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (1, 4)), ((), (2, 3)), ((2, 1, 3), (4, 1))]
)
@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_broadcasts_as_numpy_does_and_its_gradient_is_true(name: str, shapes: Any) -> None:
    f = ARITHMETIC[name]
    a, b = leaf(*shapes[0]), leaf(*shapes[1])
    y = f(a, b)
    np.testing.assert_allclose(y.data, f(a.numpy(), b.numpy()), rtol=1e-12)
    (y * y).sum().backward()
    for x, g in ((a, lambda t: f(t, b.detach())), (b, lambda t: f(a.detach(), t))):
        assert x.grad is not None
        assert x.grad.shape == x.shape
        np.testing.assert_allclose(x.grad, differences(lambda t, g=g: (g(t) * g(t)).sum(), x), rtol=1e-5, atol=1e-6)


FUNCTIONS = {
    "exp": lambda x: x.exp(),
    "log": lambda x: (x * x + 0.5).log(),
    "log1p": lambda x: (x * x).log1p(),
    "sqrt": lambda x: (x * x + 0.5).sqrt(),
    "tanh": lambda x: x.tanh(),
    "sigmoid": lambda x: x.sigmoid(),
    "sin": lambda x: x.sin() * x.cos(),
    "erf": lambda x: x.erf(),
    "relu": lambda x: x.relu(),
    "extremes": lambda x: x.maximum(0.3) + x.minimum(-0.2),
    "sum": lambda x: x.sum(0) * x.sum(axes=1, keepdims=True),
    "mean": lambda x: x.mean(-1) + x.mean(),
    "var": lambda x: x.var(0),
    "max": lambda x: x.max(1) + x.min(1),
    "reshape": lambda x: x.reshape(2, -1) * x.reshape((6, 2))[:2, :1],
    "transpose": lambda x: x.T @ x + x.transpose((1, 0)) @ x,
    "vectors": lambda x: (x @ x[0]) @ x @ x[1] + x[0] @ x[1],
    "slices": lambda x: x[1:, ::2] * x[-1, None, 1:3] + x[..., 0:1].sum() + x[::-1, 0:2][1:],
    "integers": lambda x: x[[0, 2, 2]] * x[np.array([1, -1, 0])] + x[np.array([0, 1, 2]), np.array([3, 0, 0])].sum(),
    "where": lambda x: x.builder.apply("where", x > 0, x * x, -x),
    "comparison": lambda x: x * (x >= 0.1).cast("float64") + x * (x != 0.0).cast("float64"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_gradient_of_each_function_is_that_of_central_differences(name: str) -> None:
    x = leaf(3, 4)
    f = FUNCTIONS[name]
    weights = np.cos(np.arange(f(x).size)).reshape(f(x).shape)
    (f(x) * weights).sum().backward()
    np.testing.assert_allclose(x.grad, differences(lambda t: (f(t) * weights).sum(), x), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "index",
    [
        *(0, -1, slice(1, 3), slice(None, None, 2), slice(None, None, -1), (slice(None), 1), (1, 2, 0), (..., 1)),
        *((None, 0), [0, 2], (slice(1, 3), [1, -1]), ([0, 1], [1, 2]), (0, np.array([[0, 1], [2, 0]])), (slice(0, 0),)),
        *((slice(None), [0, 1], [1, 0]), (np.int64(1), np.array([1]), None)),
    ],
    ids=repr,
)
def test_an_index_gives_what_numpy_gives(index: Any) -> None:
    x = tensor(RNG.standard_normal((3, 4, 3)))
    np.testing.assert_array_equal(x[index].data, x.numpy()[index])
    assert x[index].shape == x.numpy()[index].shape


def test_an_index_that_is_a_tensor_is_as_good_as_an_array() -> None:
    x = leaf(3, 4)
    np.testing.assert_array_equal(x[tensor([2, 0])].data, x.numpy()[[2, 0]])
    np.testing.assert_array_equal(x[tensor([-1, 0])].data, x.numpy()[[-1, 0]])
    np.testing.assert_array_equal(x[tensor(1)].data, x.numpy()[1])


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (3, "size 3"),
        ((0, 0, 0), "2 axes"),
        (1.0, "cannot index"),
        (True, "cannot index"),
        ([True, False, True], "where"),
        ((0, None, [0]), "side by side"),
        ([7], "index 7 is outside"),
        (([0], [5]), "index 5 is outside axis 1 of size 4"),
        (([1], [-6]), "outside axis 1 of size 4"),
    ],
    ids=repr,
)
def test_an_index_that_does_not_fit_is_refused(index: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        leaf(3, 4)[index]


@st.composite
def compositions(draw: st.DrawFn) -> tuple[list[tuple[str, int, int]], int]:
    """Return steps (op, operand, operand), numbered after two leaves, and a seed."""
    ops = ("add", "sub", "mul", "tanh", "sin", "matmul", "mean", "take", "maximum", "sigmoid", "flip", "square")
    steps: list[tuple[str, int, int]] = []
    for _ in range(draw(st.integers(1, 8))):
        known = st.integers(0, len(steps) + 1)
        steps.append((draw(st.sampled_from(ops)), draw(known), draw(known)))
    return steps, draw(st.integers(0, 1000))


def composed(steps: list[tuple[str, int, int]], leaves: list[Any]) -> Any:
    """Return the sum of all results, on tensors or on values."""
    values = list(leaves)
    for op, i, j in steps:
        a, b = values[i], values[j]
        apply = a.builder.apply
        values.append(
            {
                "add": lambda a=a, b=b: a + b,
                "sub": lambda a=a, b=b: a - b,
                "mul": lambda a=a, b=b: a * b,
                "tanh": lambda a=a, apply=apply: apply("tanh", a),
                "sin": lambda a=a, apply=apply: apply("sin", a),
                "matmul": lambda a=a, b=b, apply=apply: apply("tanh", a @ b.T) @ b,
                "mean": lambda a=a, b=b: a.mean(0) + b,
                "take": lambda a=a: a[1:2] * a[:, 2:],
                "maximum": lambda a=a, b=b, apply=apply: apply("maximum", a, b),
                "sigmoid": lambda a=a, apply=apply: apply("sigmoid", a * 3.0),
                "flip": lambda a=a, b=b: a.reshape((9,))[0:3] + b,
                "square": lambda a=a: a**2 / 2.0,
            }[op]()
        )
        if op == "take":
            values[-1] = values[-1] + a
    total = values[-1].sum()
    for value in values[2:-1]:
        total = total + value.mean()
    return total


@settings(max_examples=60, deadline=None)
@given(compositions())
def test_random_compositions_have_the_gradients_of_the_static_graph(made: Any) -> None:
    steps, seed = made
    rng = np.random.default_rng(seed)
    arrays = {name: rng.standard_normal((3, 3)) for name in ("a", "b")}
    builder = Builder()
    loss = composed(steps, [builder.parameter(name, (3, 3), "float64") for name in arrays])
    device = installed().build(Device, {"type": "vynapse:reference"})
    graph = gradient(builder.graph({"loss": loss}))
    expected = device.compile(graph)({name: array[None] for name, array in arrays.items()}, {})
    leaves = {name: tensor(array, requires_grad=True) for name, array in arrays.items()}
    total = composed(steps, list(leaves.values()))
    np.testing.assert_allclose(total.item(), expected["loss"][0], rtol=1e-9, atol=1e-12)
    total.backward()
    for name, x in leaves.items():
        found = np.zeros((3, 3)) if x.grad is None else x.grad
        np.testing.assert_allclose(found, expected[f"d_{name}"][0], rtol=1e-8, atol=1e-10)


@settings(max_examples=60, deadline=None)
@given(
    mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3), st.sampled_from(["add", "sub", "mul", "div"])
)
def test_whatever_broadcasts_gets_gradients_of_its_own_shape(shapes: Any, op: str) -> None:
    a, b = (leaf(*shape) for shape in shapes.input_shapes)
    b.assign(np.abs(b.data) + 0.5)
    y = a.builder.apply(op, a, b)
    assert y.shape == shapes.result_shape
    y.backward(np.ones(y.shape))
    slopes = {"add": (1, 1), "sub": (1, -1), "mul": (b.data, a.data), "div": (1 / b.data, -a.data / b.data**2)}[op]
    for x, slope in zip((a, b), slopes, strict=True):
        whole = np.broadcast_to(slope, y.shape)
        lead = tuple(range(len(y.shape) - x.ndim))
        axes = (*lead, *(len(lead) + i for i, n in enumerate(x.shape) if n == 1))
        np.testing.assert_allclose(x.grad, whole.sum(axes, keepdims=True).reshape(x.shape))


def test_gradients_add_up_over_uses_and_over_passes() -> None:
    w = leaf(3)
    (w * 2.0 + w * w).sum().backward()
    once = 2 + 2 * w.numpy()
    np.testing.assert_allclose(w.grad, once)
    (w * 2.0 + w * w).sum().backward()
    np.testing.assert_allclose(w.grad, 2 * once)
    w.zero_grad()
    assert w.grad is None


def test_only_the_first_of_many_equal_steps_derives_its_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    w, calls = leaf(7, 3), []
    derive = backward.pullback
    monkeypatch.setattr(backward, "pullback", lambda *given: (calls.append(1), derive(*given))[1])
    for step in range(5):
        x = RNG.standard_normal((11, 7))
        w.zero_grad()
        ((x @ w).tanh() * (step + 1.0)).mean().backward()
        np.testing.assert_allclose(w.grad, x.T @ (1 - np.tanh(x @ w.data) ** 2) * (step + 1) / 33)
    assert len(calls) == 1


def test_structures_beyond_those_that_are_kept_are_derived_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "MOST", 2)
    w = leaf(3)
    for power in (3.0, 4.0, 5.0, 3.0):
        w.assign([0.5, 1.0, 2.0])
        w.zero_grad()
        (w**power).sum().backward()
        np.testing.assert_allclose(w.grad, power * w.data ** (power - 1))


def test_two_expansions_that_are_added_keep_their_shape() -> None:
    x = leaf(3, 2)
    total = x.sum()
    (total.tanh() + total.exp() * x.mean().sin() + (x.sum(0) * x.mean(0)).sum()).backward()
    t, m = x.data.sum(), x.data.mean()
    slope = 1 - np.tanh(t) ** 2 + np.exp(t) * np.sin(m) + np.exp(t) * np.cos(m) / 6 + 2 * x.data.mean(0)
    np.testing.assert_allclose(x.grad, np.broadcast_to(slope, (3, 2)))


def test_a_leaf_is_its_own_gradient_source() -> None:
    x = leaf()
    x.backward()
    np.testing.assert_array_equal(x.grad, 1.0)
    y = (x * 2.0).retain_grad()
    y.backward()
    np.testing.assert_array_equal(x.grad, 3.0)
    np.testing.assert_array_equal(y.grad, 1.0)


def test_a_gradient_of_a_gradient_passes_through_what_is_changed_in_shape() -> None:
    x, w = leaf(4, 3), leaf(3, 2)

    def penalty(w: Tensor) -> Tensor:
        h = ((x @ w).reshape(2, 4)[:, 1:].T @ w.T[:, :1].reshape(1, 2).T).exp()
        slope = grad(h.mean() + h[[0, 2, 0]].max(0).sum(), w, create_graph=True)
        return (slope * slope).sum()

    found = grad(penalty(w), w)
    measured = differences(lambda t: penalty(tensor(t.data, requires_grad=True)), w)
    np.testing.assert_allclose(found.data, measured, rtol=1e-4, atol=1e-6)


def test_two_leaves_that_share_a_gradient_do_not_share_its_array() -> None:
    a, b = leaf(3), leaf(3)
    (a + b).sum().backward()
    assert a.grad is not None
    a.grad *= 5
    np.testing.assert_allclose(b.grad, 1)


def test_the_gradient_is_never_a_leafs_own_array() -> None:
    a, b = leaf(3), leaf(3)
    (a * b).sum().backward()
    assert a.grad is not None
    a.grad *= 0
    np.testing.assert_allclose(b.grad, a.numpy())
    assert b.data.any()


def test_the_same_structure_serves_one_tensor_in_two_places() -> None:
    a, b = leaf(3), leaf(3)
    (a * b).sum().backward()
    c = leaf(3)
    (c * c).sum().backward()
    np.testing.assert_allclose(c.grad, 2 * c.numpy())
    np.testing.assert_allclose(grad((c * c).sum(), c).data, 2 * c.numpy())


def test_shapes_that_change_are_not_taken_for_those_before() -> None:
    w = leaf(2, 1)
    for rows in (4, 3, 4, 1):
        x = RNG.standard_normal((rows, 2))
        w.zero_grad()
        (x @ w).mean().backward()
        np.testing.assert_allclose(w.grad, x.mean(0)[:, None])


def test_numbers_that_change_are_not_taken_for_those_before() -> None:
    w = leaf(3)
    for scale in (1.0, 2.0, 3.5):
        w.zero_grad()
        (w * scale - scale).maximum(scale).sum().backward()
        np.testing.assert_allclose(w.grad, np.where(w.numpy() * scale - scale > scale, scale, 0.0))


def test_a_second_backward_pass_needs_the_graph_to_be_retained() -> None:
    w = leaf(2)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    np.testing.assert_allclose(w.grad, 4 * w.numpy())
    with pytest.raises(GraphError, match=r"test_eager.py:\d+: what led to .* let go of.*retain_graph"):
        loss.backward()


def test_a_graph_that_was_let_go_of_is_not_gone_through_from_elsewhere() -> None:
    w = leaf(2)
    inner = w * w
    inner.sum().backward()
    with pytest.raises(GraphError, match="let go of"):
        (inner * 2.0).sum().backward()


def test_what_is_let_go_of_is_freed_though_the_loss_is_held() -> None:
    w = leaf(4)
    hidden = w.tanh()
    loss = hidden.sum()
    seen = weakref.ref(hidden)
    del hidden
    gc.disable()
    try:
        loss.backward()
        assert seen() is None
    finally:
        gc.enable()


def test_a_result_that_nobody_holds_is_freed_without_a_backward_pass() -> None:
    w = leaf(4)
    gc.disable()
    try:
        y = w.tanh().sum()
        seen = weakref.ref(y._operands[0])
        y = w.tanh().sum()
        assert seen() is None
        assert y.requires_grad
    finally:
        gc.enable()


def test_a_gradient_between_is_kept_where_it_is_asked_for() -> None:
    w = leaf(3)
    hidden = (w * 2.0).retain_grad()
    other = w * 3.0
    (hidden * hidden + other).sum().backward()
    np.testing.assert_allclose(hidden.grad, 2 * hidden.numpy())
    assert other.grad is None


def test_a_tensor_that_is_no_scalar_wants_a_cotangent() -> None:
    w = leaf(2, 3)
    with pytest.raises(GraphError, match=r"no scalar, wants a cotangent"):
        (w * w).backward()
    g = RNG.standard_normal((2, 3))
    (w * w).backward(g)
    np.testing.assert_allclose(w.grad, 2 * w.numpy() * g)
    with pytest.raises(GraphError, match=r"float64 \[3\]; expected its shape"):
        (w * w).backward(g[0])


def test_without_recording_there_is_no_gradient() -> None:
    w = leaf(2)
    with no_grad():
        y = (w * w).sum()
    assert not y.requires_grad
    with pytest.raises(GraphError, match="no_grad"):
        y.backward()

    @no_grad()
    def f(x: Tensor) -> Tensor:
        return x @ x + x.sum() + (x > 0).cast("float64").mean()

    assert not f(w).requires_grad
    assert (w * w).requires_grad


def test_detached_numbers_pass_no_gradient() -> None:
    w = leaf(3)
    (w.detach() * w).sum().backward()
    np.testing.assert_allclose(w.grad, w.numpy())


def test_what_was_changed_in_place_is_noticed() -> None:
    w = leaf(3, name="w")
    loss = (w * w).sum()
    w.assign(np.zeros(3))
    with pytest.raises(GraphError, match=r"'w' float64 \[3\] was changed in place after it was used"):
        loss.backward()
    np.testing.assert_array_equal(w.data, 0)


@pytest.mark.parametrize("kept", ["a leaf", "a result without a gradient"])
def test_what_has_no_gradient_but_is_multiplied_with_is_not_changed_in_place_unnoticed(kept: str) -> None:
    w, x = leaf(3), tensor(np.ones(3), name="x")
    if kept != "a leaf":
        with no_grad():
            x = w * 2.0
    loss = (w * x).sum()
    x.assign(np.full(3, 100.0))
    with pytest.raises(GraphError, match="was changed in place after it was used"):
        loss.backward()


def test_an_array_of_indices_may_be_written_over_before_the_backward_pass() -> None:
    x, index = leaf(3), np.array([0, 1])
    loss = (x[index] * np.array([1.0, 2.0])).sum()
    index[:] = 2
    loss.backward()
    np.testing.assert_array_equal(x.grad, [1.0, 2.0, 0.0])


def test_axes_may_be_numpys_integers() -> None:
    x = tensor(np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(x.sum(np.int64(0)).data, x.data.sum(0))
    np.testing.assert_array_equal(x.max(np.int64(1)).data, x.data.max(1))


@pytest.mark.parametrize(("dtype", "number"), [("uint64", -1), ("int32", 2**40)])
def test_a_number_that_the_dtype_cannot_hold_is_refused(dtype: str, number: int) -> None:
    with pytest.raises(GraphError, match=rf"the number {number} does not fit {dtype}"):
        tensor([1], dtype=dtype) + number


def test_a_tensor_is_not_written_by_index_and_a_result_is_not_assigned_to() -> None:
    w = leaf(3)
    with pytest.raises(GraphError, match="not written in place"):
        w[0] = 1.0
    with pytest.raises(GraphError, match="made by an op"):
        (w * w).assign(np.zeros(3))
    with pytest.raises(GraphError, match=r"given \[4\]"):
        w.assign(np.zeros(4))


def test_higher_derivatives_come_of_tensors_that_have_gradients_again() -> None:
    x = leaf(4)
    y = (x.sin() * x).sum()
    first = grad(y, x, create_graph=True)
    second = grad(first.sum(), x, create_graph=True)
    third = grad(second.sum(), x)
    a = x.numpy()
    np.testing.assert_allclose(first.data, np.sin(a) + a * np.cos(a))
    np.testing.assert_allclose(second.data, 2 * np.cos(a) - a * np.sin(a))
    np.testing.assert_allclose(third.data, -3 * np.sin(a) - a * np.cos(a))


def test_a_penalty_on_a_gradient_reaches_the_weights() -> None:
    w, x = leaf(3, 2), leaf(5, 3)

    def penalty(w: Tensor, x: Tensor) -> Tensor:
        slope = grad((x @ w).tanh().sum(), x, create_graph=True)
        return (slope * slope).mean()

    penalty(w, x).backward()
    measured = differences(lambda t: penalty(tensor(t.data, requires_grad=True), x), w)
    np.testing.assert_allclose(w.grad, measured, rtol=1e-5, atol=1e-8)


def test_grad_takes_several_outputs_inputs_between_and_cotangents() -> None:
    a, b = leaf(3), leaf(3)
    hidden = a * b
    y, z = hidden * hidden, a.exp()
    found = grad([y, z], [a, hidden, b, leaf(2)], [np.ones(3), np.full(3, 2.0)], retain_graph=True)
    np.testing.assert_allclose(found[0].data, 2 * hidden.data * b.data + 2 * np.exp(a.data))
    np.testing.assert_allclose(found[1].data, 2 * hidden.data)
    np.testing.assert_allclose(found[2].data, 2 * hidden.data * a.data)
    np.testing.assert_allclose(found[3].data, 0)
    assert a.grad is None
    with pytest.raises(GraphError, match="2 outputs and 1 cotangents"):
        grad([y, z], a, [np.ones(3)])
    with pytest.raises(GraphError, match="has no gradient"):
        grad(y.sum(), tensor(1.0))


def test_dtypes_are_the_languages_and_are_not_mixed() -> None:
    assert tensor([1.0, 2.0]).dtype == "float32"
    assert tensor(np.zeros(2)).dtype == "float64"
    assert tensor([1, 2]).dtype == "int64"
    assert (tensor([1.0]) * np.float64(2.0)).dtype == "float32"
    with pytest.raises(GraphError, match=r"mixed"):
        tensor([1.0]) + tensor(np.zeros(1))
    with pytest.raises(GraphError, match=r"float16 cannot be"):
        tensor(np.zeros(2, np.float16))
    with pytest.raises(GraphError, match=r"int64 has no gradient"):
        tensor([1], requires_grad=True)
    with pytest.raises(GraphError, match=r"0.5 does not fit int64"):
        tensor([1]) + 0.5
    assert (tensor([1, 2]) + 1).numpy().tolist() == [2, 3]


def test_arrays_and_numbers_stand_on_either_side() -> None:
    x, a = leaf(2, 2), RNG.standard_normal((2, 2))
    for got, wanted in (
        (a + x, a + x.numpy()),
        (a - x, a - x.numpy()),
        (a @ x, a @ x.numpy()),
        (3 / (x * x + 1), 3 / (x.numpy() ** 2 + 1)),
    ):
        assert isinstance(got, Tensor)
        np.testing.assert_allclose(got.data, wanted)
    with pytest.raises(TypeError):
        x + "text"  # type: ignore[operator]


def test_a_shape_that_does_not_fit_is_told_with_names_shapes_and_the_line() -> None:
    x, w = leaf(4, 2, name="x"), leaf(3, 8, name="w1")
    with pytest.raises(
        GraphError, match=r"test_eager.py:\d+: matmul.*inner dimensions 2 and 3.*'x' float64 \[4, 2\], 'w1'"
    ):
        x @ w
    with pytest.raises(GraphError, match=r"test_eager.py:\d+: add.*dimensions 4 and 8.*'b' float64 \[8\]"):
        x.sum(1) + leaf(8, name="b")
    with pytest.raises(GraphError, match=r"reshape.*'x' float64 \[4, 2\]"):
        x.reshape(3, 3)
    with pytest.raises(GraphError, match=r"axis 2 does not exist in 'x'"):
        x.mean(2)
    with pytest.raises(GraphError, match="unknown op 'tahn'"):
        x.builder.apply("tahn", x)


def test_a_tensor_tells_what_it_is() -> None:
    x = tensor([[1.0, 2.0]], requires_grad=True, name="x")
    assert repr(x) == "<'x' float32 [1, 2], requires_grad: [[1., 2.]]>"
    assert repr(x.sum()) == "<float32 [] by sum: 3.>"
    assert f"{x.sum():.2f} {tensor([1])}" == "3.00 <int64 [1]: [1]>"
    assert (len(x), x.ndim, x.size, float(x.sum()), int(x.sum()), bool(x.sum() > 2)) == (1, 2, 2, 3.0, 3, True)
    assert [row.shape for row in x] == [(2,)]
    np.testing.assert_array_equal(np.asarray(x), [[1, 2]])
    with pytest.raises(GraphError, match="has 2 elements"):
        x.item()
    with pytest.raises(GraphError, match="no length"):
        len(x.sum())
    assert x.is_leaf
    assert not x.sum().is_leaf


@pytest.mark.parametrize(("op", "wanted"), [("<", [True, False, False]), (">=", [False, True, False])])
def test_nan_compares_as_in_numpy(op: str, wanted: list[bool]) -> None:
    x = tensor([0.0, 1.0, np.nan])
    found = x < 1.0 if op == "<" else x >= 1.0
    assert found.numpy().tolist() == wanted
    assert (x <= 1.0).numpy().tolist() == [True, True, False]
    assert (x == 1.0).numpy().tolist() == [False, True, False]


def test_large_arrays_are_computed_in_place_without_harm() -> None:
    x = tensor(RNG.standard_normal((300, 200)), requires_grad=True)
    y = tensor(RNG.standard_normal((300, 200)), requires_grad=True)

    def f(x: Tensor, y: Tensor) -> Tensor:
        h = (x * y).tanh() + x.reshape(200, 300).T * y
        return ((h - h.mean(0)) * (h * 2.0).sigmoid() / (1.0 + h * h)).sum()

    kept = x.numpy(), y.numpy()
    f(x, y).backward()
    direction = RNG.standard_normal((300, 200))
    step = 1e-6
    with no_grad():
        rise = f(tensor(kept[0] + step * direction), y) - f(tensor(kept[0] - step * direction), y)
    assert x.grad is not None
    np.testing.assert_allclose((x.grad * direction).sum(), rise.item() / (2 * step), rtol=1e-5)
    np.testing.assert_array_equal(x.data, kept[0])
    np.testing.assert_array_equal(y.data, kept[1])
