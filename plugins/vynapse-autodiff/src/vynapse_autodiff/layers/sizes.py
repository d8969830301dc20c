# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pairs of sizes, height and width, of which a recipe may write one for both, and the padding of images."""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from vynapse_core import GraphError, Value, mistake


class OneForBoth:
    """Annotates a pair: a single value stands for both."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_both, handler(source))

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        pair = handler(schema)
        return {"anyOf": [pair["prefixItems"][0], pair]}


class Padded:
    """Annotates a padding: `same`, `valid`, a number for all sides, or one each for height and width."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_padding)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        number = {"type": "integer", "minimum": 0}
        pair = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
        return {"anyOf": [{"enum": ["same", "valid"]}, number, pair]}


_Size = Annotated[int, Field(gt=0)]
Pair = Annotated[tuple[_Size, _Size], OneForBoth]
"""Height and width, integers from 1; a single one stands for both."""
Padding = Annotated[Literal["same", "valid"] | tuple[int, int], Padded]
"""What is added around images."""


def _both(value: Any) -> Any:
    return value if isinstance(value, tuple | list) else (value, value)


def _padding(value: Any) -> Any:
    if value in ("same", "valid"):
        return value
    pair = tuple(_both(value))
    if len(pair) == 2 and all(type(size) is int and size >= 0 for size in pair):
        return pair
    raise mistake(f"expected 'same', 'valid', an integer from 0, or two of them; found {value!r}"[:200])


class Sides(NamedTuple):
    """What is added to an axis before and after it."""

    before: int
    after: int


def sides(x: Value, padding: Padding, size: Pair, stride: Pair, dilation: Pair = (1, 1)) -> list[Sides]:
    """Return what is added to height and width of images `x` [B, C, H, W].

    `same` gives as many positions as the stride fits into the image, ceil(n / stride); where what that takes is odd,
    there is one more after than before.
    """
    if padding == "valid":
        return [Sides(0, 0), Sides(0, 0)]
    if padding != "same":
        return [Sides(added, added) for added in padding]
    found = []
    for n, s, step, apart in zip(x.shape[2:], size, stride, dilation, strict=True):
        room = (-(-int(n) // step) - 1) * step + apart * (s - 1) + 1
        total = max(room - int(n), 0)
        found.append(Sides(total // 2, total - total // 2))
    return found


def padded(x: Value, around: list[Sides], value: float = 0.0) -> Value:
    """Return images `x` [B, C, H, W] with `value` around them."""
    for axis, (before, after) in enumerate(around, start=2):
        if before or after:
            x = x.builder.apply("pad", x, axis=axis, before=before, after=after, value=value)
    return x


def fits(x: Value, size: Pair, dilation: Pair = (1, 1)) -> None:
    """Raise GraphError where a window does not fit into images `x` [B, C, H, W], padded ones."""
    for n, s, apart, what in zip(x.shape[2:], size, dilation, ("high", "wide"), strict=True):
        if apart * (s - 1) + 1 > int(n):
            reach = apart * (s - 1) + 1
            raise GraphError(f"a window {reach} {what} is larger than the image, {n} {what} with its padding")
