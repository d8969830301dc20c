# SPDX-License-Identifier: MIT OR Apache-2.0
"""What holds for components of every kind: documented, frozen, and the same after a trip through a recipe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from vynapse_core import catalogue as catalogues
from vynapse_core.catalogue import KINDS
from vynapse_core.component import Component, is_contract
from vynapse_core.errors import PluginError
from vynapse_core.recipe import tree
from vynapse_core.testing.contract import Contract, ContractError, breach

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vynapse_core.catalogue import Catalogue


def sample(component: type[Component], catalogue: Catalogue | None = None) -> Component:
    """Return the instance that the kit checks: made of the class's `example`, else of its defaults.

    `example: ClassVar[Mapping[str, Any]] = {"layers": [2, 3, 1]}` names the fields as a recipe's table does. A class
    whose defaults suffice needs none. Raises ContractError where neither makes an instance.
    """
    if is_contract(component):
        missing = ", ".join(sorted(component.__abstractmethods__))
        found = f"{component.__name__} lacks {missing}" if missing else f"{component.__name__} sets `kind` itself"
        says = "`kind` is set by the contract class alone, and a finished class has all its methods"
        raise breach(
            component.__name__, says, found, f"the docstring of {is_contract.__module__}.{is_contract.__name__}"
        )
    fields: Mapping[str, Any] = getattr(component, "example", {})
    context = {"catalogue": catalogue or catalogues.installed()}
    try:
        return component.model_validate(dict(fields), context=context)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'fields'}: {item['msg'].rstrip('.')}" for item in error.errors()
        )
        raise ContractError(
            f"{component.__name__} ({component.kind}) cannot be made from "
            f"{'its `example`' if fields else 'its defaults'}: {wrong}.\n"
            "  contract: where fields are required, the class says which values to check it with:\n"
            "            example: ClassVar[Mapping[str, Any]] = {...}\n"
            "  read:     the docstring of vynapse_core.testing.sample"
        ) from None


def check_component(component: Component, catalogue: Catalogue | None = None) -> None:
    """Check what holds for every component, whatever its kind. Raises ContractError.

    `catalogue`, by default what is installed, is where a recipe would find it; one that it lacks makes no such trip.
    """
    contract = Contract.of(component, Component)
    _check_class(contract, type(component))
    _check_documented(contract, type(component))
    _check_frozen(contract, component)
    _check_round_trip(contract, component, catalogue or catalogues.installed())


def _check_class(contract: Contract, cls: type[Component]) -> None:
    kinds = ", ".join(KINDS)
    contract.require(cls.kind in KINDS, f"its kind is one of {kinds}: derive it from a contract class", f"{cls.kind!r}")


def _check_documented(contract: Contract, cls: type[Component]) -> None:
    first = (cls.__dict__.get("__doc__") or "").strip().split("\n")[0]
    contract.require(first, "its docstring's first line says what it is", "no docstring")
    bare = [name for name, field in cls.model_fields.items() if not field.description]
    contract.require(
        not bare,
        "each field has a docstring of one line below it: what it is, its unit and range",
        f"none for {', '.join(bare)}",
    )


def _check_frozen(contract: Contract, component: Component) -> None:
    wanted = {"frozen": True, "extra": "forbid", "strict": True}
    found = {key: component.model_config.get(key) for key in wanted}
    contract.require(
        found == wanted, "`model_config` is left as Component has it: frozen, strict, nothing extra", f"{found}"
    )
    for name in type(component).model_fields:
        value = getattr(component, name)
        contract.require(
            not isinstance(value, list | dict | set),
            "its fields hold nothing that can be changed: tuples, not lists",
            f"{name} is a {type(value).__name__}",
        )


def _check_round_trip(contract: Contract, component: Component, catalogue: Catalogue) -> None:
    try:
        table = tree(component, catalogue)
    except PluginError:
        return
    says = "written as a recipe and read again, it is the same component"
    try:
        plain = json.loads(json.dumps(table))
        found = catalogue.find(component.kind, plain.pop("type"))
        again = found.model_validate(plain, context={"catalogue": catalogue})
    except (TypeError, ValidationError) as error:
        raise breach(contract.part, says, f"{table}: {error}", contract.read) from error
    contract.require(again == component, says, f"{again!r} from {table}")
