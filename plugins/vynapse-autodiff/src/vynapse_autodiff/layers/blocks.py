# SPDX-License-Identifier: MIT OR Apache-2.0
"""Blocks of layers, `sequential` and `residual`, and `AnyLayer`: a field of any layer, blocks in blocks included."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from vynapse_autodiff.layers.convolution import Conv2d, convolution
from vynapse_autodiff.layers.dense import Dense
from vynapse_autodiff.layers.dropout import Dropout
from vynapse_autodiff.layers.embedding import Embedding
from vynapse_autodiff.layers.layer import HE, IDENTITY, Layer, Scope, built, images, sample
from vynapse_autodiff.layers.normalisation import BatchNorm, LayerNorm
from vynapse_autodiff.layers.plain import Activate, Flatten
from vynapse_autodiff.layers.pooling import AveragePool, GlobalPool, MaxPool
from vynapse_core import Activation, GraphError, Initialiser, Value


class Block(Layer):
    """Layers that stand for one."""

    layers: tuple["AnyLayer", ...] = Field(min_length=1)
    """Its layers, the first one first."""


class Sequential(Block):
    """Layers one after the other."""

    type: Literal["sequential"] = "sequential"
    """Which layer this is."""

    def build(self, x: Value, scope: Scope) -> Value:
        """Return what the last layer gives."""
        return built(self.layers, x, scope)


class Residual(Block):
    """Layers around which their input is added to what they give.

    Where the two differ in shape, a learnt projection without bias takes the input there: a dense layer for rows, a
    convolution of size 1 for images.  Reference: He, Zhang, Ren & Sun 2016, eq. 1 and 2.
    """

    type: Literal["residual"] = "residual"
    """Which layer this is."""
    activation: Activation = IDENTITY
    """Function of the sum."""
    initialiser: Initialiser = HE
    """Distribution of the projection's first weights."""

    def build(self, x: Value, scope: Scope) -> Value:
        """Return the activation of the sum; where there is a projection, its parameter is `projection`."""
        value = built(self.layers, x, scope)
        return self.activation.build(value + self._projected(x, value, scope))

    def _projected(self, x: Value, wanted: Value, scope: Scope) -> Value:
        if x.shape == wanted.shape:
            return x
        given, taken = sample(x), sample(wanted)
        if len(given) == len(taken) == 1:
            weight = scope.parameter("projection", (taken[0], given[0]), self.initialiser, taken[0])
            return x @ weight.T
        if len(given) != 3 or len(taken) != 3 or taken[1] > given[1] or taken[2] > given[2]:
            raise GraphError(f"its layers give {taken}, and no projection leads there")
        stride = (-(-given[1] // taken[1]), -(-given[2] // taken[2]))
        if tuple(-(-n // step) for n, step in zip(given[1:], stride, strict=True)) != tuple(taken[1:]):
            raise GraphError(f"its layers give {taken}, where no stride of a projection leads; pad them with 'same'")
        shape = (taken[0], images(x)[0], 1, 1)
        return convolution(x, scope.parameter("projection", shape, self.initialiser, taken[0]), stride=stride)


_Union = (
    Dense
    | Conv2d
    | MaxPool
    | AveragePool
    | GlobalPool
    | BatchNorm
    | LayerNorm
    | Dropout
    | Embedding
    | Flatten
    | Activate
    | Sequential
    | Residual
)


class ByName:
    """Annotates a field of layers: one that needs no keys may be written as its name alone."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_table, handler(source))

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        alone = [
            layer.model_fields["type"].default
            for layer in get_args(_Union)
            if not any(field.is_required() for field in layer.model_fields.values())
        ]
        return {"anyOf": [{"enum": alone}, handler(schema)]}


def _table(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


AnyLayer = Annotated[_Union, Field(discriminator="type"), ByName]
"""A field of any layer: a recipe's table says which by `type`, or its name stands alone."""

Sequential.model_rebuild()
Residual.model_rebuild()
