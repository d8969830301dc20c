# SPDX-License-Identifier: MIT OR Apache-2.0
"""The ops of the graph language: name, shape rule and NumPy meaning of each, as one table.

The set is small and closed under its own gradients: the vector-Jacobian product of every op can be written in
these ops again, so a gradient is a graph like any other and a device that runs the set runs all derivatives.
Why each op is there: docs/decisions/0003-ops.md. The file is long because the language stands on one page:
shape rules first, then meanings, then the table that joins them.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from vynapse_core.errors import GraphError, nearest

_TYPE_NAMES = {int: "an int", float: "a number", str: "a str", bool: "a bool", tuple: "a tuple of scalars"}

Array = npt.NDArray[Any]
Dim = int | str
Shape = tuple[Dim, ...]
Shapes = Sequence[Shape]
Attributes = Mapping[str, Any]
Sizes = Mapping[str, int]
Infer = Callable[[Shapes, Sequence[str], Attributes], tuple[Shape, str]]
Meaning = Callable[[Sequence[Array], Attributes, Sizes], Array]
Prepare = Callable[[Attributes, Sizes], Callable[..., Array]]

FLOAT = ("float32", "float64")
INTEGER = ("int32", "int64")
SIGNED = FLOAT + INTEGER
NUMBER = (*SIGNED, "uint64")
DTYPES = (*NUMBER, "bool")

MAX_RANK = 16
MAX_ELEMENTS = 2**31
"""Most elements that the integer dimensions of a value may give, so that no file can take all memory."""


@dataclass(frozen=True)
class Op:
    """One op of the language: what it takes, the shape it gives, and what it means in NumPy."""

    name: str
    doc: str
    """One line for documentation and error messages."""
    arity: int
    """Number of operands, or the least number when `variadic`."""
    infer: Infer
    """`infer(shapes, dtypes, attributes) -> (shape, dtype)`; raises GraphError with the reason."""
    meaning: Meaning
    """`meaning(arrays, attributes, sizes) -> array`: the value for one network; `sizes` binds the symbols."""
    attributes: Mapping[str, tuple[type, object]] = field(default_factory=dict)
    """Name -> (type, default): int, float, str, bool or tuple; the default `...` marks a required attribute.
    `axis` and `axes` always count the axes of the first operand; negative ones are made positive."""
    variadic: bool = False
    shape_only: tuple[int, ...] = ()
    """Positions of operands of which only shape and dtype matter: devices need not compute their values."""
    prepare: Prepare | None = None
    """`prepare(attributes, sizes)` gives a function of the operands alone, for loops; may be left out."""

    def bind(self, attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
        """Return the op's meaning as a function of its operands, attributes and sizes already applied."""
        if self.prepare is not None:
            return self.prepare(attributes, sizes)
        return lambda *arrays: self.meaning(arrays, attributes, sizes)

    def result(self, shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
        """Return shape and dtype of the op on such operands; `attributes` come from `complete`.

        Raises GraphError that names the op, what it was given, and what was expected.
        """
        given = ", ".join(described(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True))
        try:
            if len(shapes) < self.arity or (len(shapes) > self.arity and not self.variadic):
                least = "at least " if self.variadic else ""
                raise GraphError(f"expected {least}{self.arity} operands, got {len(shapes)}")
            shape, dtype = self.infer(shapes, dtypes, attributes)
            elements = math.prod(max(dim, 1) for dim in shape if isinstance(dim, int))
            if elements > MAX_ELEMENTS:
                raise GraphError(f"the result has {elements} elements; at most {MAX_ELEMENTS} are allowed")
            if new := {d for d in shape if isinstance(d, str)} - {d for given in shapes for d in given}:
                raise GraphError(f"the result has the symbol {new.pop()!r}, which no operand has")
            if len(shape) > MAX_RANK:
                raise GraphError(f"the result has {len(shape)} axes; at most {MAX_RANK} are allowed")
        except GraphError as error:
            raise GraphError(f"{self.name}({given}): {error}") from None
        return shape, dtype

    def complete(self, shapes: Shapes, attributes: Attributes) -> dict[str, Any]:
        """Return the attributes checked: defaults written out, lists as tuples, axes counted from 0."""
        for name in attributes:
            if name not in self.attributes:
                known = ", ".join(self.attributes) or "none"
                hint = nearest(name, self.attributes)
                raise GraphError(f"{self.name}: unknown attribute {name!r}; known: {known}; {hint}".rstrip("; "))
        completed: dict[str, Any] = {}
        for name, (kind, default) in sorted(self.attributes.items()):
            value: Any = attributes.get(name, default)
            if value is ...:
                raise GraphError(f"{self.name}: attribute {name!r} is missing; expected {_TYPE_NAMES[kind]}")
            value = _typed(f"{self.name}: attribute {name!r}", value, kind)
            if name in ("axis", "axes") and shapes:
                value = _counted(self.name, value, len(shapes[0]))
            completed[name] = value
        return completed


def described(shape: Shape, dtype: str = "") -> str:
    """Return `float32 [B, 4]`: how shapes are written in messages."""
    return f"{dtype} [{', '.join(str(dim) for dim in shape)}]".lstrip()


def plain(value: Any) -> Any:
    """Return NumPy scalars as Python numbers and sequences as nested tuples; anything else as it is."""
    if isinstance(value, np.generic):
        return value.item()
    return tuple(plain(item) for item in value) if isinstance(value, list | tuple) else value


def _typed(where: str, value: Any, kind: type) -> Any:
    value = plain(value)
    items = value if type(value) is tuple else (value,)
    if any(isinstance(item, int) and abs(item) >= 2**63 for item in items):
        raise GraphError(f"{where}: expected integers of at most 63 bits")
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind or not all(type(item) in (int, float, str, bool) for item in items):
        raise GraphError(f"{where}: expected {_TYPE_NAMES[kind]}, got {value!r}"[:300])
    return value


def _counted(op: str, axes: Any, rank: int) -> Any:
    """Return one axis or a tuple of them, counted from 0."""
    for axis in axes if isinstance(axes, tuple) else (axes,):
        if type(axis) is not int or not -rank <= axis < rank:
            raise GraphError(f"{op}: axis {axis!r} does not exist; the first operand has {rank} axes")
    return tuple(axis % rank for axis in axes) if isinstance(axes, tuple) else axes % rank


# Shape rules. Each raises GraphError with the reason alone; `Op.result` adds the op and what it was given.


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


def _elementwise(allowed: Sequence[str]) -> Infer:
    return lambda shapes, dtypes, _: (broadcast(*shapes), _one_dtype(dtypes, allowed))


def _comparison(allowed: Sequence[str]) -> Infer:
    def infer(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
        _one_dtype(dtypes, allowed)
        return broadcast(*shapes), "bool"

    return infer


def _infer_where(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    if dtypes[0] != "bool":
        raise GraphError(f"the condition is {dtypes[0]}; expected bool")
    return broadcast(*shapes), _one_dtype(dtypes[1:], DTYPES)


def _infer_cast(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    if attributes["dtype"] not in DTYPES:
        raise GraphError(f"unknown dtype {attributes['dtype']!r}; expected one of {', '.join(DTYPES)}")
    return shapes[0], attributes["dtype"]


def _reduced(shape: Shape, axes: tuple[int, ...], keepdims: bool) -> Shape:
    if len(set(axes)) < len(axes):
        raise GraphError(f"axes {axes} name one axis twice")
    kept = [(1 if axis in axes else dim) for axis, dim in enumerate(shape) if keepdims or axis not in axes]
    return tuple(kept)


def _reduction(allowed: Sequence[str], empty: bool = True) -> Infer:
    def infer(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
        if not empty and any(shapes[0][axis] == 0 for axis in attributes["axes"]):
            raise GraphError("an axis without elements has no maximum")
        return _reduced(shapes[0], attributes["axes"], attributes["keepdims"]), _one_dtype(dtypes, allowed)

    return infer


def _infer_argmax(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    _one_dtype(dtypes, NUMBER)
    if shapes[0][attributes["axis"]] == 0:
        raise GraphError("an axis without elements has no maximum")
    return _reduced(shapes[0], (attributes["axis"],), attributes["keepdims"]), "int64"


def _infer_size(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    _reduced(shapes[0], attributes["axes"], False)
    return (), _one_dtype(dtypes, FLOAT)


def _infer_reshape(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
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


def _infer_transpose(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    axes = attributes["axes"]
    if sorted(axes) != list(range(len(shapes[0]))):
        raise GraphError(f"axes {axes} are no permutation of the operand's {len(shapes[0])} axes")
    return tuple(shapes[0][axis] for axis in axes), dtypes[0]


def _infer_expand_like(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    if broadcast(*shapes) != shapes[1]:
        raise GraphError("the first operand does not broadcast to the shape of the second")
    return shapes[1], dtypes[0]


def _infer_sum_like(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    if broadcast(*shapes) != shapes[0]:
        raise GraphError("the second operand does not broadcast to the shape of the first")
    return shapes[1], _one_dtype(dtypes[:1], NUMBER)


def _span(dim: Dim, start: int, stop: int) -> tuple[int, int]:
    size = _whole(dim, "the sliced axis")
    end = stop + size if stop < 0 else stop
    if not 0 <= start <= end <= size:
        raise GraphError(f"{start}:{stop} does not lie within an axis of size {size}")
    return start, end


def _infer_slice(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    axis = attributes["axis"]
    start, stop = _span(shapes[0][axis], attributes["start"], attributes["stop"])
    return (*shapes[0][:axis], stop - start, *shapes[0][axis + 1 :]), dtypes[0]


def _infer_pad(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    axis, before, after = attributes["axis"], attributes["before"], attributes["after"]
    if min(before, after) < 0:
        raise GraphError(f"padding {before}, {after} is negative; use slice")
    if _one_dtype(dtypes, DTYPES) not in FLOAT and not attributes["value"].is_integer():
        raise GraphError(f"the value {attributes['value']} is no {dtypes[0]}")
    size = before + _whole(shapes[0][axis], "the padded axis") + after
    return (*shapes[0][:axis], size, *shapes[0][axis + 1 :]), dtypes[0]


def _infer_concat(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    axis = attributes["axis"]
    rests = {(*shape[:axis], None, *shape[axis + 1 :]) for shape in shapes}
    if len(rests) > 1 or len({len(shape) for shape in shapes}) > 1:
        raise GraphError(f"expected shapes that differ along axis {axis} only")
    size = sum(_whole(shape[axis], "the joined axis") for shape in shapes)
    return (*shapes[0][:axis], size, *shapes[0][axis + 1 :]), _one_dtype(dtypes, DTYPES)


def _infer_matmul(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
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


def _infer_gather(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    return _indexed(shapes[0], shapes[1], dtypes[1], attributes["axis"]), dtypes[0]


def _infer_scatter_add(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
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


def _infer_window(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    return _windowed(shapes[0], attributes), dtypes[0]


def _infer_fold(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    expected = _windowed(shapes[1], attributes)
    if shapes[0] != expected:
        raise GraphError(f"the patches are {described(shapes[0])}; expected {described(expected)}")
    return shapes[1], _one_dtype(dtypes[:1], NUMBER)


def _infer_uniform(shapes: Shapes, dtypes: Sequence[str], attributes: Attributes) -> tuple[Shape, str]:
    if dtypes[1] != "uint64" or shapes[1] != (2,):
        raise GraphError(f"the key is {described(shapes[1], dtypes[1])}; expected uint64 [2]")
    if attributes["stream"] < 0:
        raise GraphError(f"stream {attributes['stream']} is negative")
    return shapes[0], _one_dtype(dtypes[:1], FLOAT)


def check_shape(shape: Any) -> Shape:
    """Return `shape` if it is a tuple of integers from 0 and symbols such as `B`; else raise GraphError."""
    if not isinstance(shape, tuple) or len(shape) > MAX_RANK:
        raise GraphError(f"a shape is a tuple of at most {MAX_RANK} integers and symbols, got {shape!r}"[:300])
    for dim in shape:
        symbol = isinstance(dim, str) and dim.isidentifier() and len(dim) <= 64
        if not symbol and (type(dim) is not int or not 0 <= dim <= MAX_ELEMENTS):
            raise GraphError(f"{dim!r} is no dimension; expected 0 to {MAX_ELEMENTS} or a symbol such as 'B'"[:300])
    return shape


# Meanings. Each takes attributes and sizes and returns the function of the operands: what can be decided
# without the arrays is decided once, outside the loop over networks.


def _sigmoid(x: Array) -> Array:
    # exp of a number that is never positive cannot overflow
    e = np.exp(np.copysign(x, -1.0))
    return np.where(x >= 0, 1.0, e).astype(e.dtype, copy=False) / (1.0 + e)


_erf_object = np.frompyfunc(math.erf, 1, 1)


def _erf(x: Array) -> Array:
    return np.asarray(_erf_object(x), dtype=x.dtype)


def _total(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    axes, keepdims = attributes["axes"], attributes["keepdims"]
    return lambda x: np.add.reduce(x, axis=axes, dtype=x.dtype, keepdims=keepdims)


def _largest(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    axes, keepdims = attributes["axes"], attributes["keepdims"]
    return lambda x: np.maximum.reduce(x, axis=axes, keepdims=keepdims)


def _argmax(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    axis, keepdims = attributes["axis"], attributes["keepdims"]
    return lambda x: np.asarray(np.argmax(x, axis=axis, keepdims=keepdims), dtype=np.int64)


def _count(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    axes = attributes["axes"]
    return lambda x: np.asarray(math.prod(x.shape[axis] for axis in axes), dtype=x.dtype)


def _reshape(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    shape = tuple(sizes[dim] if isinstance(dim, str) else dim for dim in attributes["shape"])
    return lambda x: x.reshape(shape)


def _transpose(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    axes = attributes["axes"]
    return lambda x: x.transpose(axes)


def _expand_like(x: Array, like: Array) -> Array:
    result = np.empty(like.shape, x.dtype)
    result[...] = x
    return result


def _sum_like(x: Array, like: Array) -> Array:
    shape = (1,) * (x.ndim - like.ndim) + like.shape
    axes = tuple(axis for axis, size in enumerate(shape) if size == 1)
    return np.add.reduce(x, axis=axes, dtype=x.dtype, keepdims=True).reshape(like.shape)


def _slice(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    index = (slice(None),) * attributes["axis"] + (slice(attributes["start"], attributes["stop"]),)
    return lambda x: x[index]


def _pad(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    axis, before, after, value = (attributes[name] for name in ("axis", "before", "after", "value"))

    def pad(x: Array) -> Array:
        size = x.shape[axis]
        result = np.full((*x.shape[:axis], before + size + after, *x.shape[axis + 1 :]), value, x.dtype)
        result[(slice(None),) * axis + (slice(before, before + size),)] = x
        return result

    return pad


def _concat(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    axis = attributes["axis"]
    return lambda *arrays: np.concatenate(arrays, axis=axis)


def _check_indices(indices: Array, size: int) -> None:
    if indices.size and not 0 <= indices.min() <= indices.max() < size:
        wrong = indices.min() if indices.min() < 0 else indices.max()
        raise GraphError(f"index {wrong} is outside an axis of size {size}; expected 0 to {size - 1}")


def _gather(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    axis = attributes["axis"]

    def gather(x: Array, indices: Array) -> Array:
        _check_indices(indices, x.shape[axis])
        return np.take(x, indices, axis=axis)

    return gather


def _scatter_add(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    axis = attributes["axis"]

    def scatter_add(like: Array, indices: Array, updates: Array) -> Array:
        _check_indices(indices, like.shape[axis])
        result = np.zeros(like.shape, updates.dtype)
        front = np.moveaxis(updates, range(axis, axis + indices.ndim), range(indices.ndim))
        np.add.at(np.moveaxis(result, axis, 0), indices, front)
        return result

    return scatter_add


def _window(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    steps = window_steps(attributes)
    k = len(steps)

    def window(x: Array) -> Array:
        lead = x.ndim - k
        spans = tuple(dilation * (size - 1) + 1 for size, _, dilation in steps)
        view = np.lib.stride_tricks.sliding_window_view(x, spans, axis=tuple(range(lead, x.ndim)))
        places = [slice(None, None, stride) for _, stride, _ in steps]
        index: Any = (..., *places, *[slice(None, None, dilation) for _, _, dilation in steps])
        patches: Array = view[index]
        return patches.transpose(*range(lead), *range(lead + k, lead + 2 * k), *range(lead, lead + k))

    return window


def _fold(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    steps = window_steps(attributes)

    def fold(patches: Array, like: Array) -> Array:
        result = np.zeros(like.shape, patches.dtype)
        places = patches.shape[patches.ndim - len(steps) :]
        for offset in itertools.product(*[range(size) for size, _, _ in steps]):
            to = [
                slice(o * dilation, o * dilation + stride * (n - 1) + 1, stride)
                for o, n, (_, stride, dilation) in zip(offset, places, steps, strict=True)
            ]
            target: Any = (..., *to)
            source: Any = (..., *offset, *[slice(None)] * len(steps))
            result[target] += patches[source]
        return result

    return fold


def _uniform(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    counter = np.array([0, 0, 0, attributes["stream"]], dtype=np.uint64)

    def uniform(like: Array, key: Array) -> Array:
        """Words of Philox 4x64-10 (Salmon et al., SC 2011), counter words 1 to 3 being (0, 0, stream).

        Word 4n + m is word m of the block whose counter word 0 is n + 1 (NumPy counts before it draws).
        Elements are numbered in C order. float64: element i is (word i >> 11) * 2^-53. float32: element 2j
        takes the low and 2j + 1 the high 32 bits h of word j, as (h >> 8) * 2^-24.
        """
        source = np.random.Philox(counter=counter, key=np.asarray(key))
        if like.dtype == np.float64:
            words = source.random_raw(like.size)
            return ((words >> np.uint64(11)) * 2.0**-53).reshape(like.shape)
        halves = source.random_raw((like.size + 1) // 2).astype("<u8").view("<u4")[: like.size]
        scaled: Array = (halves >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
        return scaled.reshape(like.shape)

    return uniform


# The table.


def _op(name: str, arity: int, infer: Infer, prepare: Prepare, doc: str, **rest: Any) -> Op:
    def meaning(arrays: Sequence[Array], attributes: Attributes, sizes: Sizes) -> Array:
        return prepare(attributes, sizes)(*arrays)

    return Op(name, doc, arity, infer, meaning, prepare=prepare, **rest)


def _same(function: Callable[..., Array]) -> Prepare:
    return lambda attributes, sizes: function


def _cast(attributes: Attributes, sizes: Sizes) -> Callable[..., Array]:
    dtype = np.dtype(attributes["dtype"])
    return lambda x: x.astype(dtype)


_AXES = {"axes": (tuple, ...)}
_AXIS = {"axis": (int, 0)}
_ALONG = {"axis": (int, ...)}
_REDUCE = {"axes": (tuple, ...), "keepdims": (bool, False)}
_ARGMAX = {"axis": (int, ...), "keepdims": (bool, False)}
_SHAPE = {"shape": (tuple, ...)}
_DTYPE = {"dtype": (str, ...)}
_SPAN = {"axis": (int, ...), "start": (int, ...), "stop": (int, ...)}
_PAD = {"axis": (int, ...), "before": (int, 0), "after": (int, 0), "value": (float, 0.0)}
_WINDOW = {"size": (tuple, ...), "stride": (tuple, ()), "dilation": (tuple, ())}
_STREAM = {"stream": (int, 0)}
_FLOATS, _SIGNEDS, _NUMBERS, _ANY = (_elementwise(allowed) for allowed in (FLOAT, SIGNED, NUMBER, DTYPES))

# fmt: off
_TABLE = (
    # element by element, with NumPy's broadcasting
    _op("add", 2, _NUMBERS, _same(np.add), "a + b"),
    _op("sub", 2, _NUMBERS, _same(np.subtract), "a - b"),
    _op("mul", 2, _NUMBERS, _same(np.multiply), "a * b"),
    _op("div", 2, _FLOATS, _same(np.divide), "a / b, of floats"),
    _op("pow", 2, _FLOATS, _same(np.power), "a to the power b; NaN for a below 0 and b not whole"),
    _op("maximum", 2, _NUMBERS, _same(np.maximum), "the larger of a and b; NaN if either is"),
    _op("minimum", 2, _NUMBERS, _same(np.minimum), "the smaller of a and b; NaN if either is"),
    _op("neg", 1, _SIGNEDS, _same(np.negative), "-x"),
    _op("abs", 1, _SIGNEDS, _same(np.absolute), "the magnitude of x"),
    _op("sign", 1, _SIGNEDS, _same(np.sign), "-1, 0 or 1"),
    _op("exp", 1, _FLOATS, _same(np.exp), "e to the power x"),
    _op("log", 1, _FLOATS, _same(np.log), "natural logarithm; -inf at 0, NaN below"),
    _op("log1p", 1, _FLOATS, _same(np.log1p), "log(1 + x), exact near 0"),
    _op("sqrt", 1, _FLOATS, _same(np.sqrt), "square root; NaN below 0"),
    _op("tanh", 1, _FLOATS, _same(np.tanh), "hyperbolic tangent"),
    _op("sigmoid", 1, _FLOATS, _same(_sigmoid), "1 / (1 + exp(-x)), without overflow"),
    _op("erf", 1, _FLOATS, _same(_erf), "the error function"),
    _op("sin", 1, _FLOATS, _same(np.sin), "sine of x in radians"),
    _op("cos", 1, _FLOATS, _same(np.cos), "cosine of x in radians"),
    _op("floor", 1, _FLOATS, _same(np.floor), "the largest whole number that is not above x"),
    _op("less", 2, _comparison(NUMBER), _same(np.less), "a < b, as bool"),
    _op("equal", 2, _comparison(DTYPES), _same(np.equal), "a = b, as bool"),
    _op("where", 3, _infer_where, _same(np.where), "a where the condition holds, else b"),
    _op("cast", 1, _infer_cast, _cast, "x as another dtype, truncated towards 0", attributes=_DTYPE),
    _op("stop_gradient", 1, _ANY, _same(lambda x: x), "x, whose gradient counts as 0"),
    # reductions
    _op("sum", 1, _reduction(NUMBER), _total, "sum over axes", attributes=_REDUCE),
    _op("max", 1, _reduction(NUMBER, empty=False), _largest, "maximum over axes", attributes=_REDUCE),
    _op("argmax", 1, _infer_argmax, _argmax, "int64 index of the first maximum", attributes=_ARGMAX),
    _op("size", 1, _infer_size, _count, "count of elements along axes", attributes=_AXES, shape_only=(0,)),
    # shape
    _op("reshape", 1, _infer_reshape, _reshape, "the same elements in another shape", attributes=_SHAPE),
    _op("transpose", 1, _infer_transpose, _transpose, "axes in another order", attributes=_AXES),
    _op("expand_like", 2, _infer_expand_like, _same(_expand_like), "x, broadcast to like", shape_only=(1,)),
    _op("sum_like", 2, _infer_sum_like, _same(_sum_like), "x, summed down to like", shape_only=(1,)),
    _op("slice", 1, _infer_slice, _slice, "part of an axis; stop < 0 counts from the end", attributes=_SPAN),
    _op("pad", 1, _infer_pad, _pad, "an axis made longer with a value", attributes=_PAD),
    _op("concat", 1, _infer_concat, _concat, "operands, joined", attributes=_ALONG, variadic=True),
    # products, indices, patches
    _op("matmul", 2, _infer_matmul, _same(np.matmul), "[.., n, k] times [.., k, m]; leading axes broadcast"),
    _op("gather", 2, _infer_gather, _gather, "x at the indices along an axis", attributes=_AXIS),
    _op("scatter_add", 3, _infer_scatter_add, _scatter_add, "zeros shaped as like, plus updates at indices",
        attributes=_AXIS, shape_only=(0,)),
    _op("window", 1, _infer_window, _window, "patches [.., *size, *positions]", attributes=_WINDOW),
    _op("fold", 2, _infer_fold, _fold, "patches, added up as like", attributes=_WINDOW, shape_only=(1,)),
    # random numbers
    _op("uniform", 2, _infer_uniform, _uniform, "floats in [0, 1) in the shape of like, by key and stream",
        attributes=_STREAM, shape_only=(0,)),
)
# fmt: on

OPS: Mapping[str, Op] = {op.name: op for op in _TABLE}
"""The kernel's ops by name. Plugins add theirs through the hook `vynapse_ops`."""
