# SPDX-License-Identifier: MIT OR Apache-2.0
"""Layer: a part of a network, written as graph nodes, and Scope: where it stands and what it leaves there.

A layer is its settings alone. As it is built it asks its scope for parameters, so shapes follow from the layer before,
and one description gives the graph that evaluates and the graph that is trained.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from pydantic import Field

from vynapse_core import Builder, GraphError, Initialiser, Settings, Value

KEY = "key"
"""The input, uint64 [2], from which all random numbers of a training step follow."""

HE: Any = "vynapse:he"
IDENTITY: Any = "vynapse:identity"
NORMAL: Any = "vynapse:normal"


@dataclass(frozen=True)
class Parameter:
    """An array that a network has of its own."""

    name: str
    """The path of its layer and what it is there, such as `0.weight`."""
    shape: tuple[int, ...]
    first: Initialiser | float
    """How it is drawn, or the number that it is filled with."""
    rows: int
    """Of the matrix that is drawn, fan_out; what is left of the shape is fan_in."""
    learnt: bool
    """Whether it is trained and evolved; frozen parameters and running statistics are not."""


@dataclass
class Notes:
    """What the layers of a network leave while they are built."""

    training: bool
    """Whether this is the graph that is trained."""
    parameters: dict[str, Parameter] = field(default_factory=dict)
    following: dict[str, Value] = field(default_factory=dict)
    """Of parameters that no gradient moves: their values after a training step."""
    streams: int = 0
    """Random streams in use."""


@dataclass(frozen=True)
class Scope:
    """Where a layer stands: the graph in the making, its path there, and whether it is frozen."""

    builder: Builder
    notes: Notes
    path: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    """The recipe's keys that lead to it, for errors."""
    frozen: bool = False

    @property
    def learning(self) -> bool:
        """Whether the layer is being trained: it is neither evaluated nor frozen."""
        return self.notes.training and not self.frozen

    def parameter(
        self, name: str, shape: tuple[int, ...], first: Initialiser | float, rows: int = 1, learnt: bool = True
    ) -> Value:
        """Return the layer's parameter `name`; a layer of the same name has the same one.

        Raises GraphError where that has another shape.
        """
        full = ".".join((*self.path, name))
        made = Parameter(full, shape, first, rows, learnt and not self.frozen)
        known = self.notes.parameters.setdefault(full, made)
        if (known.shape, known.learnt) != (made.shape, made.learnt):
            other = f"{'learnt' if known.learnt else 'not learnt'} {list(known.shape)}"
            found = f"{'learnt' if made.learnt else 'not learnt'} {list(shape)}"
            raise GraphError(f"the shared parameter {full!r} is {other} in a layer before it, and {found} here")
        value = self.builder.parameter(full, shape)
        if self.notes.training and not made.learnt:
            self.notes.following.setdefault(full, value)
        return value

    def follow(self, name: str, value: Value) -> None:
        """Make `value` the layer's parameter `name` after a training step."""
        self.notes.following[".".join((*self.path, name))] = value

    def uniform(self, like: Value) -> Value:
        """Return random numbers in [0, 1) of the shape of `like`, others at each training step."""
        self.notes.streams += 1
        key = self.builder.input(KEY, (2,), "uint64")
        return self.builder.apply("uniform", like, key, stream=self.notes.streams - 1)


class Layer(Settings):
    """A part of a network: values [B, ...] to values [B, ...], with parameters of its own."""

    name: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=40)
    """Layers of one name share their parameters; without it, they are its own."""
    frozen: bool = False
    """Whether its parameters stay as they are first drawn, neither trained nor evolved."""

    @abstractmethod
    def build(self, x: Value, scope: Scope) -> Value:
        """Return the layer's values for `x` [B, ...]. Raises GraphError for a shape that it cannot take."""


def built(layers: Sequence[Layer], x: Value, scope: Scope) -> Value:
    """Return what the last of `layers` gives. Raises GraphError that names a layer that does not fit, and its key."""
    for index, layer in enumerate(layers):
        path = (layer.name,) if layer.name else (*scope.path, str(index))
        keys = (*scope.keys, "layers", str(index))
        inner = Scope(scope.builder, scope.notes, path, keys, scope.frozen or layer.frozen)
        try:
            x = layer.build(x, inner)
        except GraphError as error:
            if error.key:
                raise
            kind = type(layer).model_fields["type"].default
            text = f"{kind} cannot take values {sample(x)}: {error}"
            raise GraphError(text, ".".join(keys)) from None
    return x


def sample(x: Value) -> list[int]:
    """Return the shape of one sample of `x` [B, ...]."""
    return [int(size) for size in x.shape[1:]]


def images(x: Value) -> tuple[int, int, int]:
    """Return channels, height and width of images `x` [B, C, H, W]. Raises GraphError for anything else."""
    if len(x.shape) != 4:
        raise GraphError("expected images [channels, height, width]; the genome's 'input' says how inputs are laid out")
    channels, height, width = sample(x)
    return channels, height, width


def flattened(x: Value) -> Value:
    """Return `x` [B, ...] as rows [B, n]."""
    return x if len(x.shape) == 2 else x.reshape(("B", prod(sample(x))))
