# SPDX-License-Identifier: MIT OR Apache-2.0
"""Gradients as graphs: what comes out of `gradient`, that derivatives nest, and what is refused in which words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vynapse_autodiff.check import check_gradient
from vynapse_autodiff.derivatives import hessian, hvp, jacobian, jvp
from vynapse_autodiff.gradient import grad, gradient, value_and_grad, vjp
from vynapse_core import Builder, Graph, GraphError, Op, Value, where
from vynapse_core.devices.reference import Reference
from vynapse_core.ops import OPS


def network() -> Graph:
    """A network with an integer parameter, one that nothing needs, and an output that is no scalar."""
    b = Builder()
    x, w, c = b.input("x", ("B", 4)), b.parameter("w", (4, 3)), b.parameter("c", (3,))
    b.parameter("idle", (2, 2))
    y = b.apply("tanh", x @ w + c) * b.parameter("count", (), "int64").cast("float32")
    return b.graph({"y": y, "loss": (y * y).mean()})


def arrays(graph: Graph, networks: int = 3, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    found = {}
    for name, place in graph.parameters.items():
        node = graph.nodes[place]
        shape = (networks, *node.shape)
        found[name] = np.full(shape, 2) if node.dtype == "int64" else rng.normal(0.5, 0.5, shape).astype(node.dtype)
    return found


def run(outputs: dict[str, Value], **values: Any) -> Any:
    """Return what the outputs are for one network with these parameters."""
    graph = next(iter(outputs.values())).builder.graph(outputs)
    given = {name: np.asarray(value, graph.nodes[graph.parameters[name]].dtype)[None] for name, value in values.items()}
    return {name: value[0] for name, value in Reference().compile(graph)(given, {}).items()}


def test_a_gradient_has_the_outputs_of_the_graph_and_one_for_each_float_parameter() -> None:
    found = gradient(network())
    assert list(found.outputs) == ["y", "loss", "d_w", "d_c", "d_idle"]
    assert [found.nodes[found.outputs[name]].type for name in ("d_w", "d_idle")] == ["float32 [4, 3]", "float32 [2, 2]"]
    assert set(found.parameters) == set(network().parameters)
    found.validate()


@pytest.mark.parametrize("samples", [1, 7])
def test_one_gradient_graph_serves_every_number_of_samples_and_networks(samples: int) -> None:
    graph = network()
    x, given = np.random.default_rng(1).normal(size=(samples, 4)).astype("float32"), arrays(graph)
    found = Reference().compile(gradient(graph))(given, {"x": x})
    for p in range(3):
        y = np.tanh(x @ given["w"][p] + given["c"][p])
        of_sums = 2 * given["count"][p] ** 2 * y * (1 - y * y) / y.size
        np.testing.assert_allclose(found["d_w"][p], x.T @ of_sums, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found["d_c"][p], of_sums.sum(0), rtol=1e-4, atol=1e-6)
    assert not found["d_idle"].any()


def test_gradients_by_inputs_and_under_another_prefix() -> None:
    found = gradient(gradient(network(), wrt=["x"], prefix="slope of "), wrt=["w"])
    assert list(found.outputs) == ["y", "loss", "slope of x", "d_w"]
    assert found.nodes[found.outputs["slope of x"]].type == "float32 [B, 4]"


def test_a_step_of_gradient_descent_is_one_graph_that_scans() -> None:
    b = Builder()
    values = b.extend(gradient(network(), wrt=["w", "c"]))
    w, c = b.parameter("w", (4, 3)), b.parameter("c", (3,))
    step = b.graph({"w next": w - 0.02 * values["d_w"], "c next": c - 0.02 * values["d_c"], "loss": values["loss"]})
    data = {"x": np.random.default_rng(2).normal(size=(8, 4)).astype("float32")}
    _, seen = Reference().compile(step).scan(arrays(step), data, {}, {"w next": "w", "c next": "c"}, 50)
    assert (np.diff(seen["loss"], axis=0) <= 1e-6).all()
    assert (seen["loss"][-1] < 0.8 * seen["loss"][0]).all()


def test_derivatives_of_every_order_nest() -> None:
    b = Builder()
    x = b.parameter("x", (), "float64")
    value, orders = x * x * x * x, {}
    for order in range(1, 6):
        (value,) = grad(value, [x])
        orders[str(order)] = value
    assert list(run(orders, x=2.0).values()) == [32.0, 48.0, 48.0, 24.0, 0.0]


def test_value_and_grad_gives_both() -> None:
    b = Builder()
    x = b.parameter("x", (3,))
    value, (slope,) = value_and_grad((x * x).sum(), [x])
    found = run({"value": value, "slope": slope}, x=[1, 2, 3])
    assert found["value"] == 14.0
    assert found["slope"].tolist() == [2.0, 4.0, 6.0]


def test_a_derivative_by_a_value_in_the_middle_and_by_one_before_it_are_both_total() -> None:
    b = Builder()
    x = b.parameter("x", ())
    middle = x * 3.0
    found = dict(zip(("x", "middle"), grad(middle * middle + x, [x, middle]), strict=True))
    assert run(found, x=2.0) == {"x": 37.0, "middle": 12.0}


def bent(b: Builder) -> tuple[Value, Value, Value, Value]:
    """Return a matrix, a vector, a function [3] of both, and a scalar of it."""
    m, v = b.parameter("m", (3, 2), "float64"), b.parameter("v", (2,), "float64")
    out = b.apply("tanh", (m @ v.reshape((2, 1))).reshape((3,)) * v.sum())
    return m, v, out, (out * out * out).sum()


POINT = {"m": [[0.3, -0.2], [0.5, 0.1], [-0.4, 0.8]], "v": [0.7, -0.3]}


def test_jacobians_by_rows_and_by_columns_agree_with_products_by_vectors() -> None:
    b = Builder()
    m, v, out, _ = bent(b)
    along, up = b.constant([0.5, -2.0], "float64"), b.constant([1.0, -1.0, 3.0], "float64")
    found = run({
        "tall": jacobian(out, v), "wide": jacobian(out, m), "pushed": jvp([out], [v], [along])[0],
        "pulled": vjp([out], [v], [up])[0], "pulled m": vjp([out], [m], [up])[0],
    }, **POINT)  # fmt: skip
    assert found["tall"].shape == (3, 2)
    assert found["wide"].shape == (3, 3, 2)
    np.testing.assert_allclose(found["pushed"], found["tall"] @ [0.5, -2.0], rtol=1e-12)
    np.testing.assert_allclose(found["pulled"], [1.0, -1.0, 3.0] @ found["tall"], rtol=1e-12)
    np.testing.assert_allclose(found["pulled m"], np.tensordot([1.0, -1.0, 3.0], found["wide"], 1), rtol=1e-12)


def test_a_product_along_tangents_of_several_values_is_the_difference_along_them() -> None:
    b = Builder()
    m, v, out, loss = bent(b)
    tangents = {"m": np.arange(6.0).reshape(3, 2) / 5.0, "v": np.array([-1.0, 0.5])}
    pushed = jvp([out, loss], [m, v], [b.constant(tangents["m"], "float64"), b.constant(tangents["v"], "float64")])
    found = run(dict(zip(("out", "loss"), pushed, strict=True)), **POINT)
    ahead, behind = (
        run({"out": out, "loss": loss}, **{name: POINT[name] + step * tangents[name] for name in POINT})
        for step in (1e-6, -1e-6)
    )
    for name, value in found.items():
        np.testing.assert_allclose(value, (ahead[name] - behind[name]) / 2e-6, rtol=1e-8)


def test_a_hessian_is_symmetric_and_its_product_needs_no_hessian() -> None:
    b = Builder()
    _, v, _, loss = bent(b)
    vector = b.constant([2.0, -1.0], "float64")
    found = run({"whole": hessian(loss, v), "product": hvp(loss, [v], [vector])[0]}, **POINT)
    np.testing.assert_allclose(found["whole"], found["whole"].T, rtol=1e-12)
    np.testing.assert_allclose(found["product"], found["whole"] @ [2.0, -1.0], rtol=1e-12)


def test_the_jacobian_of_outputs_for_any_number_of_samples_is_taken_by_columns() -> None:
    b = Builder()
    x, w = b.input("x", ("B", 2)), b.parameter("w", (2,))
    whole = jacobian((x @ w.reshape((2, 1))).reshape(("B",)), w)
    assert whole.shape == ("B", 2)
    data = np.arange(6, dtype="float32").reshape(3, 2)
    found = Reference().compile(b.graph({"whole": whole}))({"w": np.ones((1, 2), "float32")}, {"x": data})
    np.testing.assert_array_equal(found["whole"][0], data)


def test_a_product_along_tangents_nests_in_itself() -> None:
    b = Builder()
    x = b.parameter("x", (), "float64")
    one = b.constant(1.0, "float64")
    (first,) = jvp([x * x * x], [x], [one])
    (second,) = jvp([first], [x], [one])
    (third,) = grad(second, [x])
    assert run({"1": first, "2": second, "3": third}, x=2.0) == {"1": 12.0, "2": 12.0, "3": 6.0}


def test_a_rule_of_ones_own_takes_the_place_of_an_ops() -> None:
    b = Builder()
    x = b.parameter("x", ())
    (slope,) = grad(b.apply("floor", x) * 3.0, [x], {"floor": lambda v, y, g, at: [g]})
    assert run({"slope": slope}, x=1.5) == {"slope": 3.0}


TWICE = Op("twice", "2 x", 1, lambda s, d, a: (s[0], d[0]), lambda v, a, sizes: 2 * v[0])


def doubled() -> Graph:
    b = Builder({**OPS, "twice": TWICE})
    return b.graph({"loss": b.apply("twice", b.parameter("x", ())) * b.parameter("w", ())})


def test_an_op_without_a_rule_is_named_and_only_missed_on_the_way() -> None:
    ops = {**OPS, "twice": TWICE}
    with pytest.raises(GraphError, match="output 'loss': the op 'twice' has no gradient"):
        gradient(doubled(), ops=ops)
    assert "d_w" in gradient(doubled(), wrt=["w"], ops=ops).outputs
    found = gradient(doubled(), wrt=["x"], ops=ops, rules={"twice": lambda v, y, g, at: [g + g]})
    assert "d_x" in found.outputs


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"output": "los"}, "no output of this name; did you mean 'loss'"),
        ({"output": "y"}, r"output 'y': a gradient is that of a scalar, but the output is <mul float32 \[B, 3\]>"),
        ({"wrt": ["ww"]}, "by 'ww': the graph has no parameter or input of this name; did you mean 'w'|known: w"),
        ({"wrt": ["count"]}, r"<parameter int64 \[\]> cannot be differentiated by; expected float32 or float64"),
        ({"wrt": ["w"], "prefix": ""}, "has an output 'w' already|by 'w'"),
    ],
)
def test_what_cannot_be_differentiated_is_told(how: dict[str, Any], message: str) -> None:
    graph = network()
    if how.get("prefix") == "":
        graph = Graph(graph.nodes, {**graph.outputs, "w": graph.parameters["w"]})
    with pytest.raises(GraphError, match=message):
        gradient(graph, **how)


def test_cotangents_tangents_and_rules_that_do_not_fit_are_told() -> None:
    b = Builder()
    x = b.parameter("x", (3,))
    y = x * x
    with pytest.raises(GraphError, match=r"the cotangent <constant float32 \[\]> of <mul float32 \[3\]> does not fit"):
        vjp([y], [x], [b.constant(1.0)])
    with pytest.raises(GraphError, match="1 outputs and 2 cotangents"):
        vjp([y], [x], [y, y])
    with pytest.raises(GraphError, match="1 values and 0 tangents"):
        jvp([y], [x], [])
    with pytest.raises(GraphError, match=r"<less bool \[3\]> cannot be differentiated"):
        vjp([x.less(y)], [x], [y])
    with pytest.raises(GraphError, match="belongs to another builder"):
        vjp([y], [x], [Builder().parameter("g", (3,))])
    with pytest.raises(GraphError, match="the gradient of 'mul' gives 1 cotangents for 2 operands"):
        grad(y.sum(), [x], {"mul": lambda v, y, g, at: [g]})
    with pytest.raises(GraphError, match=r"'mul' gives <reshape float32 \[3, 1\]> as the cotangent of <parameter"):
        grad(y.sum(), [x], {"mul": lambda v, y, g, at: [g.reshape((3, 1)), None]})


def test_a_jacobian_too_large_or_of_open_size_is_refused() -> None:
    b = Builder()
    x, large = b.parameter("x", ("C",)), b.parameter("large", (5000,))
    for value in (x, large):
        with pytest.raises(GraphError, match="expected 1 to 4096 elements in one of them"):
            jacobian(value * value, value)


def test_a_wrong_rule_is_found_by_the_check_which_names_leaf_element_and_numbers() -> None:
    b = Builder()
    graph = b.graph({"loss": b.apply("sin", b.parameter("w", (2, 2))).sum()})
    point = {"w": np.array([[1.5, 1.4], [0.1, 1.2]], "float32")}
    assert check_gradient(graph, point)["w"] < 1e-9
    wrong = {"sin": lambda v, y, g, at: [where(v[0].less(1.0), g * 2.0, g * v[0].builder.apply("cos", v[0]))]}
    with pytest.raises(GraphError, match=r"by 'w' at \[1, 0\] is 2, but central differences give 0.995"):
        check_gradient(graph, point, rules=wrong)


def test_the_check_takes_inputs_integers_and_part_of_a_large_leaf() -> None:
    b = Builder()
    x, ids, w = b.input("x", ("B", 3)), b.input("ids", ("B",), "int64"), b.parameter("w", (50, 3))
    loss = (x * b.apply("gather", w, ids)).sum()
    graph = b.graph({"loss": loss * loss})
    inputs = {"x": np.ones((2, 3), "float32"), "ids": np.array([0, 49])}
    found = check_gradient(graph, {"w": np.full((50, 3), 0.1)}, inputs, wrt=["w", "x"], most=20)
    assert list(found) == ["w", "x"]
    assert max(found.values()) < 1e-8
