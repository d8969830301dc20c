# SPDX-License-Identifier: MIT OR Apache-2.0
"""The graphs on which devices are compared with the reference: together they use every op of the kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vynapse_core.builder import Builder, Value, log_softmax, one_hot, softmax, where

if TYPE_CHECKING:
    from vynapse_core.graph import Graph, Node
    from vynapse_core.population import Array
    from vynapse_core.streams import Stream


@dataclass(frozen=True)
class Case:
    """A graph and how it is called."""

    name: str
    graph: Graph
    per_network: tuple[str, ...] = ()
    empty: bool = True
    """Whether it has a value for no samples; a maximum over them has none."""
    exact: bool = False
    """Whether the outputs are the same to the bit on every device."""

    def drawn(self, networks: int, samples: int, rng: Stream) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return arrays {parameter: [P, ...]} and inputs for so many networks and samples."""
        arrays, inputs = {}, {}
        for name, place in self.graph.parameters.items():
            arrays[name] = _values(self.graph.nodes[place], (networks,), samples, rng)
        for name, place in self.graph.inputs.items():
            lead = (networks,) if name in self.per_network else ()
            inputs[name] = _values(self.graph.nodes[place], lead, samples, rng)
        return arrays, inputs


def cases() -> Iterator[Case]:
    """Yield the graphs."""
    yield Case("functions of one value", _graph(_unary))
    yield Case("functions of two values", _graph(_binary))
    yield Case("integers and truth values", _graph(_whole), exact=True)
    yield Case("reductions", _graph(_reductions), empty=False)
    yield Case("shapes", _graph(_shapes), exact=True)
    yield Case("broadcasting", _graph(_broadcasting))
    yield Case("matrix products", _graph(_products))
    yield Case("indices", _graph(_indices))
    yield Case("patches", _graph(_patches))
    yield Case("random numbers", _graph(_random), exact=True)
    yield Case("network with loss", _graph(_network), empty=False)
    yield Case("inputs per network", _graph(_network), per_network=("x",), empty=False)


def training_step() -> Graph:
    """Return one step of least squares by gradient descent: parameters `w` to `next`, and the `loss`."""
    b = Builder()
    x, target, w = b.input("x", ("B", 3)), b.input("target", ("B", 1)), b.parameter("w", (3, 1))
    error = x @ w - target
    gradient = x.T @ error * 2.0 / b.apply("size", error, axes=(0,))
    return b.graph({"next": w - 0.1 * gradient, "loss": (error**2).mean()})


def _graph(build: Callable[[Builder], Mapping[str, Value]]) -> Graph:
    builder = Builder()
    return builder.graph(build(builder))


def _values(node: Node, lead: tuple[int, ...], samples: int, rng: Stream) -> Array:
    shape = (*lead, *(samples if isinstance(size, str) else size for size in node.shape))
    if node.dtype == "uint64":
        return rng.words(shape)
    if node.dtype == "bool":
        return rng.bernoulli(0.5, shape)
    if node.dtype in ("int32", "int64"):
        return rng.integers(0, 4, shape).astype(node.dtype)
    return rng.normal(shape, dtype=node.dtype)


def _unary(b: Builder) -> dict[str, Value]:
    v = b.input("x", ("B", 3)) * b.parameter("w", (3,))
    positive = b.apply("abs", v) + 0.1
    free = ("neg", "abs", "sign", "exp", "tanh", "sigmoid", "erf", "sin", "cos", "floor", "stop_gradient")
    above_zero = ("log", "log1p", "sqrt")
    far = b.apply("sigmoid", v * 1e4)
    return {**{op: b.apply(op, v) for op in free}, **{op: b.apply(op, positive) for op in above_zero}, "far": far}


def _binary(b: Builder) -> dict[str, Value]:
    v, w = b.input("x", ("B", 3)), b.parameter("w", (3,))
    positive = b.apply("abs", v) + 0.1
    both = {op: b.apply(op, v, w) for op in ("add", "sub", "mul", "maximum", "minimum", "less", "equal")}
    return {
        **both,
        "div": w / positive,
        "pow": b.apply("pow", positive, w),
        "where": where(v.less(w), v, w),
        "rest": 1.0 - w,
    }


def _whole(b: Builder) -> dict[str, Value]:
    i, j, flag = b.input("i", ("B", 3), "int64"), b.parameter("j", (3,), "int64"), b.parameter("flag", (3,), "bool")
    outputs = {op: b.apply(op, i, j) for op in ("add", "sub", "mul", "maximum", "minimum", "less", "equal")}
    casts = {f"to {dtype}": j.cast(dtype) for dtype in ("int32", "float32", "float64", "bool")}
    return {**outputs, **casts, "truncated": (b.parameter("w", (3,)) * 3.0).cast("int32"), "chosen": where(flag, i, j)}


def _reductions(b: Builder) -> dict[str, Value]:
    v = b.input("x", ("B", 3, 5)) * b.parameter("w", (3, 5))
    outputs = {"all": v.sum(), "mean": v.mean(0), "first": v.argmax(1), "last": v.argmax(-1, keepdims=True)}
    for axes in ((0,), (1, 2), (-1,)):
        outputs[f"sum {axes}"], outputs[f"max {axes}"] = v.sum(axes, keepdims=True), v.max(axes)
    return outputs


def _shapes(b: Builder) -> dict[str, Value]:
    x, w = b.input("x", ("B", 3, 4)), b.parameter("w", (3, 4))
    v = x + w
    return {
        "reshape": v.reshape(("B", 12)),
        "transpose": v.transpose((1, 2, 0)),
        "expand_like": b.apply("expand_like", w, x),
        "sum_like": b.apply("sum_like", b.apply("expand_like", w.cast("int64"), x.cast("int64")), w.cast("int64")),
        "slice": v[:, 1:3, 2],
        "from the end": b.apply("slice", v, axis=2, start=1, stop=-1),
        "pad": b.apply("pad", v, axis=1, before=2, after=1, value=-1.5),
        "concat": b.apply("concat", v, v, x, axis=2),
    }


def _broadcasting(b: Builder) -> dict[str, Value]:
    x, w = b.input("x", ("B", 1, 4)), b.parameter("w", (3, 1))
    v = x * w
    return {"v": v, "back": b.apply("sum_like", v, w), "less": x.less(w), "where": where(x.less(w), w, 0.0)}


def _products(b: Builder) -> dict[str, Value]:
    x, w, u = b.input("x", ("B", 3)), b.parameter("w", (3, 5)), b.parameter("u", (2, 5, 3))
    stacked = b.apply("matmul", u, x.T)
    return {
        "dense": x @ w,
        "inner": w.T @ w,
        "stacked": stacked,
        "batch": u @ b.parameter("v", (2, 3, 1)),
        "gram": x.T @ x,
    }


def _indices(b: Builder) -> dict[str, Value]:
    table, ids, picks = (
        b.parameter("table", (4, 3)),
        b.input("ids", ("B",), "int64"),
        b.parameter("picks", (5,), "int64"),
    )
    rows = b.apply("gather", table, ids)
    added = b.apply("scatter_add", table, ids, rows)
    columns = b.apply("gather", table.T, picks, axis=1)
    return {"rows": rows, "added": added, "columns": columns, "hot": one_hot(ids, 4), "ends": table[0] + table[-1]}


def _patches(b: Builder) -> dict[str, Value]:
    image = b.input("image", ("B", 2, 6, 7)) * b.parameter("scale", (2, 1, 1))
    patches = b.apply("window", image, size=(3, 2), stride=(1, 2), dilation=(2, 1))
    line = b.parameter("line", (9,))
    pieces = b.apply("window", line, size=(3,))
    return {
        "patches": patches,
        "folded": b.apply("fold", patches, image, size=(3, 2), stride=(1, 2), dilation=(2, 1)),
        "pieces": pieces,
        "line": b.apply("fold", pieces, line, size=(3,)),
    }


def _random(b: Builder) -> dict[str, Value]:
    like, key = b.input("x", ("B", 3)), b.parameter("key", (2,), "uint64")
    double = b.parameter("double", (7,), "float64")
    draws = {f"stream {number}": b.apply("uniform", like, key, stream=number) for number in (0, 3)}
    return {**draws, "double": b.apply("uniform", double, key)}


def _network(b: Builder) -> dict[str, Value]:
    x, ids = b.input("x", ("B", 4)), b.input("ids", ("B",), "int64")
    hidden = b.apply("tanh", x @ b.parameter("w0", (7, 4)).T + b.parameter("b0", (7,)))
    logits = hidden @ b.parameter("w1", (4, 7)).T + b.parameter("b1", (4,))
    loss = -(log_softmax(logits) * one_hot(ids, 4)).sum(-1).mean()
    correct = logits.argmax(-1).equal(ids).cast("float32")
    return {"logits": logits, "softmax": softmax(logits), "loss": loss, "accuracy": correct.mean()}
