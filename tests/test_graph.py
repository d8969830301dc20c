# SPDX-License-Identifier: MIT OR Apache-2.0
"""Building graphs, storing them exactly, and refusing files that are not graphs."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from vynapse_core.builder import Builder, Value, where
from vynapse_core.errors import GraphError
from vynapse_core.graph import MAX_CONSTANT, Graph, Node, constant_array
from vynapse_core.ops import OPS, Op


def mlp() -> Graph:
    b = Builder()
    x = b.input("x", ("B", 2))
    w, bias = b.parameter("w", (4, 2)), b.parameter("bias", (4,))
    return b.graph({"y": b.apply("tanh", x @ w.T + bias)})


def every_op() -> Graph:
    """A graph that holds every op of the kernel and constants of every dtype."""
    b = Builder()
    x, key = b.input("x", ("B", 6)), b.input("key", (2,), "uint64")
    p, ids = b.parameter("p", (4, 6)), b.parameter("ids", (3,), "int32")
    unary = (
        "neg",
        "abs",
        "sign",
        "exp",
        "log",
        "log1p",
        "sqrt",
        "tanh",
        "sigmoid",
        "erf",
        "sin",
        "cos",
        "floor",
    )
    binary = ("add", "sub", "mul", "div", "pow", "maximum", "minimum", "less", "equal")
    values = [b.apply(op, x) for op in (*unary, "stop_gradient")] + [b.apply(op, x, 0.5) for op in binary]
    values += [
        where(x.less(0.5), x, math.inf),
        x.cast("float64"),
        x.sum(0),
        x.max(1, keepdims=True),
        x.argmax(),
    ]
    values += [
        x.mean(),
        x.reshape((-1, 2, 3)),
        x.T,
        b.apply("expand_like", p[0], x),
        b.apply("sum_like", x, p[0]),
    ]
    values += [
        p[1:],
        b.apply("pad", p, axis=1, after=1, value=-0.0),
        b.apply("concat", p, p, p, axis=0),
        x @ p.T,
    ]
    values += [b.apply("gather", p, ids), b.apply("scatter_add", p, ids, p[:3])]
    patches = b.apply("window", p, size=(2, 3), stride=(1, 2))
    values += [b.apply("fold", patches, p, size=(2, 3), stride=(1, 2)), b.apply("uniform", x, key, stream=3)]
    values += [b.constant([[True], [False]]), b.constant([-1, 2], "int32"), b.constant(2**64 - 1, "uint64")]
    values += [b.constant([math.nan, math.inf, -math.inf, -0.0, 0.1, 5e-324], "float64"), b.constant([])]
    graph = b.graph({f"y{i}": value for i, value in enumerate(values)})
    assert {node.op for node in graph.nodes} >= set(OPS)
    return graph


def same(a: Graph, b: Graph) -> bool:
    # repr tells -0.0 from 0.0 and finds nan equal to nan
    return repr(a.nodes) == repr(b.nodes) and dict(a.outputs) == dict(b.outputs)


def test_a_graph_of_every_op_survives_json_exactly() -> None:
    graph = every_op()
    again = Graph.from_json(graph.to_json())
    assert same(graph, again)
    assert again.to_json() == graph.to_json()
    assert again.digest() == graph.digest()
    json.loads(graph.to_json(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@given(st.lists(st.floats(width=32), max_size=8), st.sampled_from(["float32", "float64"]))
def test_float_constants_survive_json_to_the_bit(values: list[float], dtype: str) -> None:
    b = Builder()
    graph = b.graph({"c": b.constant(values, dtype)})
    (node,) = Graph.from_json(graph.to_json()).nodes
    assert constant_array(node).dtype == dtype
    got, expected = constant_array(node), np.array(values, dtype)
    np.testing.assert_array_equal(got, expected)
    # the sign of a NaN means nothing and is not kept
    real = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got[real]), np.signbit(expected[real]))


def test_a_digest_is_the_same_in_another_process_and_differs_for_another_graph() -> None:
    graph = mlp()
    program = "import sys; from vynapse_core.graph import Graph; print(Graph.from_json(sys.stdin.read()).digest())"
    done = subprocess.run(
        [sys.executable, "-c", program], input=graph.to_json(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == graph.digest()
    b = Builder()
    (y,) = b.extend(graph).values()
    assert b.graph({"y": y}).digest() == graph.digest()
    assert b.graph({"z": y}).digest() != graph.digest()
    assert b.graph({"y": y + 0.0}).digest() != b.graph({"y": y + -0.0}).digest()


def stored(change: Any) -> str:
    """Return the MLP's JSON after `change(tree)`."""
    tree = json.loads(mlp().to_json())
    changed = change(tree)
    return json.dumps(tree if changed is None else changed)


def setter(path: list[Any], value: Any) -> Any:
    def change(tree: Any) -> None:
        for key in path[:-1]:
            tree = tree[key]
        tree[path[-1]] = value

    return change


def constant(dtype: str, value: Any) -> Any:
    return setter(["nodes", 0], {"op": "constant", "dtype": dtype, "attributes": {"value": value}})


BROKEN = [
    (lambda tree: [], "expected an object"),
    (lambda tree: tree.pop("nodes") and None, "'nodes' is missing"),
    (setter(["version"], 2), "expected 'vynapse-graph' version 1, found"),
    (setter(["version"], True), "expected int"),
    (setter(["format"], "onnx"), "'onnx' version 1"),
    (setter(["more"], 1), "unexpected 'more'"),
    (setter(["nodes", 3], 7), "node 3: expected an object"),
    (setter(["nodes", 3, "op"], "transpoze"), "node 3: unknown op 'transpoze'; did you mean 'transpose'"),
    (setter(["nodes", 3, "op"], ["x"]), "node 3: unexpected 'op'"),
    (setter(["nodes", 3, "operands"], [3]), "node 3: transpose: operand 3 is not an earlier node"),
    (setter(["nodes", 3, "operands"], [-1]), "operand -1 is not an earlier node"),
    (setter(["nodes", 3, "operands"], [True]), "operand True is not"),
    (setter(["nodes", 3, "operands"], [0, 0]), r"node 3: transpose\(.*expected 1 operands, got 2"),
    (setter(["nodes", 3, "attributes", "axes"], [0, 5]), "axis 5 does not exist"),
    (setter(["nodes", 3, "attributes", "axes"], [[0], 1]), "expected a tuple of scalars"),
    (setter(["nodes", 3, "attributes", "axes"], {"float": "nan"}), "expected a tuple"),
    (setter(["nodes", 3, "attributes", "axes"], {"x": 1}), "node 3: {'x': 1} is no attribute value"),
    (setter(["nodes", 3, "attributes", "axes"], None), "expected a tuple"),
    (setter(["nodes", 3, "attributes", "axis"], 1), "unknown attribute 'axis'"),
    (setter(["nodes", 3, "shape"], [2, 4]), "node 3.*only leaves state them"),
    (setter(["nodes", 0, "shape"], [-1]), "node 0: -1 is no dimension"),
    (setter(["nodes", 0, "shape"], [1.5]), "1.5 is no dimension"),
    (setter(["nodes", 0, "shape"], ["B; x"]), "no dimension"),
    (setter(["nodes", 0, "shape"], [2] * 99), "at most 16"),
    (setter(["nodes", 0, "shape"], ["C", 3]), r"node 4: matmul\(float32 \[C, 3\], float32 \[2, 4\]\)"),
    (setter(["nodes", 0, "dtype"], "object"), "unknown dtype 'object'"),
    (setter(["nodes", 0, "operands"], [0]), "a leaf has no operands"),
    (setter(["nodes", 0, "attributes"], {}), "expected the attribute 'name'"),
    (setter(["nodes", 0, "attributes", "name"], 3), "a name is text"),
    (setter(["nodes", 0, "attributes", "name"], "w"), "'w' belongs to two leaves"),
    (setter(["outputs", "y"], 99), "there is no node 99"),
    (setter(["outputs", "y"], "1"), "there is no node '1'"),
    (setter(["outputs", ""], 1), "output ''"),
    (constant("int32", 2**40), "expected int32, got 1099511627776"),
    (constant("float32", 1e300), r"expected float32, got 1e\+300"),
    (constant("float32", 10**400), "expected float32, got 10000"),
    (constant("bool", 1), "expected bool, got 1"),
    (setter(["nodes", 0, "attributes", "name"], "\ud800"), "a name is text"),
    (setter(["outputs", "\udfff"], 1), "a name is text"),
    (constant("float32", "x"), "expected float32, got 'x'"),
    (constant("int64", [[1], 2]), "differ in length"),
    (constant("int64", [0] * (MAX_CONSTANT + 1)), "make it a parameter"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_a_malformed_file_is_refused_with_the_reason(change: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        Graph.from_json(stored(change))


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "nope", "[" * 100_000, '{"format": 1e999999}', "1" * 10_000, "NaN",
        '{"format": "vynapse-graph", "format": "vynapse-graph", "version": 1, "nodes": [], "outputs": {}}',
        '{"format": "vynapse-graph", "version": 1, "outputs": {}, "nodes": [{"op": "constant", '
        '"dtype": "float32", "attributes": {"value": ' + "[" * 900 + "]" * 900 + "}}]}",
    ],
)  # fmt: skip
def test_text_that_is_no_graph_is_refused(text: str) -> None:
    with pytest.raises(GraphError):
        Graph.from_json(text)


@pytest.mark.parametrize("digits", ["1e999", "-1e999", "NaN", "Infinity"])
def test_a_constant_beyond_all_numbers_is_refused_like_one_that_is_none(digits: str) -> None:
    text = stored(constant("float32", 0.5)).replace("0.5", digits)
    assert digits in text
    with pytest.raises(GraphError, match=f"{digits} is "):
        Graph.from_json(text)


@given(st.data())
def test_a_truncated_or_altered_file_is_refused_or_is_another_graph(data: st.DataObject) -> None:
    text = mlp().to_json()
    at = data.draw(st.integers(0, len(text) - 3))
    with pytest.raises(GraphError):
        Graph.from_json(text[:at])
    altered = text[:at] + data.draw(st.sampled_from('0-9"[]{}:,ex')) + text[at + 1 :]
    try:
        again = Graph.from_json(altered)
    except GraphError:
        return
    again.validate()


def test_a_graph_that_would_take_all_memory_is_refused() -> None:
    b = Builder()
    x = b.input("x", (2**20, 1))
    with pytest.raises(GraphError, match="1099511627776 elements"):
        x @ x.T


def test_validate_finds_a_shape_that_was_tampered_with() -> None:
    graph = mlp()
    graph.validate()
    last = len(graph.nodes) - 1
    forged = Graph((*graph.nodes[:last], replace(graph.nodes[last], shape=("B", 5))), graph.outputs)
    with pytest.raises(GraphError, match=rf"node {last} \(tanh\): says float32 \[B, 5\], but is float32 \[B, 4\]"):
        forged.validate()


def test_live_drops_what_no_output_needs() -> None:
    b = Builder()
    x, unused = b.input("x", ("B",)), b.input("unused", ("B",))
    y, dead = x + 1.0, unused * 3.0
    graph = b.graph({"y": y})
    assert set(graph.inputs) == {"x", "unused"}
    assert [node.op for node in graph.nodes] == ["input", "input", "constant", "add"]
    assert set(graph.live().inputs) == {"x"}
    graph.live().validate()
    assert "mul" in {node.op for node in b.graph({"y": y, "z": dead}).nodes}


def test_astype_changes_float_leaves_and_casts_and_nothing_else() -> None:
    b = Builder()
    x, ids = b.input("x", ("B",)), b.input("ids", ("B",), "int64")
    graph = b.graph({"y": x * 2.0 + ids.cast("float32"), "same": ids.equal(3)})
    wide = graph.astype("float64")
    wide.validate()
    assert [wide.nodes[i].dtype for i in wide.outputs.values()] == ["float64", "bool"]
    assert wide.nodes[wide.inputs["ids"]].dtype == "int64"
    assert same(wide.astype("float32"), graph)
    with pytest.raises(GraphError, match="not in 'int64'"):
        graph.astype("int64")


def test_dot_names_every_node_and_escapes_quotes() -> None:
    b = Builder()
    text = b.graph({'a"b': b.input('x"\n', ("B",)) + 1.0}).to_dot()
    assert 'label="input x\\"\\n\\nfloat32 [B]"' in text
    assert 'label="a\\"b"' in text
    assert text.count("->") == 3


def test_equal_nodes_are_built_once_and_unequal_constants_are_not_merged() -> None:
    b = Builder()
    x = b.input("x", ("B",))
    assert (x + 1.0).place == (x + 1).place
    assert (x + 0.0).place != (x + -0.0).place
    assert b.constant(True).place != b.constant(1).place


def test_operators_build_the_ops_they_look_like() -> None:
    b = Builder()
    x, y = b.input("x", ("B", 2)), b.input("y", ("B", 2))
    array = np.array([1.0, 2.0])
    built = {
        "add": [x + y, 1 + x, array + x], "sub": [x - y, 1 - x, array - x], "mul": [x * y, x**2, array * x],
        "div": [x / y, 1 / x, array / x], "pow": [x**y, 2**x, x**3], "neg": [-x],
        "less": [x.less(y), x.greater(1)],
        "matmul": [x @ y.T, np.ones((3, 1)) @ x[..., :1].sum(0, keepdims=True)],
    }  # fmt: skip
    for op, values in built.items():
        assert [b.nodes[value.place].op for value in values] == [op] * len(values)
    assert (b.nodes[(1 - x).place].operands[1], b.nodes[x.greater(1).place].operands[1]) == (x.place, x.place)


def test_numbers_take_the_dtype_of_the_value_they_meet() -> None:
    b = Builder()
    ids, x = b.input("ids", ("B",), "int32"), b.input("x", ("B",), "float64")
    assert ((ids + 1).dtype, (x + 1).dtype, where(x.less(1), 0, x).dtype) == ("int32", "float64", "float64")
    with pytest.raises(GraphError, match=r"expected int32, got 0\.5"):
        ids + 0.5


INDICES: list[Any] = [
    0, -1, slice(1, None), slice(-2, None), slice(3, 1), slice(None, -1), (slice(None), 1), (..., 0),
    (0, ..., 1),
    (slice(None), slice(1, 3), -2), (1, 2, 3), ...,
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES)
def test_indexing_has_numpys_shape(index: Any) -> None:
    assert Builder().input("x", (3, 4, 5))[index].shape == np.zeros((3, 4, 5))[index].shape


@pytest.mark.parametrize("index", [3, (0, 0, 0, 0), slice(None, None, 2), "a", (..., ...), None, True])
def test_an_index_that_is_not_understood_is_refused(index: Any) -> None:
    with pytest.raises(GraphError):
        Builder().input("x", (3, 4, 5))[index]


def test_a_symbolic_axis_is_kept_but_not_cut() -> None:
    x = Builder().input("x", ("B", 5))
    assert x[:, 1:3].shape == ("B", 2)
    assert x[:, 0].shape == ("B",)
    with pytest.raises(GraphError, match="symbolic size 'B'"):
        x[0]


def test_extend_appends_a_loss_and_shares_leaves_of_one_name() -> None:
    b = Builder()
    y = b.extend(mlp())["y"]
    target = b.input("t", ("B", 4))
    loss = ((y - target) ** 2).mean()
    again = b.extend(mlp())["y"]
    assert again.place == y.place
    graph = b.graph({"loss": loss})
    graph.validate()
    assert (list(graph.inputs), list(graph.parameters)) == (["x", "t"], ["w", "bias"])
    other = b.extend(mlp(), prefix="b/")["y"]
    assert set(b.graph({"y": other}).live().parameters) == {"b/w", "b/bias"}


def test_extend_binds_leaves_to_values() -> None:
    b = Builder()
    x = b.input("x", ("B", 2))
    y = b.extend(mlp(), bind={"x": x * 2.0})["y"]
    assert b.nodes[b.nodes[b.nodes[y.place].operands[0]].operands[0]].op == "matmul"
    with pytest.raises(GraphError, match=r"cannot bind 'x': expected float32 \[B, 2\], got float32 \[B, 4\]"):
        b.extend(mlp(), bind={"x": y})


def test_leaves_that_contradict_each_other_are_refused() -> None:
    b = Builder()
    b.input("x", ("B", 3))
    with pytest.raises(GraphError, match=r"input 'x' float32 \[B, 2\] contradicts the input 'x' float32 \[B, 3\]"):
        b.extend(mlp())
    with pytest.raises(GraphError, match="contradicts"):
        b.parameter("x", ("B", 3))


def test_rows_of_a_constant_have_one_length() -> None:
    with pytest.raises(GraphError, match="constant"):
        Builder().constant([[1.0], [1.0, 2.0]])


def test_values_of_two_builders_do_not_mix() -> None:
    a, b = (Builder().input("x", ("B",)) for _ in range(2))
    with pytest.raises(GraphError, match="another builder"):
        a + b


def sparse_network() -> Op:
    """An op as a plugin would bring it: links with a symbolic count, structure in integer operands."""

    def infer(shapes: Any, dtypes: Any, attributes: Any) -> Any:
        x, sources, weights = shapes
        if len(x) != 2 or sources != weights or dtypes[1] != "int32":
            raise GraphError("expected x [B, n], sources int32 [C] and weights [C]")
        return (x[0],), dtypes[0]

    def meaning(arrays: Any, attributes: Any, sizes: Any) -> Any:
        x, sources, weights = arrays
        return np.tanh(attributes["slope"] * (x[:, sources] @ weights), dtype=x.dtype)

    return Op("sparse_network", "sum of links", 3, infer, meaning, {"slope": (float, 4.9)})


def test_an_op_of_a_plugin_passes_through_builder_and_json() -> None:
    ops = {**OPS, "sparse_network": sparse_network()}
    b = Builder(ops)
    x, s, w = b.input("x", ("B", 3)), b.parameter("sources", ("C",), "int32"), b.parameter("weights", ("C",))
    graph = b.graph({"y": b.apply("sparse_network", x, s, w, slope=2)})
    assert graph.nodes[-1] == Node("sparse_network", (0, 1, 2), {"slope": 2.0}, ("B",), "float32")
    assert same(Graph.from_json(graph.to_json(), ops), graph)
    with pytest.raises(GraphError, match="node 3: unknown op 'sparse_network'; is the plugin that offers it"):
        Graph.from_json(graph.to_json())
    with pytest.raises(GraphError, match=r"sparse_network\(.*expected x"):
        b.apply("sparse_network", x, s, x)


def test_an_op_may_not_invent_a_symbol() -> None:
    grown = Op("grow", "", 1, lambda shapes, dtypes, attributes: (("K",), dtypes[0]), lambda a, b, c: a[0])
    b = Builder({"grow": grown})
    with pytest.raises(GraphError, match="the symbol 'K', which no operand has"):
        b.apply("grow", b.input("x", (3,)))


def test_a_value_says_what_it_is() -> None:
    x = Builder().input("x", ("B", 3))
    assert isinstance(x, Value)
    assert repr(x + 1) == "<add float32 [B, 3]>"
