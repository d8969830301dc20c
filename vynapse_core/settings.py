# SPDX-License-Identifier: MIT OR Apache-2.0
"""Settings: a frozen pydantic model that coerces nothing and says in plain words what is wrong with its values."""

from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from vynapse_core.errors import nearest

EXPLAINED = "vynapse"
"""Type of a validation error whose text is final; its context holds `text` and `hint`."""
LONGEST = 60
"""Characters of a value, a name or a key that a message repeats."""

_WANTED = {
    "float_type": "a number",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "string_type": "a string",
    "bool_type": "true or false",
    "tuple_type": "an array",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "finite_number": "a finite number",
    "none_required": "nothing",
}
_BOUND = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_LENGTH = {
    "too_short": ("min_length", "at least", "item"),
    "too_long": ("max_length", "at most", "item"),
    "string_too_short": ("min_length", "at least", "character"),
    "string_too_long": ("max_length", "at most", "character"),
}


class Settings(BaseModel):
    """A table of a recipe.

    Sequences are tuples (lists are turned into them), and nothing is coerced: `"3"` is no number, `1` is no truth
    value. Numbers are finite unless a field says `allow_inf_nan=True`.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(data, dict):
            data = {key: frozen(value) for key, value in data.items()}
        try:
            return handler(data)
        except ValidationError as error:
            details = [_explained(detail, cls) for detail in error.errors(include_url=False) if not _follows(detail)]
            raise ValidationError.from_exception_data(cls.__name__, details) from None


def mistake(text: str, hint: str = "") -> PydanticCustomError:
    """Return the error to raise for a wrong value: what was found and expected, and what to do."""
    return PydanticCustomError(EXPLAINED, "{text}", {"text": text, "hint": hint})


def _absolute(path: str) -> str:
    try:
        return str(Path(path).expanduser().absolute())
    except RuntimeError:
        raise mistake(f"{path!r}: there is no such home folder") from None
    except OSError as error:
        raise mistake(f"{path!r} starts from the working directory, which is gone: {error.strerror}") from None


DataPath = Annotated[str, Field(min_length=1, pattern=r"^[^\x00]+$"), AfterValidator(_absolute)]
"""A field that holds a path: `~` is the home folder, and a relative one starts from the working directory.

It becomes absolute when the recipe is read, and so the resolved recipe means the same file wherever it is resumed.
"""


def with_article(kind: str) -> str:
    """Return a kind of component with its article: `a mutation`, `an observer`."""
    return f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}"


def frozen(value: Any) -> Any:
    """Return `value` with every list in it, however deep, as a tuple."""
    return tuple(frozen(item) for item in value) if isinstance(value, list | tuple) else value


def shortened(text: str) -> str:
    """Return a text of any length as one that fits a message: 60 characters, the last three dots where it is cut."""
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def described(value: Any) -> str:
    """Name a recipe's value and its type for an error message: `'3' (string)`."""
    names = {
        str: "string",
        bool: "boolean",
        int: "integer",
        float: "float",
        dict: "table",
        tuple: "array",
        list: "array",
    }
    text = _as_written(value)
    if isinstance(value, dict | tuple | list) and len(text) > LONGEST:
        return "a table" if isinstance(value, dict) else f"an array of {len(value)}"
    text = shortened(text)
    return text if isinstance(value, Settings) else f"{text} ({names.get(type(value), type(value).__name__)})"


def _as_written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_as_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_as_written, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date | time) else repr(value)


def _follows(detail: ErrorDetails) -> bool:
    """Whether an array counts as too short only because items in it are wrong, which is reported by itself."""
    return detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]


def _explained(detail: ErrorDetails, model: type[Settings]) -> InitErrorDetails:
    text, hint = _text(detail, model)
    return InitErrorDetails(type=mistake(text, hint), loc=detail["loc"], input=detail["input"])


def _text(detail: ErrorDetails, model: type[Settings]) -> tuple[str, str]:
    kind, found = detail["type"], described(detail["input"])
    context: Mapping[str, Any] = detail.get("ctx", {})
    if kind == EXPLAINED:
        return context["text"], context["hint"]
    if kind == "missing":
        field = model.model_fields.get(str(detail["loc"][-1]))
        return "missing" + (f": {field.description}" if field and field.description else ""), ""
    if kind == "extra_forbidden":
        known = [name for name in model.model_fields if not name.startswith("_")]
        return f"unknown key, found {found}", nearest(str(detail["loc"][-1]), known) or f"known: {', '.join(known)}"
    if kind in _BOUND:
        key, word = _BOUND[kind]
        return f"expected a value {word} {_plain(context[key])}, found {found}", ""
    if kind in _LENGTH:
        key, word, unit = _LENGTH[kind]
        return f"expected {word} {context[key]} {unit}{'' if context[key] == 1 else 's'}, found {found}", ""
    if kind == "string_pattern_mismatch":
        field = model.model_fields.get(str(detail["loc"][-1]))
        return f"expected a text like {context['pattern']}, found {found}", (field and field.description) or ""
    if kind == "literal_error":
        return f"expected {context['expected']}, found {found}", nearest(str(detail["input"]), _literals(context))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        key, tags = context["discriminator"].strip("'"), str(context.get("expected_tags", ""))
        if kind == "union_tag_not_found":
            return f"missing: the key {key!r}, which says what the table is", ""
        hint = nearest(str(context["tag"]), _literals({"expected": tags})) or f"known: {tags}"
        return f"unknown {key} {context['tag']!r}", hint
    if kind in _WANTED:
        return f"expected {_WANTED[kind]}, found {found}", ""
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", detail["msg"])), ""
    return f"{detail['msg'][:1].lower()}{detail['msg'][1:]}, found {found}", ""


def _plain(bound: Any) -> Any:
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def _literals(context: Mapping[str, Any]) -> list[str]:
    return [part.strip(" '") for part in str(context["expected"]).replace(" or ", ",").split(",")]
