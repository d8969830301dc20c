# SPDX-License-Identifier: MIT OR Apache-2.0
"""Passes: that they keep results, for random graphs and awkward numbers, and that each does what it is for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_autodiff.gradient import gradient
from vynapse_autodiff.passes.algebra import simplify
from vynapse_autodiff.passes.dead_code import dead_code
from vynapse_autodiff.passes.difference import dot_difference, removed_and_added
from vynapse_autodiff.passes.folding import fold_constants
from vynapse_autodiff.passes.fusion import fuse
from vynapse_autodiff.passes.layout import layout
from vynapse_autodiff.passes.optimize import optimize
from vynapse_autodiff.passes.rematerialise import rematerialise
from vynapse_autodiff.passes.subexpressions import common_subexpressions
from vynapse_core import Array, Builder, Graph, GraphError, Streams, Value, where
from vynapse_core.devices.reference import Reference
from vynapse_core.graph import Node
from vynapse_core.testing.graphs import Case, cases

PASSES: Mapping[str, Callable[..., Any]] = {
    "dead code": dead_code,
    "common subexpressions": common_subexpressions,
    "constant folding": fold_constants,
    "algebra": simplify,
    "layout": layout,
}
AWKWARD = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3e38, 1e-40, np.inf, -np.inf, np.nan]
SMOOTH = ("neg", "tanh", "sigmoid", "sin", "cos", "stop_gradient")
ROUGH = ("abs", "sign", "floor", "exp", "log", "sqrt")
EXACT_BINARY = ("add", "sub", "mul", "div", "maximum", "minimum")


def drawn_graph(data: st.DataObject, rough: bool) -> Graph:
    """Return a graph of random ops on an input [B, 3], a square [3, 3], a row and a number.

    A smooth one has no op that makes much of a rounding; a rough one has no product of matrices, whose rounding is
    BLAS's own.
    """
    builder = Builder()
    values = [builder.input("x", ("B", 3)), builder.parameter("u", (3, 3)), builder.parameter("w", (3,))]
    values += [
        builder.parameter("s", ()),
        builder.constant(1.0),
        builder.constant(-0.0),
        builder.constant([2.0, 1.0, 0.0]),
    ]
    apply = builder.apply

    def one() -> Value:
        return data.draw(st.sampled_from(values))

    def fitting(a: Value) -> Value:
        rows = [()] if a.shape[-1:] != (3,) else [(), (3,)]
        return data.draw(st.sampled_from([v for v in values if v.shape == a.shape or v.shape in rows]))

    def unary() -> Value:
        return apply(data.draw(st.sampled_from((*SMOOTH, *ROUGH) if rough else SMOOTH)), one())

    def binary() -> Value:
        a = one()
        op = data.draw(st.sampled_from(EXACT_BINARY if rough else ("add", "sub", "mul")))
        b = fitting(a)
        return apply(op, a, b) if data.draw(st.booleans()) else apply(op, b, a)

    def numbered() -> Value:
        number = data.draw(st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 4.0]))
        a = one()
        op = data.draw(st.sampled_from(("add", "sub", "mul", "div", "maximum") if rough else ("add", "sub", "mul")))
        return apply(op, a, number) if data.draw(st.booleans()) or op == "div" else apply(op, number, a)

    def chosen() -> Value:
        a = one()
        b = fitting(a)
        wide = a + b
        return where(a.less(b), wide, data.draw(st.sampled_from([wide * 2.0, wide, -wide])))

    def moved() -> Value:
        a = one()
        if len(a.shape) < 2:
            return apply("expand_like", a, values[0]) if a.shape in ((), (3,)) else a
        kind = data.draw(st.sampled_from(["transpose", "reshape", "slice", "pad", "concat", "expand", "cast"]))
        if kind == "transpose":
            return a.T
        if kind == "cast":
            return a.cast(data.draw(st.sampled_from(["float64", "float32"]))).cast("float32")
        axis = next(at for at, size in enumerate(a.shape) if isinstance(size, int))
        if kind == "slice":
            return apply("slice", a, axis=axis, start=0, stop=a.shape[axis])
        if kind == "pad":
            longer = apply("pad", a, axis=axis, before=1, after=2, value=7.0)
            return apply("slice", longer, axis=axis, start=1, stop=1 + a.shape[axis])  # type: ignore[operator]
        if kind == "concat":
            longer = apply("concat", a, -a, axis=axis)
            return apply("slice", longer, axis=axis, start=0, stop=a.shape[axis])
        if kind == "expand":
            return apply("expand_like", values[3], a)
        return a.reshape((1, *a.shape)).reshape(a.shape)

    def reduced() -> Value:
        a = one()
        # NumPy's sum of a single -0 is +0
        if a.shape[-1:] not in ((3,), ("B",)):
            return a
        op = data.draw(st.sampled_from(["sum", "max", "mean"])) if rough else "sum"
        if op == "mean":
            return a.mean()
        axes = data.draw(st.sampled_from([tuple(range(len(a.shape))), (len(a.shape) - 1,)]))
        return apply(op, a, axes=axes, keepdims=data.draw(st.booleans()))

    def product() -> Value:
        twos = [v for v in values if len(v.shape) == 2 and v.shape[-1] == 3]
        return (data.draw(st.sampled_from(twos)) @ values[1].T) * 0.3

    makers = [unary, binary, numbered, chosen, moved, reduced] if rough else [unary, binary, numbered, moved, product]
    for _ in range(data.draw(st.integers(1, 14))):
        values.append(data.draw(st.sampled_from(makers))())
    outputs = data.draw(st.lists(st.sampled_from(values), min_size=1, max_size=4))
    return builder.graph({f"out{n}": value for n, value in enumerate([*outputs, values[-1]])})


def drawn_arrays(data: st.DataObject, graph: Graph, awkward: bool) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return parameters of two networks and inputs of two samples."""
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))

    def numbers(*shape: int) -> Array:
        if awkward:
            return rng.choice(np.array(AWKWARD, np.float32), shape)
        return rng.uniform(-1, 1, shape).astype(np.float32)

    known = {"u": numbers(2, 3, 3), "w": numbers(2, 3), "s": numbers(2)}
    return {name: known[name] for name in graph.parameters}, {name: numbers(2, 3) for name in graph.inputs}


def computed(graph: Graph, arrays: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    return Reference().compile(graph)(arrays, inputs)


def same_bits(a: Array, b: Array) -> bool:
    """Whether two arrays hold the same numbers, the sign of 0 included; one NaN is as good as another."""
    number = ~np.isnan(a)
    return np.array_equal(a, b, equal_nan=True) and bool((np.signbit(a) == np.signbit(b))[number].all())


@pytest.mark.parametrize("name", [name for name in PASSES if name != "layout"])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_pass_keeps_every_bit_of_awkward_numbers(name: str, data: st.DataObject) -> None:
    graph = drawn_graph(data, rough=True)
    after, _ = PASSES[name](graph)
    after.validate()
    arrays, inputs = drawn_arrays(data, graph, awkward=True)
    wanted, found = computed(graph, arrays, inputs), computed(after, arrays, inputs)
    assert all(same_bits(wanted[output], found[output]) for output in graph.outputs), name


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_levels_keep_results_and_those_of_gradients(data: st.DataObject) -> None:
    graph = drawn_graph(data, rough=False)
    builder = Builder()
    outputs = builder.extend(graph)
    last = outputs[f"out{len(outputs) - 1}"]
    graph = gradient(builder.graph({**outputs, "loss": (last * last).sum()}))
    arrays, inputs = drawn_arrays(data, graph, awkward=False)
    wanted = computed(graph, arrays, inputs)
    for level in (1, 2, 3):
        found = computed(optimize(graph, level).graph, arrays, inputs)
        for output, value in wanted.items():
            np.testing.assert_allclose(found[output], value, rtol=1e-3, atol=1e-3 * (1 + np.abs(value).max(initial=0)))


@pytest.mark.parametrize("case", [case for case in cases() if case.graph.parameters], ids=lambda case: case.name)
def test_all_ops_keep_their_results_at_every_level(case: Case) -> None:
    arrays, inputs = case.drawn(3, 5, Streams(2)("passes"))
    wanted = Reference().compile(case.graph, case.per_network)(arrays, inputs)
    for level in (0, 1, 2, 3):
        found = Reference().compile(optimize(case.graph, level).graph, case.per_network)(arrays, inputs)
        for output, value in wanted.items():
            np.testing.assert_allclose(found[output], value, rtol=1e-5, atol=1e-6)


def graph_of(build: Callable[[Builder, Value, Value], Value]) -> Graph:
    builder = Builder()
    x, s = builder.input("x", ("B", 3)), builder.parameter("s", ())
    return builder.graph({"y": build(builder, x, s)})


def ops_of(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes if node.op not in ("input", "parameter", "constant")]


SIMPLER: Mapping[str, tuple[Callable[[Builder, Value, Value], Value], list[str]]] = {
    "times 1": (lambda b, x, s: x * 1.0, []),
    "divided by 1": (lambda b, x, s: x / 1.0, []),
    "minus 0": (lambda b, x, s: x - 0.0, []),
    "plus -0": (lambda b, x, s: x + b.constant(-0.0), []),
    "plus 0 of what is never -0": (lambda b, x, s: b.apply("exp", x) + 0.0, ["exp"]),
    "negated twice": (lambda b, x, s: b.apply("neg", -x), []),
    "a negative added": (lambda b, x, s: x + -s, ["sub"]),
    "a negative subtracted": (lambda b, x, s: x - -s, ["add"]),
    "two negatives multiplied": (lambda b, x, s: -x * -s, ["mul"]),
    "a negative times a number": (lambda b, x, s: -x * 3.0, ["mul"]),
    "divided by 4": (lambda b, x, s: x / 4.0, ["mul"]),
    "the power 1": (lambda b, x, s: b.apply("pow", x, 1.0), []),
    "the power 2": (lambda b, x, s: b.apply("pow", x, 2.0), ["mul"]),
    "the power -1": (lambda b, x, s: b.apply("pow", x, -1.0), ["div"]),
    "the power 1/2 of a square": (lambda b, x, s: b.apply("pow", x * x, 0.5), ["mul", "sqrt"]),
    "magnitude of a negative": (lambda b, x, s: b.apply("abs", -x), ["abs"]),
    "the larger of itself": (lambda b, x, s: b.apply("maximum", x, x), []),
    "the larger again": (lambda b, x, s: b.apply("maximum", b.apply("maximum", x, 0.0), 0.0), ["maximum"]),
    "a choice of one": (lambda b, x, s: where(x.less(s), x, x), []),
    "a cast there and back": (lambda b, x, s: x.cast("float64").cast("float32"), []),
    "transposed twice": (lambda b, x, s: x.T.T, []),
    "reshaped twice": (lambda b, x, s: x.reshape(("B", 3, 1)).reshape(("B", 3)), []),
    "part of a part": (lambda b, x, s: x[:, 1:3][:, 1:2], ["slice"]),
    "a part of what was padded": (lambda b, x, s: b.apply("pad", x, axis=1, before=2)[:, 2:5], []),
    "a part of what was joined": (lambda b, x, s: b.apply("concat", -x, x, axis=1)[:, 3:6], []),
    "the sum over one": (lambda b, x, s: x.reshape(("B", 1, 3)).sum(1), []),
    "expanded for nothing": (lambda b, x, s: x * b.apply("expand_like", s, x), ["mul"]),
    "expanded too early": (lambda b, x, s: x * b.apply("exp", b.apply("expand_like", s, x)), ["exp", "mul"]),
    "stop_gradient": (lambda b, x, s: b.apply("stop_gradient", x), []),
}


@pytest.mark.parametrize("name", SIMPLER)
def test_algebra_makes_simpler(name: str) -> None:
    build, ops = SIMPLER[name]
    graph = graph_of(build)
    after, report = simplify(graph)
    assert ops_of(after) == ops
    assert report.changes
    assert (report.before, report.after) == (len(graph.nodes), len(after.nodes))


KEPT: Mapping[str, Callable[[Builder, Value, Value], Value]] = {
    "x + 0, as x may be -0": lambda b, x, s: x + 0.0,
    "x - x, as x may be infinite": lambda b, x, s: x - x,
    "x * 0, as x may be infinite": lambda b, x, s: x * 0.0,
    "x / x, as x may be 0": lambda b, x, s: x / x,
    "0 - x, as x may be 0": lambda b, x, s: 0.0 - x,
    "a cast that loses": lambda b, x, s: x.cast("int32").cast("float32"),
    "x / 3, as 1/3 is no float": lambda b, x, s: x / 3.0,
    "the root as a power, as x may be -infinity": lambda b, x, s: b.apply("pow", x, 0.5),
}


def test_a_square_of_integers_that_wraps_around_keeps_its_magnitude() -> None:
    builder = Builder()
    i, u = builder.parameter("i", (2,), "int32"), builder.parameter("u", (2,), "uint64")
    graph = builder.graph({"square": builder.apply("abs", i * i), "cast": builder.apply("abs", u.cast("int64"))})
    arrays = {"i": np.array([[50_000, 3]], np.int32), "u": np.array([[2**63 + 5, 3]], np.uint64)}
    wanted, found = computed(graph, arrays, {}), computed(simplify(graph)[0], arrays, {})
    assert all(same_bits(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("name", KEPT)
def test_algebra_leaves_what_only_real_numbers_obey(name: str) -> None:
    graph = graph_of(KEPT[name])
    after, report = simplify(graph)
    assert ops_of(after) == ops_of(graph)
    assert not report.changes


def test_the_sum_of_one_number_is_a_product() -> None:
    builder = Builder()
    s, like = builder.parameter("s", ()), builder.parameter("like", (4, 5))
    graph = builder.graph({"y": builder.apply("expand_like", s, like).sum()})
    after = optimize(graph, 1).graph
    assert ops_of(after) == ["mul"]
    arrays = {"s": np.array([3.0], np.float32), "like": np.zeros((1, 4, 5), np.float32)}
    assert computed(after, arrays, {})["y"][0] == 60.0


def test_what_depends_on_constants_is_folded() -> None:
    graph = graph_of(lambda b, x, s: x * (b.apply("exp", b.constant([0.0, 1.0, 2.0])) + 1.0))
    after, report = fold_constants(graph)
    assert ops_of(after) == ["mul"]
    assert report.changes == {"folded": 2}
    value = next(node.attributes["value"] for node in after.nodes if node.op == "constant")
    np.testing.assert_allclose(value, np.exp([0, 1, 2]) + 1, rtol=1e-6)


def test_the_size_of_known_axes_is_folded() -> None:
    after, _ = fold_constants(graph_of(lambda b, x, s: x / b.apply("size", x, axes=(1,))))
    assert ops_of(after) == ["div"]
    builder = Builder()
    w = builder.parameter("w", (4, 3))
    after, _ = fold_constants(builder.graph({"y": w.mean()}))
    assert ops_of(after) == ["sum", "div"]


def test_a_folded_constant_is_not_larger_than_what_it_is_made_of() -> None:
    builder = Builder()
    w = builder.parameter("w", (100, 100))
    graph = builder.graph({"y": builder.apply("expand_like", builder.constant(1.0), w)})
    after, _ = fold_constants(graph)
    assert ops_of(after) == ["expand_like"]


def twins() -> Graph:
    """Return a graph in which x + s is computed three times."""
    builder = Builder()
    x, s = builder.input("x", ("B", 3)), builder.parameter("s", ())
    nodes = [*builder.graph({"x": x, "s": s}).nodes]
    add = Node("add", (0, 1), {}, ("B", 3), "float32")
    nodes += [add, add, Node("add", (1, 0), {}, ("B", 3), "float32")]
    nodes += [Node("mul", (2, 3), {}, ("B", 3), "float32"), Node("mul", (5, 4), {}, ("B", 3), "float32")]
    graph = Graph(tuple(nodes), {"y": 6})
    graph.validate()
    return graph


def test_equal_values_are_computed_once_in_either_order() -> None:
    after, report = common_subexpressions(twins())
    assert Counter(ops_of(after)) == {"add": 1, "mul": 2}
    assert report.changes == {"in either order": 1}


def test_a_shape_is_taken_from_where_it_costs_nothing() -> None:
    builder = Builder()
    x, s = builder.input("x", ("B", 3)), builder.parameter("s", ())
    hidden = builder.apply("tanh", x)
    graph = builder.graph({"y": builder.apply("expand_like", s, hidden)})
    after, _ = common_subexpressions(graph)
    assert ops_of(after) == ["expand_like"]


def test_dead_code_is_dropped_and_leaves_stay() -> None:
    builder = Builder()
    x, s = builder.input("x", ("B", 3)), builder.parameter("s", ())
    builder.apply("exp", x)
    doubled = x * 2.0
    graph = Graph(tuple(builder.nodes), {"y": doubled.place})
    after, report = dead_code(graph)
    assert ops_of(after) == ["mul"]
    assert set(after.parameters) == {"s"} == {s.builder.nodes[s.place].attributes["name"]}
    assert report.changes == {"removed": 1}


def test_the_transpose_of_a_product_becomes_the_product_of_transposes() -> None:
    builder = Builder()
    x, w = builder.input("x", ("B", 3)), builder.parameter("w", (4, 3))
    graph = builder.graph({"y": (x @ w.T).T})
    after, report = layout(graph)
    assert ops_of(after) == ["transpose", "matmul"]
    assert report.changes["a product in the other order"] == 1
    product = after.nodes[after.outputs["y"]]
    assert after.nodes[product.operands[0]].op == "parameter"


def test_a_transpose_moves_behind_what_is_computed_element_by_element() -> None:
    builder = Builder()
    u, v = builder.parameter("u", (4, 3)), builder.parameter("v", (4, 3))
    graph = builder.graph({"y": builder.apply("tanh", u.T * 2.0 + v.T)})
    after, _ = layout(graph)
    assert ops_of(after) == ["mul", "add", "tanh", "transpose"]


def test_a_product_its_bias_and_its_activation_are_one_region() -> None:
    builder = Builder()
    x, w, b = builder.input("x", ("B", 3)), builder.parameter("w", (4, 3)), builder.parameter("b", (4,))
    graph = builder.graph({"y": builder.apply("tanh", x @ w.T + b)})
    regions, report = fuse(graph)
    kinds = {region.kind: [graph.nodes[place].op for place in region.nodes] for region in regions}
    assert kinds == {"single": ["transpose"], "product": ["matmul", "add", "tanh"]}
    assert report.changes == {"product": 1, "nodes in another's step": 2}


def test_a_chain_and_the_sum_at_its_end_are_one_region() -> None:
    regions, _ = fuse(graph_of(lambda b, x, s: ((x * s + 1.0) * x).sum()))
    assert [region.kind for region in regions] == ["reduction"]


def test_what_needs_a_sum_is_in_another_region_than_the_sum() -> None:
    graph = graph_of(lambda b, x, s: b.apply("exp", x) / b.apply("exp", x).sum(1, keepdims=True))
    regions, _ = fuse(graph)
    assert [[graph.nodes[place].op for place in region.nodes] for region in regions] == [["exp", "sum"], ["div"]]


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_regions_hold_each_node_once_and_come_in_an_order_that_can_be_computed(data: st.DataObject) -> None:
    graph = drawn_graph(data, rough=data.draw(st.booleans()))
    known = {place for place, node in enumerate(graph.nodes) if not node.operands}
    for region in fuse(graph)[0]:
        assert list(region.nodes) == sorted(region.nodes)
        for place in region.nodes:
            assert place not in known
            assert set(graph.nodes[place].operands) <= known | set(region.nodes)
        known |= set(region.nodes)
    assert known == set(range(len(graph.nodes)))


def test_a_level_that_there_is_not_is_refused() -> None:
    with pytest.raises(GraphError, match="optimization level 4; expected 0, 1, 2 or 3"):
        optimize(twins(), 4)


def test_level_0_leaves_a_graph_as_it_is() -> None:
    found = optimize(twins(), 0)
    assert found.graph.digest() == twins().digest()
    assert found.reports == ()


def test_passes_find_nothing_in_what_they_gave() -> None:
    for case in cases():
        once = optimize(gradient(case.graph) if "loss" in case.graph.outputs else case.graph, 2).graph
        assert optimize(once, 2).graph.digest() == once.digest()


def test_the_summary_says_what_each_pass_did() -> None:
    told = optimize(graph_of(lambda b, x, s: b.apply("neg", -x) * (b.constant(1.0) + 1.0)), 1).summary
    assert "nodes (negated twice 1)" in told
    assert "constant folding" in told
    assert optimize(graph_of(lambda b, x, s: x * s), 1).summary == "no pass found anything to do"


def test_the_difference_of_two_graphs_is_coloured() -> None:
    before = graph_of(lambda b, x, s: b.apply("tanh", x * 1.0) + s)
    after = optimize(before, 1).graph
    removed, added = removed_and_added(before, after)
    assert sorted(node.op for node in removed) == ["add", "constant", "mul", "tanh"]
    assert sorted(node.op for node in added) == ["add", "tanh"]
    text = dot_difference(before, after)
    assert text.count("lightcoral") == 5
    assert text.count("palegreen") == 3
    assert dot_difference(before, before).count("fillcolor=") == 1


def deep(layers: int, width: int) -> Graph:
    """Return the gradient of a deep network of tanh."""
    builder = Builder()
    value = builder.input("x", ("B", width))
    for layer in range(layers):
        value = builder.apply("tanh", value @ builder.parameter(f"w{layer}", (width, width)))
    return gradient(builder.graph({"loss": (value * value).mean()}))


def test_rematerialisation_lowers_the_peak_at_the_cost_that_it_prints() -> None:
    graph, sizes = deep(20, 16), {"B": 64}
    found = rematerialise(graph, sizes)
    assert found.peak_after < 0.55 * found.peak_before
    assert found.flops_before < found.flops_after <= 1.5 * found.flops_before
    assert f"{found.peak_before:,} to {found.peak_after:,} bytes" in str(found)
    assert "+2" in str(found)
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(2, 16, 16)).astype(np.float32) * 0.3 for name in graph.parameters}
    inputs = {"x": rng.normal(size=(64, 16)).astype(np.float32)}
    wanted, again = computed(graph, arrays, inputs), computed(found.graph, arrays, inputs)
    for name, value in wanted.items():
        np.testing.assert_array_equal(again[name], value)


def test_rematerialisation_keeps_to_what_it_may_cost() -> None:
    graph, sizes = deep(12, 16), {"B": 64}
    assert rematerialise(graph, sizes, most=0.0).graph is graph
    dear, cheap = rematerialise(graph, sizes, most=1.0), rematerialise(graph, sizes, most=0.18)
    assert cheap.flops_after <= 1.18 * cheap.flops_before
    assert dear.peak_after <= cheap.peak_after < cheap.peak_before


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_rematerialisation_keeps_every_bit(data: st.DataObject) -> None:
    graph = drawn_graph(data, rough=True)
    found = rematerialise(graph, {"B": 2}, most=10.0)
    found.graph.validate()
    arrays, inputs = drawn_arrays(data, graph, awkward=True)
    wanted, again = computed(graph, arrays, inputs), computed(found.graph, arrays, inputs)
    assert all(same_bits(wanted[output], again[output]) for output in graph.outputs)
