# SPDX-License-Identifier: MIT OR Apache-2.0
"""Algebraic simplification: identities that hold for every float, signed zeros, infinities and NaN included.

What only real numbers obey is left out: x + 0 is not x where x is -0, x - x and x * 0 are not 0 where x is infinite.
Three rules round otherwise than what they replace, all to the nearest or closer: a square as a product, an inverse as a
division, and the sum of one number n times as a product. The sum of a single -0 stays -0, which NumPy makes +0. The
sign of a NaN means nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import copysign, frexp

import numpy as np

from vynapse_autodiff.passes.rewriting import PassReport, Rule, Rules, made_by, rewritten, same
from vynapse_autodiff.passes.shape_algebra import SHAPE_RULES
from vynapse_core import Graph, Node, Op, Value, constant_array

FLOAT = ("float32", "float64")
ROUNDS = 8
LOSSLESS = {
    "bool": ("int32", "int64", "uint64", "float32", "float64"),
    "int32": ("int64", "float64"),
    "float32": ("float64",),
}
"""{dtype: dtypes that hold all its values}."""
NEVER_NEGATIVE = ("abs", "exp", "sigmoid", "uniform")
"""Ops whose results are never below 0, nor -0."""

Values = Sequence[Value]


def simplify(graph: Graph, ops: Mapping[str, Op] | None = None) -> tuple[Graph, PassReport]:
    """Return the graph with what algebra makes simpler, until nothing more is found."""
    return rewritten("algebra", graph, RULES, ops, ROUNDS)


def number(value: Value) -> float | None:
    """Return the number that all elements of a constant are; None for anything else."""
    node = value.builder.nodes[value.place]
    if node.op != "constant":
        return None
    flat = np.asarray(node.attributes["value"]).ravel()
    alike = flat.size > 0 and bool((flat == flat[0]).all()) and len(set(np.signbit(flat.astype(float)).tolist())) == 1
    return float(flat[0]) if alike else None


def _either(wanted: float, sign: float | None = None) -> Rule:
    """Return the rule: where one operand is the number, the other one is the result."""

    def rule(node: Node, v: Values) -> Value | None:
        for kept, other in ((v[0], v[1]), (v[1], v[0])):
            found = number(other)
            if found == wanted and (sign is None or node.dtype not in FLOAT or copysign(1.0, found) == sign):
                return kept
        return None

    return rule


def _zero_added(node: Node, v: Values) -> Value | None:
    # +0 changes -0 alone
    for kept, other in ((v[0], v[1]), (v[1], v[0])):
        if number(other) == 0 and never_negative(kept):
            return kept
    return None


def never_negative(value: Value) -> bool:
    """Whether a value is known never to be below 0, nor -0; integers wrap around where they are too large."""
    node = value.builder.nodes[value.place]
    if node.op == "mul":
        return node.dtype in FLOAT and node.operands[0] == node.operands[1]
    if node.op == "cast":
        source = value.builder.nodes[node.operands[0]].dtype
        return source == "bool" or (source == "uint64" and node.dtype in FLOAT)
    return node.op in NEVER_NEGATIVE


def _second(wanted: float) -> Rule:
    """Return the rule: where the second operand is the number, the first one is the result; 0 is +0."""

    def rule(node: Node, v: Values) -> Value | None:
        found = number(v[1])
        return v[0] if found == wanted and copysign(1.0, found) > 0 else None

    return rule


def _added_negative(node: Node, v: Values) -> Value | None:
    if (b := made_by(v[1], "neg")) is not None:
        return v[0] - b[0]
    return v[1] - a[0] if (a := made_by(v[0], "neg")) is not None else None


def _subtracted_negative(node: Node, v: Values) -> Value | None:
    return v[0] + b[0] if (b := made_by(v[1], "neg")) is not None else None


def _itself_subtracted(node: Node, v: Values) -> Value | None:
    if node.dtype in FLOAT or not same(v[0], v[1]):
        return None
    zero = v[0].builder.constant(0, node.dtype)
    return zero if not node.shape else v[0].builder.apply("expand_like", zero, v[0])


def _signs(node: Node, v: Values) -> Value | None:
    a, b = made_by(v[0], "neg"), made_by(v[1], "neg")
    apply = v[0].builder.apply
    if a is not None and b is not None:
        return apply(node.op, a[0], b[0])
    if a is not None and number(v[1]) is not None:
        return apply(node.op, a[0], _negated(v[1]))
    if b is not None and number(v[0]) is not None:
        return apply(node.op, _negated(v[0]), b[0])
    return None


def _negated(constant: Value) -> Value:
    node = constant.builder.nodes[constant.place]
    return constant.builder.constant(-constant_array(node), node.dtype)


def _power_of_two(node: Node, v: Values) -> Value | None:
    by = number(v[1])
    if by is None or not np.isfinite(by) or by == 0.0 or abs(frexp(by)[0]) != 0.5 or not 1e-30 < abs(by) < 1e30:
        return None
    return v[0] * v[0].builder.constant(1.0 / by, node.dtype)


def _power(node: Node, v: Values) -> Value | None:
    match number(v[1]):
        case 1.0:
            return v[0]
        case 2.0:
            return v[0] * v[0]
        case -1.0:
            return 1.0 / v[0]
        case 0.0:
            one = v[0].builder.constant(1.0, node.dtype)
            return one if not node.shape else v[0].builder.apply("expand_like", one, v[0])
        case 0.5 if never_negative(v[0]):
            return v[0].builder.apply("sqrt", v[0])
    return None


def _undone(op: str) -> Rule:
    """Return the rule of an op that undoes itself."""
    return lambda node, v: made[0] if (made := made_by(v[0], op)) is not None else None


def _again(op: str) -> Rule:
    """Return the rule of an op that changes nothing the second time."""
    return lambda node, v: v[0] if made_by(v[0], op) is not None else None


def _magnitude(node: Node, v: Values) -> Value | None:
    if (made := made_by(v[0], "neg")) is not None:
        return v[0].builder.apply("abs", made[0])
    return v[0] if never_negative(v[0]) else None


def _extreme(node: Node, v: Values) -> Value | None:
    if same(v[0], v[1]):
        return v[0]
    for outer, other in ((v[0], v[1]), (v[1], v[0])):
        made = made_by(outer, node.op)
        if made is not None and any(same(each, other) for each in made):
            return outer
    return None


def _one_choice(node: Node, v: Values) -> Value | None:
    condition, a, b = v
    if same(a, b):
        return a
    settled = number(condition)
    if settled is not None:
        return a if settled else b
    where = condition.builder.apply
    if (made := made_by(a, "where")) is not None and same(made[0], condition):
        return where("where", condition, made[1], b)
    if (made := made_by(b, "where")) is not None and same(made[0], condition):
        return where("where", condition, a, made[2])
    return None


def _cast(node: Node, v: Values) -> Value | None:
    if v[0].dtype == node.dtype:
        return v[0]
    made = made_by(v[0], "cast")
    if made is None or v[0].dtype not in LOSSLESS.get(made[0].dtype, ()):
        return None
    return made[0].cast(node.dtype)


def _repeated_sum(node: Node, v: Values) -> Value | None:
    """N times one number, in the place of the sum of n of them; n is known, as 0 times infinity is no sum."""
    made = made_by(v[0], "expand_like")
    sizes = v[0].shape
    if made is None or made[0].shape != () or node.dtype not in FLOAT or node.shape != ():
        return None
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        return None
    return made[0] * v[0].builder.apply("size", v[0], axes=node.attributes["axes"])


_UNARY: tuple[str, ...] = (
    "neg", "abs", "sign", "exp", "log", "log1p", "sqrt", "tanh", "sigmoid", "erf", "sin", "cos", "floor"
)  # fmt: skip
_MORE = ("add", "sub", "mul", "div", "pow", "maximum", "minimum", "less", "equal", "where")


def _expanded_later(node: Node, v: Values) -> Value | None:
    """f(expanded x) is f(x), expanded."""
    made = made_by(v[0], "expand_like")
    if made is None:
        return None
    apply = v[0].builder.apply
    return apply("expand_like", apply(node.op, made[0], **node.attributes), made[1])


def _expanded_anyway(node: Node, v: Values) -> Value | None:
    """An operand need not be expanded where the others have the shape already."""
    for at, value in enumerate(v):
        made = made_by(value, "expand_like")
        if made is None:
            continue
        others = [made[0] if place == at else other for place, other in enumerate(v)]
        result = value.builder.apply(node.op, *others, **node.attributes)
        if result.shape == node.shape:
            return result
    return None


_OWN: Rules = {
    "add": (
        ("0 added", _either(0.0, -1.0)),
        ("0 added", _zero_added),
        ("a negative added", _added_negative),
    ),
    "sub": (
        ("0 subtracted", _second(0.0)),
        ("a negative subtracted", _subtracted_negative),
        ("x - x of integers", _itself_subtracted),
    ),
    "mul": (("times 1", _either(1.0)), ("signs of a product", _signs)),
    "div": (("divided by 1", _second(1.0)), ("signs of a quotient", _signs), ("a power of two", _power_of_two)),
    "pow": (("a power", _power),),
    "neg": (("negated twice", _undone("neg")),),
    "abs": (("magnitude", _magnitude),),
    "sign": (("twice the same", _again("sign")),),
    "floor": (("twice the same", _again("floor")),),
    "maximum": (("an extreme of itself", _extreme),),
    "minimum": (("an extreme of itself", _extreme),),
    "where": (("a choice of one", _one_choice),),
    "cast": (("a cast undone", _cast),),
    "stop_gradient": (("stop_gradient", lambda node, v: v[0]),),
    "sum": (("a sum of one number", _repeated_sum),),
}

_GENERAL: Rules = {
    **dict.fromkeys((*_UNARY, "cast"), (("expanded later", _expanded_later),)),
    **dict.fromkeys(_MORE, (("not expanded", _expanded_anyway),)),
}

RULES: Rules = {
    op: (*_OWN.get(op, ()), *SHAPE_RULES.get(op, ()), *_GENERAL.get(op, ()))
    for op in {**_OWN, **SHAPE_RULES, **_GENERAL}
}
"""{op: its rules}."""
