# SPDX-License-Identifier: MIT OR Apache-2.0
"""OneOrSeveral: the mark of a field that holds an array and takes a single item too."""

from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


class OneOrSeveral:
    """Annotates a field of type `tuple[X, ...]`: what is no array becomes an array of one."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_listed, handler(source))

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        several = handler(schema)
        return {"anyOf": [several.get("items", {}), several]}


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, tuple | list) else (value,)
