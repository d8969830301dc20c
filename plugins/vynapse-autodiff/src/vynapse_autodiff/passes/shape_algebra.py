# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rules for what moves numbers and computes none: reshapes, transposes, slices, pads, joins and expansions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from vynapse_autodiff.passes.rewriting import Rules, attributes_of, made_by
from vynapse_core import Node, Value

Values = Sequence[Value]


def _unchanged(node: Node, v: Values) -> Value | None:
    """The operand, where it has the result's shape; the rewriting takes nothing of another shape."""
    return v[0]


def _reshape(node: Node, v: Values) -> Value | None:
    if v[0].shape == node.shape:
        return v[0]
    made = made_by(v[0], "reshape")
    return made[0].reshape(node.shape) if made is not None else None


def _transpose(node: Node, v: Values) -> Value | None:
    axes: tuple[int, ...] = tuple(node.attributes["axes"])
    if axes == tuple(range(len(axes))):
        return v[0]
    made = made_by(v[0], "transpose")
    if made is None:
        return None
    inner = attributes_of(v[0])["axes"]
    assert isinstance(inner, tuple)
    return made[0].transpose([inner[axis] for axis in axes])


def _single(node: Node, v: Values) -> Value | None:
    """A reduction over axes of size 1 only gives the same numbers in another shape."""
    if any(v[0].shape[axis] != 1 for axis in node.attributes["axes"]):
        return None
    return v[0] if v[0].shape == node.shape else v[0].reshape(node.shape)


def _expand(node: Node, v: Values) -> Value | None:
    if v[0].shape == node.shape:
        return v[0]
    made = made_by(v[0], "expand_like")
    return v[0].builder.apply("expand_like", made[0], v[1]) if made is not None else None


def _slice(node: Node, v: Values) -> Value | None:
    if v[0].shape == node.shape:
        return v[0]
    axis, start = node.attributes["axis"], node.attributes["start"]
    length = int(node.shape[axis])
    inner = attributes_of(v[0])
    apply = v[0].builder.apply
    if (made := made_by(v[0], "slice")) is not None and inner["axis"] == axis:
        first = start + inner["start"]
        return apply("slice", made[0], axis=axis, start=first, stop=first + length)
    if (made := made_by(v[0], "pad")) is not None and inner["axis"] == axis:
        first = start - _whole(inner["before"])
        if first >= 0 and first + length <= int(made[0].shape[axis]):
            return apply("slice", made[0], axis=axis, start=first, stop=first + length)
    if (made := made_by(v[0], "concat")) is not None and inner["axis"] == axis:
        return _joined_part(made, axis, start, length)
    return None


def _joined_part(parts: Values, axis: int, start: int, length: int) -> Value | None:
    """What of one joined value a slice takes; None where it takes of several."""
    sizes = [int(part.shape[axis]) for part in parts]
    for part, size, end in zip(parts, sizes, accumulate(sizes), strict=True):
        first = start - (end - size)
        if first >= 0 and first + length <= size:
            return part.builder.apply("slice", part, axis=axis, start=first, stop=first + length)
    return None


def _whole(found: object) -> int:
    assert isinstance(found, int)
    return found


def _pad(node: Node, v: Values) -> Value | None:
    if v[0].shape == node.shape:
        return v[0]
    made, at, inner = made_by(v[0], "pad"), node.attributes, attributes_of(v[0])
    if made is None or inner["axis"] != at["axis"] or repr(inner["value"]) != repr(at["value"]):
        return None
    before, after = at["before"] + inner["before"], at["after"] + inner["after"]
    return v[0].builder.apply("pad", made[0], axis=at["axis"], before=before, after=after, value=at["value"])


SHAPE_RULES: Rules = {
    "reshape": (("reshaped twice", _reshape),),
    "transpose": (("transposed twice", _transpose),),
    "sum": (("over one element", _single),),
    "max": (("over one element", _single),),
    "expand_like": (("expanded already", _expand),),
    "sum_like": (("of that shape already", _unchanged),),
    "slice": (("a part of a part", _slice),),
    "pad": (("padded twice", _pad),),
    "concat": (("joined alone", lambda node, v: v[0] if len(v) == 1 else None),),
}
"""{op: its rules}."""
