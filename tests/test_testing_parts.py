# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the kit asks of every component, and how it makes one of a class."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any, ClassVar

import pytest
from pydantic import ConfigDict, Field

from vynapse_core import Mutation, Schedule, hookimpl
from vynapse_core.catalogue import Catalogue, collect
from vynapse_core.clock import Clock
from vynapse_core.plugins import Plugin
from vynapse_core.testing import ContractError, check, check_component, check_schedule, offered, sample


class Still(Mutation):
    """Leave genes as they are."""

    sizes: tuple[float, ...] = (1.0, 2.0)
    """Some sizes."""

    def mutate(self, genes, rng, clock):
        return genes


class Needing(Still):
    """Has a field without default."""

    size: int
    """A size."""


class Exemplary(Needing):
    """Says what to check it with."""

    example: ClassVar[Mapping[str, Any]] = {"size": 3, "sizes": [0.5]}


class WrongExample(Needing):
    """Says something that does not fit."""

    example: ClassVar[Mapping[str, Any]] = {"size": "three"}


class NoDocstring(Still):
    pass


class BareField(Still):
    """Has a field that nobody explains."""

    rate: float = 0.5


class Kindless(Still):
    """Sets its kind again."""

    kind: ClassVar[str] = "mutation"


class Unfinished(Mutation):
    """Lacks its method."""


class Thawed(Still):
    """Can be changed."""

    model_config = ConfigDict(frozen=False)


class Listing(Still):
    """Holds a list."""

    names: list[str] = Field(default_factory=list)
    """Some names."""


class Forgetful(Still):
    """Writes itself as something else."""

    size: complex = 1j
    """Something that no recipe can say."""


def catalogue_of(**components: type) -> Catalogue:
    module = ModuleType("inline")
    module.vynapse_operators = hookimpl(lambda: components)
    return collect([Plugin("inline", "vynapse-inline", "1", module)])


def test_a_sound_component_passes():
    check_component(Still(), catalogue_of(still=Still))


def test_a_component_that_no_plugin_offers_is_checked_without_a_recipe():
    check_component(Still(), Catalogue())


@pytest.mark.parametrize(
    ("component", "words"),
    [
        (NoDocstring(), "docstring's first line"),
        (BareField(), "each field has a docstring.*\n.*none for rate"),
        (Thawed(), "`model_config` is left as Component has it"),
        (Listing(), "tuples, not lists.*\n.*names is a list"),
    ],
)
def test_a_careless_component_is_caught(component, words):
    with pytest.raises(ContractError, match=words):
        check_component(component, Catalogue())


def test_a_component_that_a_recipe_cannot_say_is_caught():
    with pytest.raises(ContractError, match="written as a recipe and read again"):
        check_component(Forgetful(), catalogue_of(forgetful=Forgetful))


def test_a_message_says_part_contract_finding_and_where_to_read():
    with pytest.raises(ContractError) as caught:
        check_component(BareField(), Catalogue())
    lines = str(caught.value).split("\n")
    assert lines[0] == "BareField (mutation) breaks its contract."
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["contract", "found", "read"]


def test_a_sample_is_made_of_the_example_or_of_the_defaults():
    assert sample(Exemplary) == Exemplary(size=3, sizes=(0.5,))
    assert sample(Still) == Still()


@pytest.mark.parametrize(
    ("component", "words"), [(Kindless, "Kindless sets `kind` itself"), (Unfinished, "Unfinished lacks mutate")]
)
def test_a_class_that_is_no_finished_component_is_caught(component, words):
    with pytest.raises(ContractError, match=words):
        check(component)


@pytest.mark.parametrize(
    ("component", "words"), [(Needing, "its defaults: size: missing"), (WrongExample, "its `example`")]
)
def test_a_class_of_which_no_sample_can_be_made_is_told_how(component, words):
    with pytest.raises(ContractError, match=words) as caught:
        sample(component)
    assert "example: ClassVar[Mapping[str, Any]] = {...}" in str(caught.value)


def test_a_contract_error_is_an_assertion_error():
    assert issubclass(ContractError, AssertionError)


class Halving(Schedule):
    """Half of what it was."""

    start: float = 1.0
    """Value at first."""

    def at(self, clock: Clock) -> float:
        return self.start * 0.5**clock.step

    def extremes(self) -> tuple[float, float]:
        return 0.0, self.start


class TooWide(Halving):
    """Leaves its extremes."""

    def at(self, clock: Clock) -> float:
        return self.start + clock.step


class Backward(Halving):
    """Has its extremes the wrong way round."""

    def extremes(self) -> tuple[float, float]:
        return self.start, 0.0


class Infinite(Halving):
    """Ends in infinity."""

    def at(self, clock: Clock) -> float:
        return float("inf") if clock.step > 30 else 0.0


def test_a_sound_schedule_passes():
    check_schedule(Halving())


@pytest.mark.parametrize(
    ("schedule", "words"),
    [(TooWide(), "stays within extremes"), (Backward(), "least value first"), (Infinite(), "finite number")],
)
def test_a_broken_schedule_is_caught(schedule, words):
    with pytest.raises(ContractError, match=words):
        check_schedule(schedule)


FIELDS = {
    "constant": {"value": 0.5},
    "linear": {"start": 1.0, "end": 0.1},
    "exponential": {"start": 1.0, "end": 0.1},
    "cosine": {"start": 0.1, "end": 1.0},
    "step": {"start": 1.0, "every": 5},
    "piecewise": {"steps": [0, 10, 20], "values": [1.0, 0.5, 2.0]},
    "warm_up": {"steps": 3, "start": 0.1, "then": {"type": "cosine", "start": 1.0, "end": 0.1}},
    "one_cycle": {"start": 0.1, "peak": 1.0, "end": 0.01},
}


@pytest.mark.parametrize(("kind", "name", "component"), offered("vynapse"))
def test_every_part_of_the_kernel_keeps_its_contract(kind, name, component):
    check(component.model_validate(FIELDS[name]) if kind == "schedule" else component)
