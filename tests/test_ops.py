# SPDX-License-Identifier: MIT OR Apache-2.0
"""The op table: shape rules against NumPy's shapes, meanings against oracles, and the claim of closedness.

The claim is proved by doing it: a vector-Jacobian product for every op, written in graph ops alone, is
compared with central differences in float64, once for gradients and once for gradients of gradients.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.special
from hypothesis import given, strategies as st

from vynapse_core.builder import Builder, Value, log_softmax, one_hot, softmax, where
from vynapse_core.devices.reference import Reference
from vynapse_core.errors import GraphError
from vynapse_core.ops import DTYPES, FLOAT, OPS, broadcast

if TYPE_CHECKING:
    from vynapse_core.graph import Graph

Vjp = Callable[..., list[Value | None]]


def zero_of(x: Value) -> Value:
    return x.builder.apply("expand_like", x.builder.constant(0.0, x.dtype), x)


def like(g: Value, x: Value) -> Value:
    return g if g.shape == x.shape else g.builder.apply("sum_like", g, x)


def kept(x: Value, attributes: Any) -> list[Any]:
    return [1 if axis in attributes["axes"] else dim for axis, dim in enumerate(x.shape)]


def vjp_pow(v: list[Value], out: Value, g: Value, a: Any) -> list[Value | None]:
    x, y = v
    safe = where(x.equal(0.0), 1.0, x)
    return [like(g * y * x ** (y - 1.0), x), like(g * out * x.builder.apply("log", safe), y)]


def vjp_extreme(v: list[Value], out: Value, g: Value, a: Any) -> list[Value | None]:
    takes = [operand.equal(out).cast(g.dtype) for operand in v]
    return [like(g * take / (takes[0] + takes[1]), operand) for take, operand in zip(takes, v, strict=True)]


def vjp_max(v: list[Value], out: Value, g: Value, a: Any) -> list[Value | None]:
    x = v[0]
    top, g = out.reshape(kept(x, a)), g.reshape(kept(x, a))
    ties = x.equal(top).cast(g.dtype)
    return [ties * (g / ties.sum(a["axes"], keepdims=True))]


def vjp_sum(v: list[Value], out: Value, g: Value, a: Any) -> list[Value | None]:
    return [g.builder.apply("expand_like", g.reshape(kept(v[0], a)), v[0])]


def vjp_slice(v: list[Value], out: Value, g: Value, a: Any) -> list[Value | None]:
    size = v[0].shape[a["axis"]]
    stop = a["stop"] + size if a["stop"] < 0 else a["stop"]
    return [g.builder.apply("pad", g, axis=a["axis"], before=a["start"], after=size - stop)]


def vjp_pad(v: list[Value], out: Value, g: Value, a: Any) -> list[Value | None]:
    stop = a["before"] + v[0].shape[a["axis"]]
    return [g.builder.apply("slice", g, axis=a["axis"], start=a["before"], stop=stop)]


def vjp_concat(v: list[Value], out: Value, g: Value, a: Any) -> list[Value | None]:
    ends = list(itertools.accumulate(x.shape[a["axis"]] for x in v))
    starts = [0, *ends[:-1]]
    axis = a["axis"]
    return [
        g.builder.apply("slice", g, axis=axis, start=start, stop=end) for start, end in zip(starts, ends, strict=True)
    ]


def vjp_matmul(v: list[Value], out: Value, g: Value, a: Any) -> list[Value | None]:
    def turned(x: Value) -> Value:
        last = len(x.shape) - 1
        return x.transpose([*range(last - 1), last, last - 1])

    return [like(g @ turned(v[1]), v[0]), like(turned(v[0]) @ g, v[1])]


def vjp_gather(v: list[Value], out: Value, g: Value, a: Any) -> list[Value | None]:
    return [g.builder.apply("scatter_add", v[0], v[1], g, axis=a["axis"]), None]


def vjp_scatter_add(v: list[Value], out: Value, g: Value, a: Any) -> list[Value | None]:
    return [None, None, g.builder.apply("gather", g, v[1], axis=a["axis"])]


def vjp_where(v: list[Value], out: Value, g: Value, a: Any) -> list[Value | None]:
    return [None, like(where(v[0], g, 0.0), v[1]), like(where(v[0], 0.0, g), v[2])]


def unary(derivative: Callable[[Value, Value], Value]) -> Vjp:
    return lambda v, out, g, a: [g * derivative(v[0], out)]


def none(v: list[Value], out: Value, g: Value, a: Any) -> list[Value | None]:
    return [None] * len(v)


VJPS: dict[str, Vjp] = {
    "add": lambda v, out, g, a: [like(g, v[0]), like(g, v[1])],
    "sub": lambda v, out, g, a: [like(g, v[0]), like(-g, v[1])],
    "mul": lambda v, out, g, a: [like(g * v[1], v[0]), like(g * v[0], v[1])],
    "div": lambda v, out, g, a: [like(g / v[1], v[0]), like(-g * out / v[1], v[1])],
    "pow": vjp_pow,
    "maximum": vjp_extreme,
    "minimum": vjp_extreme,
    "neg": unary(lambda x, y: x.builder.constant(-1.0, x.dtype)),
    "abs": unary(lambda x, y: x.builder.apply("sign", x)),
    "sign": none,
    "exp": unary(lambda x, y: y),
    "log": unary(lambda x, y: 1.0 / x),
    "log1p": unary(lambda x, y: 1.0 / (1.0 + x)),
    "sqrt": unary(lambda x, y: 0.5 / y),
    "tanh": unary(lambda x, y: 1.0 - y * y),
    "sigmoid": unary(lambda x, y: y * (1.0 - y)),
    "erf": unary(lambda x, y: 2.0 / math.sqrt(math.pi) * x.builder.apply("exp", -(x * x))),
    "sin": unary(lambda x, y: x.builder.apply("cos", x)),
    "cos": unary(lambda x, y: -x.builder.apply("sin", x)),
    "floor": none,
    "less": none,
    "equal": none,
    "where": vjp_where,
    "cast": lambda v, out, g, a: [g.cast(v[0].dtype) if v[0].dtype in FLOAT and out.dtype in FLOAT else None],
    "stop_gradient": none,
    "sum": vjp_sum,
    "max": vjp_max,
    "argmax": none,
    "size": none,
    "reshape": lambda v, out, g, a: [g.reshape(v[0].shape)],
    "transpose": lambda v, out, g, a: [g.transpose([a["axes"].index(i) for i in range(len(a["axes"]))])],
    "expand_like": lambda v, out, g, a: [like(g, v[0]), None],
    "sum_like": lambda v, out, g, a: [g.builder.apply("expand_like", g, v[0]), None],
    "slice": vjp_slice,
    "pad": vjp_pad,
    "concat": vjp_concat,
    "matmul": vjp_matmul,
    "gather": vjp_gather,
    "scatter_add": vjp_scatter_add,
    "window": lambda v, out, g, a: [g.builder.apply("fold", g, v[0], **a)],
    "fold": lambda v, out, g, a: [g.builder.apply("window", g, **a), None],
    "uniform": none,
}


def gradients(loss: Value, wanted: list[Value]) -> list[Value]:
    """Reverse mode over the builder's nodes: all of it graph ops."""
    builder = loss.builder
    cotangents: dict[int, Value] = {loss.place: builder.constant(1.0, loss.dtype)}
    for place in range(loss.place, -1, -1):
        node = builder.nodes[place]
        if place not in cotangents or not node.operands:
            continue
        operands = [Value(builder, operand) for operand in node.operands]
        parts = VJPS[node.op](operands, Value(builder, place), cotangents[place], node.attributes)
        for operand, part in zip(operands, parts, strict=True):
            if part is not None and operand.dtype in FLOAT:
                before = cotangents.get(operand.place)
                cotangents[operand.place] = part if before is None else before + part
    return [cotangents.get(value.place, zero_of(value)) for value in wanted]


def run(graph: Graph, arrays: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    stacked = {name: np.asarray(array)[None] for name, array in arrays.items()}
    return {name: value[0] for name, value in Reference().compile(graph)(stacked, inputs).items()}


def central(graph: Graph, output: str, arrays: dict[str, Any], name: str, step: float = 1e-5) -> Any:
    """Return d output / d arrays[name] by central differences; the output is a scalar."""
    flat = arrays[name].reshape(-1)
    moved = np.repeat(flat[None], 2 * flat.size, 0)
    for i in range(flat.size):
        moved[2 * i, i] += step
        moved[2 * i + 1, i] -= step
    many = {n: np.repeat(a[None], len(moved), 0) for n, a in arrays.items()}
    many[name] = moved.reshape(-1, *arrays[name].shape)
    values = Reference().compile(graph)(many, {})[output]
    return ((values[::2] - values[1::2]) / (2 * step)).reshape(arrays[name].shape)


Case = tuple[dict[str, tuple[int, ...]], Callable[..., Value]]


def case(op: str, *shapes: tuple[int, ...], **attributes: Any) -> Case:
    names = {"abcdef"[i]: shape for i, shape in enumerate(shapes)}
    return names, lambda b, *values: b.apply(op, *values, **attributes)


def ids(b: Builder, *values: Any) -> Value:
    return b.constant(np.array(values), "int64")


# Several cases an op: broadcasting, keepdims, an inner axis. Values in (0.2, 1.8) keep clear of all kinks.
CASES: dict[str, list[Case]] = {
    **{
        op: [case(op, (3, 2), (3, 2)), case(op, (2, 1, 3), (4, 1)), case(op, (), (2,))]
        for op in ("add", "sub", "mul", "div", "pow", "maximum", "minimum")
    },
    **{
        op: [case(op, (2, 3))]
        for op in ("neg", "abs", "exp", "log", "log1p", "sqrt", "tanh", "sigmoid", "erf", "sin", "cos")
    },
    **{op: [({"a": (3,)}, lambda b, x, op=op: x * b.apply(op, x))] for op in ("sign", "floor")},
    "stop_gradient": [({"a": (3,)}, lambda b, x: x * b.apply("stop_gradient", b.apply("floor", x)))],
    **{
        op: [({"a": (3,), "b": (3,)}, lambda b, x, y, op=op: x * b.apply(op, x, y).cast("float64"))]
        for op in ("less", "equal")
    },
    "where": [({"a": (3,), "b": (2, 1)}, lambda b, x, y: where(x.less(1.0), x, y * y))],
    "cast": [({"a": (3,)}, lambda b, x: x * x.cast("float64") + x.cast("int64").cast("float64"))],
    "sum": [case("sum", (2, 3, 2), axes=(0, 2)), case("sum", (2, 3), axes=(1,), keepdims=True)],
    "max": [case("max", (2, 3, 2), axes=(0, 2)), case("max", (2, 3), axes=(1,), keepdims=True)],
    "argmax": [({"a": (2, 3)}, lambda b, x: x.sum((1,)) * x.argmax(1).cast("float64"))],
    "size": [({"a": (2, 3)}, lambda b, x: x.mean(1))],
    "reshape": [case("reshape", (2, 3), shape=(3, -1))],
    "transpose": [case("transpose", (2, 3, 4), axes=(2, 0, 1))],
    "expand_like": [({"a": (3, 1), "b": (2, 3, 4)}, lambda b, x, y: y * b.apply("expand_like", x, y))],
    "sum_like": [({"a": (2, 3, 4), "b": (3, 1)}, lambda b, x, y: y * b.apply("sum_like", x, y))],
    "slice": [case("slice", (2, 5), axis=1, start=1, stop=4), case("slice", (5,), axis=0, start=1, stop=-1)],
    "pad": [case("pad", (2, 3), axis=1, before=2, after=1, value=5.0)],
    "concat": [case("concat", (2, 3), (2, 1), (2, 2), axis=1)],
    "matmul": [case("matmul", (2, 3), (3, 4)), case("matmul", (3, 1, 2, 3), (2, 3, 2))],
    "gather": [
        ({"a": (4, 2)}, lambda b, x: b.apply("gather", x, ids(b, [3, 0], [3, 3]))),
        ({"a": (2, 4)}, lambda b, x: b.apply("gather", x, ids(b, 1, 1, 2), axis=1)),
    ],
    "scatter_add": [
        (
            {"a": (3, 2), "b": (2, 2, 2)},
            lambda b, x, u: x * b.apply("scatter_add", x, ids(b, [0, 2], [2, 2]), u),
        ),
        (
            {"a": (2, 4), "b": (2, 3)},
            lambda b, x, u: x * b.apply("scatter_add", x, ids(b, 1, 1, 3), u, axis=1),
        ),
    ],
    "window": [
        case("window", (2, 7), size=(3,), stride=(2,), dilation=(2,)),
        case("window", (2, 4, 5), size=(2, 3), stride=(2, 1)),
    ],
    "fold": [
        (
            {"a": (2, 3, 2), "b": (2, 7)},
            lambda b, p, x: x * b.apply("fold", p, x, size=(3,), stride=(2,), dilation=(2,)),
        ),
    ],
    "uniform": [
        ({"a": (3,)}, lambda b, x: x * x * b.apply("uniform", x, b.constant(np.array([1, 2], "uint64")))),
    ],
}


def a_scalar(b: Builder, shapes: dict[str, tuple[int, ...]], build: Callable[..., Value]) -> tuple[Value, Any]:
    """Return a scalar that weighs each element of the op's result differently, and the op's parameters."""
    values = [b.parameter(name, shape, "float64") for name, shape in shapes.items()]
    out = build(b, *values)
    shape: Any = out.shape
    weights = np.linspace(0.5, 1.5, math.prod(shape)).reshape(shape)
    # the square makes the second derivative of linear ops non-zero
    return (out * out * weights).sum(), values


def test_every_op_has_a_gradient_case_and_a_vjp_written_in_ops() -> None:
    assert set(VJPS) == set(OPS) == set(CASES)


@pytest.mark.parametrize("op", sorted(OPS))
def test_a_gradient_written_in_ops_agrees_with_central_differences(op: str) -> None:
    for shapes, build in CASES[op]:
        b = Builder()
        loss, values = a_scalar(b, shapes, build)
        grads = gradients(loss, values)
        graph = b.graph({"loss": loss, **{f"d{n}": grad for n, grad in zip(shapes, grads, strict=True)}})
        assert op in {node.op for node in graph.nodes}
        rng = np.random.default_rng(7)
        arrays = {name: rng.uniform(0.2, 1.8, shape) for name, shape in shapes.items()}
        got = run(graph, arrays)
        for name in shapes:
            expected = central(graph, "loss", arrays, name)
            np.testing.assert_allclose(got[f"d{name}"], expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("op", sorted(OPS))
def test_a_gradient_of_a_gradient_agrees_with_central_differences(op: str) -> None:
    for shapes, build in CASES[op]:
        b = Builder()
        loss, values = a_scalar(b, shapes, build)
        rng = np.random.default_rng(8)
        slope = b.constant(0.0, "float64")
        for grad in gradients(loss, values):
            shape: Any = grad.shape
            slope = slope + (grad * rng.uniform(0.5, 1.5, shape)).sum()
        second = gradients(slope, values)
        graph = b.graph({"slope": slope, **{f"d{n}": grad for n, grad in zip(shapes, second, strict=True)}})
        arrays = {name: rng.uniform(0.2, 1.8, shape) for name, shape in shapes.items()}
        got = run(graph, arrays)
        for name in shapes:
            expected = central(graph, "slope", arrays, name)
            np.testing.assert_allclose(got[f"d{name}"], expected, rtol=1e-5, atol=1e-7)


def test_no_gradient_passes_through_stop_gradient() -> None:
    b = Builder()
    x = b.parameter("x", (3,))
    (grad,) = gradients((x * b.apply("stop_gradient", x)).sum(), [x])
    array = np.array([1.0, -2.0, 3.0], "float32")
    np.testing.assert_array_equal(run(b.graph({"d": grad}), {"x": array})["d"], array)


ORACLES: dict[str, Callable[[Any], Any]] = {
    "exp": np.exp, "log": np.log, "log1p": np.log1p, "sqrt": np.sqrt, "tanh": np.tanh, "sin": np.sin,
    "cos": np.cos, "floor": np.floor, "neg": np.negative, "abs": np.abs, "sign": np.sign,
    "sigmoid": scipy.special.expit, "erf": scipy.special.erf,
}  # fmt: skip


def apply(op: str, *arrays: Any, **attributes: Any) -> Any:
    """Run an op through the public form of its meaning, and hold its shape rule to what came out."""
    given = [np.asarray(array) for array in arrays]
    shapes = [array.shape for array in given]
    completed = OPS[op].complete(shapes, attributes)
    shape, dtype = OPS[op].result(shapes, [array.dtype.name for array in given], completed)
    with np.errstate(all="ignore"):
        result = np.asarray(OPS[op].meaning(given, completed, {}))
    assert (result.shape, result.dtype.name) == (shape, dtype)
    return result


@pytest.mark.parametrize("dtype", FLOAT)
@pytest.mark.parametrize("op", sorted(ORACLES))
def test_functions_of_one_number_agree_with_their_oracles(op: str, dtype: str) -> None:
    x = np.array([-1e4, -750.0, -20.5, -1.0, -1e-8, 0.0, 1e-8, 0.5, 3.0, 750.0, np.inf, -np.inf, np.nan], dtype)
    with np.errstate(all="ignore"):
        expected = ORACLES[op](x.astype("float64")).astype(dtype)
    np.testing.assert_allclose(apply(op, x), expected, rtol=4 * float(np.finfo(dtype).eps), atol=1e-40)


def test_sigmoid_raises_no_floating_point_flag_but_underflow() -> None:
    with np.errstate(all="raise", under="ignore"):
        OPS["sigmoid"].meaning([np.array([-1e30, 1e30, 0.0], "float32")], {}, {})


@given(st.lists(st.sampled_from([(), (1,), (3,), (2, 1), (2, 3), (4, 1, 1), (4, 2, 3)]), min_size=1, max_size=3))
def test_broadcasting_of_integers_is_numpys(shapes: list[tuple[int, ...]]) -> None:
    assert broadcast(*shapes) == np.broadcast_shapes(*shapes)


def test_a_symbol_broadcasts_against_itself_and_one_only() -> None:
    assert broadcast(("B", 1), ("B", 4), (4,)) == ("B", 4)
    assert broadcast(("B",), (1,)) == ("B",)
    for other in ("C", 4):
        with pytest.raises(GraphError, match="do not fit"):
            broadcast(("B",), (other,))


MISFITS: list[tuple[str, list[tuple[tuple[Any, ...], str]], dict[str, Any], str]] = [
    ("add", [(("B", 4), "float32"), (("C", 4), "float32")], {}, r"add\(float32 \[B, 4\], .*'B' and 'C'"),
    ("add", [((2,), "float32"), ((2,), "float64")], {}, "mixed; expected one, use cast"),
    ("add", [((2,), "bool"), ((2,), "bool")], {}, "bool is not allowed"),
    ("add", [((2,), "float32")], {}, "expected 2 operands, got 1"),
    ("neg", [((2,), "uint64")], {}, "uint64 is not allowed"),
    ("exp", [((2,), "int64")], {}, "int64 is not allowed"),
    ("where", [((2,), "float32"), ((2,), "float32"), ((2,), "float32")], {}, "expected bool"),
    ("cast", [((2,), "float32")], {"dtype": "float16"}, "unknown dtype 'float16'"),
    ("sum", [((2, 3), "float32")], {"axes": (2,)}, "axis 2 does not exist"),
    ("sum", [((2, 3), "float32")], {"axes": (1, -1)}, "one axis twice"),
    ("sum", [((2, 3), "float32")], {}, "'axes' is missing"),
    ("sum", [((2, 3), "float32")], {"axis": (0,)}, "unknown attribute 'axis'.*did you mean 'axes'"),
    ("sum", [((2, 3), "float32")], {"axes": (0,), "keepdims": 1}, "expected a bool, got 1"),
    ("max", [((0, 3), "float32")], {"axes": (0,)}, "no maximum"),
    ("argmax", [((3, 0), "float32")], {"axis": 1}, "no maximum"),
    ("reshape", [(("B", 6), "float32")], {"shape": (6,)}, "symbol by symbol"),
    ("reshape", [(("B", 6), "float32")], {"shape": ("B", 4, -1)}, "-1 would not stand"),
    ("reshape", [(("B", 6), "float32")], {"shape": ("C", -1)}, "-1 would not stand"),
    ("reshape", [((6,), "float32")], {"shape": (-1, -1)}, "at most one -1"),
    ("reshape", [((6,), "float32")], {"shape": (-2, -3)}, "no dimension"),
    ("transpose", [((2, 3), "float32")], {"axes": (0, 0)}, "no permutation"),
    ("expand_like", [((3,), "float32"), ((2,), "float32")], {}, "do not fit"),
    ("expand_like", [((2, 3), "float32"), ((3,), "float32")], {}, "does not broadcast"),
    ("sum_like", [((3,), "float32"), ((2, 3), "float32")], {}, "does not broadcast"),
    ("slice", [((5,), "float32")], {"axis": 0, "start": 2, "stop": 9}, "does not lie within"),
    ("slice", [(("B",), "float32")], {"axis": 0, "start": 0, "stop": 1}, "symbolic size 'B'"),
    ("pad", [((5,), "float32")], {"axis": 0, "before": -1}, "negative"),
    ("pad", [((5,), "int64")], {"axis": 0, "before": 1, "value": 0.5}, "is no int64"),
    ("pad", [((5,), "float32")], {"axis": 0, "before": 2**40}, "at most"),
    ("concat", [((2, 3), "float32"), ((3, 3), "float32")], {"axis": 1}, "differ along axis 1 only"),
    ("concat", [], {"axis": 0}, "at least 1"),
    ("matmul", [((2, 3), "float32"), ((2, 3), "float32")], {}, "inner dimensions 3 and 2"),
    ("matmul", [((3,), "float32"), ((3, 3), "float32")], {}, "two axes or more"),
    ("gather", [((3,), "float32"), ((2,), "float32")], {}, "indices are float32"),
    ("scatter_add", [((3,), "float32"), ((2,), "int64"), ((3,), "float32")], {}, r"expected \[2\]"),
    ("window", [((3,), "float32")], {"size": (4,)}, "larger than the axis"),
    ("window", [((3,), "float32")], {"size": (0,)}, "integers from 1"),
    ("window", [((3,), "float32")], {"size": (2,), "stride": (1, 1)}, "differ in length"),
    ("window", [((3,), "float32")], {"size": (2, 2)}, "on an operand of 1"),
    ("window", [(("B",), "float32")], {"size": (1,)}, "symbolic size 'B'"),
    ("fold", [((2, 3), "float32"), ((3,), "float32")], {"size": (2,)}, r"expected \[2, 2\]"),
    ("uniform", [((3,), "float32"), ((3,), "uint64")], {}, r"expected uint64 \[2\]"),
    ("uniform", [((3,), "float32"), ((2,), "uint64")], {"stream": -1}, "negative"),
    ("uniform", [((3,), "float32"), ((2,), "uint64")], {"stream": 2**70}, "63 bits"),
]  # fmt: skip


@pytest.mark.parametrize(("op", "operands", "attributes", "message"), MISFITS)
def test_a_misfit_is_refused_with_op_and_reason(op: str, operands: Any, attributes: Any, message: str) -> None:
    shapes, dtypes = [shape for shape, _ in operands], [dtype for _, dtype in operands]
    with pytest.raises(GraphError, match=message) as caught:
        OPS[op].result(shapes, dtypes, OPS[op].complete(shapes, attributes))
    assert str(caught.value).startswith(op)


@pytest.mark.parametrize("dtype", [name for name in DTYPES if name != "bool"])
def test_sums_and_maxima_keep_their_dtype(dtype: str) -> None:
    x = np.arange(6).reshape(2, 3).astype(dtype)
    np.testing.assert_array_equal(apply("sum", x, axes=(1,)), [3, 12])
    np.testing.assert_array_equal(apply("max", x, axes=(0,), keepdims=True), [[3, 4, 5]])
    assert apply("sum", x, axes=()).shape == (2, 3)


def test_a_reduction_over_all_axes_and_one_over_none() -> None:
    x = np.arange(6.0).reshape(2, 3)
    assert apply("sum", x, axes=(0, 1)) == 15
    assert apply("size", x, axes=(0, 1)) == 6
    assert apply("size", x, axes=()) == 1
    assert apply("argmax", np.array([1.0, 3.0, 3.0]), axis=0) == 1


def test_reshape_infers_the_open_size_or_symbol() -> None:
    def inferred(shape: Any, target: Any) -> Any:
        return OPS["reshape"].result([shape], ["float32"], {"shape": target})[0]

    assert inferred(("B", 4, 6), ("B", -1)) == ("B", 24)
    assert inferred(("B", 4), (4, -1)) == (4, "B")
    assert inferred(("B", "C"), ("C", -1)) == ("C", "B")
    assert inferred(("B", 4), (2, "B", 2)) == (2, "B", 2)


@given(st.integers(1, 12), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_fold_is_the_adjoint_of_window(n: int, size: int, stride: int, dilation: int, seed: int) -> None:
    if dilation * (size - 1) + 1 > n:
        return
    how = {"size": (size,), "stride": (stride,), "dilation": (dilation,)}
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, n))
    patches = apply("window", x, **how)
    for z, o in itertools.product(*map(range, patches.shape[1:])):
        np.testing.assert_array_equal(patches[:, z, o], x[:, o * stride + z * dilation])
    p = rng.normal(size=patches.shape)
    np.testing.assert_allclose((patches * p).sum(), (x * apply("fold", p, x, **how)).sum(), rtol=1e-9, atol=1e-12)


def test_convolution_is_window_reshape_and_matmul() -> None:
    b = Builder()
    x, w = b.input("x", ("B", 3, 6, 5)), b.parameter("w", (4, 3 * 2 * 3))
    patches = b.apply("window", x, size=(2, 3), stride=(2, 1))
    out = (w @ patches.reshape(("B", 18, 9))).reshape(("B", 4, 3, 3))
    rng = np.random.default_rng(3)
    image, kernel = rng.normal(size=(2, 3, 6, 5)).astype("f4"), rng.normal(size=(4, 3, 2, 3)).astype("f4")
    got = run(b.graph({"y": out}), {"w": kernel.reshape(4, 18)}, x=image)["y"]
    for i, j in itertools.product(range(3), range(3)):
        part = image[:, :, 2 * i : 2 * i + 2, j : j + 3]
        np.testing.assert_allclose(got[:, :, i, j], np.einsum("bchw,ochw->bo", part, kernel), rtol=2e-5, atol=1e-5)


def test_scatter_add_adds_repeated_indices_and_gather_reads_them() -> None:
    like_, at = np.zeros((2, 4)), np.array([1, 3, 1])
    updates = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    np.testing.assert_array_equal(apply("scatter_add", like_, at, updates, axis=1), [[0, 4, 0, 2], [0, 10, 0, 5]])
    np.testing.assert_array_equal(apply("gather", updates, np.array([[2], [0]]), axis=-1)[:, :, 0], updates[:, [2, 0]])


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_outside_the_axis_is_refused(index: int) -> None:
    with pytest.raises(GraphError, match=f"index {index} is outside an axis of size 3"):
        apply("gather", np.zeros(3), np.array([0, index]))
    with pytest.raises(GraphError, match=f"index {index} is outside an axis of size 3"):
        apply("scatter_add", np.zeros(3), np.array([0, index]), np.zeros(2))


def philox(key: tuple[int, int], counter: tuple[int, int, int, int]) -> list[int]:
    """One block of Philox 4x64-10 in Python integers, as the paper describes it (Salmon et al., SC 2011)."""
    mask = 2**64 - 1
    (a, b, c, d), (k0, k1) = counter, key
    for _ in range(10):
        left, right = 0xD2E7470EE14C6C93 * a, 0xCA5A826395121157 * c
        a, b, c, d = (right >> 64) ^ b ^ k0, right & mask, (left >> 64) ^ d ^ k1, left & mask
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & mask, (k1 + 0xBB67AE8584CAA73B) & mask
    return [a, b, c, d]


@pytest.mark.parametrize("shape", [(), (7,), (2, 3, 3)])
def test_uniform_draws_the_documented_words(shape: tuple[int, ...]) -> None:
    key, stream, n = (12345, 2**63 + 7), 3, math.prod(shape)
    words = [word for block in range(n // 4 + 1) for word in philox(key, (block + 1, 0, 0, stream))]
    keys = np.array(key, "uint64")
    wide = apply("uniform", np.zeros(shape), keys, stream=stream)
    np.testing.assert_array_equal(wide.ravel(), [(w >> 11) * 2.0**-53 for w in words[:n]])
    halves = [half for w in words for half in (w & 0xFFFFFFFF, w >> 32)]
    narrow = apply("uniform", np.zeros(shape, "float32"), keys, stream=stream)
    np.testing.assert_array_equal(narrow.ravel(), [(h >> 8) * 2.0**-24 for h in halves[:n]])


def test_uniforms_of_other_keys_and_streams_are_other_numbers() -> None:
    x = np.zeros(1000)
    keys = [np.array(k, "uint64") for k in ([1, 2], [2, 1])]
    draws = [apply("uniform", x, key, stream=stream) for key in keys for stream in (0, 1)]
    assert len({draw.tobytes() for draw in draws}) == 4
    assert all(0.45 < draw.mean() < 0.55 for draw in draws)
    assert abs(np.corrcoef(draws) - np.eye(4)).max() < 0.15


def test_softmax_is_scipys_and_does_not_overflow() -> None:
    b = Builder()
    x = b.parameter("x", (2, 3))
    graph = b.graph({"soft": softmax(x), "log": log_softmax(x), "first": softmax(x, axis=0)})
    array = np.array([[1e4, 0.0, -1e4], [0.1, 0.2, 0.3]], "float32")
    got = run(graph, {"x": array})
    np.testing.assert_allclose(got["soft"], scipy.special.softmax(array, axis=1), rtol=1e-6)
    np.testing.assert_allclose(got["log"], scipy.special.log_softmax(array, axis=1), rtol=1e-6)
    np.testing.assert_allclose(got["first"], scipy.special.softmax(array, axis=0), rtol=1e-6)


def test_one_hot_marks_the_class_and_nothing_for_a_class_out_of_range() -> None:
    b = Builder()
    t, p = b.input("t", ("B",), "int64"), b.parameter("p", ())
    graph = b.graph({"hot": one_hot(t, 3), "p": p})
    got = run(graph, {"p": np.float32(0)}, t=np.array([2, 0, 5]))["hot"]
    np.testing.assert_array_equal(got, np.array([[0, 0, 1], [1, 0, 0], [0, 0, 0]], "float32"))
