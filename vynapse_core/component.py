# SPDX-License-Identifier: MIT OR Apache-2.0
"""The component: a frozen model whose fields are its hyperparameters.

A contract class (`Mutation`, `Task`, ...) sets `kind`; every class below it is a component of that kind. Where a field
is declared as a contract, any installed component of the kind fits: in Python an instance, in a recipe its name or a
table with `type`. That one rule, below, is all the wiring there is.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from vynapse_core.errors import VynapseError
from vynapse_core.settings import Settings, described, mistake, with_article

if TYPE_CHECKING:
    from vynapse_core.experiment import Experiment


def is_contract(cls: type) -> bool:
    """Whether `cls` is a contract, so that any component of its kind below it fits; a finished class is not."""
    return "kind" in cls.__dict__ or bool(cls.__dict__.get("__abstractmethods__"))


class Component(Settings):
    """Base of everything that a recipe can name."""

    kind: ClassVar[str] = ""
    """What it is: set once, in the body of the contract class."""
    example: ClassVar[Mapping[str, Any]] = {}
    """A recipe's keys with which the conformance kit checks it, where it has keys without a default."""

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield (field, message) for what does not fit the rest of the experiment; called when it is wired.

        The field may name an item, as `layers.0`, and is empty for the component as a whole.
        """
        yield from ()

    @classmethod
    def from_tree(cls, value: Any, info: core_schema.ValidationInfo) -> Self:
        """Build the component of this contract that a recipe's value names; an instance passes as it is."""
        if isinstance(value, cls):
            return value
        table = {"type": value} if isinstance(value, str) else value
        if not isinstance(table, dict):
            raise mistake(
                f"expected {with_article(cls.kind)}: a name, or a table with 'type'; found {described(value)}"
            )
        if "type" not in table:
            raise mistake(f"this {cls.kind} lacks its 'type'")
        catalogue = (info.context or {}).get("catalogue")
        if catalogue is None:
            from vynapse_core.catalogue import installed

            catalogue = installed()
        found = catalogue.find(cls.kind, table["type"])
        if not issubclass(found, cls):
            raise mistake(
                f"{table['type']!r} is {with_article(cls.kind)} of another sort than {cls.__name__}, "
                "which is wanted here"
            )
        try:
            made = found.model_validate({k: v for k, v in table.items() if k != "type"}, context=info.context)
            return cast(Self, made)
        except VynapseError as error:
            raise mistake(str(error)) from error
        except (ValidationError, PydanticCustomError):
            raise
        except Exception as error:
            text = f"{found.__module__}.{found.__qualname__} raised {type(error).__name__}: {error}"
            raise mistake(text, "a component must explain a wrong value; this is for its author to mend") from error

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if not is_contract(cls):
            return handler(source)

        def build(value: Any, info: core_schema.ValidationInfo) -> Any:
            return cls.from_tree(value, info)

        return core_schema.with_info_plain_validator_function(build)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"component": cls.kind} if is_contract(cls) else handler(schema)
