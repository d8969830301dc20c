# SPDX-License-Identifier: MIT OR Apache-2.0
"""Shapes of the graph language: how they are written and checked, and the shape rule of each op.

A rule takes shapes, dtypes and attributes of an op on such operands and returns shape and dtype of the result. It
raises GraphError with the reason alone; `Op.result` adds the op and what it was given.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vynapse_core.errors import GraphError

Dim = int | str
Shape = tuple[Dim, ...]
Shapes = Sequence[Shape]
Attributes = Mapping[str, Any]
Infer = Callable[[Shapes, Sequence[str], Attributes], tuple[Shape, str]]

FLOAT = ("float32", "float64")
INTEGER = ("int32", "int64")
SIGNED = FLOAT + INTEGER
NUMBER = (*SIGNED, "uint64")
DTYPES = (*NUMBER, "bool")

MAX_RANK = 16
MAX_ELEMENTS = 2**31
"""Most elements that the integer dimensions of a value may give, so that no file can take all memory."""


def described(shape: Shape, dtype: str = "") -> str:
    """Return `float32 [B, 4]`: how shapes are written in messages."""
    return f"{dtype} [{', '.join(str(dim) for dim in shape)}]".lstrip()


def check_shape(shape: Any) -> Shape:
    """Return `shape` if it is a tuple of integers from 0 and symbols such as `B`; else raise GraphError."""
    if not isinstance(shape, tuple) or len(shape) > MAX_RANK:
        raise GraphError(f"a shape is a tuple of at most {MAX_RANK} integers and symbols, got {shape!r}"[:300])
    for dim in shape:
        symbol = isinstance(dim, str) and dim.isidentifier() and len(dim) <= 64
        if not symbol and (type(dim) is not int or not 0 <= dim <= MAX_ELEMENTS):
            raise GraphError(f"{dim!r} is no dimension; expected 0 to {MAX_ELEMENTS} or a symbol such as 'B'"[:300])
    return shape


def broadcast(*shapes: Shape) -> Shape:
    """Return the shape that all shapes broadcast to, as in NumPy; a symbol fits itself and 1."""
    rank = max(len(shape) for shape in shapes)
    result: list[Dim] = []
    for dims in zip(*[(1,) * (rank - len(shape)) + shape for shape in shapes], strict=True):
        wide = set(dims) - {1}
        if len(wide) > 1:
            found = " and ".join(repr(dim) for dim in sorted(wide, key=str))
            raise GraphError(f"dimensions {found} do not fit; expected equal ones, or 1")
        result.append(wide.pop() if wide else 1)
    return tuple(result)


def _one_dtype(dtypes: Sequence[str], allowed: Sequence[str]) -> str:
    if len(set(dtypes)) > 1:
        raise GraphError(f"dtypes {' and '.join(dict.fromkeys(dtypes))} are mixed; expected one, use cast")
    if dtypes[0] not in allowed:
        raise GraphError(f"dtype {dtypes[0]} is not allowed; expected one of {', '.join(allowed)}")
    return dtypes[0]


def _whole(dim: Dim, what: str) -> int:
    if isinstance(dim, str):
        raise GraphError(f"{what} has the symbolic size {dim!r}; expected an integer")
    return dim


def elementwise(allowed: Sequence[str]) -> Infer:
    """Return the rule of an op on operands of one dtype out of `allowed`, which broadcast; it keeps the dtype."""
    return lambda shapes, dtypes, _: (broadcast(*shapes), _one_dtype(dtypes, allowed))


def comparison(allowed: Sequence[str]) -> Infer:
    """Return the rule of an op on operands of one dtype out of `allowed`, which broadcast, to bool."""

    def infer(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
        _one_dtype(dtypes, allowed)
        return broadcast(*shapes), "bool"

    return infer


def infer_where(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    """Condition, a, b broadcast: bool, dtype, dtype -> dtype."""
    if dtypes[0] != "bool":
        raise GraphError(f"the condition is {dtypes[0]}; expected bool")
    return broadcast(*shapes), _one_dtype(dtypes[1:], DTYPES)


def infer_cast(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    """Keep the shape; the dtype is the attribute."""
    if attributes["dtype"] not in DTYPES:
        raise GraphError(f"unknown dtype {attributes['dtype']!r}; expected one of {', '.join(DTYPES)}")
    return shapes[0], attributes["dtype"]


def _reduced(shape: Shape, axes: tuple[int, ...], keepdims: bool) -> Shape:
    if len(set(axes)) < len(axes):
        raise GraphError(f"axes {axes} name one axis twice")
    kept = [(1 if axis in axes else dim) for axis, dim in enumerate(shape) if keepdims or axis not in axes]
    return tuple(kept)


def reduction(allowed: Sequence[str], empty: bool = True) -> Infer:
    """Return the rule of an op that folds the attribute `axes` away; `empty` says that an axis may have size 0."""

    def infer(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
        if not empty and any(shapes[0][axis] == 0 for axis in attributes["axes"]):
            raise GraphError("an axis without elements has no maximum")
        return _reduced(shapes[0], attributes["axes"], attributes["keepdims"]), _one_dtype(dtypes, allowed)

    return infer


def infer_argmax(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    """Fold one axis of at least one element away: number -> int64."""
    _one_dtype(dtypes, NUMBER)
    if shapes[0][attributes["axis"]] == 0:
        raise GraphError("an axis without elements has no maximum")
    return _reduced(shapes[0], (attributes["axis"],), attributes["keepdims"]), "int64"


def infer_size(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    """Give a scalar of the operand's dtype, a float."""
    _reduced(shapes[0], attributes["axes"], False)
    return (), _one_dtype(dtypes, FLOAT)


def infer_reshape(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    """Give the attribute `shape`, whose one -1 stands for the elements, or the one symbol, left over."""
    target = attributes["shape"]
    check_shape(tuple(dim for dim in target if dim != -1))
    if target.count(-1) > 1:
        raise GraphError(f"{described(target)} leaves two sizes open; expected at most one -1")
    left = Counter(dim for dim in shapes[0] if isinstance(dim, str))
    left.subtract(dim for dim in target if isinstance(dim, str))
    have, want = (math.prod(d for d in shape if isinstance(d, int) and d != -1) for shape in (shapes[0], target))
    symbols = list(left.elements())
    fits = min(left.values(), default=0) >= 0
    if -1 not in target:
        if not fits or symbols or have != want:
            raise GraphError(f"cannot become {described(target)}; expected as many elements, symbol by symbol")
        return target, dtypes[0]
    if not fits or len(symbols) > 1 or want == 0 or have % want or (symbols and have != want):
        raise GraphError(f"cannot become {described(target)}: -1 would not stand for an integer or one symbol")
    open_dim: Dim = symbols[0] if symbols else have // want
    return tuple(open_dim if dim == -1 else dim for dim in target), dtypes[0]


def infer_transpose(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    """Put the axes into the order of the attribute `axes`."""
    axes = attributes["axes"]
    if sorted(axes) != list(range(len(shapes[0]))):
        raise GraphError(f"axes {axes} are no permutation of the operand's {len(shapes[0])} axes")
    return tuple(shapes[0][axis] for axis in axes), dtypes[0]


def infer_expand_like(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    """x, like -> the shape of like, to which x must broadcast; the dtype of x."""
    if broadcast(*shapes) != shapes[1]:
        raise GraphError("the first operand does not broadcast to the shape of the second")
    return shapes[1], dtypes[0]


def infer_sum_like(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    """x, like -> the shape of like, which must broadcast to that of x; the dtype of x."""
    if broadcast(*shapes) != shapes[0]:
        raise GraphError("the second operand does not broadcast to the shape of the first")
    return shapes[1], _one_dtype(dtypes[:1], NUMBER)


def _span(dim: Dim, start: int, stop: int) -> tuple[int, int]:
    size = _whole(dim, "the sliced axis")
    end = stop + size if stop < 0 else stop
    if not 0 <= start <= end <= size:
        raise GraphError(f"{start}:{stop} does not lie within an axis of size {size}")
    return start, end


def infer_slice(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    """Shorten one axis to `start:stop`, which must lie within it."""
    axis = attributes["axis"]
    start, stop = _span(shapes[0][axis], attributes["start"], attributes["stop"])
    return (*shapes[0][:axis], stop - start, *shapes[0][axis + 1 :]), dtypes[0]


def infer_pad(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    """Lengthen one axis by `before` and `after`; the value must be one of the dtype."""
    axis, before, after = attributes["axis"], attributes["before"], attributes["after"]
    if min(before, after) < 0:
        raise GraphError(f"padding {before}, {after} is negative; use slice")
    if _one_dtype(dtypes, DTYPES) not in FLOAT and not attributes["value"].is_integer():
        raise GraphError(f"the value {attributes['value']} is no {dtypes[0]}")
    size = before + _whole(shapes[0][axis], "the padded axis") + after
    return (*shapes[0][:axis], size, *shapes[0][axis + 1 :]), dtypes[0]


def infer_concat(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    """Add up one axis; shapes are equal but for it."""
    axis = attributes["axis"]
    rests = {(*shape[:axis], None, *shape[axis + 1 :]) for shape in shapes}
    if len(rests) > 1 or len({len(shape) for shape in shapes}) > 1:
        raise GraphError(f"expected shapes that differ along axis {axis} only")
    size = sum(_whole(shape[axis], "the joined axis") for shape in shapes)
    return (*shapes[0][:axis], size, *shapes[0][axis + 1 :]), _one_dtype(dtypes, DTYPES)


def infer_matmul(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    """[.., n, k], [.., k, m] -> [.., n, m] of floats; leading axes broadcast."""
    a, b = shapes
    if len(a) < 2 or len(b) < 2:
        raise GraphError("expected operands of two axes or more")
    if a[-1] != b[-2]:
        raise GraphError(f"the inner dimensions {a[-1]!r} and {b[-2]!r} differ; expected [.., n, k] and [.., k, m]")
    return (*broadcast(a[:-2], b[:-2]), a[-2], b[-1]), _one_dtype(dtypes, FLOAT)


def _indexed(shape: Shape, indices: Shape, dtype: str, axis: int) -> Shape:
    if dtype not in INTEGER:
        raise GraphError(f"the indices are {dtype}; expected int32 or int64")
    return (*shape[:axis], *indices, *shape[axis + 1 :])


def infer_gather(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    """x, indices -> the shape of x with the shape of the indices in the place of one axis."""
    return _indexed(shapes[0], shapes[1], dtypes[1], attributes["axis"]), dtypes[0]


def infer_scatter_add(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    """like, indices, updates -> the shape of like; updates are shaped as `gather` gives them."""
    expected = _indexed(shapes[0], shapes[1], dtypes[1], attributes["axis"])
    if shapes[2] != expected:
        raise GraphError(f"the updates are {described(shapes[2])}; expected {described(expected)}")
    return shapes[0], _one_dtype(dtypes[2:], NUMBER)


def window_steps(attributes: Attributes) -> list[tuple[int, int, int]]:
    """Return (size, stride, dilation) of each windowed axis; stride and dilation left empty are 1."""
    size = attributes["size"]
    stride, dilation = (attributes[name] or (1,) * len(size) for name in ("stride", "dilation"))
    if not size or not len(size) == len(stride) == len(dilation):
        raise GraphError(f"size {size}, stride {stride} and dilation {dilation} differ in length or are empty")
    if not all(type(n) is int and n >= 1 for n in (*size, *stride, *dilation)):
        raise GraphError(f"size {size}, stride {stride} and dilation {dilation}: expected integers from 1")
    return list(zip(size, stride, dilation, strict=True))


def _windowed(shape: Shape, attributes: Attributes) -> Shape:
    steps = window_steps(attributes)
    if len(steps) > len(shape):
        raise GraphError(f"a window over {len(steps)} axes on an operand of {len(shape)}")
    lead, rest = shape[: -len(steps)], shape[-len(steps) :]
    places = []
    for dim, (size, stride, dilation) in zip(rest, steps, strict=True):
        room = _whole(dim, "a windowed axis") - dilation * (size - 1) - 1
        if room < 0:
            raise GraphError(f"a window of {size} with dilation {dilation} is larger than the axis of {dim}")
        places.append(room // stride + 1)
    return (*lead, *attributes["size"], *places)


def infer_window(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    """[.., *axes] -> [.., *size, *positions]."""
    return _windowed(shapes[0], attributes), dtypes[0]


def infer_fold(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    """[.., *size, *positions], like -> the shape of like, which `window` would cut into such patches."""
    expected = _windowed(shapes[1], attributes)
    if shapes[0] != expected:
        raise GraphError(f"the patches are {described(shapes[0])}; expected {described(expected)}")
    return shapes[1], _one_dtype(dtypes[:1], NUMBER)


def infer_uniform(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    """like, key uint64 [2] -> the shape and dtype of like, a float."""
    if dtypes[1] != "uint64" or shapes[1] != (2,):
        raise GraphError(f"the key is {described(shapes[1], dtypes[1])}; expected uint64 [2]")
    if attributes["stream"] < 0:
        raise GraphError(f"stream {attributes['stream']} is negative")
    return shapes[0], _one_dtype(dtypes[:1], FLOAT)
