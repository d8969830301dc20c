# SPDX-License-Identifier: MIT OR Apache-2.0
"""Minimiser: tensors moved by their gradients, as one of the plugin's optimisers says.

The tensors become parts of one array, so that an update is a few passes over that array however many
tensors there are; it is the optimiser's own graph as a flat list of NumPy calls, which write where they read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_autodiff.eager.blame import at_line, described
from vynapse_autodiff.eager.program import Program
from vynapse_autodiff.eager.record import TICK
from vynapse_autodiff.eager.tensor import Tensor
from vynapse_core import Builder, Clock, GraphError, value_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vynapse_autodiff.optimiser import Optimiser
    from vynapse_core import Array


CHUNK = 1 << 14
"""Elements that are updated at once, so that what lies between stays in the processor's cache."""
NAME = "all"
"""What an optimiser is told that the one array is called."""


class Minimiser:
    """Moves tensors against their gradients.

    Their arrays become parts of one array. A tensor without a gradient counts as one whose gradient is 0. Raises
    GraphError where there is nothing to move, for a tensor that an op made, and for tensors of two dtypes.
    """

    def __init__(self, tensors: Iterable[Tensor], optimiser: Optimiser, steps: int | None = None) -> None:
        """Take charge of `tensors`; `steps` is how many there will be, where a schedule of the rate asks for it."""
        self.tensors = list(dict.fromkeys(tensors))
        self.optimiser = optimiser
        self.clock = Clock(0, steps)
        """The step to come; the rate follows it where it is a schedule."""
        for tensor in self.tensors:
            if not (tensor.is_leaf and tensor.requires_grad):
                raise GraphError(at_line(f"{described(tensor)} cannot be moved: expected a leaf that requires_grad"))
        if not self.tensors:
            raise GraphError(at_line("there is no tensor to move"))
        dtypes = {tensor.dtype for tensor in self.tensors}
        if len(dtypes) > 1:
            raise GraphError(at_line(f"tensors of {' and '.join(sorted(dtypes))}: take a minimiser for each dtype"))
        size = sum(tensor.size for tensor in self.tensors)
        # what is beyond the tensors stays 0
        self._array = np.zeros(size if size <= CHUNK else -(-size // CHUNK) * CHUNK, dtypes.pop())
        self._slopes = np.zeros_like(self._array)
        self._spans: list[slice] = []
        self._parts: list[tuple[Tensor, Array, Array]] = []
        begin = 0
        for tensor in self.tensors:
            span = slice(begin, begin := begin + tensor.size)
            self._spans.append(span)
            mine, slope = (array[span].reshape(tensor.shape) for array in (self._array, self._slopes))
            self._parts.append((tensor, mine, slope))
        self._compile(optimiser)

    def _compile(self, optimiser: Optimiser) -> None:
        """Make the flat list of an update: part by part, unless a norm joins the parts."""
        self.memory: dict[str, Array] = {}
        """What the optimiser remembers, by name, of all tensors as one array."""
        dtype = self._array.dtype.name
        for name, (shape, value) in optimiser.memory_of({NAME: self._array.shape}).items():
            self.memory[name] = np.full([int(dim) for dim in shape], value, dtype)
        self._number = self._array.dtype.type
        parted = optimiser.clip_norm is None and len(self._array) > CHUNK
        width = CHUNK if parted else len(self._array)
        builder = Builder()
        parameter = builder.parameter(NAME, (width,), dtype)
        slope = builder.input("slope", (width,), dtype)
        rate = builder.input("rate", (), dtype)
        remembered = {
            name: builder.parameter(name, (width,) if array.ndim else (), dtype) for name, array in self.memory.items()
        }
        moved, after = optimiser.update({NAME: parameter}, {NAME: slope}, remembered, rate)
        given = {parameter.place: self._array, slope.place: self._slopes}
        given |= {value.place: self.memory[name] for name, value in remembered.items()}
        outputs = {moved[NAME].place: parameter.place}
        outputs |= {value.place: remembered[name].place for name, value in after.items()}
        into = {new: old for new, old in outputs.items() if given[old].ndim}
        program = Program(builder.nodes, builder.ops, [*given, rate.place], list(outputs), into)
        self._rate = rate.place
        self._template = program.template.copy()
        for place in program.loads:
            if place in given and not given[place].ndim:
                self._template[place] = given[place]
        self._once = program.part(lambda node: parted and node.shape == ())
        self._each = program.part(lambda node: not parted or node.shape != ())
        long = [place for place, array in given.items() if array.ndim]
        self._chunks = [
            [(place, given[place][begin : begin + width]) for place in long]
            for begin in range(0, len(self._array), width)
        ]
        written = [(slot, old) for slot, old in zip(program.results, outputs.values(), strict=True) if slot != old]
        self._numbers = [(slot, given[old]) for slot, old in written if not given[old].ndim]
        self._copied = [(slot, long.index(old)) for slot, old in written if given[old].ndim]

    @property
    def rate(self) -> float:
        """The learning rate of the step to come."""
        return value_at(self.optimiser.rate, self.clock)

    def step(self, rate: float | None = None) -> None:
        """Move the tensors once, at `rate` where it is given, in place of the optimiser's own.

        Raises GraphError where none has a gradient, and for an optimiser that looks at the loss several times, which
        only a trainer can serve.
        """
        none = True
        for tensor, mine, slope in self._parts:
            if tensor._data is not mine:
                mine[...] = tensor._data
                tensor._data = mine
            if tensor.grad is None:
                slope.fill(0)
            else:
                slope[...] = tensor.grad
                none = False
        if rate is None:
            rate = self.rate
            if none:
                raise GraphError(at_line("no tensor has a gradient to follow; call backward on a loss before step"))
            if self.optimiser.steady:
                name = type(self.optimiser).__name__
                raise GraphError(at_line(f"{name} looks at the loss several times a step; take it in a trainer"))
        slots: list[Any] = self._template.copy()
        slots[self._rate] = self._number(rate)
        with np.errstate(all="ignore"):
            self._once.run(slots)
            for chunk in self._chunks:
                for place, part in chunk:
                    slots[place] = part
                self._each.run(slots)
                for slot, at in self._copied:
                    # it is the array itself where it was written in place
                    if slots[slot] is not chunk[at][1]:
                        chunk[at][1][...] = slots[slot]
        for slot, array in self._numbers:
            array[...] = slots[slot]
        TICK.now = now = TICK.now + 1
        for tensor, _, _ in self._parts:
            tensor._time = now
        self.clock = Clock(self.clock.step + 1, self.clock.steps)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for tensor, _, _ in self._parts:
            tensor.grad = None

    def means(self) -> list[Array]:
        """Return what networks are judged with, an array a tensor: moving means where the optimiser has `average`."""
        memory = {name: array[None] for name, array in self.memory.items()}
        return self.parts(np.array(self.optimiser.judged({NAME: self._array[None]}, memory)[NAME][0]))

    def parts(self, array: Array) -> list[Array]:
        """Return the views of the one array, or of one like it, that are each tensor's."""
        return [array[span].reshape(tensor.shape) for tensor, span in zip(self.tensors, self._spans, strict=True)]
