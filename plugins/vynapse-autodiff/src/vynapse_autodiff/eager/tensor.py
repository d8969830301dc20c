# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tensor: an array whose arithmetic is computed at once, and remembers which op on which tensors made it.

What is recorded is a graph under construction: each result holds the call that made it and its operands, nothing else.
Methods mean what they mean on the kernel's `Value`, so what builds graphs (losses, activations, layers) takes tensors
too. The file is long because the class is its methods, and most of them a line.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, NoReturn, final

import numpy as np

from vynapse_autodiff.eager.blame import at_line, described, refusal
from vynapse_autodiff.eager.calls import FREED, Call, call_of, constant_call
from vynapse_autodiff.eager.modes import MODE, PLAIN, RECORDING
from vynapse_autodiff.eager.record import DTYPES, NAMES, TICK, Note, applied, result_of_one, result_of_two
from vynapse_core import GraphError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vynapse_core import Array

    Operand = Any
    Binary = Callable[["Tensor", Operand], "Tensor"]
    Unary = Callable[["Tensor"], "Tensor"]

_mode = MODE.get


def _binary(name: str, swapped: bool = False) -> Binary:
    """Return the method of an op on two tensors, or a tensor and a number."""
    call = call_of(name, 2)
    function = call.function

    def method(self: Tensor, other: Operand) -> Tensor:
        if type(other) is not Tensor:
            other = plain_operand(other, self)
            if other is None:
                return NotImplemented  # type: ignore[no-any-return]
        if swapped:
            self, other = other, self
        a, b, mode = self._data, other._data, _mode()
        kind = a.dtype
        if kind is not b.dtype or kind.kind != "f" or (mode is not RECORDING and mode is not PLAIN):
            return applied(name, (self, other), {})
        try:
            return result_of_two(call, self, other, function(a, b), mode)
        except ValueError as error:
            raise refusal(call, (self, other), error) from None

    return method


def _unary(name: str) -> Unary:
    """Return the method of an op on one float tensor."""
    call = call_of(name, 1)
    function = call.function

    def method(self: Tensor) -> Tensor:
        a, mode = self._data, _mode()
        if a.dtype.kind != "f" or (mode is not RECORDING and mode is not PLAIN):
            return applied(name, (self,), {})
        return result_of_one(call, self, function(a), mode)

    return method


@final
class Tensor:
    """An array of one of the language's dtypes, and how it was made. Make one with `tensor`."""

    __slots__ = ("__weakref__", "_call", "_data", "_key", "_note", "_operands", "_time", "grad")

    # lets `array * tensor` reach __rmul__ instead of NumPy's own loop over elements
    __array_ufunc__ = None

    _data: Any
    _call: Call | None
    _operands: tuple[Tensor, ...]
    _key: int
    """0 where there is no gradient; else a hash of the structure that made it."""
    _time: int
    """The tick at which it was computed, or last changed in place."""
    _note: Note | None
    grad: Array | None
    """The gradient that backward passes have added up, of its shape and dtype."""

    def __init__(self, data: Any, requires_grad: bool = False, name: str = "") -> None:
        """Hold `data`, an array, without copying it."""
        array = data if isinstance(data, np.ndarray) else np.asarray(data)
        if array.dtype not in NAMES:
            raise GraphError(at_line(f"a tensor of {array.dtype} cannot be; expected one of {', '.join(DTYPES)}"))
        if requires_grad and array.dtype.kind != "f":
            raise GraphError(at_line(f"a tensor of {array.dtype} has no gradient; expected float32 or float64"))
        self._data = array
        self._call = self.grad = None
        self._operands = ()
        self._key = int(requires_grad)
        self._time = TICK.now
        self._note = Note(name) if name else None

    @property
    def data(self) -> Array:
        """The array itself: read it, and write it with `assign` only."""
        return np.asarray(self._data)

    def numpy(self) -> Array:
        """Return a copy of the array. Raises GraphError while a graph is traced, which would hold the example's."""
        self._not_traced("an array was made of a tensor")
        return np.array(self._data)

    def item(self) -> Any:
        """Return the one element as a Python number. Raises GraphError where there are more, or in a trace."""
        self._not_traced("a number was made of a tensor")
        if self.size != 1:
            raise GraphError(at_line(f"{described(self)} has {self.size} elements; item wants one"))
        return self._data.item()

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes."""
        shape: tuple[int, ...] = self._data.shape
        return shape

    @property
    def dtype(self) -> str:
        """Name of the dtype, such as `float32`."""
        return NAMES[self._data.dtype]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        size: int = self._data.size
        return size

    @property
    def name(self) -> str:
        """What errors and graphs call it."""
        return self._note.name if self._note else ""

    @name.setter
    def name(self, name: str) -> None:
        if self._note is None:
            self._note = Note()
        self._note.name = name

    @property
    def requires_grad(self) -> bool:
        """Whether a backward pass reaches it."""
        return self._key != 0

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded op made it."""
        return not self._operands and self._call is not FREED

    @property
    def builder(self) -> type[Eager]:
        """What `Value.builder` is to code that builds graphs: `apply` and `constant`, which compute at once."""
        return Eager

    def backward(self, gradient: Any = None, retain_graph: bool = False) -> None:
        """Add the gradient of this by every leaf that requires one to the leaf's `grad`.

        `gradient` is the cotangent where this is no scalar. What was recorded is let go of, unless `retain_graph`.
        Raises GraphError where nothing was recorded, where it was let go of before, or where a leaf was changed in
        place since.
        """
        from vynapse_autodiff.eager.backward import backward

        backward(self, gradient, retain_graph)

    def retain_grad(self) -> Tensor:
        """Ask that a backward pass sets `grad` though an op made this; return self."""
        if self._note is None:
            self._note = Note()
        self._note.retain = True
        return self

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    def detach(self) -> Tensor:
        """Return the same numbers, which no gradient passes through."""
        return applied("stop_gradient", (self,), {}) if _mode().everything else Tensor(self._data)

    def assign(self, data: Any) -> None:
        """Write other numbers into the array. Raises GraphError where they do not fit, or where an op made this."""
        array = np.asarray(data)
        if self._call is not None or array.shape != self.shape:
            why = "was made by an op" if self._call is not None else f"was given {list(array.shape)}"
            raise GraphError(at_line(f"cannot assign to {described(self)}: it {why}"))
        self._data = np.asarray(self._data)
        if not self._data.flags.writeable:
            self._data = self._data.copy()
        self._data[...] = array
        self.changed()

    def changed(self) -> None:
        """Note that the array was written in place: what was recorded of it before has no gradient any more."""
        TICK.now += 1
        self._time = TICK.now

    def __repr__(self) -> str:
        numbers = np.array2string(self.data, precision=4, threshold=20, separator=", ")
        made = f" by {self._call.op.name}" if self._call is not None else ", requires_grad" * self.requires_grad
        return f"<{described(self)}{made}: {numbers}>"

    def __len__(self) -> int:
        if not self.shape:
            raise GraphError(at_line(f"{described(self)} is a scalar, which has no length"))
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __float__(self) -> float:
        return float(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        if _mode().everything:
            raise GraphError(at_line("a branch depends on a value, which no graph can express; take where"))
        return bool(self.item())

    def _not_traced(self, what: str) -> None:
        if _mode().everything:
            raise GraphError(at_line(f"{what} while it is traced; take the tensor's methods"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        self._not_traced("an array was made of a tensor")
        return np.array(self._data, dtype) if copy is not False else np.asarray(self._data, dtype)

    __add__, __radd__ = _binary("add"), _binary("add", swapped=True)
    __sub__, __rsub__ = _binary("sub"), _binary("sub", swapped=True)
    __mul__, __rmul__ = _binary("mul"), _binary("mul", swapped=True)
    __truediv__, __rtruediv__ = _binary("div"), _binary("div", swapped=True)
    __neg__ = _unary("neg")
    __hash__ = object.__hash__

    abs, sign = _unary("abs"), _unary("sign")
    exp, log, log1p, sqrt = _unary("exp"), _unary("log"), _unary("log1p"), _unary("sqrt")
    sin, cos, floor, erf = _unary("sin"), _unary("cos"), _unary("floor"), _unary("erf")
    tanh, sigmoid = _unary("tanh"), _unary("sigmoid")
    __abs__ = abs

    def __pow__(self, other: Operand) -> Tensor:
        # a product is many times faster than a power, and squares are in every loss
        return self * self if isinstance(other, int | float) and other == 2 else Eager.apply("pow", self, other)

    def __rpow__(self, other: Operand) -> Tensor:
        return Eager.apply("pow", other, self)

    def __matmul__(self, other: Operand) -> Tensor:
        if type(other) is Tensor:
            a, b, mode = self._data, other._data, _mode()
            fast = mode is RECORDING or mode is PLAIN
            if fast and a.dtype is b.dtype and a.ndim == b.ndim == 2 and a.dtype.kind == "f":
                try:
                    return result_of_two(_product, self, other, a.dot(b), mode)
                except ValueError as error:
                    raise refusal(_product, (self, other), error) from None
        return matmul(self, other)

    def __rmatmul__(self, other: Operand) -> Tensor:
        return matmul(other, self)

    def __lt__(self, other: Operand) -> Tensor:
        return self.less(other)

    def __gt__(self, other: Operand) -> Tensor:
        return self.greater(other)

    def __le__(self, other: Operand) -> Tensor:
        # not "not other < self", which would hold for NaN
        return Eager.apply("where", self.less(other), True, self.equal(other))

    def __ge__(self, other: Operand) -> Tensor:
        return Eager.apply("where", self.greater(other), True, self.equal(other))

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return self.equal(other)

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return self.equal(other).equal(False)

    def less(self, other: Operand) -> Tensor:
        """Return self < other as bool."""
        return Eager.apply("less", self, other)

    def greater(self, other: Operand) -> Tensor:
        """Return self > other as bool."""
        return Eager.apply("less", other, self)

    def equal(self, other: Operand) -> Tensor:
        """Return self = other as bool, element by element."""
        return Eager.apply("equal", self, other)

    def maximum(self, other: Operand) -> Tensor:
        """Return the larger of self and other, element by element."""
        return Eager.apply("maximum", self, other)

    def minimum(self, other: Operand) -> Tensor:
        """Return the smaller of self and other, element by element."""
        return Eager.apply("minimum", self, other)

    def relu(self) -> Tensor:
        """Return what is above 0, and 0 elsewhere."""
        return Eager.apply("maximum", self, 0.0)

    def cast(self, dtype: str) -> Tensor:
        """Return self in another dtype; itself where that is its own."""
        return self if dtype == self.dtype else applied("cast", (self,), {"dtype": dtype})

    def sum(self, axes: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        """Return the sum over axes; None for all."""
        shape, mode = self._data.shape, _mode()
        if self._data.dtype.kind != "f" or (mode is not RECORDING and mode is not PLAIN):
            return applied("sum", (self,), {"axes": self._axes(axes), "keepdims": keepdims})
        call = _sum_call(len(shape), axes if axes is None or isinstance(axes, int) else self._axes(axes), keepdims)
        if call is None:
            return applied("sum", (self,), {"axes": self._axes(axes), "keepdims": keepdims})
        return result_of_one(call, self, call.function(self._data), mode)

    def mean(self, axes: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        """Return the mean over axes; None for all."""
        total = self.sum(axes, keepdims)
        count = self._data.size if axes is None else prod([self._data.shape[axis] for axis in self._axes(axes)])
        return total / _count(count, total._data.dtype)

    def var(self, axes: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        """Return the mean square distance from the mean over axes; None for all."""
        apart = self - self.mean(axes, keepdims=True)
        return (apart * apart).mean(axes, keepdims)

    def max(self, axes: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        """Return the maximum over axes; None for all."""
        return applied("max", (self,), {"axes": self._axes(axes), "keepdims": keepdims})

    def min(self, axes: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        """Return the minimum over axes; None for all."""
        return -(-self).max(axes, keepdims)

    def argmax(self, axis: int = -1, keepdims: bool = False) -> Tensor:
        """Return the int64 index of the first maximum along an axis."""
        return applied("argmax", (self,), {"axis": axis, "keepdims": keepdims})

    def reshape(self, *shape: Any) -> Tensor:
        """Return the same elements in another shape, whose one -1 stands for what is left; so does a symbol."""
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], list | tuple) else shape
        return applied("reshape", (self,), {"shape": tuple(-1 if isinstance(n, str) else int(n) for n in sizes)})

    def transpose(self, axes: Sequence[int] | None = None) -> Tensor:
        """Return the axes in another order; None reverses them."""
        order = range(self.ndim)[::-1] if axes is None else axes
        return applied("transpose", (self,), {"axes": tuple(order)})

    @property
    def T(self) -> Tensor:  # noqa: N802 (NumPy's name)
        """The axes reversed."""
        return self.transpose()

    def __getitem__(self, index: Any) -> Tensor:
        """Return a part, as NumPy does by integers, slices, `...`, None, and arrays of integers."""
        from vynapse_autodiff.eager.indexing import indexed

        return indexed(self, index)

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise GraphError(at_line(f"{described(self)} is not written in place; make a new tensor, or use assign"))

    def _axes(self, axes: int | Sequence[int] | None) -> tuple[int, ...]:
        if axes is None:
            return tuple(range(len(self._data.shape)))
        rank = len(self._data.shape)
        counted = (int(axes),) if isinstance(axes, int | np.integer) else tuple(axes)
        for axis in counted:
            if not -rank <= axis < rank:
                raise GraphError(at_line(f"axis {axis} does not exist in {described(self)}"))
        return tuple(axis % rank for axis in counted)


_product = call_of("matmul", 2)


@lru_cache(256)
def _sum_call(rank: int, axes: int | tuple[int, ...] | None, keepdims: bool) -> Call | None:
    """Return the call of a sum; None where an axis does not exist or is named twice."""
    given = tuple(range(rank)) if axes is None else (axes,) if isinstance(axes, int) else axes
    counted = tuple(axis % rank for axis in given if -rank <= axis < rank)
    if len(counted) < len(given) or len(set(counted)) < len(counted):
        return None
    return call_of("sum", 1, (("axes", counted), ("keepdims", keepdims)))


class Eager:
    """What builds graphs writes `x.builder.apply(...)`: on tensors, that computes."""

    @staticmethod
    def apply(op: str, *operands: Operand, **attributes: Any) -> Tensor:
        """Return `op` of the operands; numbers take the dtype of the first tensor that is not bool."""
        tensors = [operand for operand in operands if type(operand) is Tensor]
        like = next((x for x in tensors if x._data.dtype.kind != "b"), tensors[0] if tensors else None)
        made = [x if type(x) is Tensor else _operand(op, x, like) for x in operands]
        return applied(op, tuple(made), attributes)

    @staticmethod
    def constant(value: Any, dtype: str = "") -> Tensor:
        """Return a constant from a number, sequence or array: float32, int64 or bool unless told."""
        array = np.asarray(value)
        kinds = {"b": "bool", "i": "int64", "u": "uint64", "f": "float32"}
        chosen = dtype or kinds.get(array.dtype.kind, array.dtype.name)
        return constant(array.item(), chosen) if array.shape == () else Tensor(array.astype(chosen))


def tensor(data: Any, requires_grad: bool = False, name: str = "", dtype: str = "") -> Tensor:
    """Return a tensor with a copy of `data`: a number, nested lists, or an array.

    Floats that are not in an array become float32, integers int64. `name` is what errors and graphs call it. Raises
    GraphError for another dtype than the language has, and for one without a gradient where `requires_grad`.
    """
    given = data.data if type(data) is Tensor else data
    array = np.array(given, dtype or None)
    if not dtype and array.dtype == np.float64 and not isinstance(given, np.ndarray | np.generic):
        array = array.astype(np.float32)
    return Tensor(array, requires_grad, name)


def constant(value: float | bool, dtype: str) -> Tensor:
    """Return a number that is part of the structure: a gradient may be made for it in particular."""
    return _constant(repr(value), value, dtype)


@lru_cache(256)
def _count(count: int, dtype: np.dtype[Any]) -> Tensor:
    """Return the number that a mean divides by."""
    return constant(float(count), NAMES[dtype])


@lru_cache(4096)
def _constant(text: str, value: float | bool, dtype: str) -> Tensor:
    """Return a constant; `text` tells 0.0 from -0.0."""
    made = Tensor(np.array(value, dtype))
    made._call = constant_call(value, dtype)
    return made


def plain_operand(other: Any, like: Tensor) -> Tensor | None:
    """Return a number in the dtype of `like`, or an array in its own, as a tensor; None for anything else."""
    if isinstance(other, bool | int | float | np.generic):
        if _mode().everything:
            return _operand("add", other, like)
        kind = like._data.dtype
        if kind.kind != "f" and isinstance(other, float | np.floating):
            raise GraphError(at_line(f"the number {other} does not fit {described(like)}; use cast"))
        try:
            return Tensor(kind.type(other))
        except OverflowError:
            raise GraphError(at_line(f"the number {other} does not fit {described(like)}; use cast")) from None
    return Tensor(other) if isinstance(other, np.ndarray) else None


def _operand(op: str, other: Any, like: Tensor | None) -> Tensor:
    if isinstance(other, bool | int | float | np.generic):
        if like is None:
            raise GraphError(at_line(f"{op} of numbers alone; expected a tensor among them"))
        dtype = like.dtype
        value = bool(other) if dtype == "bool" else float(other) if dtype.startswith("float") else other
        if not isinstance(value, bool | float):
            if isinstance(other, float | np.floating):
                raise GraphError(at_line(f"the number {other} does not fit {described(like)}; use cast"))
            value = int(value)
        return constant(value, dtype)
    if isinstance(other, np.ndarray | list | tuple):
        return Tensor(np.asarray(other))
    raise GraphError(at_line(f"{op}: expected a tensor, an array or a number, got {type(other).__name__}"))


def matmul(a: Operand, b: Operand) -> Tensor:
    """Return the matrix product; an operand of one axis is a row on the left and a column on the right."""
    a = a if type(a) is Tensor else _operand("matmul", a, None)
    b = b if type(b) is Tensor else _operand("matmul", b, None)
    left, right = a.ndim, b.ndim
    if left == 1 and right >= 1:
        product = matmul(a.reshape(1, -1), b)
        return product.reshape(product.shape[1:] if right == 1 else (*product.shape[:-2], product.shape[-1]))
    if right == 1 and left >= 1:
        product = matmul(a, b.reshape(-1, 1))
        return product.reshape(product.shape[:-1])
    return applied("matmul", (a, b), {})
